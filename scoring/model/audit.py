"""Labels that look wrong: each record against models that have not seen its story.

Nothing here says what is right. A label is listed where it is far from what the rest of the records
lead one to expect, by the site's own habits: learned quality, learned rules, and near-twins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.errors import ModelError
from scoring.features.coverage import best_of
from scoring.features.table import Floats
from scoring.model import cascade
from scoring.model.boosters import predict
from scoring.model.cascade import NOT_LEADING
from scoring.model.config import TrainConfig
from scoring.model.explain import named_coverage, quality_reasons
from scoring.model.fit import MIN_RECORDS, TrainingSet
from scoring.model.quality import QualityModel, fit_quality
from scoring.model.results import Finding
from scoring.model.splits import story_folds
from scoring.model.twins import near_twins
from scoring.records.record import Document

N_FOLDS = 3
N_INNER_FOLDS = 5  # one of them tells when to stop, and how wide the intervals are
SURE = 0.95
FAR = 2.0  # times what nine (quality) or nineteen (heat) of ten or twenty records are off by at most
EDGE = 2.0  # points: a label is not called wrong by a rule that turns over within so much
N_REASONS = 3
KINDS = ("quality", "lead", "heat", "published", "twin")


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What models that have not seen a record's title say of it, as arrays of shape (n_records,).

    ``quality`` and ``half_width`` (of its interval) are in points. The rest is what the learned rules
    say of the record's *true* quality: ``lead_probability``; ``heat``, if it leads, and ``heat_off``,
    how far the label is from that; ``published_probability``, by its true heat. Near a threshold the
    last two have the value that is kindest to the label. NaN where the labels do not suffice.
    """

    folds: NDArray[np.intp]
    models: tuple[QualityModel, ...]
    quality: Floats
    half_width: Floats
    lead_probability: Floats
    heat: Floats
    heat_off: Floats
    published_probability: Floats


@dataclass(frozen=True, slots=True)
class Audit:
    """The worst findings of each kind, and how many there are of it in all."""

    findings: tuple[Finding, ...]
    counts: dict[str, int]


