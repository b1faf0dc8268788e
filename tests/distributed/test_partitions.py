"""Partitions of files: every record is read exactly once."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.distributed import partitions as module
from scoring.distributed.fault_log import FaultLines
from scoring.distributed.partitions import (
    Extent,
    Partition,
    Piece,
    count_lines,
    number_lines,
    plan,
    read,
    read_lines,
)
from scoring.distributed.storage import Found, find
from scoring.errors import Fault, RecordError
from scoring.records.corpus import lines_of


def file_of(path: Path, *, is_walked: bool = False) -> Found:
    return Found(str(path), str(path), path.stat().st_size, "1", is_walked)


def contents(partitions: list[Partition]) -> list[bytes]:
    return [
        source.content() for partition in partitions for sources, _ in read(partition) for source in sources
    ]


@given(
    st.lists(st.binary(max_size=12), max_size=12),
    st.booleans(),
    st.integers(1, 40),
)
def test_each_line_is_in_one_piece(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], is_ended: bool, most: int
) -> None:
    data = b"\n".join(lines) + b"\n" * is_ended
    file = tmp_path_factory.mktemp("lines") / "a.jsonl"
    file.write_bytes(data)
    cut = plan([file_of(file)], most)
    assert b"".join(read_lines(piece) for partition in cut for piece in partition.pieces) == data
    whole = [source.content() for source in lines_of(io.BytesIO(data), "a.jsonl")]
    assert contents(cut) == whole
    numbered = number_lines(cut, lambda pieces: map(count_lines, pieces))
    assert [source.line for source in lines_of(io.BytesIO(data), "a.jsonl")] == [
        source.line + piece.n_lines_before
        for partition in numbered
        for piece, (sources, _) in zip(partition.pieces, read(partition), strict=True)
        for source in sources
    ]


def test_numbers_of_lines_add_up(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"title": "A"}\n\n\n' * 20)
    n_lines = [n_lines for partition in plan([file_of(file)], 50) for _, n_lines in read(partition)]
    assert len(n_lines) > 5
    assert sum(n_lines) == 60


def test_a_line_that_is_too_long_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    monkeypatch.setattr(module, "_TAIL_BYTES", 7)
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"a" * 40 + b"b" * 5000 + b"\nc\n")
    pieces = [read_lines(piece) for partition in plan([file_of(file)], 50) for piece in partition.pieces]
    assert 100 < len(pieces[0]) < 170
    assert [piece for piece in pieces if piece] == [pieces[0], b"c\n"]


def test_files_are_grouped_by_bytes(tmp_path: Path) -> None:
    for number, size in enumerate([10, 10, 30, 5, 100, 1]):
        (tmp_path / f"{number}.md").write_bytes(b"x" * size)
    cut = plan([file_of(tmp_path / f"{number}.md") for number in range(6)], 45)
    assert [[Path(piece.file.path).stem for piece in partition.pieces] for partition in cut] == [
        ["0", "1", "2"],
        ["3", "4"],
        ["5"],
    ]
    assert [partition.number for partition in cut] == [0, 1, 2]


def test_digest_knows_a_changed_file(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("---\ntitle: A\n---\n")
    before = plan(find([str(file)]), 10)[0].sha256
    assert plan(find([str(file)]), 10)[0].sha256 == before
    file.write_text("---\ntitle: B\n---\n")
    assert plan(find([str(file)]), 10)[0].sha256 != before


def test_a_walked_file_without_front_matter_is_no_record(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("# News\n")
    assert contents(plan([file_of(file, is_walked=True)], 10)) == []
    assert contents(plan([file_of(file)], 10)) == [b"# News\n"]


def test_files_that_cannot_be_read_are_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = tmp_path / "large.md"
    large.write_bytes(b"x" * 200)
    gone = file_of(large)._replace(path="gone.md", url=str(tmp_path / "gone.md"), n_bytes=5)
    rows = gone._replace(path="gone.jsonl", url=str(tmp_path / "gone.jsonl"), n_bytes=500)
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    messages = []
    for partition in plan([file_of(large), gone, rows], 100):
        for sources, _ in read(partition):
            for source in sources:
                with pytest.raises(RecordError) as raised:
                    source.content()
                messages.append(str(raised.value))
    assert messages == [
        f"{large}: got 200 bytes, expected at most 50,000,000 bytes",
        "gone.md: got No such file or directory, expected a file that can be read",
        "gone.jsonl: got No such file or directory, expected a file that can be read",
    ]


def test_faults_have_the_lines_of_their_files() -> None:
    rows, other = Found("a.jsonl", "/a.jsonl", 30, ""), Found("b.jsonl", "/b.jsonl", 3, "")
    text = Found("c.md", "/c.md", 9, "")
    first = Partition(0, (Piece(rows, 0, 20),))
    second = Partition(1, (Piece(rows, 20, 30), Piece(other, 0, 3), Piece(text, 0, 9)))
    lines = FaultLines()

    def fault(path: str, line: int) -> tuple[Fault, ...]:
        return (Fault(path, line, "quality", "'high'", "an integer"),)

    errors = [
        *lines.faults(first, [Extent(10, 9)], [(0, fault("a.jsonl", 3)), (0, fault("a.jsonl", 7))]),
        *lines.faults(
            second,
            [Extent(4, 4), Extent(2, 0), Extent(0, 1)],
            [(0, fault("a.jsonl", 1)), (2, fault("c.md", 5))],
        ),
    ]
    assert [(error.faults[0].path, error.faults[0].line) for error in errors] == [
        ("a.jsonl", 3),
        ("a.jsonl", 7),
        ("a.jsonl", 11),
        ("b.jsonl", 0),  # has lines, but no record
        ("c.md", 5),
    ]
