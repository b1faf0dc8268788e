"""How sure scores are: what the ends of the interval would come to, and which records stay open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scoring.artifact.saved_model import SavedModel, load_model
from scoring.features.extraction import extracted
from scoring.features.table import FeatureTable, assemble
from scoring.inbox.decision_uncertainty import decision_uncertainty
from scoring.model.components import Thresholds
from scoring.model.score import Score
from scoring.records.corpus import read_documents
from scoring.records.record import Document
from scoring.records.synthetic.generate import sample_documents
from scoring.workflows.train import TrainOutcome
from tests.known import known


def stop(error: Exception) -> None:
    raise error


@pytest.fixture(scope="module")
def scored(saved: SavedModel, later: str) -> tuple[FeatureTable, list[Score]]:
    features = [
        extracted(document, None, saved.scorer.sections)
        for document in read_documents([later], on_fault=stop)
    ]
    return assemble([feature.row for feature in features]), list(saved.scorer.score_features(features))


def open_rows(saved: SavedModel, table: FeatureTable, scores: Sequence[Score]) -> list[int]:
    return [
        row
        for row, uncertainty in enumerate(decision_uncertainty(saved, table, scores))
        if uncertainty.reason
    ]


def narrowed(scores: Sequence[Score]) -> list[Score]:
    """The scores with intervals of zero width."""
    return [
        msgspec.structs.replace(score, quality_low=score.quality, quality_high=score.quality)
        for score in scores
    ]


def test_heat_lies_between_what_the_ends_of_the_interval_come_to(
    saved: SavedModel, scored: tuple[FeatureTable, list[Score]]
) -> None:
    table, scores = scored
    uncertainties = decision_uncertainty(saved, table, scores)
    for uncertainty, score in zip(uncertainties, scores, strict=True):
        assert known(uncertainty.heat_low) <= known(score.heat) <= known(uncertainty.heat_high)
    at_high = saved.models.cascade.heat_if_lead(
        table, np.floor([known(score.quality_high) for score in scores])
    )
    leads = [row for row, score in enumerate(scores) if known(score.lead_probability) > 0.99]
    assert leads
    expected = [max(round(at_high[row]), scores[row].heat) for row in leads]
    assert [uncertainties[row].heat_high for row in leads] == expected


def test_a_sure_record_is_not_open_and_one_near_the_cut_is(
    saved: SavedModel, scored: tuple[FeatureTable, list[Score]]
) -> None:
    table, scores = scored
    is_open = set(open_rows(saved, table, scores))
    assert 0 < len(is_open) < len(scores)
    cut = saved.models.thresholds.published
    near = {row for row, score in enumerate(scores) if abs(known(score.published_probability) - cut) < 0.1}
    assert near <= is_open
    sure = {row for row, score in enumerate(scores) if not 0.05 < known(score.published_probability) < 0.95}
    assert len(sure & is_open) < len(sure) / 2
    assert not sure & set(open_rows(saved, table, narrowed(scores)))


def test_an_interval_across_the_step_is_open_whatever_the_probability(
    saved: SavedModel, scored: tuple[FeatureTable, list[Score]]
) -> None:
    table, scores = scored
    row = max(range(len(scores)), key=lambda row: known(scores[row].published_probability))
    assert row not in open_rows(saved, table, scores)
    wide = list(scores)
    wide[row] = msgspec.structs.replace(scores[row], quality_low=0.0)
    assert row in open_rows(saved, table, wide)
    reason = decision_uncertainty(saved, table, wide)[row].reason
    assert (
        reason == f"not published with a quality of 0, published with {int(known(scores[row].quality_high))}"
    )


def test_an_interval_between_two_integers_is_not_across_a_step(
    saved: SavedModel, scored: tuple[FeatureTable, list[Score]]
) -> None:
    table, scores = scored
    near = [
        msgspec.structs.replace(
            score, quality_low=known(score.quality) - 0.4, quality_high=known(score.quality) + 0.4
        )
        for score in scores
    ]
    assert decision_uncertainty(saved, table, near) == decision_uncertainty(saved, table, narrowed(scores))


def test_the_cut_and_the_level_are_the_models_own(
    saved: SavedModel, scored: tuple[FeatureTable, list[Score]]
) -> None:
    table, scores = scored
    half = [msgspec.structs.replace(score, published_probability=0.5) for score in narrowed(scores)]
    assert len(open_rows(saved, table, half)) == len(half)
    strict = replace(saved, models=replace(saved.models, thresholds=Thresholds(published=0.96)))
    assert open_rows(strict, table, half) == []
    (first, *_) = decision_uncertainty(strict, table, half)
    assert first.distance == pytest.approx(np.log(0.96 / 0.04), abs=1e-3)


@pytest.mark.parametrize(
    ("probability", "is_near"), [(0.89, True), (0.91, False), (0.11, True), (0.09, False), (0.75, True)]
)
def test_a_probability_nearer_to_a_half_than_the_level_is_open(
    saved: SavedModel, scored: tuple[FeatureTable, list[Score]], probability: float, is_near: bool
) -> None:
    assert saved.manifest.training.config.model.interval_level == 0.9
    table, scores = scored
    even = replace(saved, models=replace(saved.models, thresholds=Thresholds(published=0.5)))
    equal = [msgspec.structs.replace(score, published_probability=probability) for score in narrowed(scores)]
    assert open_rows(even, table, equal) == (list(range(len(equal))) if is_near else [])


def test_no_record_has_no_doubt(saved: SavedModel, archive: Path) -> None:
    assert decision_uncertainty(saved, assemble([]), []) == []


def test_it_is_measured_in_log_odds_not_in_the_points_of_a_section(two_scales: TrainOutcome) -> None:
    """Sections whose points differ sixfold have the same doubt at the same probability."""
    two = load_model(Path(two_scales.model))
    documents = [
        Document(f"{section}-{index}.md", 0, "0" * 64, record, labels)
        for section in ("Harbour", "Meadow")
        for index, (record, labels) in enumerate(sample_documents(n_records=60, seed=8, section=section))
    ]
    features = [extracted(document, None, two.scorer.sections) for document in documents]
    table = assemble([feature.row for feature in features])
    scores = [
        msgspec.structs.replace(score, published_probability=0.7)
        for score in two.scorer.score_features(features)
    ]
    uncertainties = decision_uncertainty(two, table, scores)
    assert len({uncertainty.distance for uncertainty in uncertainties}) == 1
    is_meadow = table.text("topic_section") == "Meadow"
    means = [np.mean(np.array([score.quality for score in scores])[rows]) for rows in (is_meadow, ~is_meadow)]
    assert means[0] > 3 * means[1]
