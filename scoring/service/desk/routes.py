"""Routes of the desk: the curators' page, and the endpoints that only it calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from typing import Any, TypeVar

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.responses import StreamingResponse

from scoring.errors import RecordError
from scoring.explanation.policy import SectionPolicyText, policy_texts
from scoring.inbox.decisions import Decision
from scoring.inbox.preview import UploadedFile, explain_preview, preview
from scoring.inbox.rows import RecordDetails
from scoring.records.limits import RecordLimitError
from scoring.service.batching import Admission
from scoring.service.desk.live_inbox import LiveInbox
from scoring.service.desk.live_suggestions import LiveSuggestions
from scoring.service.desk.work_queue import DeskWork, WorkQueue
from scoring.service.options import RequestLimits
from scoring.service.problem_details import ProblemError, record_problem
from scoring.service.request_body import JSON, form_of, read_body

OWN_HEADER = "x-scoring-desk"
"""Header of all requests of the page; forms and links of other sites cannot send it."""

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_MAX_NAME_CHARS = 80
_ENCODER = msgspec.json.Encoder()

T = TypeVar("T")


class PreviewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files dropped onto the page, to be scored but not saved."""

    files: list[UploadedFile]


class WriteRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Decisions to write, and the name of the person."""

    decisions: list[Decision]
    by: str = ""


class UndoRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files whose last write is to be undone, and the name of the person."""

    paths: list[str]
    by: str = ""


class FileResult(msgspec.Struct, frozen=True):
    """Result of one file: its path, and a fault if it failed."""

    path: str
    fault: str = ""


class ModelPolicy(msgspec.Struct, frozen=True):
    """The policies of a model in words; empty if it was trained before models had rules."""

    model: str
    policies: list[SectionPolicyText]


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
    return Response(request.app.state.page["index.html"], media_type=_TYPES["html"])


@router.get("/page/{name}")
async def page_file(request: Request, name: str) -> Response:
    """A file of the page."""
    content: bytes | None = request.app.state.page.get(name)
    media_type = _TYPES.get(name.rpartition(".")[2])
    if content is None or media_type is None:
        raise ProblemError(404, "not-found", "the page has no such file")
    return Response(content, media_type=media_type)


@router.get("/desk/events")
async def events(request: Request) -> Response:
    """All rows of the inbox, then changed rows, as an endless stream of server-sent events."""
    inbox: LiveInbox = request.app.state.inbox
    return StreamingResponse(inbox.events(), media_type="text/event-stream")


@router.get("/desk/details")
async def details(request: Request, path: str) -> Response:
    """Why a record of the inbox has its scores."""
    inbox: LiveInbox = request.app.state.inbox
    queue = request.app.state.desk_work.pages
    with queue.admission_control.enter():
        return await _details(queue, partial(inbox.inbox.details, path, inbox.saved))


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
        dropped = await _body(request, PreviewRequest, queue, admission)
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
        dropped = await _body(request, UploadedFile, queue, admission)
        served = request.app.state.manager.current
        return await _details(
            queue, partial(explain_preview, dropped, served.saved, limits.of_record, served.field_map)
        )


@router.post("/desk/write")
async def write(request: Request) -> Response:
    """Write decisions into their files; the results are in the order of the decisions."""
    queue, inbox = request.app.state.desk_work.writes, request.app.state.inbox
    with queue.admission_control.enter() as admission:
        decided = await _body(request, WriteRequest, queue, admission)
        _check_count(len(decided.decisions), "decisions", request.app.state.options.limits)
        write_one = partial(inbox.decisions.write, by=_name(decided.by), now=datetime.now(UTC))
        work = {decision.path: partial(write_one, decision) for decision in decided.decisions}
        return await _run_all(queue, inbox, work)


@router.post("/desk/take-back")
async def take_back(request: Request) -> Response:
    """Undo the last write of files; the results are in the order of the paths."""
    queue, inbox = request.app.state.desk_work.writes, request.app.state.inbox
    with queue.admission_control.enter() as admission:
        undone = await _body(request, UndoRequest, queue, admission)
        _check_count(len(undone.paths), "paths", request.app.state.options.limits)
        undo_one = partial(inbox.decisions.take_back, by=_name(undone.by), now=datetime.now(UTC))
        return await _run_all(queue, inbox, {path: partial(undo_one, path) for path in undone.paths})


async def _body(request: Request, type_: type[T], queue: WorkQueue, admission: Admission) -> T:
    """Read and decode a body, within the limits of request bodies."""
    if OWN_HEADER not in request.headers:
        raise ProblemError(403, "origin", f"{OWN_HEADER}: expected this header, which the desk sends")
    headers = dict(request.scope["headers"])
    if form_of(headers) != JSON:
        raise ProblemError(415, "media-type", f"content-type: expected {JSON}", headers={"Accept": JSON})
    data = await read_body(request.receive, headers, request.app.state.options.limits, admission.hold)
    try:
        return await queue.run(partial(msgspec.json.decode, data, type=type_))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError(422, "body", str(error)) from None


def _check_count(count: int, what: str, limits: RequestLimits) -> None:
    if count > limits.records:
        detail = f"got {count:,} {what}, expected at most {limits.records:,}"
        raise ProblemError(413, "limit", detail, limit="records")


def _name(by: str) -> str:
    if len(by) > _MAX_NAME_CHARS:
        detail = f"by: got {len(by)} characters, expected at most {_MAX_NAME_CHARS}"
        raise ProblemError(422, "body", detail)
    return by.strip()


async def _run_all(queue: WorkQueue, inbox: LiveInbox, works: Mapping[str, Callable[[], None]]) -> Response:
    """Run work on files in sequence, and answer with the results in the same order."""
    response = await _json(queue, lambda: [_result(path, work) for path, work in works.items()])
    inbox.request_refresh()
    return response


def _result(path: str, work: Callable[[], None]) -> FileResult:
    try:
        work()
    except RecordError as error:
        return FileResult(path, str(error))
    return FileResult(path)


async def _details(queue: WorkQueue, work: Callable[[], RecordDetails]) -> Response:
    try:
        return await _json(queue, work)
    except RecordError as error:
        limit = error.limit if isinstance(error, RecordLimitError) else ""
        problem = record_problem(error)
        raise ProblemError(422, "record", problem.detail, limit=limit, faults=problem.faults) from None


async def _json(queue: WorkQueue, work: Callable[[], Any]) -> Response:
    """Response with the result of work, both computed and encoded in a thread of the queue."""
    return Response(await queue.run(lambda: _ENCODER.encode(work())), media_type=JSON)
