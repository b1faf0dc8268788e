"""Problem details for HTTP APIs (RFC 9457): the answer to every request that fails."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from scoring.errors import RecordError

MEDIA_TYPE = "application/problem+json"
_BY_STATUS = {401: "token", 403: "origin", 404: "not-found", 405: "method", 503: "busy"}


class FieldFault(msgspec.Struct, frozen=True):
    """One fault of a record: line (0 for the whole record), field, value found and value expected."""

    line: int
    field: str
    got: str
    expected: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request, or one of its records, failed (RFC 9457).

    Parameters
    ----------
    type : str
        Address of the description of this kind of problem.
    title : str
        Short description of this kind of problem.
    status : int
        HTTP status.
    detail : str
        What is wrong in this case.
    limit : str
        Name of the limit that was exceeded.
    faults : tuple of FieldFault
        Everything that is wrong with the record.
    request_id : str
        ID in the log and in the header ``X-Request-ID``.
    """

    type: str
    title: str
    status: int
    detail: str
    limit: str = ""
    faults: tuple[FieldFault, ...] = ()
    request_id: str = ""


class ProblemError(Exception):
    """An error that is answered as a :class:`Problem`.

    Parameters
    ----------
    status : int
        HTTP status.
    kind : str
        One of :data:`KINDS`.
    detail : str
        What is wrong in this case.
    limit : str
        Name of the limit that was exceeded.
    faults : tuple of FieldFault
        What is wrong with the record.
    headers : mapping of str to str
        Additional headers of the answer.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        limit: str = "",
        faults: tuple[FieldFault, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.headers = dict(headers or {})
        self.problem = Problem(f"/docs#{kind}", KINDS[kind], status, detail, limit, faults)


KINDS = {
    "record": "The record cannot be used",
    "body": "The body cannot be read",
    "query": "The query cannot be used",
    "limit": "A limit was exceeded",
    "media-type": "The content type is not supported",
    "timeout": "The body did not arrive in time",
    "token": "A token is needed",
    "origin": "Requests from this origin are not allowed",
    "not-found": "There is nothing at this path",
    "method": "This path does not support the method",
    "conflict": "This id belongs to another action",
    "busy": "The service is overloaded",
    "not-ready": "No model is loaded",
    "request": "The request cannot be answered",
    "defect": "This is a defect of scoring",
}
"""Title of each kind of problem."""


def record_problem(error: RecordError, *, limit: str = "") -> Problem:
    """The result of a record that cannot be used."""
    faults = tuple(FieldFault(fault.line, fault.field, fault.got, fault.expected) for fault in error.faults)
    first = faults[0]
    where = f"{first.field}: " if first.field else ""
    detail = f"{where}got {first.got}, expected {first.expected}"
    if len(faults) > 1:
        detail += f" (and {len(faults) - 1} more)"
    return Problem("/docs#record", KINDS["record"], 422, detail, limit, faults)


def answer(error: ProblemError, scope: Scope) -> Response:
    """Response with a problem; its kind is recorded in the state of the request."""
    state = scope["state"]
    state["fault"] = error.kind
    problem = msgspec.structs.replace(error.problem, request_id=state["request_id"])
    return Response(msgspec.json.encode(problem), error.status, error.headers, MEDIA_TYPE)


def defect() -> ProblemError:
    """The answer to an unexpected error."""
    return ProblemError(500, "defect", "see the log entries with this request_id")


class _NoResponse(Response):
    """Nothing is sent: the client has gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


def add_handlers(app: FastAPI) -> None:
    """Answer errors of the framework as problems too."""

    async def of_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)  # noqa: S101 -- for the type alone
        return answer(error, request.scope)

    async def of_framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 -- for the type alone
        kind = _BY_STATUS.get(error.status_code, "request")
        detail = f"{HTTPStatus(error.status_code).phrase}"
        return answer(ProblemError(error.status_code, kind, detail, headers=error.headers), request.scope)

    async def of_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 -- for the type alone
        first: Any = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return answer(ProblemError(422, "query", f"{where}: {first['msg']}"), request.scope)

    async def of_defect(request: Request, error: Exception) -> Response:
        if isinstance(error, ClientDisconnect):
            return _NoResponse()
        return answer(defect(), request.scope)

    app.add_exception_handler(ProblemError, of_problem)
    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(Exception, of_defect)  # raised again by Starlette: the middleware logs it
