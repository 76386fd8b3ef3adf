"""MLflow: the runs of trainings, the registry of models, and the ledger of promotions."""

from components.tracking.runs import Recorder, record, record_beside, start_run

__all__ = ["Recorder", "record", "record_beside", "start_run"]
