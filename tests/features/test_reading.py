"""Features of files: the same on one and on several processes, in order, with the position of each fault."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from contextlib import closing
from datetime import timedelta
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import RecordError, ScoringError
from scoring.features import chunks, worker_processes
from scoring.features.as_of import AsOf
from scoring.features.cache import FeatureCache
from scoring.features.extraction import Extracted, extracted
from scoring.features.reading import read_features
from scoring.features.sections import FIRST_TOPIC, SectionRule
from scoring.features.table import extract
from scoring.records.corpus import read_documents
from scoring.records.record import Document
from scoring.records.synthetic.generate import sample_json_lines


def stop(error: RecordError) -> None:
    raise error


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small chunks, and several processes for few records."""
    for module in (chunks, worker_processes):
        monkeypatch.setattr(module, "CHUNK_BYTES", 20_000)
    monkeypatch.setattr(worker_processes, "PARALLEL_BYTES", 60_000)


@pytest.fixture
def lines() -> bytes:
    """JSON lines of 120 records, with an invalid line after each tenth."""
    records = list(sample_json_lines(n_records=120, seed=4))
    return b"".join(
        line + (b'{"title": 7\n' if index % 10 == 9 else b"") for index, line in enumerate(records)
    )


def as_text(records: list[Extracted]) -> list[str]:
    """Records as text, where NaN is equal to itself."""
    return list(map(repr, records))


@pytest.mark.parametrize("as_of", [None, timedelta(hours=6)])
@pytest.mark.usefixtures("small_chunks")
def test_several_processes_give_what_one_gives(archive: Path, as_of: AsOf) -> None:
    documents = list(read_documents([str(archive)], on_fault=stop))
    expected = [extracted(document, as_of, FIRST_TOPIC) for document in documents]
    assert repr(expected[7].row) == repr(extract(documents[7].record, as_of))
    for n_processes in (1, 2, 3):
        steps: list[tuple[int, int]] = []

        def step(done: int, total: int, steps: list[tuple[int, int]] = steps) -> None:
            steps.append((done, total))

        actual = list(
            read_features(
                [str(archive)], as_of=as_of, n_processes=n_processes, on_fault=stop, on_progress=step
            )
        )
        assert as_text(actual) == as_text(expected)
        assert steps[-1] == (400, 400)
        assert len(steps) > 5


@pytest.mark.parametrize("n_processes", [1, 2])
@pytest.mark.usefixtures("small_chunks")
def test_each_fault_has_its_place(lines: bytes, n_processes: int) -> None:
    order: list[str] = []
    extracted_records = []
    for record in read_features(
        ["-"],
        n_processes=n_processes,
        stdin=io.BytesIO(lines),
        on_fault=lambda error: order.append(str(error)),
    ):
        extracted_records.append(record)
        order.append("record")
    assert len(extracted_records) == 120
    assert [index for index, kind in enumerate(order) if kind != "record"] == list(range(10, 132, 11))
    assert order[10] == "-:11: got JSON that does not parse (Expecting ',' delimiter), expected JSON"
    assert order[131].startswith("-:132: ")


