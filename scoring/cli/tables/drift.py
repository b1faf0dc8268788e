"""Table of the ``drift`` command."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scoring.cli.tables.common import empty_table, shown_number
from scoring.drift.detect import Drift, Shift

_MAX_COLUMNS = 3  # per family; JSON has more


def drift(drift: Drift) -> RenderableType:
    """Distances, unseen names and shifts with their limits; then the verdict and its rule."""
    return Group(
        Text(f"{drift.n_records} records compared with the training records of {drift.model}"),
        _families(drift),
        Text(),
        _unseen(drift),
        Text(),
        _shifts(drift),
        Text(),
        *_error(drift),
        Text("refused" if drift.reasons else "accepted", style="bold"),
        *(Text(f"  {reason}") for reason in drift.reasons),
        Text(drift.rule),
    )


def _families(drift: Drift) -> Table:
    table = empty_table("family", "times typical>", "limit>", "", "largest", wraps=("largest",))
    for family in drift.families:
        columns = [f"{name} {ratio:.1f}" for name, ratio in list(family.columns.items())[:_MAX_COLUMNS]]
        distances = (f"{family.distance:.2f}", f"{family.limit:.2f}")
        largest = Text(", ".join(columns), overflow="fold")
        table.add_row(family.family, *distances, _mark(family.is_beyond), largest)
    return table


def _unseen(drift: Drift) -> Table:
    table = empty_table("unseen", "records>", "typical>", "limit>", "", "most often", wraps=("most often",))
    for unseen in drift.unseen:
        names = Text(", ".join(f"{name} {count}" for name, count in unseen.names.items()), overflow="fold")
        ratios = (f"{ratio:.1%}" for ratio in (unseen.ratio, unseen.usual_ratio, unseen.limit_ratio))
        table.add_row(unseen.what, *ratios, _mark(unseen.is_beyond), names)
    return table


def _shifts(drift: Drift) -> Table:
    table = empty_table("mean", "before>", "new>", "shift>", "typical>", "limit>", "")
    for shift in drift.shifts:
        means = (shown_number(mean) for mean in (shift.before, shift.new))
        table.add_row(shift.name, *means, *_distances(shift), _mark(shift.is_beyond))
    return table


def _distances(shift: Shift) -> tuple[str, ...]:
    return f"{shift.new - shift.before:+.3f}", shown_number(shift.usual), shown_number(shift.limit)


def _error(drift: Drift) -> list[Text]:
    lines = []
    if drift.error_ratio is not None:
        lines.append(
            Text(f"expected error of quality: {drift.error_ratio:.2f} times that of the held-back records")
        )
    if drift.label_error is not None:
        lines.append(Text(f"error on the {drift.n_labelled} with a quality label: {drift.label_error:.3f}"))
    if drift.label_changes == ():
        lines.append(Text("labels: no departure from the model's rules was found"))
    return [*lines, Text()] if lines else []


def _mark(is_beyond: bool) -> Text:
    return Text("beyond" if is_beyond else "", style="bold")
