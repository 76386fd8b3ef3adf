"""Prefect flows that schedule the pipeline and run the DAG of dvc.yaml. No learning code."""
