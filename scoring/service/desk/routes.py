"""Routes of the desk: the curators' page, and the endpoints that only it calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI, Query, Request, Response
from starlette.responses import StreamingResponse

from scoring.errors import RecordError
from scoring.explanation.policy import policy_texts
from scoring.inbox.decision_actions import Action, ActionConflictError, Outcome, Target
from scoring.inbox.decision_log import MAX_CLIENT_CHARS, MAX_NAME_CHARS, Decided
from scoring.inbox.preview import UploadedFile, explain_preview, preview
from scoring.inbox.rule_labels import labels_by_rule
from scoring.inbox.side_by_side import side_by_side
from scoring.records.limits import RecordLimitError
from scoring.service.desk.live_decisions import LiveDecisions
from scoring.service.desk.live_inbox import LiveInbox
from scoring.service.desk.live_suggestions import LiveSuggestions
from scoring.service.desk.messages import (
    ChangeRequest,
    DecidedRecord,
    DecideRequest,
    ModelPolicy,
    Outcomes,
    PreviewRequest,
    RuleRequest,
    SearchRequest,
)
from scoring.service.desk.presence import Presence
from scoring.service.desk.requests import read_request
from scoring.service.desk.work_queue import DeskWork, WorkQueue
from scoring.service.middleware import PAGE_POLICY
from scoring.service.options import RequestLimits
from scoring.service.problem_details import ProblemError, record_problem
from scoring.service.request_body import JSON

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_ENCODER = msgspec.json.Encoder()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    folder = files("scoring.service.desk") / "page"
    app.state.page = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    work = app.state.desk_work = DeskWork(app.state.options.limits)
    inbox = app.state.inbox = LiveInbox(
        app.state.options, app.state.manager, app.state.stopping, work.refreshes
    )
    app.state.suggestions = LiveSuggestions(
        inbox, app.state.options.settings, app.state.stopping, work.suggestions
    )
    task = asyncio.create_task(inbox.follow())
    try:
        yield
    finally:
        app.state.stopping.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        work.close()


router = APIRouter(lifespan=_lifespan, include_in_schema=False)


@router.get("/")
async def page(request: Request) -> Response:
    """The page."""
    headers = {}
    if request.app.state.options.has_images:
        headers["content-security-policy"] = PAGE_POLICY.replace(
            "img-src 'self'", "img-src 'self' https: http:"
        )
    return Response(request.app.state.page["index.html"], media_type=_TYPES["html"], headers=headers)


@router.get("/page/{name}")
async def page_file(request: Request, name: str) -> Response:
    """A file of the page."""
    content: bytes | None = request.app.state.page.get(name)
    media_type = _TYPES.get(name.rpartition(".")[2])
    if content is None or media_type is None:
        raise ProblemError(404, "not-found", "the page has no such file")
    return Response(content, media_type=media_type)


@router.get("/desk/events")
async def events(request: Request, page: Annotated[str, Query(max_length=80)] = "") -> Response:
    """All rows of the inbox, then changed rows, as an endless stream of server-sent events."""
    inbox: LiveInbox = request.app.state.inbox
    return StreamingResponse(inbox.events(page), media_type="text/event-stream")


@router.get("/desk/details")
async def details(request: Request, path: str) -> Response:
    """Why a record of the inbox has its scores."""
    inbox: LiveInbox = request.app.state.inbox
    queue = request.app.state.desk_work.pages
    with queue.admission_control.enter():
        return await _of_record(queue, partial(inbox.inbox.details, path, inbox.saved))


@router.get("/desk/side-by-side")
async def compare(request: Request, path: str) -> Response:
    """A record of the inbox and its coverage, to compare them."""
    inbox: LiveInbox = request.app.state.inbox
    queue = request.app.state.desk_work.pages
    with queue.admission_control.enter():
        return await _of_record(queue, partial(side_by_side, inbox.inbox, path))


@router.post("/desk/rule")
async def by_rule(request: Request) -> Response:
    """Labels that follow from those that a person has given, by the model's own rules."""
    queue, inbox = request.app.state.desk_work.pages, request.app.state.inbox
    with queue.admission_control.enter() as admission:
        body = await read_request(request, RuleRequest, queue, admission)
        work = partial(labels_by_rule, inbox.inbox, body.path, inbox.saved, body.labels)
        return await _of_record(queue, work)


@router.post("/desk/search")
async def search(request: Request) -> Response:
    """Paths of the records whose excerpt or body contains each text."""
    queue, inbox = request.app.state.desk_work.pages, request.app.state.inbox
    with queue.admission_control.enter() as admission:
        body = await read_request(request, SearchRequest, queue, admission)
        return await _json(queue, lambda: {term: inbox.inbox.search(term) for term in body.terms})


@router.post("/desk/here")
async def here(request: Request) -> Response:
    """Take note of the record at which a page is."""
    queue, inbox = request.app.state.desk_work.decisions, request.app.state.inbox
    with queue.admission_control.enter() as admission:
        inbox.be_at(await read_request(request, Presence, queue, admission))
        return Response(b"{}", media_type=JSON)


