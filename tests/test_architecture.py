"""The import arrows: flows → steps → libraries, and each engine in its own place. Read from the source."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from channel_world import write_channel_model

from components.cli import ELSEWHERE, VERBS
from components.identity import PACKAGES, PROJECT, code_closure, imported_modules

STEPS = {f"components.{verb}" for verb in VERBS if verb not in ELSEWHERE}
# What flows and steps own; everything in a folder of components/ is a library.
SHARED = {"components"} | {
    f"components.{path.stem}"
    for path in (PROJECT / "components").glob("*.py")
    if path.stem != "__init__" and f"components.{path.stem}" not in STEPS
}
ENGINES = {"prefect", "dvc", "mlflow", "great_expectations"}
# engine -> the files that may import it; mlflow's names serve as types in the steps that act on the registry.
HOMES = {
    "prefect": ("flows/",),
    "dvc": ("flows/",),
    "mlflow": (
        "components/tracking/",
        "components/register.py",
        "components/promote.py",
        "components/release.py",
        "components/serving/",
    ),
    "great_expectations": ("components/validation/",),
    "onnxruntime": ("components/runtime/", "components/quantize.py"),
    "lightning": ("components/learning/",),
    "timm": ("components/networks/",),
    "torchvision": ("components/networks/",),
    "cv2": ("components/learning/caffe.py", "components/runtime/motion.py"),
    "datasets": ("components/datasets/huggingface.py",),
    "fastapi": ("components/serving/", "components/clicking/"),
    "starlette": ("components/serving/",),
    "uvicorn": ("components/serving/", "components/clicking/"),
    "prometheus_client": ("components/serving/",),
    "httpx": ("components/serving/asking.py",),
    "playwright": ("components/clicking/latency.py",),
}
SERVING = {"numpy", "PIL", "onnxruntime"}
SERVED = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
import numpy as np
from pathlib import Path
from components.runtime.session import open_model
image = np.zeros((2, 5, 7, 3), np.uint8)
image[..., 1] = 9
prediction = open_model(Path({model!r}), "cpu").predict(image)
assert prediction.shape == (2, 5, 7) and (prediction == 1).all()
"""
LEARNING = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
import components.train, components.export, components.families.fcn, components.families.clockwork
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
    return set(imported_modules(PROJECT / path))


def modules_below(folder: str) -> list[str]:
    """Dotted names of the modules in `folder`."""
    return [path.with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__") for path in sources(folder)]


def closure(module: str) -> list[Path]:
    """The files that a module of components reaches."""
    return code_closure([f"components.{module}"])


def run_python(code: str) -> None:
    """Run `code` in a Python of its own, which must succeed."""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_import_is_absolute():
    # The closure, and so every cached result, rests on it.
    for path in sources():
        for node in ast.walk(ast.parse((PROJECT / path).read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}:{node.lineno}: a relative import"


def test_components_never_import_flows():
    for path in sources("components/"):
        assert not {name for name in ours_of(path) if name.partition(".")[0] == "flows"}, f"{path} imports flows"


def test_libraries_never_import_a_step():
    for path in sources("components/"):
        if len(path.parts) > 2:
            assert not ours_of(path) & STEPS, f"{path} imports {ours_of(path) & STEPS}"


def test_what_all_share_imports_nothing_but_itself():
    for path in code_closure(SHARED):
        module = f"components.{path.stem}" if path.stem != "__init__" else "components"
        assert module in SHARED, f"{path} is imported by errors, params, step, files, progress, identity or cli"


@pytest.mark.parametrize("engine", HOMES)
def test_every_engine_is_imported_in_its_own_place_alone(engine):
    users = [path.as_posix() for path in sources() if engine in packages_of(path)]
    assert [path for path in users if not path.startswith(HOMES[engine])] == []


def test_networks_import_torch_torchvision_timm_and_little_of_ours():
    allowed = {"torch", "torchvision", "timm"} | sys.stdlib_module_names
    ours = {"components", "components.errors", "components.params"}
    for path in sources("components/networks/"):
        assert packages_of(path) <= allowed, f"{path} imports {packages_of(path) - allowed}"
    for path in code_closure(modules_below("components/networks/")):
        name = path.with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        assert name in ours or name.startswith("components.networks"), f"components/networks reaches {path}"


def test_the_runtime_reaches_nothing_but_numpy_pillow_and_onnxruntime():
    # av reads videos, where there are any.
    allowed = SERVING | {"av"} | sys.stdlib_module_names
    for path in code_closure(modules_below("components/runtime/")):
        # Schedules that carry labels along with the picture need OpenCV's flow; no other part of the runtime does.
        flow = {"cv2"} if path.name == "motion.py" else set()
        assert packages_of(path) <= allowed | flow, f"components/runtime reaches {path}: {packages_of(path) - allowed}"


@pytest.mark.parametrize(
    "step",
    ["calibrate", "stages", "evaluate", "predict", "quantize", "ingest", "validate", "register", "promote", "serve"],
)
def test_steps_that_do_not_learn_reach_no_torch(step):
    reached = {path: packages_of(path) & {"torch", "torchvision", "timm", "lightning"} for path in closure(step)}
    assert {path: found for path, found in reached.items() if found} == {}


@pytest.mark.parametrize("module", ["train", "export", "benchmark", "families.fcn"])
def test_learning_needs_no_engine_to_be_imported(module):
    for folder in ("components/networks/", "components/learning/"):
        assert not {engine for path in sources(folder) for engine in packages_of(path) & ENGINES}
    reached = {path: packages_of(path, is_lazy_too=False) & ENGINES for path in closure(module)}
    assert {path: found for path, found in reached.items() if found} == {}


def test_no_step_imports_an_engine_before_it_runs():
    for step in sorted(STEPS - {"components.validate"}):
        for path in code_closure([step]):
            assert not packages_of(path, is_lazy_too=False) & ENGINES, f"{step} imports an engine through {path}"


def test_a_model_is_served_with_numpy_and_onnxruntime_alone(tmp_path):
    model = write_channel_model(tmp_path / "model")
    blocked = sorted({name for path in sources() for name in packages_of(path)} - SERVING - sys.stdlib_module_names)
    assert "torch" in blocked
    run_python(SERVED.format(blocked=blocked, model=str(model)))


def test_learning_works_where_no_engine_is_installed():
    run_python(LEARNING.format(blocked=sorted(ENGINES)))
