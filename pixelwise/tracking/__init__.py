"""MLflow runs of trainings, and the local store of what could not be sent to MLflow yet."""

from pixelwise.tracking.runs import Recorder, record, record_for_model, record_measures, start_run

__all__ = ["Recorder", "record", "record_for_model", "record_measures", "start_run"]
