"""Routes of the desk's panel "Learning": training, its result, and what the model has missed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response

from scoring.credentials import mask_credentials
from scoring.inbox.missed_labels import WEEK, MissedLabels, missed_labels
from scoring.service.desk.live_inbox import LiveInbox
from scoring.service.desk.live_training import LiveTraining
from scoring.service.desk.messages import CancelRequest, LearningState, TrainRequest
from scoring.service.desk.requests import read_request
from scoring.service.desk.training_state import PAGE
from scoring.service.problem_details import ProblemError
from scoring.service.request_body import JSON

REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""Content security policy of a report, which has its styles in itself."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold the training of the service; the desk's own lifespan has begun before."""
    training = app.state.training = LiveTraining(app.state.inbox, app.state.manager, app.state.options)
    try:
        yield
    finally:
        await training.close()


router = APIRouter(lifespan=_lifespan, include_in_schema=False)


@router.get("/desk/learning")
async def learning(request: Request) -> Response:
    """The latest training, and what a training would use."""
    return _state(request)


@router.post("/desk/learning/start")
async def start(request: Request) -> Response:
    """Start a training, unless one is running."""
    queue, training = request.app.state.desk_work.decisions, request.app.state.training
    with queue.admission_control.enter() as admission:
        body = await read_request(request, TrainRequest, queue, admission)
        training.start(body.by.strip(), body.client)
        return _state(request)


@router.post("/desk/learning/cancel")
async def cancel(request: Request) -> Response:
    """Cancel a training."""
    queue, training = request.app.state.desk_work.decisions, request.app.state.training
    with queue.admission_control.enter() as admission:
        body = await read_request(request, CancelRequest, queue, admission)
        training.cancel(body.id)
        return _state(request)


@router.get("/desk/learning/report")
async def report(request: Request) -> Response:
    """The comparison of the trained model with that of the service, as a page."""
    try:
        content = (request.app.state.options.settings.home / PAGE).read_bytes()
    except FileNotFoundError:
        raise ProblemError(404, "not-found", "the latest training has no comparison") from None
    headers = {"content-security-policy": REPORT_POLICY}
    return Response(content, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/desk/learning/missed")
async def missed(request: Request) -> Response:
    """Corrections of the last seven days, the largest errors first."""
    queue, live = request.app.state.desk_work.pages, request.app.state.inbox

    def find() -> MissedLabels:
        titles = {row.path: row.title for row in live.inbox.since(0).rows}
        return missed_labels(live.inbox.corrections(), titles, datetime.now(UTC) - WEEK)

    with queue.admission_control.enter():
        return Response(await queue.run(lambda: msgspec.json.encode(find())), media_type=JSON)


def _state(request: Request) -> Response:
    training: LiveTraining = request.app.state.training
    live: LiveInbox = request.app.state.inbox
    job = training.current()
    archive = tuple(map(mask_credentials, training.archive))
    state = LearningState(live.saved.name, archive, job, training.fault)
    return Response(msgspec.json.encode(state), media_type=JSON)