def audit(
    documents: Sequence[Document],
    training: TrainingSet,
    config: TrainConfig,
    *,
    limit: int,
    num_threads: int = 1,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Audit:
    """List the labels that look wrong.

    Parameters
    ----------
    documents : sequence of Document
        Labelled records.
    training : TrainingSet
        Their features and labels, in the same order.
    config : TrainConfig
        How the models are fitted.
    limit : int
        Findings of each kind to give back at most; >= 0.
    num_threads : int
        Threads of LightGBM.
    on_step : callable
        Told how many folds are done, of how many.

    Returns
    -------
    Audit
        Findings by kind, the worst first.

    Raises
    ------
    ModelError
        If there are too few records.
    """
    opinion = out_of_fold(training, config, num_threads=num_threads, on_step=on_step)
    case = _Case(documents, training, opinion)
    found = {
        "quality": case.quality(),
        "lead": case.lead(),
        "heat": case.heat(),
        "published": case.published(),
        "twin": case.twins(),
    }
    findings = [say() for kind in KINDS for say in found[kind][:limit]]
    return Audit(tuple(findings), {kind: len(found[kind]) for kind in KINDS})


def out_of_fold(
    training: TrainingSet,
    config: TrainConfig,
    *,
    num_threads: int = 1,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> OutOfFold:
    """Predict each record by models that were fitted on the other folds; records of one title share a fold.

    Parameters
    ----------
    training, config, num_threads, on_step
        As for :func:`audit`.

    Returns
    -------
    OutOfFold

    Raises
    ------
    ModelError
        If there are too few records.
    """
    n_records = len(training.table)
    folds = story_folds(training.table.title_words, N_FOLDS, config.seed)
    if n_records < MIN_RECORDS or len(set(folds)) < N_FOLDS:
        raise ModelError(
            f"audited records: got {n_records} of {len(set(training.table.title_words))} titles, "
            f"expected {MIN_RECORDS} or more records with a quality and a date"
        )
    columns = np.full((6, n_records), np.nan)
    models = []
    for fold in range(N_FOLDS):
        on_step(fold, N_FOLDS)
        held = folds == fold
        rest, part = training.take(~held), training.take(held)
        options = {"num_threads": num_threads, "seed": config.seed}
        is_inner = story_folds(rest.table.title_words, N_INNER_FOLDS, config.seed) == 0
        model = fit_quality(rest.table, rest.labels.quality, is_inner, config.model, **options).model
        models.append(model)
        X = model.matrix(part.table)
        columns[:2, held] = (
            model.predict(X, num_threads),
            model.errors.half_width_ * model.predict_spread(X, num_threads),
        )
        if _is_judged(rest):
            rules = cascade.fit_cascade(rest.table, rest.labels, config.model, **options)
            columns[2:, held] = _apply(rules, part, num_threads)
    on_step(N_FOLDS, N_FOLDS)
    return OutOfFold(folds, tuple(models), *columns)


def _is_judged(training: TrainingSet) -> bool:
    """Whether the labels suffice to learn who leads, what heat adds and what is shown."""
    heat, published = training.labels.heat, training.labels.published
    return bool((heat > NOT_LEADING).any() and (np.isfinite(heat) & np.isfinite(published)).any())


def _apply(rules: cascade.Cascade, part: TrainingSet, num_threads: int) -> Floats:
    """Lead, heat, its distance and published of records whose labels are known, shape (4, n_records)."""
    table, labels = part.table, part.labels
    lead = predict(rules.lead, cascade.lead_matrix(table, labels.quality), num_threads)
    heats, shown = [], []
    for step in (0.0, -EDGE, EDGE):
        heats.append(rules.heat_if_lead(table, labels.quality + step, num_threads) - step)
        X = cascade.published_matrix(table, labels.quality, np.maximum(labels.heat + step, NOT_LEADING))
        shown.append(predict(rules.published, X, num_threads))
    off = np.min(np.abs(labels.heat - np.array(heats)), axis=0)
    kindest = np.where(labels.published > 0.5, np.max(shown, axis=0), np.min(shown, axis=0))
    is_lead, is_known = labels.heat > NOT_LEADING, np.isfinite(labels.heat)
    return np.array(
        [
            np.where(is_known, lead, np.nan),
            heats[0],
            np.where(is_lead, off, np.nan),
            np.where(is_known & np.isfinite(labels.published), kindest, np.nan),
        ]
    )


Found = list[Callable[[], Finding]]


@dataclass(frozen=True, slots=True)
class _Case:
    """Labelled records with what models say of them; each method gives one kind of findings, worst first.

    A finding is put into words when it is called for, since explanations cost more than finding.
    """

    documents: Sequence[Document]
    training: TrainingSet
    opinion: OutOfFold

    def _in_order(self, rows: NDArray[np.bool_], size: Floats, say: Callable[[int], Finding]) -> Found:
        order = sorted(np.flatnonzero(rows), key=lambda row: (-size[row], self.documents[row].path))
        return [_later(say, int(row)) for row in order]

    def quality(self) -> Found:
        """Qualities far outside their interval, and farther off than nineteen of twenty."""
        off = np.abs(self.training.labels.quality - np.round(self.opinion.quality))
        is_far = (off > FAR * self.opinion.half_width) & (off > np.quantile(off, SURE)) & (off >= 1)
        return self._in_order(is_far, off - self.opinion.half_width, self._say_quality)

    def _say_quality(self, row: int) -> Finding:
        label, expected = int(self.training.labels.quality[row]), round(float(self.opinion.quality[row]))
        half = float(self.opinion.half_width[row])
        model = self.opinion.models[self.opinion.folds[row]]
        reasons = quality_reasons(model, self.documents[row].record)[:N_REASONS]
        told = "; ".join(f"{reason.text} ({reason.contribution:+.0f})" for reason in reasons)
        side = "above" if label > expected else "below"
        return Finding(
            kind="quality",
            path=self.documents[row].path,
            field="quality",
            label=label,
            expected=expected,
            difference=float(label - expected),
            low=round(max(float(self.opinion.quality[row]) - half, model.rubric.floor_), 1),
            high=round(float(self.opinion.quality[row]) + half, 1),
            reason=f"{abs(label - expected)} points {side} what the other records let expect: {told}",
        )

    def lead(self) -> Found:
        """Records that lead or do not, against a rule that is sure of the other; ties are no rule's."""
        probability, heat = self.opinion.lead_probability, self.training.labels.heat
        best = self.training.table.number("coverage_quality_max")
        against = np.where(heat > NOT_LEADING, 1 - probability, probability)
        is_tie = best == self.training.labels.quality
        return self._in_order((against > SURE) & ~is_tie, against, self._say_lead)

    def _say_lead(self, row: int) -> Finding:
        document, label = self.documents[row], int(self.training.labels.heat[row])
        quality = int(self.training.labels.quality[row])
        probability = float(self.opinion.lead_probability[row])
        best = best_of(document.record.related)
        if label > NOT_LEADING:
            expected = int(NOT_LEADING)
            probability = 1 - probability
            why = f"leads with a quality of {quality}, although a better record covers the story"
        else:
            expected = round(float(self.opinion.heat[row]))
            why = f"does not lead, although nothing of more than its quality of {quality} covers the story"
        known = f"; the best is {named_coverage(best)}" if best else "; no coverage has a quality"
        return Finding(
            kind="lead",
            path=document.path,
            field="heat",
            label=label,
            expected=expected,
            difference=float(label - expected),
            probability=round(probability, 4),
            reason=why + known,
        )

    def heat(self) -> Found:
        """Heats of leads that are not their quality and what the coverage adds."""
        off = self.opinion.heat_off
        usual = float(np.quantile(off[np.isfinite(off)], SURE)) if np.isfinite(off).any() else 0.0
        return self._in_order(np.round(off) >= max(FAR * usual, 1.0), off, self._say_heat)

    def _say_heat(self, row: int) -> Finding:
        label, expected = int(self.training.labels.heat[row]), round(float(self.opinion.heat[row]))
        quality = int(self.training.labels.quality[row])
        count = int(self.training.table.number("coverage_count")[row])
        return Finding(
            kind="heat",
            path=self.documents[row].path,
            field="heat",
            label=label,
            expected=expected,
            difference=float(label - expected),
            reason=f"heat {label} is {label - quality:+d} to a quality of {quality}; other leads of that "
            f"quality, with {count} related records, have {expected - quality:+d}",
        )

    def published(self) -> Found:
        """Records that are shown or not, against their heat."""
        probability = self.opinion.published_probability
        is_shown = self.training.labels.published > 0.5
        against = np.where(is_shown, 1 - probability, probability)
        return self._in_order(against > SURE, against, self._say_published)

    def _say_published(self, row: int) -> Finding:
        is_shown = bool(self.training.labels.published[row])
        probability = float(self.opinion.published_probability[row])
        heat = int(self.training.labels.heat[row])
        what = "is shown, where other records are not" if is_shown else "is not shown, where other records are"
        return Finding(
            kind="published",
            path=self.documents[row].path,
            field="published",
            label=is_shown,
            expected=not is_shown,
            difference=1.0 if is_shown else -1.0,
            probability=round(1 - probability if is_shown else probability, 4),
            reason=f"with a heat of {heat} it {what}",
        )

    def twins(self) -> Found:
        """Near-twins of another quality, by how much; then those of which one is shown against its heat."""
        found = [*self._quality_twins(), *self._published_twins()]
        worst: dict[str, Finding] = {}
        for finding in sorted(found, key=lambda each: (-abs(each.difference), each.path, each.other)):
            worst.setdefault(finding.path, finding)
        tally = Counter(finding.kind for finding in worst.values())
        assert set(tally) <= {"twin"}
        return [_later(worst.__getitem__, path) for path in worst]


def _later(say, argument):
    return lambda: say(argument)
