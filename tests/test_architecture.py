"""The import arrows: flows and tools → steps → libraries, each engine in its own place. Read from the source."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from support.channel_model import write_channel_model

from pixelwise import families
from pixelwise.cli import STEPS as STEP_VERBS
from pixelwise.cli import find_module
from pixelwise.families import names
from pixelwise.identity import PROJECT
from pixelwise.imports import PACKAGES, find_imported_files, find_module_file, list_imported_modules

STEPS = {f"components.{verb}" for verb in STEP_VERBS}
# The rooms of the house from the roof down: a room imports from those below it alone.
FLOORS = [
    "benchmarks",
    "flows",
    "pixelwise.tools",
    "pixelwise.families.clockwork.verbs",
    "pixelwise.families.guided.verbs",
    "pixelwise.families.guided.studio",
    "pixelwise.families.clockwork.service",
    "pixelwise.families.guided.service",
    "pixelwise.families.clockwork.studies",
    "pixelwise.families.composition.studies",
    "pixelwise.families.fcn.studies",
    "pixelwise.families.guided.studies",
    "components",
    "pixelwise.export",
    "pixelwise.studies",
    "pixelwise.tuning",
    "pixelwise.serving",
    "pixelwise.watching",
    "pixelwise.families.composition",
    "pixelwise.families.clockwork",
    "pixelwise.families.guided",
    "pixelwise.families.fcn",
    "pixelwise.labelling",
    "pixelwise.families",
    "pixelwise.evaluation",
    "pixelwise.training",
    "pixelwise.inspection",
    "pixelwise.validation",
    "pixelwise.reporting",
    "pixelwise.registry",
    "pixelwise.metrics",
    "pixelwise.data",
    "pixelwise.nets",
    "pixelwise.inference",
    "pixelwise.tracking",
    "pixelwise",
]
# Folders of a family that stand above it: what a family holds beside its hooks, and what nothing else of it imports.
OUTER = ("verbs", "studio", "service", "studies")
ENGINES = {"prefect", "dvc", "mlflow", "great_expectations"}
# engine -> the files that may import it; mlflow's names serve as types in the steps that act on the registry.
HOMES = {
    "prefect": ("flows/",),
    "dvc": ("flows/",),
    "mlflow": (
        "pixelwise/tracking/",
        "pixelwise/registry/",
        "components/register.py",
        "components/promote.py",
        "pixelwise/tools/release.py",
        "pixelwise/reporting/release_papers.py",
        "pixelwise/serving/",
        "benchmarks/",
    ),
    "great_expectations": ("pixelwise/validation/",),
    "optuna": ("pixelwise/tuning/", "pixelwise/tools/tune.py"),
    "onnxruntime": (
        "pixelwise/inference/",
        "pixelwise/families/clockwork/runtime/",
        "pixelwise/families/guided/runtime/",
        "pixelwise/export/",
    ),
    "openvino": ("pixelwise/inference/",),
    "lightning": ("pixelwise/training/",),
    "timm": ("pixelwise/nets/",),
    "torchvision": ("pixelwise/nets/", "pixelwise/families/"),
    "cv2": (
        "pixelwise/families/fcn/caffe.py",
        "pixelwise/families/clockwork/runtime/motion.py",
        "pixelwise/families/guided/corrective_clicks.py",
        "pixelwise/families/guided/click_task.py",
        "pixelwise/families/guided/measure/clicks.py",
        "pixelwise/data/writers/objects.py",
        "pixelwise/metrics/boundary.py",
        "pixelwise/metrics/regions.py",
    ),
    "datasets": ("pixelwise/data/readers/huggingface.py",),
    "fastapi": (
        "pixelwise/serving/",
        "pixelwise/families/clockwork/service/",
        "pixelwise/families/guided/service/",
        "pixelwise/families/guided/studio/",
    ),
    "starlette": ("pixelwise/serving/",),
    "uvicorn": ("pixelwise/serving/", "pixelwise/families/guided/studio/"),
    "prometheus_client": ("pixelwise/serving/",),
    "httpx": ("benchmarks/http_requests.py", "benchmarks/request_kinds.py"),
    "playwright": ("benchmarks/studio_latency.py",),
}
# The last two extend Pillow where they are installed.
SERVING = {"numpy", "PIL", "onnxruntime", "pi_heif", "pillow_heif"}
SERVED = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
import numpy as np
from pathlib import Path
from pixelwise.inference.session import open_model
image = np.zeros((2, 5, 7, 3), np.uint8)
image[..., 1] = 9
prediction = open_model(Path({model!r}), "cpu").predict(image)
assert prediction.shape == (2, 5, 7) and (prediction == 1).all()
"""
LEARNING = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
import components.train, components.export, pixelwise.families.fcn.family, pixelwise.families.clockwork.family
assert "lightning" not in sys.modules, "a second for the steps that train nothing"
"""


def sources(folder: str = "") -> list[Path]:
    """The project's Python files below `folder`, relative to the project."""
    found = (path.relative_to(PROJECT) for package in PACKAGES for path in (PROJECT / package).rglob("*.py"))
    return sorted(path for path in found if path.as_posix().startswith(folder))


