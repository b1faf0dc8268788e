"""Verdicts in one sentence: a model against its baselines, and a model against another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.evaluation.comparison import Comparison
from scoring.evaluation.metrics import LOWER_IS_BETTER
from scoring.evaluation.results import Evaluation, Figure
from scoring.evaluation.section_changes import SECTION, is_clearly_worse

_MATTERS = {
    "quality_mae": "quality",
    "lead_accuracy": "leads",
    "heat_within_5": "heat",
    "heat_ndcg_10": "the ranking by heat",
    "published_f1": "publication",
    "quality_interval_score": "quality intervals",
}
"""What the headline metrics measure, in words."""

MIN_RECORDS = 30
"""Least number of labelled records for a promotion, as the gate has it by default."""


def evaluation_verdict(evaluation: Evaluation) -> str:
    """Say where a model beats its baselines, and in which section it is worst.

    A baseline within the model's 95 % interval counts as about as good.

    Parameters
    ----------
    evaluation : Evaluation
        Metrics, baselines and slices.

    Returns
    -------
    str
        One sentence, or two; empty without baselines.
    """
    better: list[str] = []
    even: list[str] = []
    worse: list[str] = []
    for name, matter in _MATTERS.items():
        values = {
            baseline: figures[name]
            for baseline, figures in evaluation.baselines.items()
            if name in figures and np.isfinite(figures[name])
        }
        if name not in evaluation.figures or not values:
            continue
        best = (min if name in LOWER_IS_BETTER else max)(values, key=values.__getitem__)
        gain = _gain(name, evaluation.figures[name], values[best])
        if not np.isfinite(gain):  # not defined on these records
            continue
        if gain == 0:
            even.append(matter)
        else:
            (better if gain > 0 else worse).append(matter if gain > 0 else f"{matter} ({best})")
    parts = [
        f"{text} {_listed(matters)}"
        for text, matters in (
            ("better than every baseline on", better),
            ("about as good as the best baseline on", even),
            ("worse than a baseline on", worse),
        )
        if matters
    ]
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}.{_worst_section(evaluation)}" if parts else ""


def comparison_verdict(comparison: Comparison) -> str:
    """Say on what the second model is better or worse than the first, and what follows from it.

    Parameters
    ----------
    comparison : Comparison
        Result of a comparison.

    Returns
    -------
    str
        One sentence.
    """
    by_verdict: dict[str, list[str]] = {"better": [], "worse": []}
    for name, difference in comparison.differences.items():
        if name in _MATTERS and difference.verdict in by_verdict:
            by_verdict[difference.verdict].append(name)
    better, worse = ([_MATTERS[name] for name in by_verdict[verdict]] for verdict in ("better", "worse"))
    bad_sections = [change.section or "(none)" for change in comparison.sections if change.is_clearly_worse]
    if bad_sections:
        worse.append(f"section{'s' * (len(bad_sections) > 1)} {_listed(bad_sections)}")
    if not comparison.differences:
        return "No record has labels: only the decisions of the two models can be compared."
    if worse:
        gain = f"better on {_listed(better)}, but " if better else ""
        return f"The second model is {gain}worse on {_listed(worse)}: keep the first."
    if not better:
        return "The second model is not significantly better in any headline metric: keep the first."
    if comparison.n_labelled < MIN_RECORDS:
        return (
            f"The second model is better on {_listed(better)}, but on {comparison.n_labelled} labelled "
            f"records only: compare on {MIN_RECORDS} or more."
        )
    doubtful = [
        f"{part.family} {part.name}"
        for part in comparison.slices
        if part.family != SECTION and any(map(is_clearly_worse, part.differences.values()))
    ]
    if doubtful:
        return (
            f"The second model is better on {_listed(better)}, but looks worse on {_listed(doubtful)}: "
            'run "scoring promote --dry-run" to see whether the gate passes it.'
        )
    deciding = "quality_mae" if "quality_mae" in comparison.differences else by_verdict["better"][0]
    option = "" if deciding in by_verdict["better"] else f" with --metric {by_verdict['better'][0]}"
    gain = f"better on {_listed(better)} and not significantly worse elsewhere"
    return f"The second model is {gain}: promote it{option}."


def _gain(name: str, figure: Figure, baseline: float) -> float:
    """Gain of a model over a baseline; 0 if the baseline is within the model's interval."""
    if figure.low is not None and figure.high is not None and figure.low <= baseline <= figure.high:
        return 0.0
    return (baseline - figure.value) if name in LOWER_IS_BETTER else (figure.value - baseline)


def _worst_section(evaluation: Evaluation) -> str:
    """The section whose quality is predicted worst, relative to how much its labels vary."""
    sections = [part for part in evaluation.slices if part.family == SECTION]
    columns = evaluation.predictions
    if len(sections) < 2 or "quality_predicted" not in columns:
        return ""
    truth = columns["quality"].astype(float)
    error = np.abs(columns["quality_predicted"].astype(float) - truth)
    names = columns["section"].astype(str)

    def relative_error(name: str) -> float:
        is_in = (names == name) & np.isfinite(error)
        if not is_in.any():
            return 0.0
        spread = np.abs(truth[is_in] - np.median(truth[is_in])).mean()
        return float(error[is_in].mean() / spread) if spread else 0.0

    worst = max(sections, key=lambda part: (relative_error(part.name), part.name))
    mae = worst.figures.get("quality_mae")
    off = "" if mae is None else f", where quality is off by {mae:.1f} points on average"
    return f" Worst section: {worst.name}{off}."


def _listed(words: Sequence[str]) -> str:
    """Words with commas, and "and" before the last.

    Examples
    --------
    >>> _listed(["quality"]), _listed(["quality", "leads", "heat"])
    ('quality', 'quality, leads and heat')
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
