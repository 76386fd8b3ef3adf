"""Two projects on one server: each names its models by their families, and neither touches the other's."""

from pathlib import Path

import pytest
import yaml
from support.bright_model import write_model

from components import promote, register
from flows import release as flow_release
from pixelwise.errors import ParamsError, RegistryError
from pixelwise.families.options import ReleaseParams
from pixelwise.registry.names import complete_name
from pixelwise.registry.references import resolve_model
from pixelwise.registry.versions import read_aliases
from pixelwise.serving import models
from pixelwise.tools import release, serve, use, verify
from pixelwise.tracking.store import connect

PARAMS = ReleaseParams(mean_iu_floor=0.5, resamples=200)


class Project:
    """A checkout with a prefix, or none, on a shared store."""

    def __init__(self, folder, store, prefix, patch):
        self.folder, self.store, self.patch = folder, store, patch
        folder.mkdir()
        section = {"registry": {"prefix": prefix}} if prefix else {}
        (folder / "params.yaml").write_text(yaml.safe_dump({"ingest": {"dataset": "town"}} | section))

    def enter(self):
        self.patch.chdir(self.folder)
        return self

    def release(self, threshold):
        files = write_model(self.folder / str(threshold), threshold=threshold)
        registered = register.run("fcn", **files, tracking=self.store)
        promote.run(PARAMS, "fcn", tracking=self.store)
        return registered


@pytest.fixture
def projects(tmp_path, mlflow_store, monkeypatch):
    """Two projects of which each has released one fcn, version 1."""
    both = [Project(tmp_path / name, mlflow_store, prefix, monkeypatch) for name, prefix in (("a", None), ("b", "b"))]
    for threshold, project in enumerate(both):
        project.enter().release(threshold + 1)
    return both


def test_each_project_has_a_champion_of_its_own_by_the_familys_name(projects, mlflow_store):
    first, second = projects
    client = connect(mlflow_store)
    assert {name: read_aliases(client, name) for name in ("fcn", "b-fcn")} == {
        "fcn": {"champion": "1"},
        "b-fcn": {"champion": "1"},
    }
    folders = [resolve_model("models:/fcn@champion", one.enter().store) for one in projects]
    assert folders[0] != folders[1] == resolve_model("models:/b-fcn/1", mlflow_store)
    # Outside a checkout the real name is needed.
    first.patch.chdir(first.folder.parent)
    assert resolve_model("models:/b-fcn@champion", mlflow_store) == folders[1]
    assert str(second.enter().release(3)).endswith("alias challenger\nnext: pixelwise promote --name fcn")


def test_release_shows_and_rolls_back_the_projects_own(projects):
    first, second = projects
    second.enter().release(3)
    assert str(release.rollback(["fcn"], tracking=second.store)).startswith("b-fcn: version 1 is the champion again")
    shown = str(release.show(tracking=second.store))
    assert shown == str(release.show(["fcn"], tracking=second.store))
    assert shown.startswith("b-fcn:\n  champion: version 1")
    assert {line.split("/")[1] for line in release.find(["mark-1", "mark-2"], second.store).lines} == {"b-fcn"}
    assert verify.verify_models(second.store).compared == 2
    assert "fcn:\n  champion: version 1" in str(release.show(tracking=first.enter().store))


def test_a_model_that_the_project_lacks_is_named_as_the_registry_would(projects):
    second = projects[1].enter()
    with pytest.raises(RegistryError, match=r"^models:/guided@champion: no such version .* which has no b-guided$"):
        resolve_model("models:/guided@champion", second.store)


def test_the_watcher_of_a_server_follows_the_projects_own(projects, monkeypatch):
    second = projects[1].enter()
    opened = []
    monkeypatch.setattr(models, "open_version", lambda client, version, device: opened.append(version.name))
    monkeypatch.setattr(serve, "Service", lambda *arguments: None)
    serve.open_service(serve.ServeParams(), "models:/fcn@champion", second.store)
    assert opened == ["b-fcn"]


def test_a_recipe_keeps_the_prefix(projects):
    projects[1].enter()
    Path("mine.yaml").write_text("ingest: {town: {seed: 1}}\n")
    use.run([Path("mine.yaml")])
    assert complete_name("fcn") == complete_name("b-fcn") == "b-fcn"


def test_a_prefix_that_mlflow_would_not_take_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for wrong in ("{prefix: a/b}", "{prefix: a:b}", "{prefx: a}", "b"):
        Path("params.yaml").write_text(f"registry: {wrong}\n")
        with pytest.raises(ParamsError, match=r"^params.yaml: registry"):
            complete_name("fcn")


def test_the_flow_releases_under_the_prefix(projects, monkeypatch):
    second = projects[1].enter()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", second.store)
    Path("params.yaml").write_text("registry: {prefix: c}\nfcn: {release: {mean_iu_floor: 0.5, resamples: 200}}\n")
    files = write_model(Path("made"), threshold=4)
    for source, target in ((files["model"], "models/fcn"), (files["evaluation"], "reports/fcn/evaluate")):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
    assert flow_release.register("fcn", Path())[0] == "registered"
    assert flow_release.promote("fcn", Path())[0] == "promoted"
    assert read_aliases(connect(second.store), "c-fcn") == {"champion": "1"}
