"""Nothing after the cutoff influences a fit, and metrics are not better than possible."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np

from scoring.artifact.saved_model import boosters_of
from scoring.evaluation.metrics import mean_absolute_error
from scoring.model.scorer import Scorer
from scoring.records.record import Coverage, Document, Labels
from scoring.records.synthetic.generate import sample_documents
from scoring.training.config import SplitConfig, TrainConfig
from scoring.training.dataset import LabelledDataset, cutoffs_before
from scoring.training.fit import fit_models
from scoring.training.splits import test_mask as find_test_block
from scoring.training.training_set import TrainingSet

Make = Callable[[Any], TrainingSet]
CONFIG = TrainConfig(split=SplitConfig(test_ratio=0.2))
LABELLED = list(sample_documents(n_records=240, seed=6, days=12))
NOISY = list(sample_documents(n_records=600, seed=11))


def corpus_of(documents: list[Document]) -> LabelledDataset:
    return LabelledDataset(documents, 0, 0, "0" * 64)


def documents_of(labelled: list[Any]) -> list[Document]:
    return [
        Document(f"{index}.md", 0, "0" * 64, record, labels)
        for index, (record, labels) in enumerate(labelled)
    ]


def fitted_before_the_cut(documents: list[Document]) -> tuple[TrainingSet, dict[str, str], bytes]:
    """Everything that training fits on the records before the test block."""
    corpus = corpus_of(documents)
    is_test = find_test_block(corpus.moments, corpus.sections, CONFIG.split)
    training = corpus.training_set(~is_test, cutoffs_before(corpus, is_test))
    models = fit_models(training, CONFIG, num_threads=1)
    rest = msgspec.json.encode(
        (models.quality.encoder, models.quality.rubric, models.quality.errors, models.thresholds)
    )
    return training, {name: part.text for name, part in boosters_of(models).items()}, rest


def changed_after_the_cut(documents: list[Document]) -> list[Document]:
    """Documents with other labels, titles and coverage for the records of the test block."""
    corpus = corpus_of(documents)
    is_test = find_test_block(corpus.moments, corpus.sections, CONFIG.split)
    cut = min(moment for moment, is_held in zip(_dates(documents), is_test, strict=True) if is_held)

    def changed(entry: Coverage) -> Coverage:
        is_later = entry.published_at is not None and entry.published_at >= cut
        return msgspec.structs.replace(entry, quality=888, title="Other") if is_later else entry

    altered = []
    for document, is_held in zip(documents, is_test, strict=True):
        record, labels = document.record, document.labels
        related = [changed(entry) for entry in record.related]
        has_later = any(entry.published_at is not None and entry.published_at >= cut for entry in related)
        if has_later:
            # The story goes on, so what hangs on its coverage is labelled anew.
            related.append(Coverage("New", published_at=cut + timedelta(hours=3), quality=999))
            labels = msgspec.structs.replace(labels, heat=-1, published=not labels.published)
        if is_held:
            labels = Labels(quality=1, heat=4321, published=True)
            record = msgspec.structs.replace(record, title="Another title", excerpt="", images=())
        record = msgspec.structs.replace(record, related=tuple(related))
        altered.append(msgspec.structs.replace(document, record=record, labels=labels))
    return altered


def _dates(documents: list[Document]) -> list[Any]:
    return [document.record.published_at for document in documents]


def test_nothing_after_the_cut_changes_what_is_fitted() -> None:
    documents = documents_of(LABELLED)
    changed = changed_after_the_cut(documents)
    n_earlier = sum(
        first.record.related != second.record.related
        for first, second in zip(documents[:192], changed, strict=False)
    )
    assert n_earlier > 0, "no earlier record lists a later one: the test would prove nothing"
    training, boosters, rest = fitted_before_the_cut(documents)
    other_training, other_boosters, other_rest = fitted_before_the_cut(changed)
    assert len(training.table) == 192
    assert np.array_equal(training.table.numbers, other_training.table.numbers, equal_nan=True)
    assert np.array_equal(training.labels.heat, other_training.labels.heat, equal_nan=True)
    assert [name for name, text in boosters.items() if text != other_boosters[name]] == []
    assert other_rest == rest


def test_what_is_before_the_cut_does_change_what_is_fitted() -> None:
    """The test above can fail."""
    documents = documents_of(LABELLED)
    document = documents[10]
    documents[10] = msgspec.structs.replace(document, labels=Labels(quality=300, heat=300, published=True))
    _, boosters, rest = fitted_before_the_cut(documents)
    _, other_boosters, other_rest = fitted_before_the_cut(documents_of(LABELLED))
    assert boosters["quality"] != other_boosters["quality"]
    assert rest != other_rest


def test_heat_of_a_story_that_goes_on_is_left_out() -> None:
    corpus = corpus_of(documents_of(LABELLED))
    is_test = find_test_block(corpus.moments, corpus.sections, CONFIG.split)
    (cut,) = cutoffs_before(corpus, is_test).values()
    training = corpus.training_set(~is_test, {"Tessaril": cut})
    expected = [
        any(entry.published_at and entry.published_at > cut for entry in record.related)
        for record, _ in LABELLED[:192]
    ]
    assert np.isnan(training.labels.heat).tolist() == expected
    assert np.isnan(training.labels.published).tolist() == expected
    assert 0 < sum(expected) < 100
    assert not np.isnan(training.labels.quality).any()
    assert training.table.number("age_hours").min() > 0


def error_on_later_records(training: TrainingSet, is_later: Any) -> tuple[float, float]:
    """Mean absolute errors of the model and of the training median on held-out records."""
    models = fit_models(training.take(~is_later), TrainConfig(), num_threads=1)
    later = training.take(is_later)
    predictions = Scorer("x", models).predict(later.table)
    median = np.full(len(later.table), np.median(training.labels.quality[~is_later]))
    return (
        mean_absolute_error(later.labels.quality, predictions.quality),
        mean_absolute_error(later.labels.quality, median),
    )


def test_shuffled_labels_are_not_learned(make_training: Make) -> None:
    shuffle = np.random.default_rng(3).permutation(len(NOISY))
    shuffled = [(record, NOISY[at][1]) for (record, _), at in zip(NOISY, shuffle, strict=True)]
    error, median_error = error_on_later_records(make_training(shuffled), np.arange(600) >= 450)
    assert error > 0.97 * median_error


def test_random_split_is_hardly_easier_than_a_split_by_time(make_training: Make) -> None:
    training = make_training(NOISY)
    by_time, median_error = error_on_later_records(training, np.arange(600) >= 450)
    is_drawn = np.random.default_rng(0).permutation(600) >= 450
    by_chance, _ = error_on_later_records(training, is_drawn)
    assert by_time < 0.3 * median_error
    # Press releases share a title and providers come up late; a leak would be worth far more.
    assert by_chance > 0.6 * by_time
