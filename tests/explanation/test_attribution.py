"""Explanations: reasons sum to the score, and unknown values are named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.explanation.attribution import explain, named_coverage
from scoring.features.table import build_table
from scoring.model import cascade
from scoring.records.record import Coverage, Document, Labels, Provider, Record
from scoring.records.synthetic.generate import sample_documents
from tests.known import known

DOCUMENTS = [
    Document(f"{index}.md", 0, "0" * 64, record, labels)
    for index, (record, labels) in enumerate(sample_documents(n_records=12, seed=8))
]
NOON = datetime(2018, 6, 1, 12, tzinfo=UTC)


def record(**changes: object) -> Document:
    values = {
        "title": "Wendlow ships a moss filter that runs on Tessaril",
        "published_at": NOON,
        "provider": Provider("Never", "never.example"),
        "topics": ("Tessaril",),
    } | changes
    return Document("a.md", 0, "0" * 64, msgspec.convert(values, Record, from_attributes=True), Labels())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.path)
def test_reasons_add_up_to_the_expected_quality(saved: SavedModel, document: Document) -> None:
    explanation = explain(saved.scorer, document)
    model = saved.models.quality
    expected = float(model.predict(model.matrix(build_table([document.record])))[0])
    total = explanation.base["quality"] + sum(
        reason.contribution for reason in explanation.reasons["quality"]
    )
    assert total == pytest.approx(expected, abs=1e-6)
    assert round(total) == explanation.score.quality
    assert explanation.score == next(saved.scorer.score([document]))


@pytest.mark.parametrize("document", DOCUMENTS[:4], ids=lambda document: document.path)
def test_reasons_are_reported_by_size(saved: SavedModel, document: Document) -> None:
    explanation = explain(saved.scorer, document)
    for target, reasons in explanation.reasons.items():
        assert set(explanation.base) == set(explanation.reasons)
        sizes = [
            abs(reason.contribution) for reason in reasons if reason.feature not in ("others", "coverage")
        ]
        if target != "heat":
            assert sizes == sorted(sizes, reverse=True)
        assert all(reason.text and np.isfinite(reason.contribution) for reason in reasons)


def test_heat_of_a_lead_is_the_quality_and_what_the_coverage_adds(saved: SavedModel) -> None:
    leads = 0
    for document in DOCUMENTS:
        explanation = explain(saved.scorer, document)
        reasons = explanation.reasons["heat"]
        assert explanation.base["heat"] == 0
        assert round(sum(reason.contribution for reason in reasons)) == explanation.score.heat
        if explanation.score.heat > -1:
            leads += 1
            assert reasons[0].contribution == explanation.score.quality
    assert 0 < leads < len(DOCUMENTS)


def test_unknown_provider_is_said(saved: SavedModel) -> None:
    explanation = explain(saved.scorer, record())
    assert "provider unknown to the model: never.example" in explanation.score.warnings
    texts = [reason.text for reason in explanation.reasons["quality"] if reason.feature == "provider_domain"]
    assert texts == ["domain of the provider: never.example (unknown to the model)"]
    known = next(document for document in DOCUMENTS if document.record.provider.domain == "wendlow.example")
    explanation = explain(saved.scorer, known)
    texts = [reason.text for reason in explanation.reasons["quality"] if reason.feature == "provider_domain"]
    assert texts == ["domain of the provider: wendlow.example"]


def test_leader_is_named(saved: SavedModel) -> None:
    best = Coverage(
        "Wendlow, the filter", published_at=NOON, provider=Provider("", "other.example"), quality=90
    )
    worse = Coverage("Moss", published_at=NOON + timedelta(hours=1), quality=10)
    explanation = explain(saved.scorer, record(related=(worse, best)))
    first = explanation.reasons["lead"][0]
    assert first.text == (
        "best coverage: 'Wendlow, the filter' (other.example, 2018-06-01 12:00), quality 90"
    )
    assert first.contribution == 0
    assert explanation.score.heat == -1
    margin = next(reason for reason in explanation.reasons["lead"] if reason.feature == "quality_margin")
    assert margin.contribution < 0


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (Coverage("Moss", quality=90), "'Moss' (unknown provider), quality 90"),
        (Coverage("Moss", provider=Provider("Gulls"), quality=7), "'Moss' (Gulls), quality 7"),
    ],
    ids=["nobody", "a name"],
)
def test_coverage_is_named_as_far_as_it_is_known(entry: Coverage, words: str) -> None:
    assert named_coverage(entry) == words


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.path)
def test_reasons_of_decisions_add_up_to_their_log_odds(saved: SavedModel, document: Document) -> None:
    explanation, rules = explain(saved.scorer, document), saved.models.cascade
    table = build_table([document.record])
    predictions = saved.scorer.predict(table)
    matrices = {
        "lead": (rules.lead, cascade.lead_matrix(table, predictions.quality)),
        "published": (
            rules.published,
            cascade.published_matrix(table, predictions.quality, predictions.heat),
        ),
    }
    for target, (booster, X) in matrices.items():
        total = explanation.base[target] + sum(reason.contribution for reason in explanation.reasons[target])
        assert 1 / (1 + np.exp(-total)) == pytest.approx(float(booster.predict(X)[0]), abs=1e-9)


@pytest.mark.parametrize("related", [(), (Coverage("Moss"),)], ids=["none", "without a quality"])
def test_nobody_to_lead_instead(saved: SavedModel, related: tuple[Coverage, ...]) -> None:
    explanation = explain(saved.scorer, record(related=related))
    assert explanation.reasons["lead"][0].text == "no coverage of the story has a known quality"


def test_leader_that_came_later_is_not_known(saved: SavedModel) -> None:
    later = Coverage("Moss", published_at=NOON + timedelta(hours=5), quality=90)
    explanation = explain(saved.scorer, record(related=(later,)), NOON + timedelta(hours=1))
    assert "no coverage" in explanation.reasons["lead"][0].text
    assert "Moss" not in str(explanation)


def test_record_on_the_floor_says_so(saved: SavedModel) -> None:
    poor = record(title="a " * 400, topics=(), provider=Provider())
    explanation = explain(saved.scorer, poor)
    floor = next(reason for reason in explanation.reasons["quality"] if reason.feature == "floor")
    assert floor.contribution > 0
    assert "no quality is below 0" in floor.text
    total = explanation.base["quality"] + sum(
        reason.contribution for reason in explanation.reasons["quality"]
    )
    assert round(total) == known(explanation.score.quality) < 5
