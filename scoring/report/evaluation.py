"""HTML report of an evaluation, or of a training with its evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
import yaml

from scoring.artifact.manifest import TrainingFacts
from scoring.evaluation.error_analysis import ErrorAnalysis
from scoring.evaluation.metrics import LOWER_IS_BETTER, MEANINGS
from scoring.evaluation.results import Evaluation, Figure, Slice
from scoring.evaluation.verdict import evaluation_verdict
from scoring.explanation.attribution import MAX_EXPLAINED
from scoring.explanation.policy import SectionPolicyText
from scoring.plots import evaluation_figures, importance_figure, to_svg
from scoring.report.labels import importance_label, plot_labels
from scoring.report.pages import render

HEADLINES = ("quality_mae", "lead_accuracy", "heat_within_5", "heat_ndcg_10", "published_f1")
MAX_PARTS = 12  # of one family of slices; evaluation.json has all
MAX_REASONS = 4  # of one record
MAX_CONTRIBUTIONS = 15
_CAPTIONS = {
    "quality": "Each point is a record; on the line the prediction is exact.",
    "heat": "Each point is a record that leads its story; at a cross the predicted lead is wrong.",
    "calibration": "On the dashed line, a predicted probability of 70 % is right for 70 % of the records. "
    "Below: the records of each point; points of few records are merged.",
    "precision_recall": "Farther up and right is better; a dotted line is the precision of a random guess.",
    "residuals_by_month": "Left of zero the predictions are too low, right of it too high.",
    "residuals_by_provider": "The providers with the most records. Left of zero the predictions are too low.",
}


class Baseline(NamedTuple):
    """Metric of a baseline, and whether it is better than the model's."""

    value: float | None
    is_better: bool


class FigureRow(NamedTuple):
    """A metric of the model and of its baselines."""

    name: str
    meaning: str
    figure: Figure
    baselines: dict[str, Baseline]

    @property
    def nearest(self) -> tuple[str, float] | None:
        """The best baseline and its metric."""
        known = [
            (name, baseline.value) for name, baseline in self.baselines.items() if baseline.value is not None
        ]
        choose = min if self.name in LOWER_IS_BETTER else max
        return choose(known, key=lambda pair: pair[1]) if known else None


class Plot(NamedTuple):
    """A plot as SVG, with its caption."""

    name: str
    svg: str
    caption: str


class Family(NamedTuple):
    """Slices by one field; the ``n_hidden`` smallest are left out."""

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
    policies: Sequence[SectionPolicyText] = (),
) -> str:
    """Render metrics, plots, worst errors and feature contributions of a model as one page.

    The page begins with a verdict in one sentence. It is self-contained: style and plots are inline, there is
    no script, and nothing is fetched. Of records it shows paths, dates, providers and words of features, as
    ``scoring explain`` does, and the titles of those with the worst errors.

    Parameters
    ----------
    evaluation : Evaluation
        Metrics, baselines, slices and predictions.
    title, intro : str
        Heading, and one or two sentences about what was evaluated.
    training : TrainingFacts
        Data, configuration and versions of the training.
    data_path, data_sha256 : str
        Path of the evaluated records, and the hex digest of their content.
    counts : mapping of str to int
        Numbers of records by use.
    account : ErrorAnalysis
        Worst errors of quality, heat and published, and mean absolute contributions of features.
    importances : iterable of (feature, booster, gain, split)
        See :func:`scoring.plots.importance_figure`.
    policies : sequence of SectionPolicyText
        The policy of the model in words; without any the page has no part about it.

    Returns
    -------
    str
        HTML; deterministic.
    """
    rows, at_ingest = list(_rows(evaluation)), _at_ingest(evaluation)
    policies = [policy for policy in policies if policy.lines]
    return render(
        "evaluation.html.j2",
        title=title,
        intro=intro,
        verdict=evaluation_verdict(evaluation),
        contents=_contents(at_ingest, policies),
        evaluation=evaluation,
        rows=rows,
        headlines=[row for row in rows if row.name in HEADLINES],
        baselines=list(evaluation.baselines),
        plots=_plots(evaluation),
        headline_names=[name for name in HEADLINES if name in evaluation.figures],
        at_ingest=at_ingest,
        families=_families(evaluation.slices),
        account=account,
        max_reasons=MAX_REASONS,
        contributions=account.contributions[:MAX_CONTRIBUTIONS],
        max_explained=MAX_EXPLAINED,
        importances=_importance_plots(importances),
        policies=policies,
        training=training,
        data_path=data_path,
        data_sha256=data_sha256,
        counts=counts,
        sections=_sections(evaluation, training),
        config=_yaml(training),
    )


def _contents(at_ingest: object, policies: object) -> list[tuple[str, str]]:
    """Ids and names of the parts of the page."""
    parts = (
        *(("figures", "Metrics"), ("plots", "Plots"), ("ingest", "At ingest"), ("slices", "Slices")),
        *(("misses", "Worst errors"), ("features", "Features"), ("policy", "Policy"), ("data", "Data")),
        ("config", "Configuration"),
    )
    is_empty = {"ingest": not at_ingest, "policy": not policies}
    return [(name, text) for name, text in parts if not is_empty.get(name)]


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
    """Metrics by age of the records, each with its forecast, then settled; empty without ages."""
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
        if name in figures
    ]


def _importance_plots(importances: Iterable[tuple[str, str, float, int]]) -> list[Plot]:
    """One plot per booster."""
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
    """Sections with their numbers of evaluated and training records."""
    evaluated = Counter(str(section) for section in evaluation.predictions["section"])
    trained = training.sections
    return [
        (name or "(none)", evaluated.get(name, 0), trained.get(name, 0))
        for name in sorted({*evaluated, *trained})
    ]


def _yaml(training: TrainingFacts) -> str:
    config: Any = msgspec.to_builtins(training.config)
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True).rstrip()
