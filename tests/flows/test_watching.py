"""The flow that watches: what it reports, and what it starts."""

import asyncio

import numpy as np
import pytest
from support.channel_model import channel_picture, write_channel_data, write_channel_model

from components import ingest
from components.ingest import IngestParams
from pixelwise.inference.exported_models import identify
from pixelwise.watching.rows import encode_row, observe

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a model, forty accepted stills and params.yaml, in which we stand."""
    monkeypatch.chdir(tmp_path)
    raw = write_channel_data(tmp_path / "raw", [(24, 40)] * 40)
    ingest.run(IngestParams(dataset="folder", root=raw), tmp_path / "data/prepared")
    write_channel_model(tmp_path / "model")
    (tmp_path / "params.yaml").write_text("validate: {max_drift_psi: 0.25, min_class_images: 1}\n")
    return tmp_path


@pytest.fixture
def retraining(tmp_path):
    """A deployment that nobody works on. Gives its name."""
    from flows.pipeline import pipeline

    name = f"of-{tmp_path.name}"
    pipeline.to_deployment(name).apply()
    return f"pipeline/{name}"


def watch(project, light, **arguments):
    """Run the flow on sixty requests in this light."""
    from flows.watching import watch

    lines = []
    for number in range(60):
        image, label = channel_picture(number, (24, 40))
        lines.append(encode_row(observe((light * image).astype(np.uint8), label, identify(project / "model"), 3)))
    (project / "seen.jsonl").write_text("\n".join(lines))
    return asyncio.run(watch(files=[project / "seen.jsonl"], model="model", **arguments, return_state=True))


def test_a_drift_fails_the_run_by_its_name_and_requests_as_accepted_do_not(project):
    assert watch(project, 1.0).is_completed()
    state = watch(project, 0.5)
    assert (state.name, state.is_failed()) == ("Drifted", True)
    assert state.message.startswith("model: contrast of ")
    assert state.message.endswith("5 more drifted; see reports/watch/page.html")
    assert (project / "reports/watch/page.html").is_file()


@pytest.mark.slow
def test_a_drift_starts_a_retraining_once_for_each_model(project, retraining):
    first, second = (watch(project, 0.5, retrain=retraining) for _ in range(2))
    assert first.is_completed()
    # Prefect answers the same key with the run that it started before.
    assert first.message.rpartition("started run ")[2] == second.message.rpartition("started run ")[2]


def test_a_missing_file_fails_the_run_in_one_line(project):
    from flows.watching import watch

    state = asyncio.run(watch(files=[project / "lost.jsonl"], model="model", return_state=True))
    assert state.is_failed()
    assert "lost.jsonl: no such file" in state.message
