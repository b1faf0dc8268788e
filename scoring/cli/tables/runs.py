"""Tables of the ``runs`` and ``compare`` commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from scoring.cli.tables.common import empty_table, shown_number
from scoring.cli.tables.policy import differences_table
from scoring.cli.tables.scores import DECISION, HEAT, INTERVAL, LEAD, QUALITY, cells_of, shown_columns
from scoring.cli.tables.sections import of_slices, section_blocks
from scoring.evaluation.comparison import Comparison, FeatureDifference, ValueDiff
from scoring.evaluation.decision_changes import DecisionChange, DecisionChangeCounts, ReasonPair
from scoring.tracking import RunSummary

MAX_SLICES = 15  # JSON has all
_HEADLINES = {"quality_mae": "MAE", "lead_accuracy": "lead", "heat_within_5": "heat", "published_f1": "F1"}
_HASH_CHARS = 7
_DROPS = ("commit", "data", "experiment", "kind", "aliases")
_MAX_VALUE_CHARS = 60


def runs(runs: Sequence[RunSummary], sort: str | None = None) -> Table:
    """Runs in the given order; the metric that they are sorted by comes before the headline metrics.

    The experiment is a column if the runs are of several.
    """
    figures = _HEADLINES if sort in (None, *_HEADLINES) else {str(sort): str(sort), **_HEADLINES}
    heads = [f"{head}>" for head in figures.values()]
    experiment = ["experiment"] if len({run.experiment for run in runs}) > 1 else []
    heads = ["when (UTC)", *experiment, "name", "kind", "aliases", *heads]
    table = empty_table("run", *heads, "data", "commit", drops=_DROPS)
    registered = {version.name for run in runs for version in run.versions}
    for run in runs:
        kind = run.kind if run.status == "FINISHED" else f"{run.kind} {run.status.lower()}"
        table.add_row(
            run.run_id[:_HASH_CHARS],
            f"{run.started_at:%Y-%m-%d %H:%M}",
            *(Text(run.experiment, overflow="fold") for _ in experiment),
            Text(run.name, overflow="fold"),
            kind,
            _aliases(run, is_single_model=len(registered) == 1),
            *(shown_number(run.metrics.get(figure)) for figure in figures),
            run.data_sha256[:_HASH_CHARS],
            run.git_commit[:_HASH_CHARS] + ("+" if run.is_dirty else ""),
        )
    return table


def _aliases(run: RunSummary, *, is_single_model: bool) -> Text:
    """Versions of the run's model with their aliases; with model names only if there are several."""
    shown = [
        " ".join(
            (
                *version.aliases,
                f"v{version.number}" if is_single_model else f"{version.name}/{version.number}",
            )
        )
        for version in run.versions
    ]
    return Text(", ".join(shown), style="bold" if any(version.aliases for version in run.versions) else "")


def comparison(comparison: Comparison) -> RenderableType:
    """Differences of two models: parameters, data, features, metrics, slices, decisions."""
    return Group(*_separated(_blocks(comparison)))


def _separated(blocks: Iterable[RenderableType]) -> Iterator[RenderableType]:
    for number, block in enumerate(blocks):
        if number:
            yield Text()
        yield block


def _blocks(comparison: Comparison) -> Iterator[RenderableType]:
    sides = Table(box=None, show_header=False, pad_edge=False)
    for name, side in (("first", comparison.first), ("second", comparison.second)):
        sides.add_row(Text(name, style="bold"), Text(side.name), Text(side.model))
    yield sides
    if comparison.parameters:
        yield _value_differences("parameter", comparison.parameters)
    if comparison.data:
        yield _value_differences("data", comparison.data)
    if comparison.features:
        yield _features(comparison.features)
    policy = comparison.policy
    if policy.differences or policy.only_first or policy.only_second:
        yield differences_table("first", "second", policy.differences, policy.only_first, policy.only_second)
    if not (comparison.parameters or comparison.data or comparison.features):
        yield Text("same parameters, data and features")
    yield Group(Text(_records(comparison)), *([_figures(comparison)] if comparison.differences else []))
    if comparison.sections or comparison.sections_left_out:
        figures, names = of_slices(comparison.slices), ("first", "second")
        yield Group(*section_blocks(figures, comparison.sections, names, comparison.sections_left_out))
    if comparison.slices:
        yield _slices(comparison)
    is_decided = any(name.startswith("published") for name in comparison.differences)
    if comparison.differences and not is_decided:  # a model does not decide
        return
    yield from _decision_changes(comparison.n_records, comparison.flip_counts, comparison.flips)


def _value_differences(head: str, values: Iterable[ValueDiff]) -> Table:
    table = empty_table(head, "first", "second", wraps=("first", "second"))
    for difference in values:
        pair = (difference.first, difference.second)
        cells = ("-" if value is None else _cut(value) for value in pair)
        table.add_row(difference.name, *(Text(cell, overflow="fold") for cell in cells))
    return table


def _cut(value: str) -> str:
    return value if len(value) <= _MAX_VALUE_CHARS else value[: _MAX_VALUE_CHARS - 3] + "..."


