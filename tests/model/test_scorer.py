"""Scores do not depend on batches, threads or labels."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.features.extraction import extracted
from scoring.features.sections import FIRST_TOPIC
from scoring.model import scorer
from scoring.model.scorer import BATCH
from scoring.records.corpus import read_documents
from scoring.records.record import Coverage, Document, Labels, Provider, Record
from scoring.records.synthetic.generate import sample_documents

AS_OF = datetime(2018, 6, 1, tzinfo=UTC)
DOCUMENTS = [
    Document(f"{at}.md", 1, "0" * 64, record, labels)
    for at, (record, labels) in enumerate(sample_documents(n_records=60, seed=7))
]


@pytest.mark.parametrize("as_of", [None, AS_OF], ids=["as it stands", "as of"])
def test_score_alone_is_the_score_among_others(saved: SavedModel, as_of: datetime | None) -> None:
    together = list(saved.scorer.score(DOCUMENTS, as_of))
    alone = [next(saved.scorer.score([document], as_of)) for document in DOCUMENTS]
    assert together == alone
    assert [score.path for score in together] == [document.path for document in DOCUMENTS]
    backwards = list(saved.scorer.score(DOCUMENTS[::-1], as_of))
    assert backwards[::-1] == together


@pytest.mark.parametrize("batch", [7, 20, 60, 100])
def test_batches_side_by_side_are_those_one_after_the_other(
    saved: SavedModel, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    expected = list(saved.scorer.score(DOCUMENTS))
    monkeypatch.setattr(scorer, "BATCH", batch)
    records = [extracted(document, None, FIRST_TOPIC) for document in DOCUMENTS]
    with ThreadPoolExecutor(2) as threads:
        assert list(saved.scorer.score_features(records, threads)) == expected
        assert list(saved.scorer.score_features([], threads)) == []


def test_labels_are_not_looked_at(saved: SavedModel) -> None:
    bare = [msgspec.structs.replace(document, labels=Labels()) for document in DOCUMENTS]
    wrong = [msgspec.structs.replace(document, labels=Labels(999, 999, True)) for document in DOCUMENTS]
    expected = list(saved.scorer.score(DOCUMENTS))
    assert list(saved.scorer.score(bare)) == list(saved.scorer.score(wrong)) == expected


def test_threads_change_nothing(saved: SavedModel, archive: Path) -> None:
    table = [document.record for document in read_documents([str(archive)], on_fault=_stop)][:100]
    from scoring.features.table import build_table

    with_one_thread, with_two_threads = (
        saved.scorer.predict(build_table(table), threads) for threads in (1, 2)
    )
    assert with_one_thread.quality.tolist() == with_two_threads.quality.tolist()
    assert with_one_thread.heat_expected.tolist() == with_two_threads.heat_expected.tolist()


def _stop(error: Exception) -> None:
    raise error


def test_batches_are_read_when_they_are_needed(saved: SavedModel) -> None:
    taken = 0

    def stream() -> Iterator[Document]:
        nonlocal taken
        for index in range(2 * BATCH + 5):
            taken += 1
            yield msgspec.structs.replace(DOCUMENTS[index % 60], path=f"{index}.md")

    scores = saved.scorer.score(stream())
    assert taken == 0
    assert next(scores).path == "0.md"
    assert taken == BATCH
    remaining = list(scores)
    assert [score.path for score in remaining] == [f"{index}.md" for index in range(1, 2 * BATCH + 5)]
    # The boundary of a batch does not change scores.
    first = next(saved.scorer.score([DOCUMENTS[BATCH % 60]]))
    assert msgspec.structs.replace(remaining[BATCH - 1], path="") == msgspec.structs.replace(first, path="")


def test_no_documents_no_scores(saved: SavedModel) -> None:
    assert list(saved.scorer.score([])) == []


def test_scores_are_whole(saved: SavedModel) -> None:
    for score in saved.scorer.score(DOCUMENTS):
        assert score.quality_low <= score.quality <= score.quality_high
        assert 0 <= score.lead_probability <= 1
        assert 0 <= score.published_probability <= 1
        assert score.heat >= -1
        assert score.model == saved.name
        assert msgspec.json.decode(msgspec.json.encode(score), type=type(score)) == score


def test_empty_record_has_a_score(saved: SavedModel) -> None:
    (score,) = saved.scorer.score([Document("a.md", 1, "0" * 64, Record(), Labels())])
    assert score.warnings == ()
    assert score.quality_low <= score.quality <= score.quality_high


def test_what_the_model_does_not_know_is_said(saved: SavedModel) -> None:
    record = Record(
        title="Ebb",
        provider=Provider("Never", "Never.example"),
        topics=("Tessaril", "Reefs"),
        related=(Coverage(title="Flood"), Coverage(title="Tide", quality=3)),
    )
    document = Document("a.md", 1, "0" * 64, record, Labels(), ("publishedDateTime: has no time",))
    (score,) = saved.scorer.score([document])
    assert score.warnings == (
        "publishedDateTime: has no time",
        "provider unknown to the model: never.example",
        "topic unknown to the model: Reefs",
        "coverage without a quality: 1",
    )


def test_unseen_coverage_is_as_if_it_were_not_there(saved: SavedModel) -> None:
    later = Coverage(title="Flood", published_at=AS_OF + timedelta(seconds=1), quality=500)
    for document in DOCUMENTS[:20]:
        record = document.record
        known = tuple(entry for entry in record.related if entry.published_at and entry.published_at <= AS_OF)
        with_later = msgspec.structs.replace(record, related=(*record.related, later))
        without = msgspec.structs.replace(record, related=known)
        (score,) = saved.scorer.score([msgspec.structs.replace(document, record=with_later)], AS_OF)
        (expected,) = saved.scorer.score([msgspec.structs.replace(document, record=without)], AS_OF)
        assert score == expected
