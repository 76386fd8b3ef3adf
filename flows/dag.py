"""The DAG as dvc.yaml has it: which stages there are, and what each needs. There is no other list of stages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from pixelwise.errors import PixelwiseError


class DagError(PixelwiseError):
    """dvc.yaml cannot be read, or has no stage of the name asked for."""


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml.

    needs: names of the stages whose outputs it reads. is_alone: nothing may run beside it, since it measures time;
    written `meta: {alone: true}` in dvc.yaml. is_always_changed: DVC runs it every time, to see what others depend on.
    """

    name: str
    needs: tuple[str, ...] = ()
    is_alone: bool = False
    is_always_changed: bool = False


def read_dag(project: Path) -> list[Stage]:
    """The stages of `project`, each after all it needs.

    Raises DagError with DVC's own words where dvc.yaml is missing or wrong.
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
                # A data set imported with `dvc import` is a node too; it has no command, so nothing to run.
                for stage in graph.nodes
                if stage.cmd
            ]
    except DvcException as error:
        raise DagError(" ".join(str(error).split())) from None
    if not stages:
        raise DagError(f"{project / 'dvc.yaml'}: no stages, expected the pipeline")
    return sort_stages(stages)


def find_changed(project: Path, stages: Iterable[Stage]) -> set[str]:
    """Names of the `stages` that DVC would run or restore as things stand.

    Asked of all in one process, since a command of DVC for each would take most of a night without changes. Where
    another command holds DVC's lock it is every stage: each then waits for its turn, and can be stopped as it does.
    """
    from dvc.lock import LockError
    from dvc.repo import Repo

    names = {stage.name for stage in stages}
    with Repo(str(project)) as repo:
        try:
            with repo.lock:
                return {stage.name for stage in repo.index.graph.nodes if stage.name in names and stage.changed()}
        except LockError:
            return names


def sort_stages(stages: Iterable[Stage]) -> list[Stage]:
    """The `stages`, each after all it needs; what dvc.yaml leaves open is settled by name, so that runs look alike."""
    by_name = {stage.name: stage for stage in stages}
    sorter = TopologicalSorter({name: by_name[name].needs for name in sorted(by_name)})
    return [by_name[name] for name in sorter.static_order()]


def select(stages: Sequence[Stage], targets: Iterable[str]) -> list[Stage]:
    """The stages that `targets` name, with all they need, in the order of `stages`.

    Raises DagError naming the stages there are, where a target is none of them.
    """
    by_name = {stage.name: stage for stage in stages}
    wanted: set[str] = set()
    waiting = list(targets)
    while waiting:
        name = waiting.pop()
        if name not in by_name:
            raise DagError(f"dvc.yaml: no stage {name!r}, expected one of: {' '.join(by_name)}")
        if name not in wanted:
            wanted.add(name)
            waiting.extend(by_name[name].needs)
    return [stage for stage in stages if stage.name in wanted]


def find_stages(stages: Sequence[Stage], family: str) -> list[str]:
    """Names of the stages that belong to a `family`, which `foreach` in dvc.yaml calls STEP@FAMILY.

    Raises DagError where there is none.
    """
    found = [stage.name for stage in stages if stage.name.partition("@")[2] == family]
    if not found:
        families = sorted({stage.name.partition("@")[2] for stage in stages} - {""})
        raise DagError(f"dvc.yaml: no stages of family {family!r}, expected one of: {' '.join(families)}")
    return found
