"""Tables of scores, evaluations, explanations and findings; :mod:`scoring.cli.formats` has JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scoring.audit.finding import Finding
from scoring.cli.tables.fitted import FittedTable
from scoring.cli.tables.scores import (
    HEAT,
    INTERVAL,
    LEAD,
    PUBLISHED,
    QUALITY,
    SETTLED,
    cells_of,
    rank,
    shown_columns,
)
from scoring.evaluation.results import Evaluation, Figure
from scoring.explanation.results import Change, Explanation
from scoring.model.score import Score
from scoring.settings import Origin

if TYPE_CHECKING:  # it imports SciPy, which a table of scores does not need
    from scoring.workflows.suggest import Suggestion

_MAX_SLICES = 10  # per family; JSON has all slices and metrics
_MAX_REASONS = 10  # per target; JSON has all reasons
_INGEST_METRICS = (
    *("lead_accuracy", "lead_brier", "heat_mae", "heat_within_5", "heat_ndcg_10"),
    *("published_f1", "published_brier"),
)
_HEATS = """\
expected heat {:.2f}: the mean over the possible values of its quality and lead
heat: of the record as it is now, -1 if another record leads its story
settles at: its heat once all coverage is there"""
_SLICE_METRICS = ("quality_mae", "lead_accuracy", "heat_within_5", "published_f1")


def scores_table(
    scores: Iterable[Score], titles: Mapping[str, str] | None = None, *, all_with: str = "--format jsonl"
) -> Table:
    """Scores of the labels that the model has, highest heat first; with titles, the titles of the records.

    Warnings for which there is no room are counted, with the option that shows them.
    """
    rows = sorted(scores, key=rank)
    columns = shown_columns((HEAT, SETTLED, QUALITY, INTERVAL, LEAD, PUBLISHED), rows)
    heads = [column.head for column in columns] + (["title"] if titles else [])
    drops = ("record" if titles else "", "warnings", "settles at", "90 % interval", "lead")
    n_warnings = sum(len(score.warnings) for score in rows)
    counted = f"{n_warnings:,} warning{'s' * (n_warnings != 1)}: {all_with} shows them" if n_warnings else ""
    table = empty_table(*heads, "record", "warnings", drops=drops, left_out={"warnings": counted})
    for score in rows:
        path, warnings = Text(score.path, overflow="fold"), Text("; ".join(score.warnings))
        table.add_row(*cells_of(columns, score), *_title(score.path, titles), path, warnings)
    return table


def evaluation(evaluation: Evaluation) -> RenderableType:
    """Metrics with intervals beside those of the baselines, then metrics at ingest, then slices."""
    names = list(evaluation.baselines)
    figures = empty_table("metric", "value>", "95 % interval>", *(f"{name}>" for name in names), drops=names)
    for name, figure in evaluation.figures.items():
        baseline_values = [shown_number(evaluation.baselines[baseline].get(name)) for baseline in names]
        figures.add_row(name, shown_number(figure.value), shown_interval(figure), *baseline_values)
    span = f", {_day(evaluation.begins_at)} to {_day(evaluation.ends_at)}"
    heading = f"{evaluation.n_records} records with labels{span if evaluation.begins_at else ''}"
    return Group(Text(heading), figures, Text(), *_at_ingest(evaluation), _slices(evaluation))


def explanation(explanation: Explanation) -> RenderableType:
    """A score, then for each target its base value and the contribution of each feature."""
    views: list[RenderableType] = [scores_table([explanation.score], all_with="--json")]
    if explanation.expected_heat is not None:
        views.append(Text(_HEATS.format(explanation.expected_heat)))
    for target, reasons in explanation.reasons.items():
        why = f"why this {target}"
        table = empty_table("adds>", "feature", why, drops=("feature",), wraps=(why,))
        table.add_row(f"{explanation.base.get(target, 0.0):.2f}", "", "base value of all records")
        for reason in reasons[:_MAX_REASONS]:
            table.add_row(f"{reason.contribution:+.2f}", reason.feature, Text(reason.text))
        if smaller := reasons[_MAX_REASONS:]:
            table.add_row(
                f"{sum(reason.contribution for reason in smaller):+.2f}",
                "",
                f"{len(smaller)} smaller reasons",
            )
        views += [Text(), table]
    return Group(*views, Text(), _changes(explanation.changes))


def findings(findings: Iterable[Finding], titles: Mapping[str, str] | None = None) -> Table:
    """Labels that look wrong, in the given order; with titles, the titles of the records."""
    heads = ["kind", "field", "is>", "expected>", "interval>", "off by>", *(["title"] if titles else [])]
    table = empty_table(*heads, "record", "why", drops=("record" if titles else "", "interval", "why"))
    for finding in findings:
        is_flag = isinstance(finding.label, bool)
        table.add_row(
            finding.kind,
            finding.field,
            _label_text(finding.label),
            _label_text(finding.expected),
            "" if finding.low is None else f"{finding.low:.0f} to {finding.high:.0f}",
            "" if is_flag else f"{finding.difference:+.0f}",
            *_title(finding.path, titles),
            Text(finding.path, overflow="fold"),
            Text("; ".join(filter(None, (finding.reason, finding.correction))), overflow="fold"),
        )
    return table


def suggestions(suggestions: Iterable[Suggestion], titles: Mapping[str, str] | None = None) -> Table:
    """Records to label, the most useful first; with titles, the titles of the records."""
    heads = ["rank>", "section", *(["title"] if titles else []), "record", "why"]
    table = empty_table(*heads, drops=("record" if titles else "", "section"), wraps=("why",))
    for suggestion in suggestions:
        place = f"{suggestion.path}:{suggestion.line}" if suggestion.line else suggestion.path
        cells = (Text(suggestion.section), *_title(place, titles), Text(place, overflow="fold"))
        table.add_row(str(suggestion.rank), *cells, Text("; ".join(suggestion.reasons), overflow="fold"))
    return table


def _title(path: str, titles: Mapping[str, str] | None) -> list[Text]:
    """The cell of a record's title, its path if it has none; no cell without titles."""
    return [Text(titles.get(path) or path)] if titles else []


