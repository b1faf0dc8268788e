"""Contributions of many records add up to their predictions, under the same names for all records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scoring.artifact.saved_model import SavedModel, load_model
from scoring.explanation.attribution import explain
from scoring.explanation.contribution_table import heat_table, published_table, quality_table
from scoring.features.extraction import tables_of
from scoring.features.table import FeatureTable
from scoring.model.score import Score
from scoring.records.record import Document, Labels
from scoring.records.synthetic.generate import sample_documents
from scoring.workflows.train import TrainOutcome

DOCUMENTS = [
    Document(f"{section}{index}.md", 0, "0" * 64, record, Labels())
    for section in ("Harbour", "Tessaril")
    for index, (record, _) in enumerate(sample_documents(n_records=40, seed=8, section=section))
]


@pytest.fixture(params=["small", "two scales"])
def model(request: pytest.FixtureRequest, saved: SavedModel, two_scales: TrainOutcome) -> SavedModel:
    """A model of one section, and one of two, of which one has a policy of its own."""
    return saved if request.param == "small" else load_model(Path(two_scales.model))


def table_of(model: SavedModel, documents: list[Document] = DOCUMENTS) -> FeatureTable:
    (table,) = tables_of(documents, [[None] * len(documents)], model.scorer.sections)
    return table


def scores_of(model: SavedModel) -> list[Score]:
    return list(model.scorer.score_together(DOCUMENTS))


def test_quality_adds_up(model: SavedModel) -> None:
    values, base, names = quality_table(model.models.quality, table_of(model))
    assert values.shape == (len(DOCUMENTS), len(names))
    qualities = [score.quality for score in scores_of(model)]
    assert base + values.sum(axis=1) == pytest.approx(qualities, abs=1e-6)


def test_heat_adds_up(model: SavedModel) -> None:
    scores = scores_of(model)
    values, base, names = heat_table(model.scorer, table_of(model), scores)
    heats = [score.heat for score in scores]
    assert min(heats) == -1 < max(heats)  # type: ignore[type-var,operator]
    assert base + values.sum(axis=1) == pytest.approx(heats, abs=1e-6)
    assert values[:, names.index("lead")].max() == 0


def test_published_adds_up_in_log_odds(model: SavedModel) -> None:
    scores = scores_of(model)
    values, base, _ = published_table(model.scorer, table_of(model), scores)
    probabilities = np.clip([score.published_probability for score in scores], 5e-5, 1 - 5e-5)
    log_odds = np.log(probabilities / (1 - probabilities))
    assert base + values.sum(axis=1) == pytest.approx(log_odds, abs=1e-6)


def test_names_are_the_same_for_all_records(model: SavedModel) -> None:
    """Also where only some records are of a section with a policy of its own."""
    whole, first, last = (
        quality_table(model.models.quality, table_of(model, documents))
        for documents in (DOCUMENTS, DOCUMENTS[:40], DOCUMENTS[40:])
    )
    assert whole.names == first.names == last.names
    assert whole.values == pytest.approx(np.vstack([first.values, last.values]), abs=1e-9)


def test_numbers_are_those_of_the_explanation_of_one_record(saved: SavedModel) -> None:
    explanation = explain(saved.scorer, DOCUMENTS[0])
    values, base, names = quality_table(saved.models.quality, table_of(saved))
    assert explanation.base["quality"] == base
    reasons = [reason for reason in explanation.reasons["quality"] if reason.feature in names]
    assert len(reasons) > 3
    for reason in reasons:
        assert values[0, names.index(reason.feature)] == pytest.approx(reason.contribution, abs=1e-9)
