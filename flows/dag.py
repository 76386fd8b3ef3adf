"""Read the DAG from dvc.yaml: its stages and what each needs. No other list of stages exists."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from pixelwise.errors import PixelwiseError


class DagError(PixelwiseError):
    """dvc.yaml cannot be read, or has no stage of the requested name."""


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml.

    needs: names of the stages whose outputs it reads. is_alone: no other stage may run beside it, since it measures
    time; `meta: {alone: true}` in dvc.yaml. is_always_changed: DVC runs it every time, since other stages depend on
    its up-to-date output.
    """

    name: str
    needs: tuple[str, ...] = ()
    is_alone: bool = False
    is_always_changed: bool = False


def read_dag(project: Path) -> list[Stage]:
    """Read the stages of `project`, sorted so that each follows the stages it needs.

    Raises DagError with DVC's own message where dvc.yaml is missing or wrong.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(project)) as repo:
            graph = repo.index.graph
            stages = [
                Stage(
                    name=stage.name,
                    needs=tuple(sorted(needed.name for needed in graph.successors(stage) if needed.cmd)),
                    is_alone=bool((stage.meta or {}).get("alone", False)),
                    is_always_changed=stage.always_changed,
                )
                # A data set imported with `dvc import` is a node too, but it has no command to run.
                for stage in graph.nodes
                if stage.cmd
            ]
    except DvcException as error:
        raise DagError(" ".join(str(error).split())) from None
    if not stages:
        raise DagError(f"{project / 'dvc.yaml'}: no stages, expected the pipeline")
    return sort_stages(stages)


def find_changed(project: Path, stages: Iterable[Stage]) -> set[str]:
    """Names of the `stages` that DVC would run or restore now.

    One process checks all stages: one DVC command per stage would take most of the time of a nightly run without
    changes. Where another command holds DVC's lock, returns every name: each stage then waits for the lock in a process
    that can be stopped.

    Raises DagError with DVC's own message where DVC cannot compare a stage with dvc.lock.
    """
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo

    names = {stage.name for stage in stages}
    try:
        with Repo(str(project)) as repo, repo.lock:
            return {stage.name for stage in repo.index.graph.nodes if stage.name in names and stage.changed()}
    except LockError:
        return names
    except DvcException as error:
        raise DagError(" ".join(str(error).split())) from None


def sort_stages(stages: Iterable[Stage]) -> list[Stage]:
    """Sort the `stages` so that each follows the stages it needs; ties go by name, so that every run has one order."""
    by_name = {stage.name: stage for stage in stages}
    sorter = TopologicalSorter({name: by_name[name].needs for name in sorted(by_name)})
    return [by_name[name] for name in sorter.static_order()]


def select(stages: Sequence[Stage], targets: Iterable[str]) -> list[Stage]:
    """Return the stages that `targets` name and all they need, in the order of `stages`.

    Raises DagError, which lists the known stages, where a target is none of them.
    """
    by_name = {stage.name: stage for stage in stages}
    selected: set[str] = set()
    waiting = list(targets)
    while waiting:
        name = waiting.pop()
        if name not in by_name:
            raise DagError(f"dvc.yaml: no stage {name!r}, expected one of: {' '.join(by_name)}")
        if name not in selected:
            selected.add(name)
            waiting.extend(by_name[name].needs)
    return [stage for stage in stages if stage.name in selected]


def find_stages(stages: Sequence[Stage], family: str) -> list[str]:
    """Names of the stages of a `family`, which `foreach` in dvc.yaml calls STEP@FAMILY.

    Raises DagError where there are none.
    """
    names = [stage.name for stage in stages if stage.name.partition("@")[2] == family]
    if not names:
        families = sorted({stage.name.partition("@")[2] for stage in stages} - {""})
        raise DagError(f"dvc.yaml: no stages of family {family!r}, expected one of: {' '.join(families)}")
    return names
