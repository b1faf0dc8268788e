"""Scores do not depend on batches, threads or labels."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.features.encoding import Encoder
from scoring.features.extraction import extracted
from scoring.features.sections import FIRST_TOPIC
from scoring.features.table import build_table
from scoring.model import scorer
from scoring.model.baselines import Baselines
from scoring.model.cascade import Cascade
from scoring.model.components import FittedComponents, Thresholds
from scoring.model.conformal import NO_ERRORS, ResidualDistribution
from scoring.model.forecast import Forecast
from scoring.model.quality import QualityModel
from scoring.model.rubric import Rubric
from scoring.model.score import Score
from scoring.model.scorer import BATCH, Scorer, probability
from scoring.records.corpus import read_documents
from scoring.records.record import Coverage, Document, Labels, Provider, Record
from scoring.records.synthetic.generate import sample_documents
from tests.known import known
from tests.model.doubles import booster_of

AS_OF = datetime(2018, 6, 1, tzinfo=UTC)
DOCUMENTS = [
    Document(f"{index}.md", 0, "0" * 64, record, labels)
    for index, (record, labels) in enumerate(sample_documents(n_records=60, seed=7))
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
        assert known(score.quality_low) <= known(score.quality) <= known(score.quality_high)
        assert 0 <= known(score.lead_probability) <= 1
        assert 0 <= known(score.published_probability) <= 1
        assert known(score.heat) >= -1
        assert score.model == saved.name
        assert msgspec.json.decode(msgspec.json.encode(score), type=type(score)) == score


def test_empty_record_has_a_score(saved: SavedModel) -> None:
    (score,) = saved.scorer.score([Document("a.md", 0, "0" * 64, Record(), Labels())])
    assert score.warnings == ("section unknown to the model: none of the topics is one",)
    assert known(score.quality_low) <= known(score.quality) <= known(score.quality_high)


def test_what_the_model_does_not_know_is_said(saved: SavedModel) -> None:
    record = Record(
        title="Ebb",
        provider=Provider("Never", "Never.example"),
        topics=("Tessaril", "Reefs"),
        related=(Coverage(title="Flood"), Coverage(title="Tide", quality=3)),
    )
    document = Document("a.md", 0, "0" * 64, record, Labels(), ("publishedDateTime: has no time",))
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


def score_by(
    quality: float = 50.0,
    *,
    lead: float = 1.0,
    heat: float = 0.0,
    published: float = 1.0,
    growth: float = 0.0,
    errors: ResidualDistribution = NO_ERRORS,
) -> Score:
    """Score of an empty record by boosters with these predictions; no label is below 10."""
    table = build_table([Record()])
    zero, one = booster_of(lambda columns: 0.0), booster_of(lambda columns: 1.0)
    cascade = Cascade(
        booster_of(lambda columns: lead),
        booster_of(lambda columns: heat),
        booster_of(lambda columns: published),
    )
    models = FittedComponents(
        QualityModel(
            Encoder.fit(table, np.zeros(1)), Rubric(quality, {}, {}, {}, {}, 10.0), zero, one, errors
        ),
        cascade,
        Forecast(cascade, booster_of(lambda columns: growth), booster_of(lambda columns: growth)),
        Thresholds(lead=0.5, published=0.25),
        cast(Baselines, None),
    )
    (score,) = Scorer("doubles", models).score([Document("a.md", 0, "0" * 64, Record(), Labels())])
    return score


@pytest.mark.parametrize(("lead", "heat"), [(0.49, -1), (0.5, 50), (0.51, 50)])
def test_a_record_at_the_threshold_leads(lead: float, heat: int) -> None:
    assert score_by(lead=lead).heat == heat


@pytest.mark.parametrize(("published", "expected"), [(0.24, False), (0.25, True), (0.26, True)])
def test_a_record_at_the_threshold_is_published(published: float, expected: bool) -> None:
    assert score_by(published=published).published is expected


@pytest.mark.parametrize(
    ("quality", "low", "rounded", "high"), [(50.46, 50.0, 50, 50.5), (50.54, 50.5, 51, 51.0)]
)
def test_interval_has_the_rounded_quality_in_it(
    quality: float, low: float, rounded: int, high: float
) -> None:
    score = score_by(quality)  # the interval has no width
    assert (score.quality_low, score.quality, score.quality_high) == (low, rounded, high)


def test_no_possible_quality_is_below_the_lowest_label() -> None:
    errors = ResidualDistribution([], [[-5.0, 5.0]], [[0.5, 0.5]], 1.0)
    assert score_by(12.0, errors=errors).heat_expected == (10 + 17) / 2


def test_heat_is_rounded_and_settled_heat_grows() -> None:
    score = score_by(50.0, heat=0.6, growth=float(np.log(2.0)))
    assert (score.heat, score.heat_expected, score.heat_settled) == (51, 50.6, 101.2)


def test_heat_is_that_of_the_lead_and_expected_heat_the_mean() -> None:
    # Odds of 4 to 1 become 12 to 1, and heat three times as high; no heat is -1.
    score = score_by(50.0, lead=0.8, growth=float(np.log(3.0)))
    assert (score.heat, score.heat_expected) == (50, round(0.8 * 50 - 0.2, 1))
    assert (score.lead_probability, score.lead_settled_probability) == (0.8, round(12 / 13, 4))
    assert score.heat_settled == round(12 / 13 * 150 - 1 / 13, 1)


@pytest.mark.parametrize(
    ("value", "expected"), [(-1e-3, 0.0), (1.001, 1.0), (0.12344, 0.1234), (0.12346, 0.1235)]
)
def test_a_probability_has_four_digits_and_ends_at_0_and_1(value: float, expected: float) -> None:
    assert probability(value) == expected
