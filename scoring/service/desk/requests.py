"""Bodies of the desk's own requests, which only its page can send."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

import msgspec
from fastapi import Request

from scoring.service.batching import Admission
from scoring.service.desk.work_queue import WorkQueue
from scoring.service.problem_details import ProblemError
from scoring.service.request_body import JSON, form_of, read_body

OWN_HEADER = "x-scoring-desk"
"""Header of all requests of the page; forms and links of other sites cannot send it."""

T = TypeVar("T")


async def read_request(request: Request, type_: type[T], queue: WorkQueue, admission: Admission) -> T:
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
