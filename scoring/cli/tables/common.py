"""Results as people read them: tables. What programs read is in :mod:`.written`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scoring.audit.finding import Finding
from scoring.evaluation.results import Evaluation, Figure
from scoring.explanation.results import Change, Explanation
from scoring.model.score import Score
from scoring.settings import Origin

_MAX_SLICES = 10  # of one family in a table; JSON has all parts and figures
_MAX_REASONS = 10  # of one target, likewise
_INGEST_FIGURES = (
    *("lead_accuracy", "lead_brier", "heat_mae", "heat_within_5", "heat_ndcg_10"),
    *("published_f1", "published_brier"),
)
_SLICE_FIGURES = ("quality_mae", "lead_accuracy", "heat_within_5", "published_f1")


def scores_table(scores: Iterable[Score]) -> Table:
    """Scores, the highest heat first."""
    numbers = ("heat>", "settles at>", "quality>", "90 % interval>", "lead>", "published>")
    table = empty_table(*numbers, "record", "warnings")
    for score in sorted(scores, key=lambda score: (-score.heat, -score.quality, score.path)):
        table.add_row(
            str(score.heat),
            f"{score.heat_settled:.0f}",
            str(score.quality),
            f"{score.quality_low:.0f} to {score.quality_high:.0f}",
            f"{score.lead_probability:.0%}",
            Text(f"{score.published_probability:.0%}", style="bold" if score.published else ""),
            Text(score.path, overflow="fold"),
            Text("; ".join(score.warnings)),
        )
    return table


def evaluation(evaluation: Evaluation) -> RenderableType:
    """Figures with their intervals beside the baselines', then those at ingest, then the slices."""
    names = list(evaluation.baselines)
    figures = empty_table("metric", "value>", "95 % interval>", *(f"{name}>" for name in names))
    for name, figure in evaluation.figures.items():
        others = [shown_number(evaluation.baselines[baseline].get(name)) for baseline in names]
        figures.add_row(name, shown_number(figure.value), shown_interval(figure), *others)
    span = f", {_day(evaluation.begins_at)} to {_day(evaluation.ends_at)}"
    heading = f"{evaluation.n_records} records with labels{span if evaluation.begins_at else ''}"
    return Group(Text(heading), figures, Text(), *_at_ingest(evaluation), _slices(evaluation))


def explanation(explanation: Explanation) -> RenderableType:
    """A score, then for each target what it starts from and what each feature adds."""
    views: list[RenderableType] = [scores_table([explanation.score])]
    views.append(Text(f"expected heat {explanation.expected_heat:.2f}"))
    for target, reasons in explanation.reasons.items():
        table = empty_table("adds>", "feature", f"why this {target}")
        table.add_row(f"{explanation.base.get(target, 0.0):.2f}", "", "base value of all records")
        for reason in reasons[:_MAX_REASONS]:
            table.add_row(f"{reason.contribution:+.2f}", reason.feature, Text(reason.text))
        if rest := reasons[_MAX_REASONS:]:
            table.add_row(
                f"{sum(reason.contribution for reason in rest):+.2f}", "", f"{len(rest)} smaller reasons"
            )
        views += [Text(), table]
    return Group(*views, Text(), _changes(explanation.changes))


def findings(findings: Iterable[Finding]) -> Table:
    """Labels that look wrong, in their order."""
    table = empty_table("kind", "field", "is>", "expected>", "interval>", "off by>", "record", "why")
    for finding in findings:
        is_flag = isinstance(finding.label, bool)
        table.add_row(
            finding.kind,
            finding.field,
            _plainly(finding.label),
            _plainly(finding.expected),
            "" if finding.low is None else f"{finding.low:.0f} to {finding.high:.0f}",
            "" if is_flag else f"{finding.difference:+.0f}",
            Text(finding.path, overflow="fold"),
            Text("; ".join(filter(None, (finding.reason, finding.correction))), overflow="fold"),
        )
    return table


def _changes(changes: Iterable[Change]) -> RenderableType:
    """Edits with what the scores would be after each."""
    table = empty_table("quality>", "heat>", "published>", "reverses", "change")
    for change in changes:
        shown = Text(f"{change.published_probability:.0%}", style="bold" if change.published else "")
        turned = ", ".join(change.decisions)
        table.add_row(str(change.quality), str(change.heat), shown, turned, Text(change.text))
    if not table.row_count:
        return Text("none of the single changes tried would reverse a decision or raise a score")
    return table


def named(rows: Iterable[tuple[str, object]]) -> Table:
    """Names beside values, without a head."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows:
        table.add_row(name, Text("" if value is None else str(value), overflow="fold"))
    return table


def catalogue(columns: Iterable[Any]) -> Table:
    """Feature columns with what they mean."""
    table = empty_table("column", "family", "type", "unit", "range", "meaning")
    for column in columns:
        cells = (column.name, column.family, column.type, column.unit, column.range, column.meaning)
        table.add_row(*map(Text, cells))
    return table


def origins(origins: Iterable[Origin]) -> Table:
    """Settings with where each comes from."""
    table = empty_table("setting", "value", "origin")
    for name, value, origin in origins:
        shown = Text("" if value is None else str(value), overflow="fold")
        table.add_row(name, shown, Text(origin))
    return table


def _at_ingest(evaluation: Evaluation) -> Iterator[RenderableType]:
    """What was said at an age of each record of then and of later, beside what was said when it settled."""
    if not evaluation.at_ingest:
        return
    settled = {name: figure.value for name, figure in evaluation.figures.items()}
    table = empty_table("as of", *(f"{name}>" for name in _INGEST_FIGURES))
    for name, figures in evaluation.at_ingest.items():
        for row, said in ((name, figures), (f"{name}, forecast", evaluation.forecast.get(name, {}))):
            table.add_row(row, *(shown_number(said.get(figure)) for figure in _INGEST_FIGURES))
    table.add_row("settled", *(shown_number(settled.get(figure)) for figure in _INGEST_FIGURES))
    yield table
    yield Text()


def _slices(evaluation: Evaluation) -> Table:
    """The parts of the records; the first of each family, and one figure for each target."""
    names = [name for name in _SLICE_FIGURES if name in evaluation.figures]
    table = empty_table("by", "part", "records>", *(f"{name}>" for name in names))
    for family in dict.fromkeys(part.family for part in evaluation.slices):
        parts = [part for part in evaluation.slices if part.family == family][:_MAX_SLICES]
        for part in parts:
            figures = [shown_number(part.figures.get(name)) for name in names]
            table.add_row(Text(family), Text(part.name, overflow="fold"), str(part.n_records), *figures)
    return table


def empty_table(*columns: str) -> Table:
    """An empty table; a column whose name ends in ``>`` stands to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    for column in columns:
        table.add_column(column.removesuffix(">"), justify="right" if column.endswith(">") else "left")
    return table


def _plainly(label: bool | int) -> str:
    return ("yes" if label else "no") if isinstance(label, bool) else str(label)


def shown_number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def shown_interval(figure: Figure) -> str:
    return "" if figure.low is None or figure.high is None else f"{figure.low:.3f} to {figure.high:.3f}"


def _day(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d}" if time else "?"
