"""Write the papers of a promotion: make its cards of what is registered, and store them with the version."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise.errors import PixelwiseError
from pixelwise.registry.references import find_version_folder
from pixelwise.registry.registration import CARDS, load_evidence, save_files
from pixelwise.reporting.card import write_card
from pixelwise.reporting.release_cards import make_data_card, make_model_card
from pixelwise.tracking.store import print_notice

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Of the checkout that promotes. They are described only if they are those that the version was scored on.
DATA, STATISTICS = Path("data/prepared"), Path("reports/validate/statistics.json")


def write_papers(client: "MlflowClient", entry: Mapping[str, Any]) -> None:
    """Store the cards of the version that a ledger `entry` made champion; a notice where they cannot be made.

    The promotion holds without them.
    """
    name, version = entry["name"], entry["version"]
    try:
        registered = client.get_model_version(name, version)
        folder = find_version_folder(client, registered, f"models:/{name}/{version}")
        evidence = load_evidence(client, name, version)
        watts = measure_gpu_power(client, registered.run_id)
        manifest = registered.tags.get("manifest_sha256", "")
        cards = {
            "model-card": make_model_card(entry, folder, evidence, registered.tags, watts),
            "data-card": make_data_card(entry, evidence, manifest, DATA, STATISTICS),
        }
        with tempfile.TemporaryDirectory() as work:
            files = [file for stem, card in cards.items() for file in write_card(card, Path(work), stem)]
            save_files(client, name, version, files, CARDS)
    except PixelwiseError as error:
        print_notice(f"{name} version {version} has no cards: {error}")


def measure_gpu_power(client: "MlflowClient", run_id: str | None) -> float | None:
    """The mean power of the GPUs during a run, in watts; None where the run has no measurements of it."""
    metrics = client.get_run(run_id).data.metrics if run_id else {}
    keys = [key for key in metrics if key.startswith("system/gpu_") and key.endswith("_power_usage_watts")]
    histories = [[point.value for point in client.get_metric_history(run_id, key)] for key in keys]
    return sum(sum(values) / len(values) for values in histories) if histories else None
