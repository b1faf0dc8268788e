"""HTTP/1.1 message framing: where heads, bodies and trailers end in the bytes of a connection (RFC 9112).

The parser below the service holds a header of any size before it hands it over. What it is given is cut
here first: a head, and the trailers of a chunked body, reach it whole and within their limits, or not at all.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from scoring.service.options import RequestLimits
from scoring.service.problem_details import ProblemError

MAX_CHUNK_LINE_BYTES = 1024
"""Longest line with the size of a chunk and its extensions, which nobody uses."""

NO_REQUEST = "expected an HTTP/1.1 request"
_END = b"\r\n\r\n"
_EMPTY_LINES = re.compile(rb"[\r\n]+")


class Part(Enum):
    """What the next bytes of a connection belong to."""

    HEAD = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    TRAILERS = auto()
    DONE = auto()  # the request is complete: what comes next waits for its answer


class Framing:
    """Cuts the bytes of one connection into pieces that lie in one part of one request.

    Parameters
    ----------
    limits : RequestLimits
        ``head_bytes`` and ``head_lines`` hold for heads and for trailers.

    Attributes
    ----------
    part : Part
        What the next piece belongs to.
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
        self._at = 0  # begin of what was not cut yet
        self._n_empty_bytes = 0  # before a head
        self._n_left = 0  # of a body, or of a chunk with the end of its line
        self.part = Part.HEAD
        self.n_body_bytes = 0

    @property
    def n_pending_bytes(self) -> int:
        """Bytes that have come and were not cut yet."""
        return len(self._data) - self._at

    def push(self, data: bytes) -> None:
        """Add bytes that have come."""
        self._data = self._data[self._at :] + data if self.n_pending_bytes else data
        self._at = 0

    def drop(self) -> None:
        """Forget what was not cut yet."""
        self._data, self._at = b"", 0

    def begin_body(self, n_bytes: int | None) -> None:
        """Expect a body after a head: of so many bytes, or chunked where it is None."""
        self.n_body_bytes = 0
        self._n_left = n_bytes or 0
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
            None where more has to come first, or the request is complete.

        Raises
        ------
        ProblemError
            If a head or trailers are above their limits (431), or a chunk has no size (400).
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
        piece = self._take(min(self._n_left, self.n_pending_bytes))
        self._n_left -= len(piece)
        self.n_body_bytes += len(piece)
        if not self._n_left:
            self.part = Part.DONE if self.part is Part.BODY else Part.CHUNK_SIZE
        return piece

    def _cut_chunk_size(self) -> bytes | None:
        end = self._data.find(b"\n", self._at, self._at + MAX_CHUNK_LINE_BYTES)
        if end < 0:
            if self.n_pending_bytes >= MAX_CHUNK_LINE_BYTES:
                raise ProblemError(
                    400, "request", f"expected the size of a chunk within {MAX_CHUNK_LINE_BYTES} bytes"
                )
            return None
        line = self._take(end + 1 - self._at)
        try:
            n_bytes = int(line.partition(b";")[0], 16)
        except ValueError:
            raise ProblemError(
                400, "request", "expected the size of a chunk as a hexadecimal number"
            ) from None
        self.part = Part.CHUNK if n_bytes > 0 else Part.TRAILERS
        self._n_left = n_bytes + len(b"\r\n")
        return line

    def _cut_lines(self) -> bytes | None:
        """A head or trailers, with the empty line at their end."""
        begin, most = self._at, self._limits.head_bytes
        if self.part is Part.TRAILERS and self._data.startswith(b"\r\n", begin):
            end = begin + len(b"\r\n")
        else:
            found = self._data.find(_END, begin, begin + most)
            end = found + len(_END) if found >= 0 else -1
        what = "head" if self.part is Part.HEAD else "trailers"
        if end < 0 and self.n_pending_bytes >= most:
            raise _above(f"the {what} of a request within {most:,} bytes", "head_bytes")
        n_lines = self._data.count(b"\n", begin, end if end >= 0 else begin + most) - (end >= 0)
        if n_lines > self._limits.head_lines:
            raise _above(
                f"at most {self._limits.head_lines:,} lines in the {what} of a request", "head_lines"
            )
        if end < 0:
            return None
        self.part = Part.DONE
        return self._take(end - begin)

    def _begins_head(self) -> bool:
        """Whether a head has begun, after empty lines, which RFC 9112 has servers ignore."""
        if empty := _EMPTY_LINES.match(self._data, self._at):
            self._n_empty_bytes += len(empty[0])
            self._take(len(empty[0]))
            if self._n_empty_bytes > 2 * self._limits.head_lines:
                raise _above(f"at most {self._limits.head_lines:,} empty lines before a head", "head_lines")
        if self.n_pending_bytes and not self._data[self._at : self._at + 1].isupper():
            raise ProblemError(400, "request", NO_REQUEST)
        return self.n_pending_bytes > 0

    def _take(self, n_bytes: int) -> bytes:
        begin, self._at = self._at, self._at + n_bytes
        piece = self._data[begin : self._at]
        if self._at == len(self._data):
            self.drop()
        return piece


def _above(expected: str, limit: str) -> ProblemError:
    return ProblemError(431, "limit", f"expected {expected}", limit=limit)
