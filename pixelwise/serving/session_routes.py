"""What sessions of every family have: their description, and the request that closes one."""

from typing import Any

from fastapi import APIRouter, Request, Response

from pixelwise.serving.limits import ServeParams
from pixelwise.serving.service import Service
from pixelwise.serving.sessions import Session


def describe(session: Session, params: ServeParams) -> dict[str, Any]:
    """The answer to a request that opens a session."""
    served = session.served
    return {
        "session": session.id,
        "seconds": params.session_seconds,
        "model": {"name": served.name, "version": served.version, "sha256": served.sha256},
    }


def add_session_routes(routes: APIRouter, service: Service) -> None:
    """Add the request that closes a session."""

    @routes.delete("/sessions/{session}", status_code=204)
    async def close_session(request: Request, session: str) -> Response:
        """Close a session and forget what it keeps."""
        async with service.take(request):
            service.sessions.close(session)
            return Response(status_code=204)
