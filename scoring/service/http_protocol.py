"""HTTP below the application: limits before the parser, and answers that are sent whole."""

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
PIECES_OF_A_TURN = 128
"""Heads, chunks and their sizes that one connection has parsed in one turn: about 0.2 ms."""

LINGER_SECONDS = 0.25
"""How long a refused connection stays open, unread: closed at once, it could take its answer with it."""

STALL_SECONDS = 60.0
"""How long a connection may take none of an answer."""


class CoalescingTransport:
    """A transport that sends what is written within one turn of the event loop at once.

    uvicorn writes head and body of an answer apart. Sent apart, they wake up their reader twice, which costs
    both sides as much as half a score.

    Parameters
    ----------
    transport : asyncio.Transport
        What sends.
    loop : asyncio.AbstractEventLoop
        Whose turns count.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether it closes; asked for so often that ``__getattr__`` would show."""
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send with the rest of this turn."""
        if not self._parts:
            self._loop.call_soon(self._send)
        self._parts.append(data)

    def write_eof(self) -> None:
        """Tell that nothing follows."""
        self._send()
        self._transport.write_eof()

    def close(self) -> None:
        """Close once all is sent."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()


class Flow(FlowControl):
    """uvicorn's flow control, which does not read on while what was read waits to be parsed."""

    is_held = False

    def hold(self) -> None:
        """Read no more, whoever asks for it."""
        self.is_held = True
        self.pause_reading()

    def release(self) -> None:
        """Read on."""
        if self.is_held:
            self.is_held = False
            self.resume_reading()

    def resume_reading(self) -> None:
        """Read on, unless reading is held."""
        if not self.is_held:
            super().resume_reading()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with limits: of heads and trailers, of time, and of one request at a time.

    A request is parsed once the one before it on the same connection was answered, and what comes in many
    pieces is parsed in turns with other connections.

    Parameters
    ----------
    limits : RequestLimits
        Size, lines and time of heads and trailers; size and time of bodies that are not read.
    **options
        uvicorn's.
    """

    flow: Flow

    def __init__(self, limits: RequestLimits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self._framing = Framing(limits)
        self._timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None
        self._problem: ProblemError | None = None  # found while the parser calls back
        self._has_cycle = False  # whether ``cycle`` is that of the bytes that come now
        self._is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(cast(asyncio.Transport, CoalescingTransport(transport, self.loop)))
        self.flow = Flow(self.transport)
        self._wait(self._limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        self._stop_stalling()
        if self._linger_timer is not None:  # it would keep all that the connection had
            self._linger_timer.cancel()
        self._framing.drop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, as far as it is its turn."""
        if not self._is_refused:
            self._framing.push(data)
            self._advance()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["state"][END_STREAM] = self.end_stream

    def on_headers_complete(self) -> None:
        """Check a head, and begin its body."""
        self._stop_waiting()
        try:
            n_body_bytes = check_head(self.parser, self.url, self.headers)
        except ProblemError as error:
            self._problem = error
            return
        super().on_headers_complete()
        self._has_cycle = True
        self.headers = []  # trailers are no headers of the request
        self._framing.begin_body(n_body_bytes)

    def on_message_complete(self) -> None:
        """Tell that all of a body is here: who reads it will not have to wait."""
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
        """Go on with the next request, or read the rest of this one for a while."""
        super().on_response_complete()
        if self.transport.is_closing() or self._is_refused:
            return
        if self._framing.part is not Part.DONE:
            self._wait(self._limits.body_seconds)
            return
        self._begin_next()
        if self._framing.n_pending_bytes:
            self.loop.call_soon(self._advance)

    def pause_writing(self) -> None:
        """Wait for a client that takes no more, but not for ever."""
        super().pause_writing()
        self._stall_timer = self._stall_timer or self.loop.call_later(STALL_SECONDS, self._end_stalled)

    def resume_writing(self) -> None:
        """Write on."""
        self._stop_stalling()
        super().resume_writing()

    def end_stream(self) -> None:
        """End an answer that would go on without end."""
        cycle = self.cycle
        if self.transport.is_closing() or cycle.response_complete:
            return
        if cycle.chunked_encoding:
            self.transport.write(b"0\r\n\r\n")
        cycle.disconnected = True  # who makes the answer is told that nobody wants it any more
        cycle.message_event.set()
        self.flow.resume_writing()
        self.transport.close()
        self._linger_timer = self.loop.call_later(
            LINGER_SECONDS, self.transport.abort
        )  # where nobody takes what was sent

    def _advance(self) -> None:
        """Parse piece by piece; after so many the other connections have their turn."""
        if self._is_refused or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        is_due_again = False
        try:
            for _ in range(PIECES_OF_A_TURN):
                is_head = self._framing.part is Part.HEAD
                if (piece := self._framing.cut()) is None:
                    break
                self._parse(without_upgrade(piece) if is_head else piece)
            else:
                is_due_again = True
                self.loop.call_soon(self._advance)
        except ProblemError as error:
            self._refuse(error)
            return
        part = self._framing.part
        if is_due_again or (part is Part.DONE and self._framing.n_pending_bytes):
            self.flow.hold()
        else:
            self.flow.release()
        if part is Part.HEAD or part is Part.TRAILERS:
            self._wait(self._limits.head_seconds)

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
            self.transport.close()  # who reads a body counts it; nobody reads this one

    def _begin_next(self) -> None:
        self._stop_waiting()
        self._has_cycle = False
        self._framing.begin_head()

    def _wait(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        is_used = self.cycle is not None
        if self._framing.part is Part.HEAD and is_used and not self._framing.n_pending_bytes:
            self.transport.close()
            return
        what = "trailers" if self._framing.part is Part.TRAILERS else "head"
        detail = f"expected the whole {what} within {self._limits.head_seconds:g} seconds"
        self._refuse(ProblemError(408, "timeout", detail, limit="head_seconds"))

    def _stop_stalling(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _end_stalled(self) -> None:
        self._stall_timer = None
        _LOG.warning("connection stalled", extra={"fields": {"seconds": STALL_SECONDS}})
        self.transport.abort()

    def _refuse(self, error: ProblemError) -> None:
        """Answer what is no request, or too much of one, and close."""
        if self.transport.is_closing() or self._is_refused:
            return
        self._is_refused = True
        self._framing.drop()
        self._stop_waiting()
        self._unset_keepalive_if_required()
        if tell := self.app_state.get(ON_REFUSED):
            tell(error)
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
