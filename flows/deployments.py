"""Serve every deployment of prefect.yaml from one process, without work pool or worker.

Run as `python -m flows.deployments`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from flows.server import require_server
from flows.settings import ProjectError, prepare_dvc, quiet_prefect
from pixelwise.command import report_errors
from pixelwise.terminal import use_utf8

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

DEPLOYMENTS = Path("prefect.yaml")
# Keys of a deployment in prefect.yaml that `Flow.to_deployment` takes under the same name.
ALIKE = ("name", "description", "tags", "parameters")


def main() -> None:
    """Serve until stopped, then pause the schedules. The current directory must be the root of a checkout."""
    use_utf8("flows.deployments")
    with report_errors():
        prepare_dvc(Path.cwd())
        quiet_prefect()
        # Imported here, since Prefect reads its settings on import.
        from prefect import serve
        from prefect.settings import PREFECT_API_URL

        if not PREFECT_API_URL.value():
            raise ProjectError("PREFECT_API_URL: not set, expected the address of `prefect server start`")
        asyncio.run(require_server())
        described = yaml.safe_load(DEPLOYMENTS.read_text())["deployments"]
        deployments = [make_deployment(deployment) for deployment in described]
        asyncio.run(require_no_pool(deployments))
        serve(*deployments)


async def require_no_pool(deployments: Sequence["RunnerDeployment"]) -> None:
    """Raise ProjectError if the server has one of the `deployments` for a worker: Prefect would crash its runs here."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    async with get_client() as client:
        for deployment in deployments:
            name = f"{deployment.flow_name}/{deployment.name}"
            try:
                pool = (await client.read_deployment_by_name(name)).work_pool_name
            except ObjectNotFound:
                continue
            if pool:
                raise ProjectError(
                    f"{name}: found it in the work pool {pool}, expected no pool; start a worker, "
                    f"or serve it from here after `prefect deployment delete {name}`"
                )


def make_deployment(deployment: Mapping[str, Any]) -> "RunnerDeployment":
    """Turn one entry of prefect.yaml into a deployment that this process runs."""
    from prefect.flows import load_flow_from_entrypoint
    from prefect.schedules import Schedule

    flow = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
    return flow.to_deployment(
        **{name: deployment[name] for name in ALIKE if name in deployment},
        schedules=[Schedule(**schedule) for schedule in deployment.get("schedules", [])],
    )


if __name__ == "__main__":
    main()
