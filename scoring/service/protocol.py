"""HTTP below the application: heads that are slow or no HTTP, and answers that are sent whole."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scoring.service.bodies import IS_WHOLE
from scoring.service.problems import MEDIA_TYPE, ProblemError


class Together:
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

    def close(self) -> None:
        """Close once all is sent."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which gives up on who does not send a request's head in time.

    Parameters
    ----------
    head_seconds : float
        Time in which a head has to arrive, on a new connection and on one that is used again; seconds.
    **options
        uvicorn's.
    """

    def __init__(self, head_seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._head_seconds = head_seconds
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(cast(asyncio.Transport, Together(transport, self.loop)))
        self._wait()

    def on_message_begin(self) -> None:
        """Wait for the rest of a head."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Tell that all of a body is here: who reads it will not have to wait."""
        super().on_message_complete()
        self.scope["state"][IS_WHOLE] = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as a problem too."""
        self._refuse(ProblemError(400, "request", msg))

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        detail = f"expected the whole head within {self._head_seconds:g} seconds"
        self._refuse(ProblemError(408, "timeout", detail, limit="head_seconds"))

    def _refuse(self, error: ProblemError) -> None:
        if self.transport.is_closing():
            return
        self._stop_waiting()
        body = msgspec.json.encode(error.problem)
        head = (
            f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
