"""Label issues: labels that disagree with out-of-fold predictions or with near-duplicates.

A listed label is inconsistent with the site's other labels, not necessarily wrong.
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
from scoring.errors import ModelError
from scoring.explanation.attribution import named_coverage, quality_reasons
from scoring.features.as_of import known_coverage
from scoring.features.coverage import best_of
from scoring.features.table import Floats
from scoring.model.cascade import NOT_LEADING
from scoring.model.policy_change import PolicyChange
from scoring.model.targets import listed
from scoring.records.record import Document
from scoring.training.config import TrainConfig
from scoring.training.policy_changes import with_changes
from scoring.training.stand_ins import with_stand_ins
from scoring.training.training_set import TrainingSet

SURE = 0.95
FAR = 2.0  # times the interval's half width, or the 95th percentile of the absolute heat error
MIN_TWIN_GAP = 1.5  # points; rounding alone makes 1
N_REASONS = 3
KINDS = ("quality", "lead", "heat", "published", "twin")


@dataclass(frozen=True, slots=True)
class Audit:
    """The worst findings of each kind, the total number of each kind, and the changes of policy found."""

    findings: tuple[Finding, ...]
    counts: dict[str, int]
    changes: tuple[PolicyChange, ...]


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
        Fit options.
    limit : int
        Maximum findings of each kind; >= 0.
    num_threads : int
        Threads of LightGBM.
    on_step : callable
        Called with the number of finished folds and the total.

    Returns
    -------
    Audit
        Findings by kind, the worst first.

    Raises
    ------
    ModelError
        If there are too few records, or they have no quality.
    """
    if "quality" not in training.targets:
        raise ModelError(f"audit: got labels of {listed(training.targets)} alone, expected quality too")
    training, _ = with_stand_ins(training)
    training = with_changes(training, config.model)
    predictions = out_of_fold(training, config, num_threads=num_threads, on_step=on_step)
    auditor = _Auditor(documents, training, predictions)
    has_heat, has_published = (name in training.targets for name in ("heat", "published"))
    findings_by_kind = {
        "quality": auditor.quality(),
        "lead": auditor.lead() if has_heat else [],
        "heat": auditor.heat() if has_heat else [],
        "published": auditor.published() if has_published else [],
        "twin": auditor.near_duplicates(),
    }
    findings = [make_finding() for kind in KINDS for make_finding in findings_by_kind[kind][:limit]]
    counts = {kind: len(findings_by_kind[kind]) for kind in KINDS}
    return Audit(tuple(findings), counts, training.changes)


FindingMakers = list[Callable[[], Finding]]


