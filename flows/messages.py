"""Messages of a run: on the terminal, in its log and in its state."""

from collections.abc import Callable

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed


def complete(name: str, message: str) -> State[None]:
    """Print `message` and return a completed state that holds it."""
    print(message, flush=True)
    return Completed(name=name, message=message)


def make_teller() -> Callable[[str], None]:
    """Return a function that sends a line of output to the terminal and to the log of the current run."""
    logger = get_run_logger()

    def tell(line: str) -> None:
        print(line, flush=True)
        logger.info("%s", line)

    return tell
