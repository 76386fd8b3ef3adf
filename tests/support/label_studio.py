"""What a person does in Label Studio with imported tasks: accept their predictions, and export the annotations."""

import json
from pathlib import Path


def accept_predictions(file: Path) -> None:
    """Turn the predictions of a file of tasks into annotations."""
    tasks = json.loads(file.read_text())
    for task in tasks:
        task["annotations"] = [{"result": prediction["result"]} for prediction in task.pop("predictions")]
    file.write_text(json.dumps(tasks))