@pytest.mark.usefixtures("small_chunks")
def test_output_begins_before_the_input_ends(lines: bytes) -> None:
    reads, writes = os.pipe()
    with open(reads, "rb") as stdin, open(writes, "wb") as feed:
        has_begun = threading.Event()

        def write() -> None:
            feed.write(lines[: len(lines) // 2])
            feed.flush()
            assert has_begun.wait(30)
            feed.write(lines[len(lines) // 2 :])
            feed.close()

        writer = threading.Thread(target=write)
        writer.start()
        count = 0
        for _ in read_features(["-"], stdin=stdin, on_fault=lambda _: None):
            has_begun.set()
            count += 1
        writer.join()
    assert count == 120


class Feed(io.BytesIO):
    """Standard input that counts the lines read."""

    n_lines = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        self.n_lines += 1
        return super().readline(size)


@pytest.mark.usefixtures("small_chunks")
def test_a_bounded_number_of_records_is_held(lines: bytes) -> None:
    for n_processes, most in ((1, 40), (2, 100)):
        feed = Feed(lines * 4)
        features = read_features(["-"], n_processes=n_processes, stdin=feed, on_fault=lambda _: None)
        with closing(features) as records:
            for n_taken in range(1, 300):
                next(records)
                assert feed.n_lines - n_taken * 1.1 < most


@pytest.mark.usefixtures("small_chunks")
def test_a_process_that_is_killed_is_reported(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(document: Document, as_of: AsOf, sections: SectionRule) -> Extracted:
        if document.path.endswith("n200.md"):
            os.kill(os.getpid(), signal.SIGKILL)
        return extracted(document, as_of, sections)

    monkeypatch.setattr(chunks, "extracted", die)
    records: list[Any] = []
    with pytest.raises(ScoringError, match="a worker process that reads records was killed"):
        records.extend(read_features([str(archive)], n_processes=2, on_fault=stop))


@pytest.mark.usefixtures("small_chunks")
def test_other_processes_begin_before_a_record_is_asked_for(archive: Path, tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache" / "features.db", 10**8, 17_000)
    records = read_features([str(archive)], n_processes=2, cache=cache, on_fault=stop)
    gives_up_at = time.monotonic() + 30
    while cache.info().n_records < 100 and time.monotonic() < gives_up_at:
        time.sleep(0.01)
    assert cache.info().n_records >= 100
    assert sum(1 for _ in records) == 400


@pytest.mark.usefixtures("small_chunks")
def test_processes_end_where_not_all_records_are_asked_for(archive: Path) -> None:
    records = read_features([str(archive)], n_processes=2, on_fault=stop)
    assert len(active_children()) == 2
    next(records)
    records.close()
    assert not active_children()


@pytest.mark.usefixtures("small_chunks")
def test_processes_are_forked_before_the_rule_of_sections_is_known(archive: Path) -> None:
    asked: list[int] = []

    def sections() -> SectionRule:
        asked.append(len(active_children()))
        return FIRST_TOPIC

    records = read_features([str(archive)], sections=sections, n_processes=2, on_fault=stop)
    assert len(active_children()) == 2
    assert not asked
    assert sum(1 for _ in records) == 400
    assert asked == [2]


def test_few_records_start_no_process(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        pytest.fail("started")

    monkeypatch.setattr(worker_processes, "_pool", fail)
    assert sum(1 for _ in read_features([str(archive)], n_processes=2, on_fault=stop)) == 400


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The records whose features are computed, in this process."""
    computed: list[str] = []

    def count(document: Document, as_of: AsOf, sections: SectionRule) -> Extracted:
        computed.append(document.path)
        return extracted(document, as_of, sections)

    monkeypatch.setattr(chunks, "extracted", count)
    return computed


def test_features_are_computed_once(archive: Path, lines: bytes, tmp_path: Path, counted: list[str]) -> None:
    cache = FeatureCache(tmp_path / "cache" / "features.db", 10**8, 17_000)

    def read(*paths: str, as_of: AsOf = None) -> list[str]:
        counted.clear()
        stdin = io.BytesIO(lines)
        return as_text(
            list(read_features(paths, as_of=as_of, cache=cache, stdin=stdin, on_fault=lambda _: None))
        )

    first = read(str(archive))
    assert len(counted) == 400
    assert (read(str(archive)), counted) == (first, [])
    aged = read(str(archive), as_of=timedelta(hours=6))
    assert len(counted) == 400
    assert aged != first
    assert (read(str(archive)), counted) == (first, [])
    from_lines = read("-")
    assert len(counted) == 120
    assert (read("-"), counted) == (from_lines, [])
    # The same content elsewhere, and another one beside it.
    copy, other = tmp_path / "copy.md", tmp_path / "other.md"
    original = sorted(archive.glob("*.md"))[0]
    copy.write_bytes(original.read_bytes())
    other.write_bytes(original.read_bytes().replace(b"---\n", b"---\nfeaturedContent: x\n", 1))
    of_copy, of_other = read(str(copy), str(other))
    assert counted == [str(other)]
    assert of_copy == first[0].replace(str(original), str(copy))
    assert of_other != of_copy.replace(str(copy), str(other))
    assert cache.info().n_records == 400 * 2 + 120 + 1


@pytest.mark.usefixtures("small_chunks")
def test_processes_share_the_cache(
    archive: Path, tmp_path: Path, counted: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    cache = FeatureCache(tmp_path / "features.db", 10**8, 17_000)
    first = as_text(list(read_features([str(archive)], n_processes=3, cache=cache, on_fault=stop)))
    assert cache.info().n_records == 400
    assert not caplog.records
    counted.clear()
    assert as_text(list(read_features([str(archive)], cache=cache, on_fault=stop))) == first
    assert counted == []


def test_what_is_kept_and_cannot_be_read_is_made_again(
    archive: Path, tmp_path: Path, counted: list[str]
) -> None:
    cache = FeatureCache(tmp_path / "features.db", 10**8, 17_000)
    key = cache.key(sorted(archive.glob("*.md"))[0].read_bytes(), repr(None))
    cache.put({key: b"\xc1 not a record"})
    first = as_text(list(read_features([str(archive)], cache=cache, on_fault=stop)))
    assert len(counted) == 400
    counted.clear()
    assert as_text(list(read_features([str(archive)], cache=cache, on_fault=stop))) == first
    assert counted == []
