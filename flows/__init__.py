"""When and where the pipeline runs: Prefect flows that walk the DAG of dvc.yaml. No learning code."""