def nodes(tree: ast.AST, is_lazy_too: bool) -> Iterator[ast.AST]:
    """Every node of `tree`, or those that run as the module is imported."""
    for child in ast.iter_child_nodes(tree):
        if not is_lazy_too and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if not is_lazy_too and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from nodes(child, is_lazy_too)


@cache
def packages_of(path: Path, is_lazy_too: bool = True) -> frozenset[str]:
    """The top-level packages, none of ours, that a file imports."""
    found = set()
    for node in nodes(ast.parse((PROJECT / path).read_text()), is_lazy_too):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return frozenset({name.partition(".")[0] for name in found} - set(PACKAGES))


def ours_of(path: Path) -> set[str]:
    """The modules of this project that a file imports, at any time."""
    return set(list_imported_modules(PROJECT / path))


def line_count(path: Path) -> int:
    """The number of lines of a file of the project."""
    return len((PROJECT / path).read_text().splitlines())


def name_of(path: Path) -> str:
    """The dotted name of the module in a file of the project."""
    return path.with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


def modules_below(*folders: str) -> list[str]:
    """Dotted names of the modules in `folders`."""
    return [name_of(path) for folder in folders for path in sources(folder)]


def floor_of(module: str) -> int:
    """The floor of FLOORS that a module stands on: that of the longest name it begins with."""
    rooms = [room for room in FLOORS if module == room or module.startswith(f"{room}.")]
    return FLOORS.index(max(rooms, key=len))


def runtimes() -> list[str]:
    """The folders that label pictures without torch."""
    families = PROJECT.glob("pixelwise/families/*/runtime")
    return ["pixelwise/inference/", *(f"{path.relative_to(PROJECT).as_posix()}/" for path in families)]


