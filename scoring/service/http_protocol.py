"""HTTP protocol below the application: limits before parsing, and coalesced writes."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any, cast

import httptools
import msgspec
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scoring.service.body_framing import NO_REQUEST, Framing, Part
from scoring.service.middleware import END_STREAM, ON_REFUSED
from scoring.service.options import RequestLimits
from scoring.service.problem_details import MEDIA_TYPE, ProblemError
from scoring.service.request_body import IS_WHOLE
from scoring.service.request_head import check_head, without_upgrade

_LOG = logging.getLogger("scoring.service")
MAX_PIECES_PER_TURN = 128
"""Pieces (heads, chunks, chunk sizes) parsed per connection and event loop iteration: about 0.2 ms."""

LINGER_SECONDS = 0.25
"""How long a refused connection stays open, unread: an immediate close could discard its answer."""

STALL_SECONDS = 60.0
"""How long a client may read nothing of an answer."""


class CoalescingTransport:
    """A transport that sends all writes of one event loop iteration in one call.

    uvicorn writes head and body of an answer separately. Sent separately, they wake the client twice: with
    eight clients on the same machine that costs a tenth of the requests a second.

    Parameters
    ----------
    transport : asyncio.Transport
        The underlying transport.
    loop : asyncio.AbstractEventLoop
        The event loop of the connection.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether it is closing; called so often that ``__getattr__`` would be too slow."""
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send at the end of this event loop iteration."""
        if not self._parts:
            self._loop.call_soon(self._send)
        self._parts.append(data)

    def write_eof(self) -> None:
        """Send, then close the write end."""
        self._send()
        self._transport.write_eof()

    def close(self) -> None:
        """Send, then close."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()


class Flow(FlowControl):
    """uvicorn's flow control; reading can be held while received bytes wait to be parsed."""

    is_held = False

    def hold(self) -> None:
        """Pause reading until :meth:`release`."""
        self.is_held = True
        self.pause_reading()

    def release(self) -> None:
        """Resume reading, if it was held."""
        if self.is_held:
            self.is_held = False
            self.resume_reading()

    def resume_reading(self) -> None:
        """Resume reading, unless it is held."""
        if not self.is_held:
            super().resume_reading()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with limits on heads, trailers and time, and one request at a time.

    A request is parsed once the previous one on its connection is answered; input in many pieces is parsed
    in turns with other connections.

    Parameters
    ----------
    limits : RequestLimits
        Size, lines and time of heads and trailers; size and time of unread bodies.
    **options
        Options of uvicorn.
    """

    flow: Flow

    def __init__(self, limits: RequestLimits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self._framing = Framing(limits)
        self._timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None
        self._problem: ProblemError | None = None  # found in a parser callback
        self._has_cycle = False  # whether ``cycle`` belongs to the request being received
        self._is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Set up the connection, and start the timeout of its first head."""
        super().connection_made(cast(asyncio.Transport, CoalescingTransport(transport, self.loop)))
        self.flow = Flow(self.transport)
        self._start_timeout(self._limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timers."""
        self._cancel_timeout()
        self._cancel_stall_timer()
        if self._linger_timer is not None:  # the timer would keep the connection's objects alive
            self._linger_timer.cancel()
        self._framing.drop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Add received bytes, and parse as far as allowed."""
        if not self._is_refused:
            self._framing.push(data)
            self._advance()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["state"][END_STREAM] = self.end_stream

    def on_headers_complete(self) -> None:
        """Check a head, and start its body."""
        self._cancel_timeout()
        try:
            n_body_bytes = check_head(self.parser, self.url, self.headers)
        except ProblemError as error:
            self._problem = error
            return
        super().on_headers_complete()
        self._has_cycle = True
        self.headers = []  # trailers must not become headers of the request
        self._framing.begin_body(n_body_bytes)

    def on_message_complete(self) -> None:
        """Mark the body as complete, so that reading it needs no timeout."""
        if self._problem is not None:
            return
        if self._framing.part is not Part.DONE:
            self._problem = ProblemError(400, "request", NO_REQUEST)
            return
        super().on_message_complete()
        self.scope["state"][IS_WHOLE] = True
        if self.cycle.response_complete:
            self._begin_next()

    def on_response_complete(self) -> None:
        """Continue with the next request, or drain the rest of this one within a timeout."""
        super().on_response_complete()
        if self.transport.is_closing() or self._is_refused:
            return
        if self._framing.part is not Part.DONE:
            self._start_timeout(self._limits.body_seconds)
            return
        self._begin_next()
        if self._framing.n_pending_bytes:
            self.loop.call_soon(self._advance)

    def pause_writing(self) -> None:
        """Pause writing, and abort the connection if the client stalls too long."""
        super().pause_writing()
        self._stall_timer = self._stall_timer or self.loop.call_later(STALL_SECONDS, self._on_stall)

    def resume_writing(self) -> None:
        """Resume writing."""
        self._cancel_stall_timer()
        super().resume_writing()

    def end_stream(self) -> None:
        """End a streaming answer."""
        cycle = self.cycle
        if self.transport.is_closing() or cycle.response_complete:
            return
        if cycle.chunked_encoding:
            self.transport.write(b"0\r\n\r\n")
        cycle.disconnected = True  # the application sees a disconnect
        cycle.message_event.set()
        self.flow.resume_writing()
        self.transport.close()
        # The client may never read what was sent.
        self._linger_timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _advance(self) -> None:
        """Parse piece by piece; yield to other connections after ``MAX_PIECES_PER_TURN`` pieces."""
        if self._is_refused or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        has_more = False
        try:
            for _ in range(MAX_PIECES_PER_TURN):
                is_head = self._framing.part is Part.HEAD
                if (piece := self._framing.cut()) is None:
                    break
                self._parse(without_upgrade(piece) if is_head else piece)
            else:
                has_more = True
                self.loop.call_soon(self._advance)
        except ProblemError as error:
            self._refuse(error)
            return
        part = self._framing.part
        if has_more or (part is Part.DONE and self._framing.n_pending_bytes):
            self.flow.hold()
        else:
            self.flow.release()
        if part is Part.HEAD or part is Part.TRAILERS:
            self._start_timeout(self._limits.head_seconds)

    def _parse(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise self._problem or ProblemError(400, "request", f"{NO_REQUEST} ({error})") from None
        if self._problem is not None:
            raise self._problem
        if self._framing.part is Part.DONE and not self.scope["state"].get(IS_WHOLE):
            raise ProblemError(400, "request", NO_REQUEST)
        if self._framing.n_body_bytes > self._limits.body_bytes and self.cycle.response_started:
            self.transport.close()  # nobody reads this body, so nobody else limits it

    def _begin_next(self) -> None:
        self._cancel_timeout()
        self._has_cycle = False
        self._framing.begin_head()

    def _start_timeout(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self._on_timeout)

    def _cancel_timeout(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timeout(self) -> None:
        self._timer = None
        is_used = self.cycle is not None
        if self._framing.part is Part.HEAD and is_used and not self._framing.n_pending_bytes:
            self.transport.close()
            return
        what = "trailers" if self._framing.part is Part.TRAILERS else "head"
        detail = f"expected the whole {what} within {self._limits.head_seconds:g} seconds"
        self._refuse(ProblemError(408, "timeout", detail, limit="head_seconds"))

    def _cancel_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _on_stall(self) -> None:
        self._stall_timer = None
        _LOG.warning("connection stalled", extra={"fields": {"seconds": STALL_SECONDS}})
        self.transport.abort()

    def _refuse(self, error: ProblemError) -> None:
        """Answer an invalid or too large request with a problem, and close."""
        if self.transport.is_closing() or self._is_refused:
            return
        self._is_refused = True
        self._framing.drop()
        self._cancel_timeout()
        self._unset_keepalive_if_required()
        if on_refused := self.app_state.get(ON_REFUSED):
            on_refused(error)
        if self._has_cycle and self.cycle.response_started:
            self.transport.close()
            return
        if self._has_cycle:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = msgspec.json.encode(error.problem)
        head = (
            f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.write_eof()
        self.flow.hold()
        self._linger_timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)