def _features(differences: Iterable[FeatureDifference]) -> Table:
    heads = ("features of", "only first", "only second")
    table = empty_table(*heads, wraps=heads[1:])
    for difference in differences:
        lists = (difference.parts, difference.only_first, difference.only_second)
        table.add_row(*(Text(", ".join(names)) for names in lists))
    return table


def _records(comparison: Comparison) -> str:
    count = f"{comparison.n_records} records"
    if comparison.n_labelled < comparison.n_records:
        count += f", {comparison.n_labelled or 'none'} of them with labels"
    if comparison.begins_at and comparison.ends_at:
        count += f", {comparison.begins_at:%Y-%m-%d} to {comparison.ends_at:%Y-%m-%d}"
    return count


def _figures(comparison: Comparison) -> RenderableType:
    """Metrics that differ as a table, the others in one line."""
    table = empty_table("metric", "first>", "second>", "gain>", "95 % interval>", "second is")
    same = [metric.name for metric in comparison.differences.values() if metric.verdict == "same"]
    for metric in comparison.differences.values():
        if metric.verdict != "same":
            numbers = (shown_number(metric.first), shown_number(metric.second), _signed(metric.gain))
            table.add_row(metric.name, *numbers, _interval(metric.low, metric.high), _verdict(metric.verdict))
    views: list[RenderableType] = [table] if table.row_count else []
    return Group(*views, *([Text(f"the same: {', '.join(same)}")] if same else []))


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{_signed(low)} to {_signed(high)}"


def _signed(value: float) -> str:
    """Three decimals, but never zero for a value other than zero: the sign shows which is better."""
    return f"{value:+.3f}" if value == 0 or abs(value) >= 0.0005 else f"{value:+.0e}"


def _verdict(verdict: str) -> Text:
    return Text("" if verdict == "unsure" else verdict, style="bold")


def _slices(comparison: Comparison) -> RenderableType:
    """Subsets on which a metric changed significantly, largest relative change first."""
    changed = [
        (part, metric)
        for part in comparison.slices
        for metric in part.differences.values()
        if metric.verdict in ("better", "worse")
    ]
    n_all = sum(len(part.differences) for part in comparison.slices)
    by_chance = f"expected by chance: about {0.05 * n_all:.0f}"
    heading = f"{len(changed)} of {n_all} metrics on subsets changed significantly; {by_chance}"
    if not changed:
        return Text(heading)
    changed.sort(key=lambda pair: -abs(pair[1].gain) / ((pair[1].high or 0) - (pair[1].low or 0) or 1e-9))
    heads = ("by", "part", "records>", "metric", "first>", "second>", "gain>", "95 % interval>")
    table = empty_table(*heads, drops=("records", "by", "95 % interval"))
    for part, metric in changed[:MAX_SLICES]:
        numbers = (shown_number(metric.first), shown_number(metric.second), _signed(metric.gain))
        subset = (part.family, Text(part.name, overflow="fold"), str(part.n_records))
        table.add_row(*subset, metric.name, *numbers, _interval(metric.low, metric.high))
    return Group(Text(heading), table)


def _decision_changes(
    n_records: int, counts: DecisionChangeCounts, flips: Sequence[DecisionChange]
) -> Iterator[RenderableType]:
    if not counts.n_flips:
        yield Text(f"published would change for none of {n_records} records")
        return
    text = f"published would change for {counts.n_flips} of {n_records} records: "
    text += f"{counts.n_shown} to yes, {counts.n_hidden} to no"
    if counts.n_first_right or counts.n_second_right:
        text += f"\nright by the labels: first {counts.n_first_right}, second {counts.n_second_right}"
    yield Text(text)
    for flip in flips:
        yield _decision_change(flip)
    if len(flips) < counts.n_flips:
        yield Text(f"{counts.n_flips - len(flips)} more: --limit shows them")


def _decision_change(flip: DecisionChange) -> RenderableType:
    """A record with the scores of both models, and the reasons that differ."""
    columns = shown_columns((QUALITY, INTERVAL, HEAT, LEAD, DECISION), (flip.first, flip.second))
    table = empty_table("", *(column.head for column in columns), "")
    for name, score in (("first", flip.first), ("second", flip.second)):
        table.add_row(name, *cells_of(columns, score), "right" if flip.right == name else "")
    views: list[RenderableType] = [Text(f"{_day(flip.published_at)} {flip.path}", overflow="fold"), table]
    if flip.reasons:
        views.append(_reasons(flip.reasons))
    return Group(views[0], *(Padding(view, (0, 0, 0, 2), expand=False) for view in views[1:]))


def _reasons(pairs: Iterable[ReasonPair]) -> Table:
    table = empty_table("why", "first>", "second>", "", wraps=("",))
    for pair in pairs:
        reasons = (pair.first, pair.second)
        added = ("-" if reason is None else f"{reason.contribution:+.2f}" for reason in reasons)
        table.add_row(pair.target, *added, Text(_reason_text(pair), overflow="fold"))
    return table


def _reason_text(pair: ReasonPair) -> str:
    """Text of a reason; text that both models share is given once."""
    first, *other = dict.fromkeys(reason.text for reason in (pair.first, pair.second) if reason)
    if not other:
        return first
    meaning, _, value = other[0].rpartition(": ")
    return f"{first} / {value if first.startswith(f'{meaning}: ') else other[0]}"


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "no date"