def run_python(code: str) -> None:
    """Run `code` in a Python of its own, which must succeed."""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_import_is_absolute():
    # The closure, and so every cached result, rests on it.
    for path in sources():
        for node in ast.walk(ast.parse((PROJECT / path).read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}:{node.lineno}: a relative import"


def test_names_of_the_library_are_imported_from_it_and_not_looked_up_in_it():
    # What `pixelwise.open_model` and `families.find` import, the digest of a step knows by the import of the name.
    for path in sources():
        for node in ast.walk(ast.parse((PROJECT / path).read_text())):
            owner = getattr(getattr(node, "value", None), "id", "")
            name = f"{owner}.{getattr(node, 'attr', '')}"
            assert owner != "pixelwise", f"{path}: import {name} by `from`"
            assert name.removeprefix("families.") not in families.MODULES, f"{path}: import {name} by `from`"


def test_a_room_imports_from_rooms_below_it_alone():
    for path in sources():
        here = floor_of(name_of(path))
        above = {name for name in ours_of(path) if find_module_file(name) and floor_of(name) < here}
        assert above == set(), f"{path} imports {', '.join(sorted(above))}"


def test_every_room_has_a_floor_of_its_own():
    rooms = {path.parent for path in sources() if path.name == "__init__.py"}
    rooms = {room for room in rooms if len(room.parts) < 3 or room.parts[:2] == ("pixelwise", "families")}
    assert {name_of(room) for room in rooms if len(room.parts) < 4 or room.name in OUTER} == set(FLOORS)


def test_steps_import_no_steps():
    for path in sources("components/"):
        assert not (ours_of(path) & STEPS) - {name_of(path)}, f"{path} imports a step"


def test_a_step_is_a_thin_file():
    long = {path.as_posix(): lines for path in sources("components/") if (lines := line_count(path)) >= 120}
    assert long == {}


def test_only_the_public_names_are_imported_from_the_rooms_of_families_by_code_outside_of_them():
    rooms = tuple(f"pixelwise.families.{name}" for name in names())
    paths = [path for folder in ("components/", "flows/", "pixelwise/") for path in sources(folder)]
    for path in paths:
        if path.as_posix() != "pixelwise/__init__.py" and not name_of(path).startswith(rooms):
            inside = {name for name in ours_of(path) if name.startswith(rooms)}
            # A module that is imported by its name in a string counts too.
            inside |= {room for room in rooms if re.search(rf"{room}\b", (PROJECT / path).read_text())}
            assert inside == set(), f"{path} imports {', '.join(sorted(inside))}"


def test_only_verbs_and_flows_import_a_step():
    for path in sources("pixelwise/"):
        if path.parts[1] != "tools":
            assert not ours_of(path) & STEPS, f"{path} imports {ours_of(path) & STEPS}"


@pytest.mark.parametrize("engine", HOMES)
def test_every_engine_is_imported_in_its_own_place_alone(engine):
    users = [path.as_posix() for path in sources() if engine in packages_of(path)]
    assert [path for path in users if not path.startswith(HOMES[engine])] == []


def test_networks_import_torch_torchvision_timm_and_little_of_ours():
    allowed = {"torch", "torchvision", "timm"} | sys.stdlib_module_names
    ours = {"pixelwise", "pixelwise.errors", "pixelwise.params"}
    for path in sources("pixelwise/nets/"):
        assert packages_of(path) <= allowed, f"{path} imports {packages_of(path) - allowed}"
    for path in find_imported_files(modules_below("pixelwise/nets/")):
        name = name_of(path)
        assert name in ours or name.startswith("pixelwise.nets"), f"pixelwise/nets reaches {path}"


def test_the_runtime_reaches_nothing_but_numpy_pillow_and_onnxruntime():
    # av reads videos, where there are any; openvino runs the graphs where it is asked for.
    allowed = SERVING | {"av", "openvino"} | sys.stdlib_module_names
    for path in find_imported_files(modules_below(*runtimes())):
        # Schedules that carry labels along with the picture need OpenCV's flow; no other part of the runtime does.
        flow = {"cv2"} if path.name == "motion.py" else set()
        assert packages_of(path) <= allowed | flow, f"the runtime reaches {path}: {packages_of(path) - allowed}"


@pytest.mark.parametrize(
    "verb",
    [
        "calibrate",
        "profile-stages",
        "evaluate",
        "predict",
        "quantize",
        "ingest",
        "validate",
        "register",
        "promote",
        "serve",
        "studio",
        "guide",
        "use",
        "inspect",
        "init",
    ],
)
def test_verbs_that_do_not_learn_reach_no_torch(verb):
    files = find_imported_files([find_module(verb)])
    reached = {path: packages_of(path) & {"torch", "torchvision", "timm", "lightning"} for path in files}
    assert {path: found for path, found in reached.items() if found} == {}


@pytest.mark.parametrize(
    "module", ["components.train", "components.export", "components.benchmark", "pixelwise.families.fcn.family"]
)
def test_learning_needs_no_engine_to_be_imported(module):
    for folder in ("pixelwise/nets/", "pixelwise/training/"):
        assert not {engine for path in sources(folder) for engine in packages_of(path) & ENGINES}
    reached = {path: packages_of(path, is_lazy_too=False) & ENGINES for path in find_imported_files([module])}
    assert {path: found for path, found in reached.items() if found} == {}


def test_no_step_imports_an_engine_before_it_runs():
    for step in sorted(STEPS - {"components.validate"}):
        for path in find_imported_files([step]):
            assert not packages_of(path, is_lazy_too=False) & ENGINES, f"{step} imports an engine through {path}"


def test_a_model_is_served_with_numpy_and_onnxruntime_alone(tmp_path):
    model = write_channel_model(tmp_path / "model")
    blocked = sorted({name for path in sources() for name in packages_of(path)} - SERVING - sys.stdlib_module_names)
    assert "torch" in blocked
    run_python(SERVED.format(blocked=blocked, model=str(model)))


def test_learning_works_where_no_engine_is_installed():
    run_python(LEARNING.format(blocked=sorted(ENGINES)))


def test_the_tests_on_a_gpu_reach_no_tool_of_the_pipeline():
    # A machine with a GPU may have torch alone.
    blocked = ("prefect", "dvc", "mlflow", "great_expectations")
    run_python(
        f"import sys; sys.modules.update(dict.fromkeys({blocked})); sys.path.insert(0, 'tests')\n"
        "import runpy\n"
        "for file in ('test_cuda', 'test_families'): runpy.run_path(f'tests/gpu/{file}.py')\n"
        "import components.ingest, components.train, components.export"
    )
