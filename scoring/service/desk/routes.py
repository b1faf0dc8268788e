"""The desk: the page that curators work on, and the addresses that only it calls."""

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
from scoring.inbox.decisions import Decision
from scoring.inbox.preview import UploadedFile, explain_preview, preview
from scoring.inbox.rows import RecordDetails
from scoring.records.limits import RecordLimitError
from scoring.service.batching import Admission
from scoring.service.desk.live_inbox import LiveInbox
from scoring.service.desk.work_queue import DeskWork, WorkQueue
from scoring.service.options import RequestLimits
from scoring.service.problem_details import ProblemError, record_problem
from scoring.service.request_body import JSON, form_of, read_body

OWN_HEADER = "x-scoring-desk"
"""What the page sends with all that it asks for: no form and no link of another site can."""

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_MAX_NAME_CHARS = 80
_ENCODER = msgspec.json.Encoder()

T = TypeVar("T")


class Files(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files that somebody has dropped onto the page: they are looked at, and not kept."""

    files: list[UploadedFile]


class Decided(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be written, and who says so."""

    decisions: list[Decision]
    by: str = ""


class TakenBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files whose last write is to be taken back, and who says so."""

    paths: list[str]
    by: str = ""


class Result(msgspec.Struct, frozen=True):
    """What became of one file: nothing but its path, or why it was not done."""

    path: str
    fault: str = ""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    folder = files("scoring.service.desk") / "page"
    app.state.page = {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}
    work = app.state.desk_work = DeskWork(app.state.options.limits)
    inbox = app.state.inbox = LiveInbox(app.state.options, app.state.keeper, app.state.stopping, work.looks)
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
async def part(request: Request, name: str) -> Response:
    """A part of the page."""
    found: bytes | None = request.app.state.page.get(name)
    media_type = _TYPES.get(name.rpartition(".")[2])
    if found is None or media_type is None:
        raise ProblemError(404, "not-found", "no such file of the page")
    return Response(found, media_type=media_type)


@router.get("/desk/events")
async def events(request: Request) -> Response:
    """All rows of the inbox, then what changes of them, as server-sent events, without end."""
    inbox: LiveInbox = request.app.state.inbox
    return StreamingResponse(inbox.events(), media_type="text/event-stream")


@router.get("/desk/receipt")
async def receipt(request: Request, path: str) -> Response:
    """Why a record of the inbox has its scores."""
    inbox: LiveInbox = request.app.state.inbox
    queue = request.app.state.desk_work.pages
    with queue.intake.enter():
        return await _told(queue, partial(inbox.inbox.details, path, inbox.saved))


@router.post("/desk/look")
async def rows_of_dropped(request: Request) -> Response:
    """Rows of dropped files."""
    queue, limits = request.app.state.desk_work.pages, request.app.state.options.limits
    with queue.intake.enter() as ticket:
        dropped = await _body(request, Files, queue, ticket)
        _check_count(len(dropped.files), "files", limits)
        saved = request.app.state.keeper.current.saved
        return await _json(queue, partial(preview, dropped.files, saved, limits.of_record))


@router.post("/desk/look/receipt")
async def receipt_of_dropped(request: Request) -> Response:
    """Why a dropped record has its scores."""
    queue, limits = request.app.state.desk_work.pages, request.app.state.options.limits
    with queue.intake.enter() as ticket:
        dropped = await _body(request, UploadedFile, queue, ticket)
        saved = request.app.state.keeper.current.saved
        return await _told(queue, partial(explain_preview, dropped, saved, limits.of_record))


@router.post("/desk/write")
async def write(request: Request) -> Response:
    """Write decisions into their files; each is answered at its place."""
    queue, inbox = request.app.state.desk_work.writes, request.app.state.inbox
    with queue.intake.enter() as ticket:
        decided = await _body(request, Decided, queue, ticket)
        _check_count(len(decided.decisions), "decisions", request.app.state.options.limits)
        write_one = partial(inbox.decisions.write, by=_name(decided.by), now=datetime.now(UTC))
        return await _done(queue, inbox, {each.path: partial(write_one, each) for each in decided.decisions})


@router.post("/desk/take-back")
async def take_back(request: Request) -> Response:
    """Take the last write of some files back; each is answered at its place."""
    queue, inbox = request.app.state.desk_work.writes, request.app.state.inbox
    with queue.intake.enter() as ticket:
        taken = await _body(request, TakenBack, queue, ticket)
        _check_count(len(taken.paths), "paths", request.app.state.options.limits)
        take_one = partial(inbox.decisions.take_back, by=_name(taken.by), now=datetime.now(UTC))
        return await _done(queue, inbox, {path: partial(take_one, path) for path in taken.paths})


async def _body(request: Request, type_: type[T], queue: WorkQueue, ticket: Admission) -> T:
    """What the page sends, within the limits of every body."""
    if OWN_HEADER not in request.headers:
        raise ProblemError(403, "origin", f"{OWN_HEADER}: expected this header, as the desk sends it")
    headers = dict(request.scope["headers"])
    if form_of(headers) != JSON:
        raise ProblemError(415, "media-type", f"content-type: expected {JSON}", headers={"Accept": JSON})
    data = await read_body(request.receive, headers, request.app.state.options.limits, ticket.hold)
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


async def _done(queue: WorkQueue, inbox: LiveInbox, works: Mapping[str, Callable[[], None]]) -> Response:
    """Do something with files, one after the other; each is answered at its place."""
    answer = await _json(queue, lambda: [_result(path, work) for path, work in works.items()])
    inbox.ask()
    return answer


def _result(path: str, work: Callable[[], None]) -> Result:
    try:
        work()
    except RecordError as error:
        return Result(path, str(error))
    return Result(path)


async def _told(queue: WorkQueue, work: Callable[[], RecordDetails]) -> Response:
    try:
        return await _json(queue, work)
    except RecordError as error:
        limit = error.limit if isinstance(error, RecordLimitError) else ""
        found = record_problem(error)
        raise ProblemError(422, "record", found.detail, limit=limit, faults=found.faults) from None


async def _json(queue: WorkQueue, work: Callable[[], Any]) -> Response:
    """What a piece of work gives, which is written as JSON beside the requests too."""
    return Response(await queue.run(lambda: _ENCODER.encode(work())), media_type=JSON)
