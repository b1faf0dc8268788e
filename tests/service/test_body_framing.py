"""Framing of heads, bodies and trailers, however their bytes are split."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from scoring.service.body_framing import MAX_CHUNK_LINE_BYTES, Framing, Part
from scoring.service.options import RequestLimits
from scoring.service.problem_details import ProblemError

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
LIMITS = RequestLimits(head_bytes=8_192)


def head_of(n_bytes: int) -> bytes:
    """A head of this many bytes."""
    begin, end = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ", b"\r\n\r\n"
    return begin + b"a" * (n_bytes - len(begin) - len(end)) + end


def head_with(n_lines: int) -> bytes:
    """A head of this many lines, including the first."""
    return b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * (n_lines - 2) + b"\r\n"


def trailers_of(n_bytes: int) -> bytes:
    return b"X-A: " + b"a" * (n_bytes - 9) + b"\r\n\r\n"


def cut_all(data: bytes, sizes: random.Random | None) -> list[bytes]:
    """All pieces of some bytes, pushed whole or in random parts; pieces of one body are joined."""
    framing, pieces, is_open = Framing(LIMITS), [b""], False
    while data:
        n_bytes = sizes.randint(1, 7) if sizes else len(data)
        framing.push(data[:n_bytes])
        data = data[n_bytes:]
        while True:
            part = framing.part
            if (piece := framing.cut()) is None:
                break
            pieces[-1:] = [pieces[-1] + piece] if is_open else [pieces[-1], piece]
            is_open = framing.part is part
            if part is Part.HEAD and piece.startswith(b"POST"):
                framing.begin_body(None if b"chunked" in piece else 5)
            elif framing.part is Part.DONE:
                framing.begin_head()
    return pieces[1:]


@pytest.mark.parametrize("seed", [None, *range(20)])
def test_pieces_lie_in_one_part_of_one_request(seed: int | None) -> None:
    fixed = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"
    get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    chunks = [b"3;a=b\r\n", b"\r\n\r\r\n", b"0A\r\n", b"0\r\n\r\nGET \r\r\n", b"00\r\n"]
    expected = [get, fixed, b"\r\n\r\n\r", CHUNKED, *chunks, b"A: b\r\n\r\n", CHUNKED, b"0\r\n", b"\r\n", get]
    sizes = None if seed is None else random.Random(seed)  # noqa: S311 -- sizes, no secret
    assert cut_all(b"".join(expected), sizes) == expected


def test_empty_lines_before_a_head_are_skipped() -> None:
    framing = Framing(LIMITS)
    framing.push(b"\r\n\n\r\n")
    assert framing.cut() is None
    framing.push(b"\r\nGET / HTTP/1.1\r\n\r\n")
    assert framing.cut() == b"GET / HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("n_bytes", [1, 100, 10**9], ids=["drips", "parts", "whole"])
@pytest.mark.parametrize(
    ("prefix", "good", "bad", "limit"),
    [
        (b"", head_of(LIMITS.head_bytes), head_of(LIMITS.head_bytes + 1), "head_bytes"),
        (b"", head_with(LIMITS.head_lines), head_with(LIMITS.head_lines + 1), "head_lines"),
        (b"", head_with(2), b"GET /" + b"a" * 10**6, "head_bytes"),
        (b"", head_with(2), b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10**3, "head_lines"),
        (b"", head_with(2), b"GET / HTTP/1.1\n" + b"\n" * 10**3, "head_lines"),
        (
            b"0\r\n",
            trailers_of(LIMITS.head_bytes),
            trailers_of(LIMITS.head_bytes + 1),
            "head_bytes",
        ),
        (b"0\r\n", b"A: b\r\n" * 100 + b"\r\n", b"A: b\r\n" * 101 + b"\r\n", "head_lines"),
        (b"0\r\n", b"\r\n", b"A: " + b"b" * 10**6, "head_bytes"),
    ],
    ids=["bytes", "lines", "target", "many", "bare", "trailer bytes", "trailer lines", "trailer"],
)
def test_limits(n_bytes: int, prefix: bytes, good: bytes, bad: bytes, limit: str) -> None:
    for data, is_good in ((good, True), (bad, False)):
        framing = Framing(LIMITS)
        if prefix:
            framing.push(CHUNKED)
            framing.cut()
            framing.begin_body(None)
            framing.push(prefix)
            framing.cut()
        n_read, pieces, error = 0, [], None
        for begin in range(0, len(data), n_bytes):
            framing.push(data[begin : begin + n_bytes])
            n_read += len(data[begin : begin + n_bytes])
            assert framing.n_pending_bytes <= LIMITS.head_bytes + n_bytes
            try:
                piece = framing.cut()
            except ProblemError as refusal:
                error = refusal
                break
            if piece is not None:
                pieces.append(piece)
        if is_good:
            assert (pieces, error) == ([data], None)
        else:
            assert error is not None
            assert (pieces, error.status, error.problem.limit) == ([], 431, limit)
            assert n_read <= LIMITS.head_bytes + n_bytes


@pytest.mark.parametrize("line", [b"x\r\n", b"\r\n", b"0;" + b"a" * MAX_CHUNK_LINE_BYTES, b"1" * 10**6])
def test_a_chunk_without_a_size_is_refused(line: bytes) -> None:
    framing = Framing(LIMITS)
    framing.begin_body(None)
    framing.push(line)
    with pytest.raises(ProblemError, match="expected the size of a chunk"):
        framing.cut()


def test_what_is_no_http_is_refused_at_its_first_byte() -> None:
    framing = Framing(LIMITS)
    framing.push(b"\x16")
    with pytest.raises(ProblemError, match="expected an HTTP"):
        framing.cut()


def test_a_large_body_is_handed_on_and_not_kept() -> None:
    framing = Framing(LIMITS)
    framing.begin_body(64_000_000)
    data = b"a" * 250_000
    tracemalloc.start()
    try:
        for _ in range(256):
            framing.push(data)
            assert framing.cut() is data
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert framing.part is Part.DONE
    assert framing.n_body_bytes == 64_000_000
    assert peak < 100_000
