"""The report of an evaluation, or of a training with its evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
import yaml

from scoring.artifact.manifest import TrainingFacts
from scoring.evaluation.error_analysis import ErrorAnalysis
from scoring.evaluation.metrics import LOWER_IS_BETTER, MEANINGS
from scoring.evaluation.results import Evaluation, Figure, Slice
from scoring.explanation.attribution import MAX_EXPLAINED
from scoring.plots import evaluation_figures, importance_figure, to_svg
from scoring.report.labels import importance_label, plot_labels
from scoring.report.pages import render

HEADLINES = ("quality_mae", "lead_accuracy", "heat_within_5", "heat_ndcg_10", "published_f1")
MAX_PARTS = 12  # of one family of slices; evaluation.json has all
MAX_REASONS = 4  # of one miss
MAX_CONTRIBUTIONS = 15
_CAPTIONS = {
    "quality": "Each point is a record. On the line, the prediction is right.",
    "heat": "Each point is a record that leads its story; at a cross the model is wrong about who leads.",
    "calibration": "On the dashed line, of records said to be 70 % likely 70 % come true.",
    "precision_recall": "The farther up and right, the better; a dotted line is what guessing reaches.",
    "residuals_by_month": "Left of zero the model is too low, right of it too high.",
    "residuals_by_provider": "The providers with the most records. Left of zero the model is too low.",
}


class Baseline(NamedTuple):
    """What a baseline reaches, and whether that is better than the model."""

    value: float | None
    is_better: bool


class FigureRow(NamedTuple):
    """A figure beside its baselines."""

    name: str
    meaning: str
    figure: Figure
    baselines: dict[str, Baseline]

    @property
    def nearest(self) -> tuple[str, float] | None:
        """The baseline that does best, with what it reaches."""
        known = [(name, one.value) for name, one in self.baselines.items() if one.value is not None]
        choose = min if self.name in LOWER_IS_BETTER else max
        return choose(known, key=lambda pair: pair[1]) if known else None


class Plot(NamedTuple):
    """A drawn plot with what stands under it."""

    name: str
    svg: str
    caption: str


class Family(NamedTuple):
    """Slices by one thing; ``n_hidden`` parts with the fewest records are left out."""

    name: str
    parts: list[Slice]
    n_hidden: int


def evaluation_report(
    evaluation: Evaluation,
    *,
    title: str,
    intro: str,
    training: TrainingFacts,
    data_path: str,
    data_sha256: str,
    counts: Mapping[str, int],
    account: ErrorAnalysis,
    importances: Iterable[tuple[str, str, float, int]],
) -> str:
    """One page about how good a model is, and why.

    The page is whole: style and plots are within it, there is no script, and nothing is fetched. Of
    records it tells paths, dates, providers and words of features, as ``scoring explain`` does.

    Parameters
    ----------
    evaluation : Evaluation
        Figures, baselines, slices and predictions.
    title, intro : str
        Heading, and what was judged on what, in a sentence or two.
    training : TrainingFacts
        What the model was made of.
    data_path, data_sha256 : str
        Where the judged records came from, and the hex digest of their content.
    counts : mapping of str to int
        Records by what was done with them.
    account : ErrorAnalysis
        The worst misses, and how far features move the quality.
    importances : iterable of (feature, booster, gain, split)
        As :func:`scoring.plots.importance_figure` takes them.

    Returns
    -------
    str
        HTML; the same for the same values.
    """
    rows = list(_rows(evaluation))
    return render(
        "evaluation.html.j2",
        title=title,
        intro=intro,
        evaluation=evaluation,
        rows=rows,
        headlines=[row for row in rows if row.name in HEADLINES],
        baselines=list(evaluation.baselines),
        plots=_plots(evaluation),
        headline_names=[name for name in HEADLINES if name in evaluation.figures],
        at_ingest=_at_ingest(evaluation),
        families=_families(evaluation.slices),
        misses=account.misses,
        max_reasons=MAX_REASONS,
        contributions=account.contributions[:MAX_CONTRIBUTIONS],
        max_explained=MAX_EXPLAINED,
        importances=_importance_plots(importances),
        training=training,
        data_path=data_path,
        data_sha256=data_sha256,
        counts=counts,
        sections=_sections(evaluation, training),
        config=_yaml(training),
    )


def _rows(evaluation: Evaluation) -> Iterable[FigureRow]:
    for name, figure in evaluation.figures.items():
        sign = -1 if name in LOWER_IS_BETTER else 1
        baselines = {}
        for baseline, figures in evaluation.baselines.items():
            value = figures.get(name)
            baselines[baseline] = Baseline(value, value is not None and sign * (value - figure.value) > 0)
        meaning = MEANINGS.get(name, "") + ("; lower is better" if sign < 0 else "")
        yield FigureRow(name, meaning, figure, baselines)


def _at_ingest(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Figures by age of the records, each with its forecast, then settled; empty if no age was looked at."""
    if not evaluation.at_ingest:
        return {}
    rows: dict[str, dict[str, float]] = {}
    for age, figures in evaluation.at_ingest.items():
        rows[age] = figures
        if age in evaluation.forecast:
            rows[f"{age}, forecast"] = evaluation.forecast[age]
    return rows | {"settled": {name: figure.value for name, figure in evaluation.figures.items()}}


def _plots(evaluation: Evaluation) -> list[Plot]:
    figures, labels = evaluation_figures(evaluation), plot_labels(evaluation)
    return [
        Plot(name, to_svg(figures[name], name=name, label=labels[name]), caption)
        for name, caption in _CAPTIONS.items()
    ]


def _importance_plots(importances: Iterable[tuple[str, str, float, int]]) -> list[Plot]:
    """A plot for each booster."""
    plots: list[Plot] = []
    for booster, group in groupby(importances, key=lambda row: row[1]):
        rows = list(group)
        name = f"importance-{len(plots)}"
        svg = to_svg(importance_figure(rows), name=name, label=importance_label(booster, rows))
        plots.append(Plot(name, svg, booster))
    return plots


def _families(slices: Iterable[Slice]) -> list[Family]:
    families = []
    for name, group in groupby(slices, key=lambda part: part.family):
        parts = list(group)
        fewest = {part.name for part in sorted(parts, key=lambda part: -part.n_records)[MAX_PARTS:]}
        families.append(Family(name, [part for part in parts if part.name not in fewest], len(fewest)))
    return families


def _sections(evaluation: Evaluation, training: TrainingFacts) -> list[tuple[str, int, int]]:
    """Each section with how many records were judged and how many the model learned from."""
    judged = Counter(str(section) for section in evaluation.predictions["section"])
    learned = training.sections
    return [
        (name or "(none)", judged.get(name, 0), learned.get(name, 0)) for name in sorted({*judged, *learned})
    ]


def _yaml(training: TrainingFacts) -> str:
    config: Any = msgspec.to_builtins(training.config)
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True).rstrip()
