"""Regression tests of the learner: trainings on synthetic archives give the recorded metrics.

After an intended change, ``python -m tests.training.test_learner`` records the metrics again, and the
difference of ``learner.json`` shows its size.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scoring.evaluation.evaluate import evaluate_models
from scoring.features.text import words_of
from scoring.model.scorer import Scorer
from scoring.records.record import Labels, Record
from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.policy import DEFAULT_POLICY, Policy
from scoring.training.config import TrainConfig
from scoring.training.fit import fit_models
from tests.conftest import training_set_of

METRICS = Path(__file__).with_name("learner.json")
N_RECORDS, N_TRAINING = 1200, 900
TOLERANCE_RATIO = 0.02
Documents = list[tuple[Record, Labels]]


def sampled(policy: Policy) -> Documents:
    return list(sample_documents(n_records=N_RECORDS, seed=11, policy=policy))


def with_topic_words() -> Documents:
    """Labels with 9 points for each of three words, but only under the most frequent second topic."""
    documents = sampled(DEFAULT_POLICY)
    topics = Counter(topic for record, _ in documents for topic in record.topics[1:])
    topic = topics.most_common(1)[0][0]
    words = Counter(
        word for record, _ in documents if topic in record.topics for word in set(words_of(record.title))
    )
    frequent = {word for word, count in words.items() if 0.05 < count / topics[topic] < 0.3}
    chosen = set(sorted(frequent, key=lambda word: (-words[word], word))[:3])
    changed = []
    for record, labels in documents:
        if topic in record.topics and labels.quality is not None:
            points = 9 * len(chosen & set(words_of(record.title)))
            labels = msgspec.structs.replace(labels, quality=labels.quality + points)
        changed.append((record, labels))
    return changed


ARCHIVES: dict[str, Callable[[], Documents]] = {
    "default": lambda: sampled(DEFAULT_POLICY),
    "without noise": lambda: sampled(DEFAULT_POLICY.without_noise()),
    "other scale": lambda: sampled(
        replace(
            DEFAULT_POLICY, scale=0.5, shift=4.0, heat_bonus=7, bonus_from_quality=30, published_from_heat=45
        )
    ),
    "words under a topic": with_topic_words,
}


def metrics_of(documents: Documents) -> dict[str, float]:
    """Metrics on later records of a training on the earlier ones."""
    everything = training_set_of(documents)
    is_later = np.arange(N_RECORDS) >= N_TRAINING
    models = fit_models(everything.take(~is_later), TrainConfig(), num_threads=1)
    later = everything.take(is_later)
    evaluation = evaluate_models(
        Scorer("learner", models), later, [""] * len(later.table), n_bootstrap=0, seed=0, num_threads=1
    )
    return {name: figure.value for name, figure in evaluation.figures.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHIVES)
def test_metrics_are_those_of_before(name: str) -> None:
    expected = json.loads(METRICS.read_text("utf-8"))[name]
    metrics = metrics_of(ARCHIVES[name]())
    assert metrics == pytest.approx(expected, rel=TOLERANCE_RATIO)


if __name__ == "__main__":
    written = {name: metrics_of(make()) for name, make in ARCHIVES.items()}
    METRICS.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
