"""ASGI middleware for all requests: host, origin and token checks, response headers, metrics, access log."""

from __future__ import annotations

import logging
import os
import re
import traceback
from collections.abc import Callable
from functools import lru_cache
from time import perf_counter
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scoring.service.auth import Tokens
from scoring.service.metrics import Metrics
from scoring.service.options import ServiceOptions
from scoring.service.problem_details import ProblemError, answer, defect

_LOG = logging.getLogger("scoring.service.request")
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Paths without a token: they reveal nothing, and health checks have no token."""

END_STREAM, ON_REFUSED = "end_stream", "on_refused"
"""Keys of a request's state: a callback that ends its stream, and one that counts refusals."""

_GONE = 499  # logged status if the client disconnected before the request was complete
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = _SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE", "TRACE"}

DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content security policy of pages: same-origin resources and connections only."""

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class RequestMiddleware:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app : ASGI application
        The wrapped application.
    options : ServiceOptions
        Allowed hosts and origins.
    tokens : Tokens
        Valid tokens.
    metrics : Metrics
        Metrics of the requests.
    """

    def __init__(self, app: ASGIApp, options: ServiceOptions, tokens: Tokens, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._options = options
        self._tokens = tokens
        # Callback that ends a stream, to its authorization header.
        self._streams: dict[Callable[[], None], bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        headers = dict(scope["headers"])  # of repeated headers the last counts
        state = scope.setdefault("state", {})
        state["headers"] = headers
        state["request_id"] = request_id = _request_id(headers.get(b"x-request-id", b""))
        status = 500
        has_begun = False
        end_stream: Callable[[], None] | None = state.get(END_STREAM)

        async def send_with_headers(message: Message) -> None:
            nonlocal status, has_begun
            if message["type"] == "http.response.start":
                status, has_begun = message["status"], True
                is_stream = _add_headers(message, request_id)
                if is_stream and end_stream is not None:
                    self._streams[end_stream] = headers.get(b"authorization", b"")
            await send(message)

        try:
            try:
                self._check(scope, headers)
            except ProblemError as error:
                await answer(error, scope)(scope, receive, send_with_headers)
            else:
                await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            state["fault"], status = "gone", _GONE
        except Exception as error:
            # The traceback without the message, which may quote a record.
            trace = traceback.format_tb(error.__traceback__)
            fields = {"request_id": request_id, "error": type(error).__name__, "trace": trace}
            _LOG.error("defect", extra={"fields": fields})
            if not has_begun:
                await answer(defect(), scope)(scope, receive, send_with_headers)
            state["fault"] = "defect"
        finally:
            if end_stream is not None:
                self._streams.pop(end_stream, None)
            self._record(scope, status, perf_counter() - began)

    def end_streams(self, *, is_revoked: bool = False) -> int:
        """End open event streams.

        Parameters
        ----------
        is_revoked : bool
            End only streams whose token is no longer valid.

        Returns
        -------
        int
            Number of ended streams.
        """
        callbacks = [
            end_stream
            for end_stream, authorization in self._streams.items()
            if not (is_revoked and self._tokens.admit(authorization))
        ]
        for end_stream in callbacks:
            end_stream()
        return len(callbacks)

    def refuse(self, error: ProblemError) -> None:
        """Count and log input that was refused before it became a request."""
        self._metrics.faults.labels(error.kind).inc()
        self._metrics.record_request("-", "-", error.status, 0.0)
        if _LOG.isEnabledFor(logging.INFO):
            fields = {"status": error.status, "fault": error.kind}
            if error.problem.limit:
                fields["limit"] = error.problem.limit
            _LOG.info("refused", extra={"fields": fields})

    def _check(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1")
        if self._options.hosts and _name_of(host) not in self._options.hosts:
            raise ProblemError(421, "request", "this service does not answer to this host name")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and scope["method"] not in _SAFE_METHODS and not self._is_known(origin, host):
            raise ProblemError(403, "origin", "requests from pages of this origin are not allowed")
        if scope["path"] not in OPEN_PATHS and not self._tokens.admit(headers.get(b"authorization", b"")):
            # Browsers ask for a password on "Basic"; the token is the password. "Basic" comes first, because
            # Chromium reads only the first scheme of the header.
            challenge = 'Basic realm="scoring", Bearer realm="scoring"'
            raise ProblemError(
                401, "token", "expected a token of the service", headers={"WWW-Authenticate": challenge}
            )

    def _is_known(self, origin: str, host: str) -> bool:
        return origin in self._options.origins or origin.partition("://")[2] == host

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        state = scope["state"]
        # The route, never the path itself, which may contain anything.
        route = state.get("route") or getattr(scope.get("route"), "path", "-")
        method = scope["method"] if scope["method"] in _METHODS else "-"
        self._metrics.record_request(route, method, status, seconds)
        if "fault" in state:
            self._metrics.faults.labels(state["fault"]).inc()
        if _LOG.isEnabledFor(logging.INFO):
            fields = {
                "request_id": state["request_id"],
                "method": method,
                "route": route,
                "status": status,
                "ms": round(1000 * seconds, 3),
                **({"fault": state["fault"]} if "fault" in state else {}),
                **state.get("log", {}),
            }
            # Built directly, since a logger would inspect the stack for the calling line.
            record = {"name": _LOG.name, "levelno": logging.INFO, "levelname": "INFO", "msg": "request"}
            _LOG.handle(logging.makeLogRecord({**record, "fields": fields}))


def _request_id(given: bytes) -> str:
    text = given.decode("latin-1")
    return text if _REQUEST_ID.fullmatch(text) else os.urandom(16).hex()


@lru_cache(32)
def _name_of(host: str) -> str:
    """Host without its port; empty if it is invalid."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _add_headers(message: Message, request_id: str) -> bool:
    """Add the headers of every response, and return whether it is an event stream."""
    headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode()), *_HEADERS]
    given = dict(headers)
    if b"cache-control" not in given:
        headers.append((b"cache-control", b"no-store"))
    content_type: bytes = given.get(b"content-type", b"")
    if b"content-security-policy" not in given:
        is_page = content_type.startswith(b"text/html")
        headers.append((b"content-security-policy", (PAGE_POLICY if is_page else DATA_POLICY).encode()))
    message["headers"] = headers
    return content_type.startswith(b"text/event-stream")
