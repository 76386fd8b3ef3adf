"""Start a deployment, once for each reason."""

from prefect.client.schemas.objects import State
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Failed

from flows.messages import complete


async def start_once(deployment: str, key: str, reason: str) -> State[None]:
    """Start `deployment` once for each `key`; the state's message has the `reason` in words.

    Prefect stores the key. Where a run is killed before it starts the deployment, the next run starts it.
    """
    try:
        run = await arun_deployment(deployment, timeout=0, as_subflow=False, idempotency_key=key)
    except ObjectNotFound:
        return Failed(message=f"deployment {deployment}: not found, expected one of `prefect deployment ls`")
    return complete("Completed", f"{reason}; {deployment}: started run {run.name}")
