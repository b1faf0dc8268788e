"""Health, readiness, model and metrics endpoints."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec
from fastapi import APIRouter, Request, Response

from scoring.deployment.loaded_model import ModelSource
from scoring.evaluation.results import Figure
from scoring.service.metrics import CONTENT_TYPE, Metrics
from scoring.service.model_manager import ModelManager
from scoring.service.problem_details import ProblemError

router = APIRouter(include_in_schema=False)  # described by scoring.service.openapi
_ALIAS = re.compile(r"models:/[^/@]+@([^/@]+)")


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The current model.

    Parameters
    ----------
    name : str
        Name and version, as in each score.
    sha256 : str
        Hex digest of all its files.
    address : str or None
        Address in the store: ``models:/NAME/3``; None for a folder without a store.
    alias : str or None
        The alias that the service follows, if any.
    trained_at : datetime or None
        Start of its training; None without a store.
    source : str
        How it was chosen: ``explicit``, ``champion``, ``last_known_champion`` (its store is unavailable,
        or has no champion any more) or ``shipped``.
    loaded_at : datetime
        When this process loaded it.
    is_followed : bool
        Whether new versions in the store can be found and used.
    not_followed_since : datetime or None
        Since when it is not followed.
    not_followed_because : str or None
        Why it is not followed.
    data_sha256 : str
        Hex digest of its training records.
    n_records : int
        Number of training records.
    begins_at, ends_at : datetime
        First and last publication date of the training records.
    figures : dict of str to Figure
        Metrics on held-back records, with 95 % intervals.
    """

    name: str
    sha256: str
    address: str | None
    alias: str | None
    trained_at: datetime | None
    source: ModelSource
    loaded_at: datetime
    is_followed: bool
    not_followed_since: datetime | None
    not_followed_because: str | None
    data_sha256: str
    n_records: int
    begins_at: datetime
    ends_at: datetime
    figures: dict[str, Figure]


@router.get("/healthz")
async def healthz() -> Response:
    """Liveness: the process answers."""
    return Response(b"ok\n", media_type="text/plain")


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Readiness: records can be scored."""
    manager: ModelManager = request.app.state.manager
    if not manager.is_ready or request.app.state.stopping.is_set():
        raise ProblemError(503, "not-ready", "no model is loaded, or the service is stopping")
    if manager.failure is None:
        return Response(b"ready\n", media_type="text/plain")
    # This path needs no token, so the cause, which names the store, is only in /v1/model.
    text = f"ready\nmodel not followed since {manager.failure.since:%Y-%m-%dT%H:%M:%SZ}\n"
    return Response(text.encode(), media_type="text/plain")


@router.get("/v1/model")
async def model(request: Request) -> Response:
    """Return the current model and its metrics on held-back records."""
    manager: ModelManager = request.app.state.manager
    served, failure = manager.current, manager.failure
    options = request.app.state.options
    spec = options.model or options.settings.model
    match = _ALIAS.fullmatch(spec or "")
    facts = served.saved.manifest.training
    info = ModelInfo(
        name=served.saved.name,
        sha256=served.saved.sha256,
        address=served.resolved.address,
        alias=match[1] if match else "champion" if spec is None and served.resolved.address else None,
        trained_at=served.resolved.trained_at,
        source=served.resolved.source,
        loaded_at=served.loaded_at,
        is_followed=failure is None,
        not_followed_since=failure.since if failure else None,
        not_followed_because=failure.cause if failure else None,
        data_sha256=facts.data_sha256,
        n_records=facts.n_records,
        begins_at=facts.begins_at,
        ends_at=facts.ends_at,
        figures=facts.metrics,
    )
    return Response(msgspec.json.encode(info), media_type="application/json")


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Metrics in the text format of Prometheus."""
    service_metrics: Metrics = request.app.state.metrics
    return Response(service_metrics.exposition(), media_type=CONTENT_TYPE)
