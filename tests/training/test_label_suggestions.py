"""Suggested records: what is chosen of a section, how sections share, and what the reasons say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from scoring.features.story import stories
from scoring.features.table import build_table
from scoring.model.quality import QualityModel
from scoring.records.record import Labels, Provider, Record
from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.policy import DEFAULT_POLICY
from scoring.training.config import ModelConfig, SectionConfig
from scoring.training.label_suggestions import LabelSuggestion, suggest_labels
from scoring.training.parallel import fit_pool
from scoring.training.quality import start_quality
from scoring.training.section_difference import fit_difference
from scoring.training.section_policy import policy_of
from scoring.training.splits import latest_mask
from tests.conftest import training_set_of

SECTIONS = SectionConfig()
SHARED = DEFAULT_POLICY.without_noise()


def records_of(section: str, n_records: int, seed: int) -> list[Record]:
    return [record for record, _ in sample_documents(n_records=n_records, seed=seed, section=section)]


@pytest.fixture(scope="module")
def model() -> QualityModel:
    """A model that knows the section Harbour alone."""
    training = training_set_of(
        list(sample_documents(n_records=400, seed=1, policy=SHARED, section="Harbour"))
    )
    few_trees = msgspec.structs.replace(ModelConfig().quality, num_iterations=20)
    config = msgspec.structs.replace(ModelConfig(), quality=few_trees)
    with fit_pool(1, len(training.table), 1) as pool:
        finish = start_quality(
            training.table,
            training.labels.quality,
            training.copies,
            latest_mask(training.moments, training.sections, 0.15),
            config,
            pool=pool,
            seed=0,
        )
        return finish().model


def suggested(
    model: QualityModel, records: Sequence[Record], count: int, n_labelled: int = 0, learned: int = 400
) -> list[LabelSuggestion]:
    """Suggestions where the first records are labelled; they are rows of these records."""
    return suggest_labels(
        model,
        build_table(records),
        np.arange(len(records)) < n_labelled,
        stories(records),
        count,
        SECTIONS,
        {"Harbour": learned},
    )


def test_the_same_records_give_the_same_suggestions(model: QualityModel) -> None:
    meadow = records_of("Meadow", 150, seed=2)
    suggestions = suggested(model, meadow, 30, n_labelled=20)
    assert suggestions == suggested(model, meadow, 30, n_labelled=20)
    assert len({suggestion.row for suggestion in suggestions}) == 30
    assert all(suggestion.row >= 20 for suggestion in suggestions)
    assert suggestions[:10] == suggested(model, meadow, 10, n_labelled=20)


def test_oddities_are_kept_out(model: QualityModel) -> None:
    """A provider of one record, and extreme lengths: chosen only when nothing else is left."""
    meadow, (first, second, third) = records_of("Meadow", 150, seed=2), records_of("Meadow", 3, seed=77)
    odd = [
        msgspec.structs.replace(first, provider=Provider("Once", "once.example")),
        msgspec.structs.replace(second, title="An unusually long title of kites and boats " * 40),
        msgspec.structs.replace(third, excerpt="An unusually long excerpt. " * 200),
    ]
    alone = {"related": (), "web_url": "", "original_url": ""}
    records = [*meadow, *(msgspec.structs.replace(record, **alone) for record in odd)]
    rows = [suggestion.row for suggestion in suggested(model, records, 1000)]
    assert {150, 151, 152} <= set(rows)
    assert min(rows.index(row) for row in (150, 151, 152)) > len(rows) / 2


def test_of_a_story_there_is_one(model: QualityModel) -> None:
    meadow = records_of("Meadow", 60, seed=2)
    records = [*meadow, *(msgspec.structs.replace(record, excerpt="") for record in meadow)]
    suggestions = suggested(model, records, 1000)
    groups = stories(records)[[suggestion.row for suggestion in suggestions]]
    assert len(groups) == len(set(groups.tolist())) == len(set(stories(records).tolist()))


def test_an_unknown_section_comes_first_and_then_all_share(model: QualityModel) -> None:
    records = [*records_of("Harbour", 200, seed=3), *records_of("Meadow", 60, seed=4)]
    suggestions = suggested(model, records, 60, learned=40)
    first = [suggestion.section for suggestion in suggestions[: SECTIONS.min_records]]
    assert first == ["Meadow"] * SECTIONS.min_records
    sections = Counter(suggestion.section for suggestion in suggestions)
    assert min(sections["Harbour"], sections["Meadow"]) >= 10
    assert suggestions[0].reasons[0] == "section Meadow is unknown to the model"


def test_a_section_with_many_labels_gets_few(model: QualityModel) -> None:
    records = [*records_of("Harbour", 200, seed=3), *records_of("Meadow", 60, seed=4)]
    few, many = (
        Counter(suggestion.section for suggestion in suggested(model, records, 30, learned=learned))
        for learned in (1, 4000)
    )
    assert many["Harbour"] < few["Harbour"]


def test_reasons_name_what_the_labels_lack(model: QualityModel) -> None:
    meadow = records_of("Meadow", 120, seed=2)
    new = [
        msgspec.structs.replace(
            record,
            title=f"{record.title} {index}",
            provider=Provider("Fresh", "fresh.example"),
            web_url=f"https://fresh.example/{index}",
            original_url="",
            related=(),
        )
        for index, record in enumerate(records_of("Meadow", 12, seed=9))
    ]
    suggestions = suggested(model, [*meadow, *new], 30, n_labelled=100)
    reasons = [suggestion.reasons for suggestion in suggestions]
    expected = "its provider (fresh.example) has no labels for 12 unlabelled records"
    assert sum(expected in each for each in reasons) == 1
    assert all(1 <= len(each) <= 3 for each in reasons)


@pytest.mark.parametrize(("count", "text"), [(1, "1 label"), (3, "3 labels"), (0, "no labels")])
def test_few_labels_of_a_known_section_are_a_reason(model: QualityModel, count: int, text: str) -> None:
    harbour = records_of("Harbour", 60, seed=5)
    first, *_ = suggested(model, harbour, 5, n_labelled=count, learned=0)
    assert first.reasons[0] == f"section Harbour has {text}"
    first, *_ = suggested(model, harbour, 5, n_labelled=count)  # the model has learned 400
    assert not first.reasons[0].startswith("section")


def test_effects_that_labels_do_not_tell_apart_are_a_reason(model: QualityModel) -> None:
    harbour = records_of("Harbour", 300, seed=5)
    with_image = [record for record in harbour if record.images]
    without = [record for record in harbour if not record.images]
    records = [*with_image[:80], *without[:40]]
    suggestions = suggested(model, records, 10, n_labelled=60)
    expected = "no label here shows the effect of 'the record has an image': all are with it"
    first, *_ = [suggestion.row for suggestion in suggestions if expected in suggestion.reasons]
    assert first >= 80
    assert sum(expected in suggestion.reasons for suggestion in suggestions) == 1
    again = "the effect of 'the record has an image' rests on no labels here and 1 suggested above without it"
    assert sum(again in suggestion.reasons for suggestion in suggestions) <= 1


def test_a_record_without_anything_rare_has_its_least_known_effect_as_the_reason(model: QualityModel) -> None:
    harbour = records_of("Harbour", 400, seed=5)
    for suggestion in suggested(model, harbour, 10, n_labelled=380):
        assert all("label" in reason and any(map(str.isdigit, reason)) for reason in suggestion.reasons)


def test_effects_that_no_label_tells_apart_are_a_reason(model: QualityModel) -> None:
    """Until the suggestions, the records with an image are those with an exclamation mark."""
    harbour = records_of("Harbour", 300, seed=5)
    alike = [
        msgspec.structs.replace(record, title=f"{record.title.replace('!', '')}{'!' * bool(record.images)}")
        for record in harbour[:100]
    ]
    found = suggested(model, [*alike, *harbour[100:]], 20, n_labelled=100)
    expected = "no label separates the effect of 'the title has an exclamation mark' from that of "
    assert any(reason.startswith(expected) for suggestion in found for reason in suggestion.reasons)


def test_labels_that_the_model_learned_from_count_by_provider(model: QualityModel) -> None:
    """Only an inbox is read: half of its records are of a provider that the model has learned much of."""
    counts = model.encoder.providers_.counts_
    known = max(counts, key=counts.__getitem__)
    records = [
        msgspec.structs.replace(record, provider=Provider("P", (known, "fresh.example")[index % 2]))
        for index, record in enumerate(records_of("Harbour", 120, seed=5))
    ]
    of_fresh = []
    for learned in (0, 400):
        found = suggested(model, records, 10, learned=learned)
        of_fresh.append(sum(suggestion.row % 2 for suggestion in found))
    assert of_fresh[0] < 8
    assert of_fresh[1] == 10
    assert "its provider (fresh.example) has no labels for 60 unlabelled records" in found[0].reasons


def test_no_records_below_one(model: QualityModel) -> None:
    with pytest.raises(ValueError, match="count: got 0, expected 1 or more"):
        suggested(model, records_of("Meadow", 10, seed=2), 0)


def test_a_handful_of_records_is_enough(model: QualityModel) -> None:
    moment = datetime(2018, 5, 1, tzinfo=UTC)
    (suggestion,) = suggested(model, [Record(title="Rain", topics=("Meadow",), published_at=moment)], 3)
    assert suggestion.row == 0
    everything = records_of("Meadow", 3, seed=2)
    assert 1 <= len(suggested(model, everything, 10, n_labelled=1)) <= 2


@pytest.mark.slow
def test_suggested_labels_teach_more_than_random_ones(model: QualityModel) -> None:
    policy = replace(SHARED, image_points=12, topic_points=29, title_limit_chars=60)
    labelled: list[tuple[Record, Labels]] = list(
        sample_documents(n_records=400, seed=6, policy=policy, section="Meadow")
    )
    training = training_set_of(labelled)
    table, y = training.table, training.labels.quality
    quality, later = model.predict(model.matrix(table)), np.arange(200, 400)

    def error(rows: Sequence[int]) -> float:
        known = np.sort(np.array(rows))
        difference = fit_difference(
            model.rubric, table.take(known), quality[known], y[known], SECTIONS, 20.0, {}
        )
        policy = policy_of(difference, model.rubric, table.take(known), {})
        return float(np.abs(y[later] - policy.predict(table.take(later), quality[later])).mean())

    suggestions = suggested(model, [record for record, _ in labelled[:200]], 30)
    rng = np.random.default_rng(0)
    random = [error(rng.permutation(200)[:30].tolist()) for _ in range(20)]
    assert error([suggestion.row for suggestion in suggestions]) < np.mean(random)
