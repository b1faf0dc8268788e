"""Worst errors and mean contributions, against a computation by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.evaluation.error_analysis import (
    MAX_TITLE_CHARS,
    N_MISSES,
    analyse_errors,
    worst_heat,
    worst_misses,
    worst_published,
)
from scoring.explanation.attribution import MAX_EXPLAINED, mean_contributions, quality_reasons
from scoring.features.table import build_table
from scoring.records.record import Document, Record
from scoring.records.synthetic.generate import sample_documents

DOCUMENTS = [
    Document(f"{index:02}.md", 0, "0" * 64, record, labels)
    for index, (record, labels) in enumerate(sample_documents(n_records=30, seed=8))
]
RECORDS: list[Record] = [document.record for document in DOCUMENTS]


def predictions(errors: list[float]) -> dict[str, np.ndarray]:
    n_records = len(errors)
    quality = np.arange(n_records) + 50
    return {
        "path": np.array([document.path for document in DOCUMENTS[:n_records]], dtype=object),
        "published_at": np.full(n_records, np.datetime64("2018-06-01T10:00", "us")),
        "provider": np.array([f"p{index}.example" for index in range(n_records)], dtype=object),
        "quality": quality,
        "quality_predicted": quality + np.array(errors),
        "quality_low": quality - 9.0,
        "quality_high": quality + 9.0,
    }


def test_worst_come_first_and_hits_are_no_misses(saved: SavedModel) -> None:
    errors = [0.0, -3.0, 7.0, 3.0, 0.0]
    misses = worst_misses(saved.models.quality, DOCUMENTS[:5], predictions(errors))
    assert [(miss.path, miss.error) for miss in misses] == [("02.md", 7.0), ("01.md", -3.0), ("03.md", 3.0)]
    worst = misses[0]
    assert (worst.quality, worst.predicted, worst.low, worst.high) == (52, 59.0, 43.0, 61.0)
    assert (worst.day, worst.provider) == ("2018-06-01", "p2.example")


def test_reasons_are_those_of_the_record_as_it_stood(saved: SavedModel) -> None:
    moment = datetime(2018, 1, 5, tzinfo=UTC)
    model = saved.models.quality
    for as_of in (None, moment):
        (miss,) = worst_misses(model, DOCUMENTS[:1], predictions([4.0]), as_of)
        assert miss.reasons == quality_reasons(model, DOCUMENTS[0], as_of)


def test_account_has_both(saved: SavedModel) -> None:
    model, table = saved.models.quality, build_table(RECORDS[:3])
    account = analyse_errors(model, DOCUMENTS[:3], table, predictions([0.0, 2.0, -4.0]))
    assert [miss.path for miss in account.misses] == ["02.md", "01.md"]
    assert account.contributions == mean_contributions(model, table)


def with_decisions() -> dict[str, np.ndarray]:
    return predictions([0.0] * 4) | {
        "heat": np.array([70.0, -1.0, np.nan, 30.0]),
        "heat_predicted": np.array([70, 50, 9, 20]),
        "lead_probability": np.array([1.0, 0.75, 0.5, 1.0]),
        "published": np.array([1.0, 0.0, np.nan, 0.0]),
        "published_predicted": np.array([False, True, True, False]),
        "published_probability": np.array([0.125, 0.625, 0.75, 0.25]),
    }


def test_worst_heat_and_decisions_of_known_labels(saved: SavedModel) -> None:
    columns = with_decisions()
    heat, published = worst_heat(DOCUMENTS[:4], columns), worst_published(DOCUMENTS[:4], columns)
    assert [(miss.path, miss.heat, miss.predicted, miss.lead_probability) for miss in heat] == [
        ("01.md", -1, 50, 0.75),
        ("03.md", 30, 20, 1.0),
    ]
    assert [(miss.path, miss.published, miss.probability) for miss in published] == [
        ("00.md", True, 0.125),
        ("01.md", False, 0.625),
    ]
    account = analyse_errors(saved.models.quality, DOCUMENTS[:4], build_table(RECORDS[:4]), columns)
    assert (account.heat, account.published) == (heat, published)


def test_errors_have_titles_in_one_safe_line() -> None:
    record = msgspec.structs.replace(RECORDS[0], title="A quiet\u202e day\n" + "at the harbour " * 40)
    (miss, _) = worst_heat(
        [msgspec.structs.replace(DOCUMENTS[0], record=record), *DOCUMENTS[1:4]],
        with_decisions() | {"heat": np.array([0.0, 50.0, np.nan, 30.0])},
    )
    assert miss.title.startswith("A quiet\\u202e day\\nat the harbour ")
    assert len(miss.title) == MAX_TITLE_CHARS + 3


def test_no_more_than_so_many(saved: SavedModel) -> None:
    misses = worst_misses(saved.models.quality, DOCUMENTS, predictions([float(index) for index in range(30)]))
    assert [miss.error for miss in misses] == [float(index) for index in range(29, 29 - N_MISSES, -1)]


def test_contributions_are_the_mean_size_of_each_records(saved: SavedModel) -> None:
    model = saved.models.quality
    contributions = {
        contribution.feature: contribution for contribution in mean_contributions(model, build_table(RECORDS))
    }
    reasons_by_record = [
        {reason.feature: abs(reason.contribution) for reason in quality_reasons(model, document)}
        for document in DOCUMENTS
    ]
    for name in ("provider_domain", "topic_count", "has_image"):
        mean = np.mean([reasons.get(name, 0.0) for reasons in reasons_by_record])
        assert contributions[name].points == pytest.approx(mean, abs=0.005)  # smaller ones are merged
    assert contributions["has_image"].meaning == "the record has an image"
    points = [contribution.points for contribution in contributions.values()]
    assert points == sorted(points, reverse=True)


def test_many_records_are_thinned_evenly(saved: SavedModel) -> None:
    table = build_table(RECORDS[:2])
    first, second = (mean_contributions(saved.models.quality, table.take(np.array([at]))) for at in (0, 1))
    half = table.take(np.repeat([0, 1], MAX_EXPLAINED))
    mixed = {
        contribution.feature: contribution.points
        for contribution in mean_contributions(saved.models.quality, half)
    }
    sides = [{contribution.feature: contribution.points for contribution in side} for side in (first, second)]
    name = max(mixed, key=lambda name: mixed[name])
    assert mixed[name] == pytest.approx((sides[0].get(name, 0) + sides[1].get(name, 0)) / 2, rel=0.01)
