"""HTTP/1.1 message framing: where heads, bodies and trailers end in the bytes of a connection (RFC 9112).

The HTTP parser buffers a header of any size before it passes it on. Its input is therefore split here first:
a head, and the trailers of a chunked body, reach it complete and within their limits, or not at all.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from scoring.service.options import RequestLimits
from scoring.service.problem_details import ProblemError

MAX_CHUNK_LINE_BYTES = 1024
"""Maximum length of a line with a chunk size and extensions; extensions are hardly ever used."""

NO_REQUEST = "expected an HTTP/1.1 request"
_END = b"\r\n\r\n"
_EMPTY_LINES = re.compile(rb"[\r\n]+")


class Part(Enum):
    """Part of a request that the next bytes of a connection belong to."""

    HEAD = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    TRAILERS = auto()
    DONE = auto()  # the request is complete: further bytes wait for its answer


class Framing:
    """Splits the bytes of one connection into pieces that belong to one part of one request.

    Parameters
    ----------
    limits : RequestLimits
        ``head_bytes`` and ``head_lines`` apply to heads and trailers.

    Attributes
    ----------
    part : Part
        Part of the next piece.
    n_body_bytes : int
        Bytes of the request's body so far.

    Examples
    --------
    >>> framing = Framing(RequestLimits())
    >>> framing.push(b"POST / HTTP/1.1\\r\\nContent-Length: 2\\r\\n\\r\\nhi" b"GET ")
    >>> framing.cut()
    b'POST / HTTP/1.1\\r\\nContent-Length: 2\\r\\n\\r\\n'
    >>> framing.begin_body(2)
    >>> framing.cut(), framing.part.name, framing.cut()
    (b'hi', 'DONE', None)
    >>> framing.begin_head()
    >>> framing.cut(), framing.n_pending_bytes
    (None, 4)
    """

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self._data = b""
        self._begin = 0  # of the pending bytes
        self._n_empty_bytes = 0  # before a head
        self._n_remaining = 0  # of a body, or of a chunk with its line end
        self.part = Part.HEAD
        self.n_body_bytes = 0

    @property
    def n_pending_bytes(self) -> int:
        """Number of received bytes that are not split yet."""
        return len(self._data) - self._begin

    def push(self, data: bytes) -> None:
        """Add received bytes."""
        self._data = self._data[self._begin :] + data if self.n_pending_bytes else data
        self._begin = 0

    def drop(self) -> None:
        """Discard the pending bytes."""
        self._data, self._begin = b"", 0

    def begin_body(self, n_bytes: int | None) -> None:
        """Expect a body after a head: of ``n_bytes`` bytes, or chunked if None."""
        self.n_body_bytes = 0
        self._n_remaining = n_bytes or 0
        self.part = Part.CHUNK_SIZE if n_bytes is None else Part.BODY if n_bytes else Part.DONE

    def begin_head(self) -> None:
        """Expect the next request."""
        self._n_empty_bytes = 0
        self.part = Part.HEAD

    def cut(self) -> bytes | None:
        """Take the next piece.

        Returns
        -------
        bytes or None
            None if more bytes are needed, or the request is complete.

        Raises
        ------
        ProblemError
            If a head or trailers exceed their limits (431), or a chunk has no size (400).
        """
        if self.part is Part.DONE or not self.n_pending_bytes:
            return None
        if self.part is Part.BODY or self.part is Part.CHUNK:
            return self._cut_body()
        if self.part is Part.CHUNK_SIZE:
            return self._cut_chunk_size()
        if self.part is Part.HEAD and not self._begins_head():
            return None
        return self._cut_lines()

    def _cut_body(self) -> bytes:
        piece = self._take(min(self._n_remaining, self.n_pending_bytes))
        self._n_remaining -= len(piece)
        self.n_body_bytes += len(piece)
        if not self._n_remaining:
            self.part = Part.DONE if self.part is Part.BODY else Part.CHUNK_SIZE
        return piece

    def _cut_chunk_size(self) -> bytes | None:
        end = self._data.find(b"\n", self._begin, self._begin + MAX_CHUNK_LINE_BYTES)
        if end < 0:
            if self.n_pending_bytes >= MAX_CHUNK_LINE_BYTES:
                raise ProblemError(
                    400, "request", f"expected the size of a chunk within {MAX_CHUNK_LINE_BYTES} bytes"
                )
            return None
        line = self._take(end + 1 - self._begin)
        try:
            n_bytes = int(line.partition(b";")[0], 16)
        except ValueError:
            raise ProblemError(
                400, "request", "expected the size of a chunk as a hexadecimal number"
            ) from None
        self.part = Part.CHUNK if n_bytes > 0 else Part.TRAILERS
        self._n_remaining = n_bytes + len(b"\r\n")
        return line

    def _cut_lines(self) -> bytes | None:
        """The next head or trailers, with the empty line at their end."""
        begin, max_bytes = self._begin, self._limits.head_bytes
        if self.part is Part.TRAILERS and self._data.startswith(b"\r\n", begin):
            end = begin + len(b"\r\n")
        else:
            index = self._data.find(_END, begin, begin + max_bytes)
            end = index + len(_END) if index >= 0 else -1
        what = "head" if self.part is Part.HEAD else "trailers"
        if end < 0 and self.n_pending_bytes >= max_bytes:
            raise _too_long(f"the {what} of a request within {max_bytes:,} bytes", "head_bytes")
        n_lines = self._data.count(b"\n", begin, end if end >= 0 else begin + max_bytes) - (end >= 0)
        if n_lines > self._limits.head_lines:
            raise _too_long(
                f"at most {self._limits.head_lines:,} lines in the {what} of a request", "head_lines"
            )
        if end < 0:
            return None
        self.part = Part.DONE
        return self._take(end - begin)

    def _begins_head(self) -> bool:
        """Whether a head has begun, after empty lines, which servers ignore (RFC 9112, section 2.2)."""
        if empty := _EMPTY_LINES.match(self._data, self._begin):
            self._n_empty_bytes += len(empty[0])
            self._take(len(empty[0]))
            if self._n_empty_bytes > 2 * self._limits.head_lines:
                raise _too_long(
                    f"at most {self._limits.head_lines:,} empty lines before a head", "head_lines"
                )
        if self.n_pending_bytes and not self._data[self._begin : self._begin + 1].isupper():
            raise ProblemError(400, "request", NO_REQUEST)
        return self.n_pending_bytes > 0

    def _take(self, n_bytes: int) -> bytes:
        begin, self._begin = self._begin, self._begin + n_bytes
        piece = self._data[begin : self._begin]
        if self._begin == len(self._data):
            self.drop()
        return piece


def _too_long(expected: str, limit: str) -> ProblemError:
    return ProblemError(431, "limit", f"expected {expected}", limit=limit)
