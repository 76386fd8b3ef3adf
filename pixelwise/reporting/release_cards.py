"""The papers of a release: a model card and a data card, from what is registered with the version.

The order follows Mitchell et al., Model Cards for Model Reporting (2019), and Gebru et al., Datasheets for Datasets
(2021).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.prepared import DATASET_FILE
from pixelwise.data.terms import describe_terms
from pixelwise.documents import read_json
from pixelwise.metrics.confusion import compute_scores
from pixelwise.metrics.measurement import Measurement
from pixelwise.model_folder import MODEL_FILE, ModelFolder
from pixelwise.registry.evidence import Evidence
from pixelwise.registry.versions import ONNX_TAG
from pixelwise.reporting.card import Card

WRITTEN = "what a step of the pipeline wrote"
# More slices than this are many to read; the worst ones matter.
MOST_SLICES = 10
JOULES_PER_KWH = 3.6e6


def make_model_card(
    entry: Mapping[str, Any], folder: Path, evidence: Evidence, tags: Mapping[str, str], watts: float | None
) -> Card:
    """Make the card of a version that a ledger `entry` made champion.

    folder: the files as registered. tags: of the version. watts: mean power of the GPUs in training, None if unknown.
    """
    model = ModelFolder(folder)
    facts = read_json(model.checkpoint / MODEL_FILE, WRITTEN, default={})
    main, classes = evidence.main, facts.get("classes") or evidence.main.classes
    sections: dict[str, Mapping[str, str] | str] = {
        "Use": {
            "it does": f"label pixels as one of {len(classes)} classes: {', '.join(classes)}",
            "it is for": f"pictures like those of {evidence.dataset}, on which it was scored",
            "it is not for": "other cameras, places or light before it is scored there; decisions about people that "
            "nobody checks",
        },
        "Decision of the gate": describe_decision(entry),
        f"Scores on {evidence.dataset}, {evidence.split}, {main.extent}": {
            **{one.name: f"{one.score:.4f}" for one in evidence.measurements},
            "median latency": f"{evidence.milliseconds:g} ms" if evidence.milliseconds else "not measured",
            "pixels equal to the trained net's": f"{evidence.parity:.6f}",
        },
        "IU by class": score_classes(main),
        f"Worst slices, {main.name}": score_slices(main),
        "Training": describe_training(model, watts),
        "Lineage": describe_lineage(model, tags),
        "Limits": "The scores hold for pictures like those scored. A class with few pixels there has an uncertain "
        "score. The model gives a label to every pixel, also to objects of none of its classes.",
    }
    title = f"Model card: {entry['name']} version {entry['version']}"
    lead = f"Champion since {entry['time'][:19].replace('T', ' ')} UTC."
    return Card(title, lead, {name: content for name, content in sections.items() if content})


def describe_decision(entry: Mapping[str, Any]) -> dict[str, str]:
    """What the version replaces, and every check of the gate."""
    checks = {check["name"]: f"{check['found']} (needed: {check['needed']})" for check in entry.get("checks", ())}
    return {"replaces": f"version {entry['previous']}" if entry["previous"] else "nothing, it is the first", **checks}


def score_classes(measurement: Measurement) -> dict[str, str]:
    """The IU of each class; empty if the measure knows no classes."""
    if not measurement.classes:
        return {}
    ious = compute_scores(measurement.values.sum(axis=0)).per_class
    return {name: "absent" if np.isnan(iu) else f"{iu:.4f}" for name, iu in zip(measurement.classes, ious, strict=True)}


def score_slices(measurement: Measurement) -> dict[str, str]:
    """The measure on each folder of its units, such as a clip, worst first; empty if there is one folder."""
    folders: dict[str, list[int]] = defaultdict(list)
    for index, unit in enumerate(measurement.ids):
        folders[Path(unit).parent.as_posix()].append(index)
    if len(folders) < 2:
        return {}
    draws = np.zeros((len(folders), len(measurement.ids)), np.int64)
    for row, members in enumerate(folders.values()):
        draws[row, members] = 1
    scores = dict(zip(folders, measurement.score_draws(draws), strict=True))
    worst = sorted(scores, key=lambda name: scores[name])[:MOST_SLICES]
    return {name: f"{scores[name]:.4f} ({len(folders[name])} {measurement.unit}s)" for name in worst}


def describe_training(model: ModelFolder, watts: float | None) -> dict[str, str]:
    """Epochs, time, machine and energy of the training."""
    run = read_json(model.run, WRITTEN, default={})
    history: Sequence[Mapping[str, float]] = read_json(model.history, WRITTEN, list[Any], default=[])
    seconds = sum(row.get("seconds", 0.0) for row in history)
    energy = (
        "not measured: no GPU reported its power" if watts is None else f"{watts * seconds / JOULES_PER_KWH:.3g} kWh"
    )
    machine = ", ".join(f"{name} {value}" for name, value in run.get("machine", {}).items())
    return {
        "epochs": str(len(history)),
        "time": f"{seconds / 60:.1f} minutes",
        "energy of the GPUs": energy,
        "machine": machine or "not recorded",
    }


def describe_lineage(model: ModelFolder, tags: Mapping[str, str]) -> dict[str, str]:
    """The hashes and names by which the version can be traced and made again."""
    run = read_json(model.run, WRITTEN, default={})
    parts = {f"{name} sha256": str(run.get("parts", {}).get(name, "")) for name in ("data", "code")}
    return {
        "fingerprint": str(run.get("fingerprint", "")),
        **parts,
        "ONNX sha256": tags.get(ONNX_TAG, ""),
        "git commit": tags.get("git_commit", "") or "not recorded",
        "MLflow run": str(run.get("run_id")),
        "started from": f"{start['family']} {start['fingerprint']}"
        if (start := run.get("start"))
        else "no other model",
    }


def make_data_card(entry: Mapping[str, Any], evidence: Evidence, manifest: str, data: Path, statistics: Path) -> Card:
    """Make the card of the data that a version was scored on.

    manifest: its hash. data: prepared data and statistics: of `validate`; they are described only if they are still
    those with this hash.
    """
    dataset = read_json(data / DATASET_FILE, WRITTEN, default={})
    is_same = bool(manifest) and dataset.get("manifest_sha256") == manifest
    shares = read_json(statistics, WRITTEN, default={}) if is_same else {}
    sections: dict[str, Mapping[str, str] | str] = {
        "Data": {
            "data set": evidence.dataset,
            "terms": describe_terms(evidence.dataset),
            "manifest sha256": manifest or "not prepared by `pixelwise ingest`",
        },
        "Pictures by split": {name: str(count) for name, count in dataset.get("splits", {}).items()} if is_same else {},
        "Share of the labelled training pixels by class": {
            name: f"{share:.4f}"
            for name, share in zip(shares.get("classes", ()), shares.get("class_shares", ()), strict=True)
        },
        "Limits": "The classes, cameras and places are those of the data set. Pixelwise does not know how the pictures "
        "were chosen, who labelled them, or whether the people in them agreed.",
    }
    title = f"Data card: {evidence.dataset}, of {entry['name']} version {entry['version']}"
    return Card(title, "The data that trained and scored the model.", {k: v for k, v in sections.items() if v})
