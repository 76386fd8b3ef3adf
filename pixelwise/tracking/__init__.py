"""MLflow runs of trainings, and the spool that keeps what MLflow could not be told yet."""

from pixelwise.tracking.runs import Recorder, record, record_for_model, start_run

__all__ = ["Recorder", "record", "record_for_model", "start_run"]