def _changes(changes: Iterable[Change]) -> RenderableType:
    """Edits with the scores after each."""
    changes = list(changes)
    shown: dict[str, Sequence[str | Text]] = {
        "quality": [str(change.quality) for change in changes if change.quality is not None],
        "heat": [str(change.heat) for change in changes if change.heat is not None],
        "published": [_published_text(change) for change in changes if change.published is not None],
    }
    columns = {head: cells for head, cells in shown.items() if len(cells) == len(changes)}
    table = empty_table(*(f"{head}>" for head in columns), "reverses", "change", wraps=("change",))
    for row, change in enumerate(changes):
        reversed_decisions = ", ".join(change.decisions)
        table.add_row(*(cells[row] for cells in columns.values()), reversed_decisions, Text(change.text))
    if not table.row_count:
        return Text("none of the single changes tried would reverse a decision or raise a score")
    return table


def _published_text(change: Change) -> Text:
    return Text(f"{change.published_probability:.0%}", style="bold" if change.published else "")


def named(rows: Iterable[tuple[str, object]]) -> Table:
    """Names beside values, without a header."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows:
        table.add_row(name, Text("" if value is None else str(value), overflow="fold"))
    return table


def catalogue(columns: Iterable[Any]) -> Table:
    """Feature columns with their meanings."""
    drops = ("type", "range", "unit", "family")
    table = empty_table(
        "column", "family", "type", "unit", "range", "meaning", drops=drops, wraps=("meaning",)
    )
    for column in columns:
        cells = (column.name, column.family, column.type, column.unit, column.range, column.meaning)
        table.add_row(*map(Text, cells))
    return table


def origins(origins: Iterable[Origin]) -> Table:
    """Settings with their origins."""
    table = empty_table("setting", "value", "origin", wraps=("value",))
    for name, value, origin in origins:
        shown = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
        table.add_row(name, Text(shown, overflow="fold"), Text(origin))
    return table


def _at_ingest(evaluation: Evaluation) -> Iterator[RenderableType]:
    """Metrics at ingest of the scores then and of the forecasts, beside the metrics once settled."""
    if not evaluation.at_ingest:
        return
    settled = {name: figure.value for name, figure in evaluation.figures.items()}
    names = [name for name in _INGEST_METRICS if name in settled]
    if not names:
        return
    drops = ("published_brier", "lead_brier", "heat_mae", "heat_ndcg_10")
    table = empty_table("as of", *(f"{name}>" for name in names), drops=drops)
    for name, figures in evaluation.at_ingest.items():
        table.add_row(name, *(shown_number(figures.get(figure)) for figure in names))
        if name in evaluation.forecast:
            forecast = evaluation.forecast[name]
            table.add_row(f"{name}, forecast", *(shown_number(forecast.get(figure)) for figure in names))
    table.add_row("settled", *(shown_number(settled.get(figure)) for figure in names))
    yield table
    yield Text()


def _slices(evaluation: Evaluation) -> Table:
    """Subsets of the records: the first of each family, with one metric per target."""
    names = [name for name in _SLICE_METRICS if name in evaluation.figures]
    table = empty_table("by", "part", "records>", *(f"{name}>" for name in names), drops=("records",))
    for family in dict.fromkeys(part.family for part in evaluation.slices):
        parts = [part for part in evaluation.slices if part.family == family][:_MAX_SLICES]
        for part in parts:
            figures = [shown_number(part.figures.get(name)) for name in names]
            table.add_row(Text(family), Text(part.name, overflow="fold"), str(part.n_records), *figures)
    return table


def empty_table(
    *columns: str,
    drops: Sequence[str] = (),
    wraps: Sequence[str] = (),
    left_out: Mapping[str, str] | None = None,
) -> Table:
    """An empty table; a column whose name ends in ``>`` is right-aligned.

    On a narrow terminal columns are left out, first those of ``drops``; those of ``wraps`` are wrapped. See
    :class:`FittedTable`.
    """
    table = FittedTable(
        drops=drops, wraps=wraps, left_out=left_out, box=None, pad_edge=False, header_style="bold"
    )
    for column in columns:
        table.add_column(column.removesuffix(">"), justify="right" if column.endswith(">") else "left")
    return table


def _label_text(label: bool | int) -> str:
    return ("yes" if label else "no") if isinstance(label, bool) else str(label)


def shown_number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def shown_interval(figure: Figure) -> str:
    return "" if figure.low is None or figure.high is None else f"{figure.low:.3f} to {figure.high:.3f}"


def _day(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d}" if time else "?"
