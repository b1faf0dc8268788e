"""Request bodies: read within limits, and split into records that are decoded later."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Callable
from contextlib import nullcontext
from functools import lru_cache
from typing import NamedTuple

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from scoring.errors import RecordError
from scoring.records.decode import decode_file, decode_json
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.limits import RecordLimitError
from scoring.records.record import Document
from scoring.service.options import RequestLimits
from scoring.service.problem_details import Problem, ProblemError, record_problem

JSON, JSON_LINES, MARKDOWN = "application/json", "application/x-ndjson", "text/markdown"
_FORMS = {JSON: JSON, JSON_LINES: JSON_LINES, "application/jsonl": JSON_LINES, MARKDOWN: MARKDOWN}
_PARTS = msgspec.json.Decoder(list[msgspec.Raw])
IS_WHOLE = "is_whole"
"""Key of a request's state, set once its body has arrived completely."""

_TOO_DEEP = "deeper nesting than any record has"


class Part(NamedTuple):
    """Bytes of one record, and its line in the body (in an array: its index from 1)."""

    data: bytes
    line: int


class Body(NamedTuple):
    """A body split into records.

    Parameters
    ----------
    form : str
        ``application/json``, ``application/x-ndjson`` or ``text/markdown``.
    parts : list of Part
        The undecoded records.
    is_many : bool
        Whether it may contain any number of records, so that the answer is a list.
    """

    form: str
    parts: list[Part]
    is_many: bool


def form_of(headers: dict[bytes, bytes]) -> str:
    """Format of a body by its headers.

    Raises
    ------
    ProblemError
        If the format is not supported: status 415.
    """
    return _form(headers.get(b"content-type", b""), headers.get(b"content-encoding", b"identity"))


@lru_cache(32)
def _form(content_type: bytes, encoding: bytes) -> str:
    media_type, *parameters = content_type.decode("latin-1").lower().split(";")
    form = _FORMS.get(media_type.strip())
    accepted = {"Accept": ", ".join(_FORMS)}
    if form is None:
        detail = f"content-type: got {media_type.strip()[:40]!r}, expected one of {', '.join(_FORMS)}"
        raise ProblemError(415, "media-type", detail, headers=accepted)
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "charset" and value.strip("\"'") not in ("utf-8", "utf8", "us-ascii"):
            raise ProblemError(415, "media-type", "charset: expected utf-8", headers=accepted)
    if encoding.lower() != b"identity":
        detail = "content-encoding: expected a body that is not compressed"
        raise ProblemError(415, "media-type", detail, headers={"Accept-Encoding": "identity"})
    return form


async def read_body(
    receive: Receive,
    headers: dict[bytes, bytes],
    limits: RequestLimits,
    hold: Callable[[int], None],
    *,
    is_whole: bool = False,
) -> bytes:
    """Read a body within its limits.

    Parameters
    ----------
    receive : ASGI callable
        Source of the messages.
    headers : dict of bytes to bytes
        Headers of the request.
    limits : RequestLimits
        Maximum size and time of the body.
    hold : callable
        Called with the size of each chunk; may raise to refuse it.
    is_whole : bool
        Whether the body has arrived completely: no timeout is needed then.

    Raises
    ------
    ProblemError
        If it is too large (413) or too slow (408).
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limits.body_bytes:
        raise _too_large(limits)
    chunks: list[bytes] = []
    n_bytes = 0
    try:
        async with nullcontext() if is_whole else asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk = message.get("body", b"")
                n_bytes += len(chunk)
                if n_bytes > limits.body_bytes:
                    raise _too_large(limits)
                hold(len(chunk))
                chunks.append(chunk)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        detail = f"expected the whole body within {limits.body_seconds:g} seconds"
        raise ProblemError(
            408, "timeout", detail, limit="body_seconds", headers={"Connection": "close"}
        ) from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(limits: RequestLimits) -> ProblemError:
    return ProblemError(413, "limit", f"expected at most {limits.body_bytes:,} bytes", limit="body_bytes")


def part(data: bytes, form: str, max_records: int, limit: str = "records") -> Body:
    """Split a body into its records.

    Parameters
    ----------
    data : bytes
        The body.
    form : str
        Format by :func:`form_of`.
    max_records : int
        Maximum number of records.
    limit : str
        Name of that limit, for the problem.

    Raises
    ------
    ProblemError
        If it is empty or cannot be split (422), or has too many records (413).
    """
    if not data.strip():
        raise ProblemError(422, "body", "got an empty body, expected a record")
    is_array = form == JSON and data.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")
    if is_array:
        parts = [Part(bytes(raw), index) for index, raw in enumerate(_array(data), start=1)]
    elif form == JSON_LINES:
        lines = data.split(b"\n")
        parts = [Part(line, number) for number, line in enumerate(lines, start=1) if line.strip()]
    else:
        parts = [Part(data, 1)]
    if len(parts) > max_records:
        detail = f"got {len(parts):,} records, expected at most {max_records:,}"
        raise ProblemError(413, "limit", detail, limit=limit)
    return Body(form, parts, is_array or form == JSON_LINES)


def _array(data: bytes) -> list[msgspec.Raw]:
    try:
        return _PARTS.decode(data.removeprefix(codecs.BOM_UTF8))
    except RecursionError:
        raise ProblemError(422, "body", f"got {_TOO_DEEP}, expected an array of records") from None
    except msgspec.DecodeError as error:
        raise ProblemError(422, "body", f"got JSON that does not parse ({error})") from None


def read_part(
    record: Part, form: str, limits: RequestLimits, field_map: FieldMap | None, *, reads_body: bool = True
) -> Document | Problem:
    """Decode a record by a field map, None for scoring's own layout; a problem if it cannot be used."""
    try:
        limits.of_record.check_bytes(len(record.data), "-", record.line)
        document = _decode(record, form, field_map, reads_body)
        return limits.of_record.check(document, record.line)
    except RecordLimitError as error:
        return record_problem(error, limit=error.limit)
    except RecordError as error:
        return record_problem(error)


def _decode(record: Part, form: str, field_map: FieldMap | None, reads_body: bool) -> Document:
    if form == MARKDOWN:
        return decode_file(record.data, "-", field_map=field_map, reads_body=reads_body)
    return decode_json(record.data, "-", record.line, field_map)
