"""What to do where an MLflow store refuses for good, such as one of another version. No later try would help."""

import re
from typing import Any

from requests import RequestException, get

SCHEMA = re.compile(r"database schema \(found version (\w+), but expected (\w+)\)")
ANSWER_SECONDS = 5.0


def explain_refusal(error: Exception, uri: str) -> str | None:
    """Explain an error of the store at `uri` that is a lasting refusal, with both versions; None for another error."""
    from mlflow import __version__

    if schema := SCHEMA.search(str(error)):
        return (
            f"found schema {schema[1]}, expected {schema[2]} of MLflow {__version__}; back the store up and run "
            "`mlflow db upgrade ADDRESS`, or install the version of MLflow that wrote it"
        )
    code: Any = getattr(error, "error_code", "")
    if code == "ENDPOINT_NOT_FOUND" or "not in a valid JSON format" in str(error):
        found = ask_version(uri)
        return f"found {found}, expected a server of MLflow {__version__}; update the server, or correct the address"
    return None


def ask_version(uri: str) -> str:
    """The version that the server at `uri` names: `MLflow 2.9.2`, or `no MLflow server`."""
    try:
        answer = get(f"{uri.rstrip('/')}/version", timeout=ANSWER_SECONDS).text.strip()
    except RequestException:
        answer = ""
    return f"MLflow {answer}" if re.fullmatch(r"\d+(\.\w+)+", answer) else "no MLflow server"
