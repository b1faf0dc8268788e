"""Table of the ``promote`` and ``retrain`` commands."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scoring.cli.tables.common import empty_table, named, shown_number
from scoring.cli.tables.sections import of_checks, section_blocks
from scoring.deployment.gate import Verdict
from scoring.workflows.promote import PromoteOutcome


def promotion(outcome: PromoteOutcome) -> RenderableType:
    """Challenger and champion, the checks, the verdict with its reasons, and the rule."""
    return Group(*_blocks(outcome))


def _blocks(outcome: PromoteOutcome) -> Iterator[RenderableType]:
    challenger = [
        ("challenger", " ".join(filter(None, (outcome.model, outcome.version)))),
        ("run", outcome.run_id),
    ]
    yield named(
        (name, value) for name, value in [("champion", outcome.champion or "none"), *challenger] if value
    )
    verdict = outcome.verdict
    if verdict.checks:
        yield Text(_records(verdict))
        yield _checks(verdict)
        sides = ("champion", "challenger")
        yield from section_blocks(
            of_checks(verdict.checks), verdict.sections, sides, verdict.sections_not_judged
        )
    yield Text(_answer(outcome), style="bold")
    for reason in verdict.reasons:
        yield Text(f"  {reason}")
    yield Text(verdict.rule)


def _records(verdict: Verdict) -> str:
    if not verdict.n_records:
        return "on the held-back records of its training"
    days = f" of {verdict.n_days} days" if verdict.n_days else ""
    return f"on {verdict.n_records} labelled records{days}"


def _checks(verdict: Verdict) -> Table:
    """All metrics on all records; on subsets only those that fail."""
    table = empty_table(
        *("metric", "against", "theirs>", "challenger>", "gain>", "95 % interval>", "expected", ""),
        drops=("against", "expected", "theirs", "challenger"),
    )
    for check in verdict.checks:
        if not check.part or not check.is_passed:
            metric = f"{check.figure} of {check.part}" if check.part else check.figure
            gain, _, interval = check.shown_gain.partition(" (")
            values = (shown_number(check.first), shown_number(check.second), gain, interval.rstrip(")"))
            mark = Text("" if check.is_passed else "fails", style="bold")
            table.add_row(Text(metric), check.against, *values, check.expected, mark)
    return table


def _answer(outcome: PromoteOutcome) -> str:
    if outcome.outcome == "unchanged":
        return f"unchanged: {outcome.champion} stays champion"
    if not outcome.is_promoted:
        return "refused" if outcome.champion is None else f"refused: {outcome.champion} stays champion"
    how = " (gate overridden)" if outcome.by == "force" else ""
    if outcome.is_dry_run:
        return f"would be promoted{how}"
    return f"promoted{how}: {outcome.version} is the champion of {outcome.name}"