@dataclass(frozen=True, slots=True)
class _Auditor:
    """Finds label issues; each public method returns one kind of findings, the worst first.

    Findings are built lazily, since explanations are slow.
    """

    documents: Sequence[Document]
    training: TrainingSet
    predictions: OutOfFold

    def _ordered(
        self, mask: NDArray[np.bool_], severity: Floats, make_finding: Callable[[int], Finding]
    ) -> FindingMakers:
        order = sorted(
            np.flatnonzero(mask).tolist(), key=lambda row: (-severity[row], self.documents[row].name)
        )
        return [partial(make_finding, row) for row in order]

    def quality(self) -> FindingMakers:
        """Qualities far outside their interval, with an error above the 95th percentile."""
        abs_error = np.abs(self.training.labels.quality - np.round(self.predictions.quality))
        is_far = (
            (abs_error > FAR * self.predictions.half_width)
            & (abs_error > np.quantile(abs_error, SURE))
            & (abs_error >= 1)
        )
        return self._ordered(is_far, abs_error - self.predictions.half_width, self._quality_finding)

    def _quality_finding(self, row: int) -> Finding:
        label, expected = int(self.training.labels.quality[row]), round(float(self.predictions.quality[row]))
        half_width = float(self.predictions.half_width[row])
        model = self.predictions.models[self.predictions.folds[row]]
        reasons = quality_reasons(model, self.documents[row])[:N_REASONS]
        contributions = "; ".join(f"{reason.text} ({reason.contribution:+.0f})" for reason in reasons)
        side = "above" if label > expected else "below"
        return Finding(
            kind="quality",
            path=self.documents[row].name,
            field="quality",
            label=label,
            expected=expected,
            difference=float(label - expected),
            low=round(max(float(self.predictions.quality[row]) - half_width, model.rubric.floor_), 1),
            high=round(float(self.predictions.quality[row]) + half_width, 1),
            reason=f"{abs(label - expected)} points {side} the prediction from the other records: "
            + contributions,
        )

    def lead(self) -> FindingMakers:
        """Leads despite better coverage, and records that do not lead although no coverage is as good.

        The learned rule must agree; it decides ties.
        """
        probability, labels = self.predictions.lead_probability, self.training.labels
        best_coverage = self.training.table.number("coverage_quality_max")
        is_lead = labels.heat > NOT_LEADING
        error_probability = np.where(is_lead, 1 - probability, probability)
        is_inconsistent = np.where(
            is_lead, best_coverage > labels.quality, ~(best_coverage >= labels.quality)
        )
        return self._ordered(
            is_inconsistent & (error_probability > SURE), error_probability, self._lead_finding
        )

    def _lead_finding(self, row: int) -> Finding:
        document, label = self.documents[row], int(self.training.labels.heat[row])
        quality = int(self.training.labels.quality[row])
        probability = float(self.predictions.lead_probability[row])
        best = best_of(known_coverage(document.record, None))
        if label > NOT_LEADING:
            expected = int(NOT_LEADING)
            probability = 1 - probability
            message = f"leads with a quality of {quality}, although the story has better coverage"
        else:
            expected = round(float(self.predictions.heat[row]))
            message = f"does not lead, although no coverage reaches its quality of {quality}"
        best_message = f"; the best is {named_coverage(best)}" if best else "; no coverage has a quality"
        return Finding(
            kind="lead",
            path=document.name,
            field="heat",
            label=label,
            expected=expected,
            difference=float(label - expected),
            probability=round(probability, 4),
            reason=message + best_message,
        )

    def heat(self) -> FindingMakers:
        """Heats of leads that differ from the quality plus the contribution of the coverage."""
        heat_error = self.predictions.heat_off
        high_error = (
            float(np.quantile(heat_error[np.isfinite(heat_error)], SURE))
            if np.isfinite(heat_error).any()
            else 0.0
        )
        return self._ordered(
            np.round(heat_error) >= max(FAR * high_error, 1.0), heat_error, self._heat_finding
        )

    def _heat_finding(self, row: int) -> Finding:
        label, expected = int(self.training.labels.heat[row]), round(float(self.predictions.heat[row]))
        quality = int(self.training.labels.quality[row])
        coverage_count = int(self.training.table.number("coverage_count")[row])
        return Finding(
            kind="heat",
            path=self.documents[row].name,
            field="heat",
            label=label,
            expected=expected,
            difference=float(label - expected),
            reason=f"heat {label} is {label - quality:+d} from a quality of {quality}; leads with "
            f"that quality and {coverage_count} related records have {expected - quality:+d}",
        )

    def published(self) -> FindingMakers:
        """Published labels that disagree with the learned rule for their heat."""
        probability = self.predictions.published_probability
        is_published = self.training.labels.published > 0.5
        error_probability = np.where(is_published, 1 - probability, probability)
        return self._ordered(error_probability > SURE, error_probability, self._published_finding)

    def _published_finding(self, row: int) -> Finding:
        is_published = bool(self.training.labels.published[row])
        probability = float(self.predictions.published_probability[row])
        name = "heat" if "heat" in self.training.targets else "quality"
        points = int(getattr(self.training.labels, name)[row])
        status = "published, others are not" if is_published else "not published, others are"
        return Finding(
            kind="published",
            path=self.documents[row].name,
            field="published",
            label=is_published,
            expected=not is_published,
            difference=1.0 if is_published else -1.0,
            probability=round(1 - probability if is_published else probability, 4),
            reason=f"of records with a {name} of {points}, this one is {status}",
        )

    def near_duplicates(self) -> FindingMakers:
        """Near-duplicates with different qualities, then those with inconsistent published labels."""
        rubric_quality = self.predictions.models[0].rubric.predict(self.training.table)
        worst: dict[tuple[int, str], tuple[float, int]] = {}
        regimes = self.training.regimes("quality", "heat", "published")
        abs_error = np.abs(self.training.labels.quality - self.predictions.quality)
        for first, second in near_duplicates(self.training.table):
            if regimes[first] != regimes[second]:  # labels by other rules may differ
                continue
            for field, row, difference in self._disagreements(
                first, second, float(rubric_quality[first] - rubric_quality[second]), abs_error
            ):
                worst[row, field] = max(worst.get((row, field), (0.0, 0)), (difference, first + second - row))
        order = sorted(worst, key=lambda key: (-worst[key][0], self.documents[key[0]].path))
        return [
            partial(self._near_duplicate_finding, row, worst[row, field][1], field) for row, field in order
        ]

    def _disagreements(
        self, first: int, second: int, expected_difference: float, abs_error: Floats
    ) -> Iterator[tuple[str, int, float]]:
        """Differing fields of two records, the less plausible row, and the difference in points.

        The expected difference, from titles with other words or length, is subtracted.
        """
        labels, predictions = self.training.labels, self.predictions
        difference = abs(float(labels.quality[first] - labels.quality[second]) - expected_difference)
        if difference >= MIN_TWIN_GAP:
            yield "quality", first if abs_error[first] > abs_error[second] else second, difference
        published_row, unpublished_row = (
            (first, second) if labels.published[first] > labels.published[second] else (second, first)
        )
        is_different = labels.published[published_row] > labels.published[unpublished_row]
        if is_different and labels.heat[unpublished_row] >= labels.heat[published_row]:
            probability = predictions.published_probability
            yield (
                "published",
                unpublished_row
                if probability[unpublished_row] > 1 - probability[published_row]
                else published_row,
                0.0,
            )

    def _near_duplicate_finding(self, row: int, other: int, field: str) -> Finding:
        labels = {"quality": self.training.labels.quality, "published": self.training.labels.published}[field]
        label, other_label = (
            bool(value) if field == "published" else int(value) for value in labels[[row, other]]
        )
        heats = self.training.labels.heat
        heat_message = (
            f"; heat {heats[row]:.0f} here, {heats[other]:.0f} there"
            if field == "published" and "heat" in self.training.targets
            else ""
        )
        return Finding(
            kind="twin",
            path=self.documents[row].name,
            field=field,
            label=label,
            expected=other_label,
            difference=float(label - other_label),
            reason=f"near-duplicate of {self.documents[other].name} (same provider, topics and picture), "
            f"which has {other_label}{heat_message}",
            other=self.documents[other].name,
        )
