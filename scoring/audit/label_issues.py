"""Labels that look wrong: each record against models that have not seen it, and against its near-twins.

Nothing here says what is right. A label is listed where it is far from what the rest of the records
lead one to expect, by the site's own habits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from scoring.audit.finding import Finding
from scoring.audit.near_duplicates import near_duplicates
from scoring.audit.out_of_fold import OutOfFold, out_of_fold
from scoring.explanation.attribution import named_coverage, quality_reasons
from scoring.features.as_of import known_coverage
from scoring.features.coverage import best_of
from scoring.features.table import Floats
from scoring.model.cascade import NOT_LEADING
from scoring.records.record import Document
from scoring.training.config import TrainConfig
from scoring.training.training_set import TrainingSet

SURE = 0.95
FAR = 2.0  # times the half width of a record's interval, or what nineteen of twenty heats are off by
MIN_TWIN_GAP = 1.5  # points: rounding alone makes one
N_REASONS = 3
KINDS = ("quality", "lead", "heat", "published", "twin")


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
        order = sorted(np.flatnonzero(rows).tolist(), key=lambda row: (-size[row], self.documents[row].path))
        return [partial(say, row) for row in order]

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
            reason=f"{abs(label - expected)} points {side} the prediction from the other records: {told}",
        )

    def lead(self) -> Found:
        """Leads although a better record covers the story, and others although none as good does.

        The learned rule must be sure of it too; it is what ties are left to.
        """
        probability, labels = self.opinion.lead_probability, self.training.labels
        best = self.training.table.number("coverage_quality_max")
        is_lead = labels.heat > NOT_LEADING
        against = np.where(is_lead, 1 - probability, probability)
        is_odd = np.where(is_lead, best > labels.quality, ~(best >= labels.quality))
        return self._in_order(is_odd & (against > SURE), against, self._say_lead)

    def _say_lead(self, row: int) -> Finding:
        document, label = self.documents[row], int(self.training.labels.heat[row])
        quality = int(self.training.labels.quality[row])
        probability = float(self.opinion.lead_probability[row])
        best = best_of(known_coverage(document.record, None))
        if label > NOT_LEADING:
            expected = int(NOT_LEADING)
            probability = 1 - probability
            why = f"leads with a quality of {quality}, although a better record covers the story"
        else:
            expected = round(float(self.opinion.heat[row]))
            why = f"does not lead, although nothing as good as its quality of {quality} covers the story"
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
        what = "is shown, others are not" if is_shown else "is not shown, others are"
        return Finding(
            kind="published",
            path=self.documents[row].path,
            field="published",
            label=is_shown,
            expected=not is_shown,
            difference=1.0 if is_shown else -1.0,
            probability=round(1 - probability if is_shown else probability, 4),
            reason=f"of records with a heat of {heat} this one {what}",
        )

    def twins(self) -> Found:
        """Near-twins of another quality, by how much; then those of which the lesser is shown alone."""
        points = self.opinion.models[0].rubric.predict(self.training.table)
        worst: dict[tuple[int, str], tuple[float, int]] = {}
        for left, right in near_duplicates(self.training.table):
            for field, row, gap in self._disagreements(left, right, float(points[left] - points[right])):
                worst[row, field] = max(worst.get((row, field), (0.0, 0)), (gap, left + right - row))
        order = sorted(worst, key=lambda key: (-worst[key][0], self.documents[key[0]].path))
        return [partial(self._say_twin, row, worst[row, field][1], field) for row, field in order]

    def _disagreements(self, left: int, right: int, owed: float) -> Iterator[tuple[str, int, float]]:
        """Fields in which two records differ, the stranger of the two, and by how many points more than owed.

        A title of other words or length may be worth other points; that much is no disagreement.
        """
        labels, opinion = self.training.labels, self.opinion
        gap = abs(float(labels.quality[left] - labels.quality[right]) - owed)
        if gap >= MIN_TWIN_GAP:
            off = np.abs(labels.quality - opinion.quality)
            yield "quality", left if off[left] > off[right] else right, gap
        shown, hidden = (left, right) if labels.published[left] > labels.published[right] else (right, left)
        is_crossed = labels.published[shown] > labels.published[hidden]
        if is_crossed and labels.heat[hidden] >= labels.heat[shown]:
            probability = opinion.published_probability
            yield "published", hidden if probability[hidden] > 1 - probability[shown] else shown, 0.0

    def _say_twin(self, row: int, other: int, field: str) -> Finding:
        labels = {"quality": self.training.labels.quality, "published": self.training.labels.published}[field]
        own, theirs = (bool(value) if field == "published" else int(value) for value in labels[[row, other]])
        heats = self.training.labels.heat
        why = f"; heat {heats[row]:.0f} here, {heats[other]:.0f} there" if field == "published" else ""
        return Finding(
            kind="twin",
            path=self.documents[row].path,
            field=field,
            label=own,
            expected=theirs,
            difference=float(own - theirs),
            reason="nearly the same title, the same provider, topics and picture as "
            f"{self.documents[other].path}, which has {theirs}{why}",
            other=self.documents[other].path,
        )
