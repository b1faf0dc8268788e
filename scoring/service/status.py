"""Whether the service is up, ready, and with which model."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from scoring.service.keeper import ModelKeeper
from scoring.service.problems import ProblemError

router = APIRouter()


@router.get("/healthz")
async def healthz() -> Response:
    """Tell that the process answers."""
    return Response(b"ok\n", media_type="text/plain")


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Tell whether records can be scored."""
    keeper: ModelKeeper = request.app.state.keeper
    if not keeper.is_ready or request.app.state.stopping.is_set():
        raise ProblemError(503, "not-ready", "expected a model at work, and no stop in progress")
    return Response(b"ready\n", media_type="text/plain")
