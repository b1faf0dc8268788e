"""Learning curve: fits by number of labels of a section, and what they are evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec
import numpy as np
import pytest

from scoring.errors import ModelError
from scoring.evaluation.learning_curve import (
    MAX_FULL_FITS,
    METRICS,
    SectionCurve,
    section_curves,
    summarize,
)
from scoring.evaluation.metrics import compute
from scoring.model.quality import QualityModel
from scoring.model.scorer import Scorer
from scoring.records.record import Coverage, Document, Labels
from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.policy import DEFAULT_POLICY, Policy
from scoring.training.config import SectionConfig, SplitConfig, TrainConfig
from scoring.training.dataset import LabelledDataset
from scoring.training.fit import fit_models, fit_quality
from tests.workflows.test_backtest import MODEL as TINY_MODEL

MODEL = msgspec.structs.replace(TINY_MODEL, sections=SectionConfig(n_folds=3))
CONFIG = TrainConfig(name="tiny", model=MODEL, split=SplitConfig(gap_hours=0))
SHARED = DEFAULT_POLICY.without_noise()
OTHER = replace(SHARED, scale=0.8, shift=30.0)


def documents_of(section: str, policy: Policy, n_records: int, seed: int) -> list[Document]:
    sample = sample_documents(n_records=n_records, seed=seed, policy=policy, section=section, days=120)
    return [
        Document(f"{section}/{index}.md", 0, "0" * 64, record, labels)
        for index, (record, labels) in enumerate(sample)
    ]


def corpus_of(*groups: Sequence[Document]) -> LabelledDataset:
    documents = [document for group in groups for document in group]
    documents.sort(key=lambda document: str(document.record.published_at))
    return LabelledDataset(documents, 0, 0, "0" * 64)


def predicted(model: QualityModel, curve: SectionCurve) -> list[np.ndarray]:
    quality, spread = model.estimate(curve.test.table)
    return [quality, *model.interval(curve.test.table, quality, spread)]


@pytest.fixture(scope="module")
def corpus() -> LabelledDataset:
    """Two sections of different policies."""
    return corpus_of(documents_of("Harbour", SHARED, 300, seed=1), documents_of("Meadow", OTHER, 60, seed=2))


@pytest.fixture(scope="module")
def meadow(corpus: LabelledDataset) -> SectionCurve:
    (curve,) = section_curves(corpus, CONFIG, section="Meadow")
    return curve


def test_one_shared_fit_and_a_policy_for_each_draw_are_the_whole_fit(meadow: SectionCurve) -> None:
    for mask in meadow.draw(20, 2):
        assert meadow.is_apart(mask)
        whole = fit_quality(meadow.training.take(mask), meadow.config, num_threads=1).model
        for values, expected in zip(
            predicted(meadow._with_policy(meadow._others, mask), meadow),
            predicted(whole, meadow),
            strict=True,
        ):
            np.testing.assert_array_equal(values, expected)


def test_labels_that_change_the_shared_fit_are_fitted_with_it(meadow: SectionCurve) -> None:
    n_pool = len(meadow.pool)
    assert n_pool == 51
    sizes = (7, 8, 10, 40, n_pool)
    # With 8 labels the draft, fitted without the latest one, has too few for a policy of their own.
    assert [meadow.is_apart(meadow.draw(size, 1)[0]) for size in sizes] == [False, False, True, True, False]
    assert len(meadow.point(8, 20).draws) == MAX_FULL_FITS
    assert len(meadow.point(8, 2).draws) == 2
    assert len(meadow.point(10, 4).draws) == 4


def test_all_labels_give_the_scores_of_a_training(meadow: SectionCurve) -> None:
    config = msgspec.structs.replace(CONFIG, model=msgspec.structs.replace(MODEL, forecast_ages_hours=(0.0,)))
    scores = Scorer("all", fit_models(meadow.training, config, num_threads=1)).predict(meadow.test.table)
    columns = {
        "quality": meadow.test.labels.quality,
        "quality_predicted": scores.quality,
        "quality_low": scores.quality_low,
        "quality_high": scores.quality_high,
        "heat": np.full(len(meadow.test.table), np.nan),
    }
    (draw,) = meadow.point(len(meadow.pool), 20).draws
    assert draw == compute(columns, names=METRICS)
    assert set(draw) == set(METRICS)


def test_a_draw_has_so_many_labels_of_the_section_and_all_of_the_others(meadow: SectionCurve) -> None:
    sections = np.array(meadow.training.sections)
    masks = meadow.draw(20, 5)
    assert len({mask.tobytes() for mask in masks}) == 5
    for mask in masks:
        assert mask[sections == "Harbour"].all()
        assert mask[sections == "Meadow"].sum() == 20
    (whole,) = meadow.draw(len(meadow.pool), 5)
    assert whole.all()
    assert meadow.sizes([200, 20, 51, 20, 100, 50]) == [20, 50, 51]


def test_draws_depend_on_the_seed_and_their_number_alone(
    corpus: LabelledDataset, meadow: SectionCurve
) -> None:
    (again,) = section_curves(corpus, CONFIG, section="Meadow")
    again.point(12, 1)
    point = meadow.point(20, 3)
    assert again.point(20, 3) == point
    assert again.point(20, 2).draws == point.draws[:2]
    assert replace(meadow, num_threads=2).point(20, 3) == point
    (other,) = section_curves(corpus, msgspec.structs.replace(CONFIG, seed=1), section="Meadow")
    assert not np.array_equal(other.draw(20, 1), meadow.draw(20, 1))


def test_a_few_labels_teach_another_policy(meadow: SectionCurve) -> None:
    few = meadow.point(10, 5)
    without = meadow._evaluate(meadow._others.model)
    assert few.figures["quality_mae_worst"] < 0.7 * without["quality_mae"]
    assert few.figures == summarize(few.draws)
    errors = [draw["quality_mae"] for draw in few.draws]
    assert few.figures["quality_mae"] == sorted(errors)[2]
    assert (few.figures["quality_mae_best"], few.figures["quality_mae_worst"]) == (min(errors), max(errors))


def test_nothing_of_the_test_blocks_is_in_a_training(corpus: LabelledDataset) -> None:
    config = msgspec.structs.replace(CONFIG, split=SplitConfig(gap_hours=24))
    before = section_curves(corpus, config)
    starts = {curve.name: curve.test.moments.min() for curve in before}
    changed = []
    n_stories_that_go_on = 0
    for document in corpus.documents:
        record, labels = document.record, document.labels
        assert record.published_at is not None
        begin = starts[corpus.section_of(document)].astype("datetime64[us]").item()
        begin = begin.replace(tzinfo=record.published_at.tzinfo)
        if record.published_at >= begin:
            record = msgspec.structs.replace(record, images=(), excerpt="Other")
            labels = Labels(quality=1, heat=999, published=True)
        elif any(entry.published_at is not None and entry.published_at >= begin for entry in record.related):
            n_stories_that_go_on += 1
            related = [
                msgspec.structs.replace(entry, quality=777)
                if entry.published_at is not None and entry.published_at >= begin
                else entry
                for entry in record.related
            ]
            related.append(Coverage("New", published_at=begin + timedelta(hours=1), quality=5))
            record = msgspec.structs.replace(record, related=tuple(related))
        changed.append(msgspec.structs.replace(document, record=record, labels=labels))
    assert n_stories_that_go_on > 0, "no story goes on over the cut: the test would prove nothing"
    after = section_curves(corpus_of(changed), config)
    for curve, other in zip(before, after, strict=True):
        assert not np.array_equal(curve.test.labels.quality, other.test.labels.quality)
        assert np.array_equal(curve.training.table.numbers, other.training.table.numbers, equal_nan=True)
        assert np.array_equal(curve.training.labels.quality, other.training.labels.quality)
        for mask, other_mask in zip(curve.draw(20, 3), other.draw(20, 3), strict=True):
            assert np.array_equal(mask, other_mask)
        sections = np.array(curve.training.sections)
        for name, start in starts.items():
            latest = curve.training.moments[sections == name].max()
            assert latest < start - np.timedelta64(24, "h")
        assert set(curve.test.sections) == {curve.name}


def test_a_section_alone_is_fitted_as_a_whole_or_says_why_not() -> None:
    (curve,) = section_curves(corpus_of(documents_of("Harbour", SHARED, 60, seed=1)), CONFIG)
    few = curve.point(10, 20)
    assert (few.draws, few.figures) == ((), {})
    assert few.error == "training records: got 10 with a quality and a date, expected 15 or more"
    assert len(curve.point(30, 20).draws) == MAX_FULL_FITS


def test_a_section_without_a_block_says_so(corpus: LabelledDataset) -> None:
    both = corpus_of(corpus.documents, documents_of("Hill", SHARED, 5, seed=3))
    (hill,) = section_curves(both, CONFIG, section="Hill")
    assert hill.point(3, 20).error == "got no record in the test block, expected some"
    start = {"Hill": both.documents[0].record.published_at}
    assert start["Hill"] is not None
    split = msgspec.structs.replace(CONFIG.split, test_from=start)
    (hill,) = section_curves(both, msgspec.structs.replace(CONFIG, split=split), section="Hill")
    assert hill.sizes([20, 50]) == [0]
    assert hill.point(0, 20).error == "got no record before the test block, expected some"


def test_an_unknown_section_is_refused_with_those_there_are(corpus: LabelledDataset) -> None:
    with pytest.raises(ModelError, match=r"^section: got 'Hill', expected one of: Harbour, Meadow$"):
        section_curves(corpus, CONFIG, section="Hill")
    assert [curve.name for curve in section_curves(corpus, CONFIG)] == ["Harbour", "Meadow"]
