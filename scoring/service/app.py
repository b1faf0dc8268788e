"""The application: what is put together for one service."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from scoring.service import docs, status
from scoring.service.auth import Tokens
from scoring.service.batching import BatchScorer
from scoring.service.desk import routes
from scoring.service.drift_monitor import SECONDS, DriftWindow
from scoring.service.metrics import Metrics
from scoring.service.middleware import ON_REFUSED, SCORE_PATH, RequestMiddleware
from scoring.service.model_manager import ModelManager
from scoring.service.options import ServiceOptions
from scoring.service.problem_details import add_handlers
from scoring.service.score import ScoreEndpoint

_LOG = logging.getLogger("scoring.service")
REPEAT_SECONDS = 10.0
"""When work in the background that has failed is begun again; seconds."""


class Service(FastAPI):
    """The framework behind the door, which is passed before anything of it."""

    door: RequestMiddleware
    start_error: Exception | None = None

    def begin_stop(self) -> None:
        """End what would go on without end."""
        self.state.stopping.set()
        self.door.end_streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request."""
        await self.door(scope, receive, send)


def create_app(options: ServiceOptions) -> Service:
    """Make the application of a service.

    Parameters
    ----------
    options : ServiceOptions
        What it is started with.

    Returns
    -------
    Service
        Its ``state`` holds ``options``, ``keeper`` (``keeper.current`` is the model at work, to be taken
        once for all that is scored together), ``tokens``, ``metrics``, ``scoring`` (the endpoint), and
        ``stopping``: an event that is set when the service begins to stop, on which every endless answer
        has to end.

    Raises
    ------
    SettingsError
        If the token file cannot be used.
    """
    tokens = Tokens(options.token_file, is_shared=options.is_token_file_shared)
    metrics = Metrics()
    keeper = ModelManager(options, metrics.record_swap)
    keeper.on_swap(metrics.record_model)
    keeper.on_follow(metrics.record_follow)
    bench = BatchScorer(keeper, options.limits)
    endpoint = ScoreEndpoint(options.limits, bench, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        await asyncio.to_thread(keeper.load)
        _log_warning(keeper)
        watching = [
            asyncio.create_task(_repeat(keeper.follow)),
            asyncio.create_task(_repeat(partial(_tell_drift, keeper, endpoint.window, metrics))),
        ]
        try:
            yield {ON_REFUSED: door.refuse}
        finally:
            app.state.stopping.set()
            for task in watching:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            bench.close()
            keeper.close()
            metrics.close()

    app = Service(title="scoring", lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.state.options = options
    app.state.keeper = keeper
    app.state.tokens = tokens
    app.state.metrics = metrics
    app.state.scoring = endpoint
    app.state.stopping = asyncio.Event()
    add_handlers(app)
    # Each part of the service brings a router of its own.
    app.router.routes.append(Route(SCORE_PATH, endpoint, methods=["POST"]))  # where other methods are refused
    app.include_router(status.router)
    app.include_router(docs.router)
    app.include_router(routes.router)
    score: ASGIApp = endpoint
    if options.origins:
        lets_in = partial(CORSMiddleware, allow_origins=options.origins, allow_methods=["GET", "POST"])
        app.add_middleware(lets_in)
        score = lets_in(endpoint)
    app.door = door = RequestMiddleware(partial(FastAPI.__call__, app), score, options, tokens, metrics)
    return app


async def _repeat(work: Callable[[], Awaitable[None]]) -> None:
    """Do what should go on for ever, also after a defect of it, until cancelled."""
    while True:
        try:
            await work()
        except Exception as error:
            # The trace without the message, which may quote a record.
            fields = {"error": type(error).__name__, "trace": traceback.format_tb(error.__traceback__)}
            _LOG.error("defect", extra={"fields": fields})
        await asyncio.sleep(REPEAT_SECONDS)


def _log_warning(keeper: ModelManager) -> None:
    """Say so where the model is neither the one that was asked for nor the champion, also with --quiet."""
    resolved = keeper.current.resolved
    if resolved.warning is not None:
        fields = {"warning": resolved.warning, "source": resolved.source, "model": resolved.name}
        _LOG.error("model warning", extra={"fields": fields})


async def _tell_drift(keeper: ModelManager, window: DriftWindow, metrics: Metrics) -> None:
    """Tell how far the last records are from the training records, until cancelled."""
    while True:
        await asyncio.sleep(SECONDS)
        drift = await asyncio.to_thread(window.measure, keeper.current)
        if drift is not None:
            metrics.record_drift(drift)
