"""The ASGI application of a service."""

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
from starlette.types import Receive, Scope, Send

from scoring.service import docs, status
from scoring.service.auth import Tokens
from scoring.service.batching import BatchScorer
from scoring.service.desk import learning_routes, routes
from scoring.service.drift_monitor import SECONDS, DriftWindow
from scoring.service.metrics import Metrics
from scoring.service.middleware import ON_REFUSED, RequestMiddleware
from scoring.service.model_manager import ModelManager
from scoring.service.options import ServiceOptions
from scoring.service.problem_details import add_handlers
from scoring.service.score import SCORE_PATH, ScoreEndpoint

_LOG = logging.getLogger("scoring.service")
REPEAT_SECONDS = 10.0
"""Delay before a failed background task is restarted; seconds."""


class Service(FastAPI):
    """The FastAPI application; every request passes the middleware before the framework."""

    request_middleware: RequestMiddleware
    start_error: Exception | None = None

    def begin_stop(self) -> None:
        """Signal the stop, and end the event streams."""
        self.state.stopping.set()
        self.request_middleware.end_streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await self.request_middleware(scope, receive, send)


def create_app(options: ServiceOptions) -> Service:
    """Build the application of a service.

    Parameters
    ----------
    options : ServiceOptions
        Start options.

    Returns
    -------
    Service
        Its ``state`` has ``options``, ``manager`` (``manager.current`` is the current model, to be read
        once for records that are scored together), ``tokens``, ``metrics``, ``scoring`` (the endpoint), and
        ``stopping``: an event that is set when the service begins to stop, which ends every stream.

    Raises
    ------
    SettingsError
        If the token file cannot be used.
    """
    tokens = Tokens(options.token_file, is_shared=options.is_token_file_shared)
    metrics = Metrics()
    manager = ModelManager(options, metrics.record_swap)
    manager.on_swap(metrics.record_model)
    manager.on_follow(metrics.record_follow)
    batch_scorer = BatchScorer(manager, options.limits)
    endpoint = ScoreEndpoint(options.limits, batch_scorer, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        await asyncio.to_thread(manager.load)
        _log_warning(manager)
        background_tasks = [
            asyncio.create_task(_repeat(manager.follow)),
            asyncio.create_task(_repeat(partial(_record_drift, manager, endpoint.drift_window, metrics))),
        ]
        try:
            yield {ON_REFUSED: request_middleware.refuse}
        finally:
            app.state.stopping.set()
            for task in background_tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            batch_scorer.close()
            manager.close()
            metrics.close()

    app = Service(title="scoring", lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.state.options = options
    app.state.manager = manager
    app.state.tokens = tokens
    app.state.metrics = metrics
    app.state.scoring = endpoint
    app.state.stopping = asyncio.Event()
    add_handlers(app)
    app.router.routes.append(Route(SCORE_PATH, endpoint, methods=["POST"]))  # answers other methods with 405
    app.include_router(status.router)
    app.include_router(docs.router)
    app.include_router(routes.router)
    app.include_router(learning_routes.router)
    if options.origins:
        app.add_middleware(CORSMiddleware, allow_origins=options.origins, allow_methods=["GET", "POST"])
    app.request_middleware = request_middleware = RequestMiddleware(
        partial(FastAPI.__call__, app), options, tokens, metrics
    )
    return app


async def _repeat(task: Callable[[], Awaitable[None]]) -> None:
    """Run a background task until cancelled; restart it after an error."""
    while True:
        try:
            await task()
        except Exception as error:
            # The traceback without the message, which may quote a record.
            fields = {"error": type(error).__name__, "trace": traceback.format_tb(error.__traceback__)}
            _LOG.error("defect", extra={"fields": fields})
        await asyncio.sleep(REPEAT_SECONDS)


def _log_warning(manager: ModelManager) -> None:
    """Log an error if the model is neither the requested one nor the champion, also with --quiet."""
    resolved = manager.current.resolved
    if resolved.warning is not None:
        fields = {"warning": resolved.warning, "source": resolved.source, "model": resolved.name}
        _LOG.error("model warning", extra={"fields": fields})


async def _record_drift(manager: ModelManager, window: DriftWindow, metrics: Metrics) -> None:
    """Measure the drift of the latest records regularly, until cancelled."""
    while True:
        await asyncio.sleep(SECONDS)
        drift = await asyncio.to_thread(window.measure, manager.current)
        if drift is not None:
            metrics.record_drift(drift)
