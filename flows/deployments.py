"""Every deployment of prefect.yaml from one process, without work pool and worker: `python -m flows.deployments`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from flows.settings import ProjectError, prepare_dvc, quiet_prefect
from pixelwise.command import plain_errors

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

DEPLOYMENTS = Path("prefect.yaml")
# What prefect.yaml says of a deployment and Prefect takes for a served one under the same name.
ALIKE = ("name", "description", "tags", "parameters")


def main() -> None:
    """Serve until stopped, then pause the schedules. Works in the current directory, the root of a checkout."""
    with plain_errors():
        prepare_dvc(Path.cwd())
        quiet_prefect()
        # Prefect reads its settings as it is imported, so only now.
        from prefect import serve
        from prefect.settings import PREFECT_API_URL

        if not PREFECT_API_URL.value():
            raise ProjectError("PREFECT_API_URL: not set, expected where `prefect server start` listens")
        found = yaml.safe_load(DEPLOYMENTS.read_text())["deployments"]
        serve(*[serve_one(deployment) for deployment in found])


def serve_one(deployment: Mapping[str, Any]) -> "RunnerDeployment":
    """One entry of prefect.yaml as a deployment that this process runs."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig
    from prefect.flows import load_flow_from_entrypoint
    from prefect.schedules import Schedule

    flow = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
    return flow.to_deployment(
        **{name: deployment[name] for name in ALIKE if name in deployment},
        schedules=[Schedule(**schedule) for schedule in deployment.get("schedules", [])],
        concurrency_limit=ConcurrencyLimitConfig(**{"limit": 1, **deployment.get("concurrency_limit", {})}),
    )


if __name__ == "__main__":
    main()
