"""Drift detection: accepts similar records, refuses different ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pytest

from scoring.drift.detect import Drift, measure_drift, rule
from scoring.drift.reference_profile import AS_OF
from scoring.features.table import build_table
from scoring.records.record import Image, Labels, Provider, Record
from scoring.training.training_set import TrainingSet
from tests.sites import Deployed, deploy

Change = Callable[[Record], Record]


def drift(
    deployed: Deployed,
    documents: Sequence[tuple[Record, Labels]],
    change: Change = lambda record: record,
    **options: Any,
) -> Drift:
    labels = np.array([float(labels.quality or 0) for _, labels in documents])
    table = build_table([change(record) for record, _ in documents], AS_OF)
    return measure_drift(deployed.profile, deployed.scorer, table, labels, **options)


def without_images(record: Record) -> Record:
    return msgspec.structs.replace(record, images=())


def of_another_provider(record: Record) -> Record:
    return msgspec.structs.replace(
        record, provider=Provider("Other", "other.example", (Image("https://o", 1, 1),))
    )


def of_another_section(record: Record) -> Record:
    return msgspec.structs.replace(record, topics=("Elsewhere", *record.topics[1:]))


def later_parts(deployed: Deployed) -> list[list[tuple[Record, Labels]]]:
    """The next 300 records together, by the hundred, and by fifty."""
    return [deployed.later[begin : begin + size] for size in (300, 100, 50) for begin in range(0, 300, size)]


def beyond(result: Drift) -> dict[str, bool]:
    return {family.family: family.is_beyond for family in result.families}


def test_later_records_are_quiet(deployed: Deployed) -> None:
    for part in later_parts(deployed):
        assert drift(deployed, part).reasons == ()


@pytest.mark.parametrize("seed", [2, pytest.param(4, marks=pytest.mark.exhaustive)])
def test_later_records_of_other_sites_are_quiet(
    make_training: Callable[[Any], TrainingSet], seed: int
) -> None:
    other = deploy(make_training, seed)
    assert [drift(other, part).reasons for part in later_parts(other)] == [()] * 10
    assert drift(other, other.later, of_another_provider).reasons != ()


def test_expected_error_of_later_records_is_about_right(deployed: Deployed) -> None:
    result = drift(deployed, deployed.later)
    assert result.n_records == result.n_labelled == 300
    assert result.error_ratio == pytest.approx(1, abs=0.2)
    [expected] = [shift for shift in result.shifts if shift.name == "expected_error"]
    assert expected.before * (result.error_ratio or 0) == pytest.approx(expected.new)
    assert expected.new == pytest.approx(result.label_error, rel=0.3)


@pytest.mark.parametrize("count", [50, 300])
def test_dropped_images(deployed: Deployed, count: int) -> None:
    result = drift(deployed, deployed.later[:count], without_images)
    assert beyond(result) == dict.fromkeys(["provider", "topic", "recency", "coverage"], False) | {
        "content": True
    }
    [content] = [family for family in result.families if family.family == "content"]
    assert content.distance > 2 * content.limit
    assert "has_image" in content.columns
    assert list(content.columns.values()) == sorted(content.columns.values(), reverse=True)
    [points] = [shift for shift in result.shifts if shift.name == "points_by_content"]
    assert points.is_beyond
    assert points.new < points.before - 10
    first, *harm = [reason.partition(":")[0] for reason in result.reasons]
    assert first == "content drifted"
    assert "points_by_content" in harm


@pytest.mark.parametrize("count", [50, 300])
def test_another_provider(deployed: Deployed, count: int) -> None:
    result = drift(deployed, deployed.later[:count], of_another_provider)
    provider, topic = result.unseen
    assert (provider.what, provider.ratio, provider.names) == ("provider", 1.0, {"other.example": count})
    assert provider.usual_ratio < provider.limit_ratio < 1
    assert (topic.what, topic.is_beyond) == ("topic", False)
    assert beyond(result)["provider"]
    assert result.reasons[0] == f"unseen provider: 100.0% of records, limit {provider.limit_ratio:.1%}"


def test_another_section(deployed: Deployed) -> None:
    result = drift(deployed, deployed.later[:50], of_another_section)
    assert result.unseen[1].names["Elsewhere"] == 50
    assert result.reasons[0].startswith("unseen topic: 100.0% of records")
    assert result.error_ratio is not None
    assert result.error_ratio > 2


def test_what_the_model_does_not_look_at_is_harmless(deployed: Deployed) -> None:
    result = drift(
        deployed, deployed.later, lambda record: msgspec.structs.replace(record, title=record.title + "!")
    )
    [content] = [family for family in result.families if family.is_beyond]
    assert (content.family, next(iter(content.columns))) == ("content", "has_title_exclamation")
    assert result.reasons == ()


def test_time_that_passes_is_no_drift(deployed: Deployed) -> None:
    def later(record: Record, days: int = 7 * 200) -> Record:
        assert record.published_at is not None
        related = tuple(
            msgspec.structs.replace(
                related_record,
                published_at=related_record.published_at and related_record.published_at + timedelta(days),
            )
            for related_record in record.related
        )
        moment = record.published_at + timedelta(days)
        return msgspec.structs.replace(record, published_at=moment, related=related)

    assert drift(deployed, deployed.later, later) == drift(deployed, deployed.later)


def test_limit_of_the_error(deployed: Deployed) -> None:
    harmless = {"change": lambda record: msgspec.structs.replace(record, title=record.title + "!")}
    ratio = drift(deployed, deployed.later).error_ratio
    assert ratio is not None
    assert drift(deployed, deployed.later, limit=ratio + 0.1, **harmless).reasons == ()
    strict = drift(deployed, deployed.later, limit=ratio - 0.1, **harmless)
    assert [reason.partition(":")[0] for reason in strict.reasons] == ["content drifted", "expected_error"]
    assert drift(deployed, deployed.later, limit=ratio - 0.1).reasons == ()  # nothing has drifted


def test_labels_decide_nothing(deployed: Deployed) -> None:
    part = deployed.later[:50]
    wrong = [(record, msgspec.structs.replace(labels, quality=1000)) for record, labels in part]
    right, result = drift(deployed, part), drift(deployed, wrong)
    assert result.label_error is not None
    assert result.label_error > 800
    assert msgspec.structs.replace(result, label_error=right.label_error) == right
    table = build_table([record for record, _ in part], AS_OF)
    unlabelled = measure_drift(deployed.profile, deployed.scorer, table, np.full(50, np.nan))
    assert (unlabelled.n_labelled, unlabelled.label_error) == (0, None)


def test_rule_names_the_limit() -> None:
    assert "it matters: the expected error, a mean score" in rule()
    assert "it matters: the expected error exceeds 1.5 times that at training, or a mean score" in rule(1.5)


def test_json_is_stable(deployed: Deployed) -> None:
    first, second = (msgspec.json.encode(drift(deployed, deployed.later[:60])) for _ in range(2))
    assert first == second
    assert list(msgspec.json.decode(first)) == [
        *("model", "n_records", "families", "unseen", "shifts", "error_ratio", "n_labelled", "label_error"),
        *("reasons", "rule", "label_changes"),
    ]