@router.get("/desk/suggestions")
async def suggestions(request: Request) -> Response:
    """The latest suggestions of records to label; a search for new ones runs in the background."""
    live: LiveSuggestions = request.app.state.suggestions
    return Response(_ENCODER.encode(live.current()), media_type=JSON)


@router.get("/desk/policy")
async def policy(request: Request) -> Response:
    """The learned policy of the current model, in words."""
    queue, saved = request.app.state.desk_work.pages, request.app.state.manager.current.saved
    with queue.admission_control.enter():
        texts = partial(policy_texts, saved.models.rules, saved.models.changes)
        return await _json(queue, lambda: ModelPolicy(saved.name, texts()))


@router.post("/desk/preview")
async def rows_of_dropped(request: Request) -> Response:
    """Score dropped files."""
    queue, limits = request.app.state.desk_work.pages, request.app.state.options.limits
    with queue.admission_control.enter() as admission:
        dropped = await read_request(request, PreviewRequest, queue, admission)
        _check_count(len(dropped.files), "files", limits)
        served = request.app.state.manager.current
        return await _json(
            queue, partial(preview, dropped.files, served.saved, limits.of_record, served.field_map)
        )


@router.post("/desk/preview/details")
async def details_of_dropped(request: Request) -> Response:
    """Why a dropped record has its scores."""
    queue, limits = request.app.state.desk_work.pages, request.app.state.options.limits
    with queue.admission_control.enter() as admission:
        dropped = await read_request(request, UploadedFile, queue, admission)
        served = request.app.state.manager.current
        return await _of_record(
            queue, partial(explain_preview, dropped, served.saved, limits.of_record, served.field_map)
        )


@router.post("/desk/decide")
async def decide(request: Request) -> Response:
    """Take decisions, which are not saved yet; the results are in the order of the decisions."""
    queue, inbox = request.app.state.desk_work.decisions, request.app.state.inbox
    with queue.admission_control.enter() as admission:
        body = await read_request(request, DecideRequest, queue, admission)
        _check_count(len(body.decisions), "decisions", request.app.state.options.limits)
        decided = [(Target(item.path, item.base), _decided(item)) for item in body.decisions]
        act = partial(inbox.decisions.decide, _action(body), decided)
        return await _answer(queue, inbox, act, has_rows=False)


@router.post("/desk/save")
async def save(request: Request) -> Response:
    """Write decisions into their files; the results are in the order of the targets."""
    return await _change(request, LiveDecisions.save)


@router.post("/desk/undo")
async def undo(request: Request) -> Response:
    """Undo the last step of records; the results are in the order of the targets."""
    return await _change(request, LiveDecisions.undo)


async def _change(
    request: Request, change: Callable[[LiveDecisions, Action, list[Target]], list[Outcome]]
) -> Response:
    queue, inbox = request.app.state.desk_work.writes, request.app.state.inbox
    with queue.admission_control.enter() as admission:
        body = await read_request(request, ChangeRequest, queue, admission)
        _check_count(len(body.targets), "targets", request.app.state.options.limits)
        act = partial(change, inbox.decisions, _action(body), body.targets)
        return await _answer(queue, inbox, act, has_rows=True)


async def _answer(
    queue: WorkQueue, inbox: LiveInbox, act: Callable[[], list[Outcome]], *, has_rows: bool
) -> Response:
    """Carry out an action; one with the id of another is refused."""
    try:
        return await _json(queue, lambda: _outcomes(inbox, act(), has_rows=has_rows))
    except ActionConflictError as error:
        raise ProblemError(409, "conflict", str(error)) from None


def _outcomes(inbox: LiveInbox, results: list[Outcome], *, has_rows: bool) -> Outcomes:
    paths = [result.path for result in results]
    rows = inbox.inbox.rows_of(paths) if has_rows else []
    return Outcomes(results, inbox.decisions.of(paths), rows)


def _action(body: DecideRequest | ChangeRequest) -> Action:
    limits = {"by": MAX_NAME_CHARS, "client": MAX_CLIENT_CHARS}  # of a line of the log
    for name, limit in limits.items():
        if len(getattr(body, name)) > limit:
            detail = f"{name}: got more than {limit} characters, expected at most as many"
            raise ProblemError(422, "body", detail)
    return Action(body.id, body.by.strip(), body.client, datetime.now(UTC))


def _decided(item: DecidedRecord) -> Decided:
    """The decision without its target."""
    return Decided(**{name: getattr(item, name) for name in Decided.__struct_fields__})


def _check_count(count: int, what: str, limits: RequestLimits) -> None:
    if count > limits.records:
        detail = f"got {count:,} {what}, expected at most {limits.records:,}"
        raise ProblemError(413, "limit", detail, limit="records")


async def _of_record(queue: WorkQueue, work: Callable[[], Any]) -> Response:
    try:
        return await _json(queue, work)
    except RecordError as error:
        limit = error.limit if isinstance(error, RecordLimitError) else ""
        problem = record_problem(error)
        raise ProblemError(422, "record", problem.detail, limit=limit, faults=problem.faults) from None


async def _json(queue: WorkQueue, work: Callable[[], Any]) -> Response:
    """Response with the result of work, both computed and encoded in a thread of the queue."""
    return Response(await queue.run(lambda: _ENCODER.encode(work())), media_type=JSON)
