"""Options and summary of the commands that write scores into files."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from scoring.cli import options
from scoring.cli.console import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from scoring.labels.write_results import WriteCounts
    from scoring.labels.writer import LabelWriter
    from scoring.records.field_maps.lookup import FieldMaps
    from scoring.settings import Settings

Write = Annotated[
    bool,
    typer.Option(
        "--write",
        help="Write the scores into the records' files: fill in missing labels, and update labels that "
        "scoring itself wrote, unless they were changed since.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="With --write: also replace labels given by people.")
]
AllowUnknown = Annotated[
    bool,
    typer.Option(
        "--allow-unknown",
        help="With --write: also write records without a title, or without any of date, provider and topics.",
    ),
]


def label_writer(
    terminal: Terminal,
    settings: Settings,
    paths: Sequence[str],
    *,
    command: Literal["score", "watch"],
    overwrite: bool,
    allow_unknown: bool,
    dry_run: bool = False,
    field_maps: FieldMaps,
    within: Sequence[str] | None = None,
) -> LabelWriter:
    """Label writer for the scores of these paths; see it for ``within``."""
    from scoring.labels.writer import LabelWriter, WriteOptions

    write_options = WriteOptions(
        journal=settings.journal,
        clock=options.now,
        command=command,
        is_overwriting=overwrite,
        allows_unknown=allow_unknown,
        is_dry_run=dry_run,
    )
    return LabelWriter(
        write_options,
        paths=paths,
        on_fault=terminal.on_fault,
        reporter=terminal,
        field_maps=field_maps,
        within=within,
    )


def check_flags(*, write: bool, flags: dict[str, bool]) -> None:
    """Refuse flags that require ``--write``."""
    for flag, is_given in flags.items():
        if is_given and not write:
            raise typer.BadParameter(f"{flag} requires --write")


def check_paths(paths: Sequence[str]) -> None:
    """Refuse URLs that cannot be written to, before any work."""
    from scoring.storage.remote_writes import require_writable
    from scoring.storage.urls import is_remote

    for path in filter(is_remote, paths):
        require_writable(path)


def report_summary(
    note: Callable[[str], None],
    writer: LabelWriter,
    paths: Sequence[str],
    settings: Settings,
    *,
    journal: Path | None,
    overwrite: bool,
    dry_run: bool = False,
) -> None:
    """Report the result of a write: counts, why labels were left alone, and how to undo it."""
    counts = writer.counts
    note(summary(counts, dry_run=dry_run, overwrite=overwrite))
    if counts.labels["left alone"] and not writer.has_known and not overwrite:
        note(
            f"{settings.journal}: no such journal, so all existing labels count as given by people and are "
            "left alone (--journal FILE names another)"
        )
    if counts.n_entered and not counts.n_written:
        note(
            f"{settings.journal}: only the journal changed: it lists labels given by people; commit it, if "
            "it is in the repository"
        )
    if counts.n_written and not dry_run:
        journal_option = [] if journal is None else ["--journal", str(journal)]
        command = shlex.join(["scoring", "restore", "--write-id", writer.write_id, *journal_option, *paths])
        note(f'write {writer.write_id}: "{command}" restores the labels')


def summary(counts: WriteCounts, *, dry_run: bool = False, overwrite: bool = False) -> str:
    """One line with all counts.

    Examples
    --------
    >>> from collections import Counter
    >>> from scoring.labels.write_results import WriteCounts
    >>> summary(WriteCounts(3, 2, labels=Counter({"filled": 3, "renewed": 1})))
    '2 of 3 files written: 3 labels filled, 1 renewed, 0 left alone'
    """
    labels = counts.labels
    parts = [f"{labels['filled']:,} labels filled", f"{labels['renewed']:,} renewed"]
    if labels["replaced"]:
        parts.append(f"{labels['replaced']:,} replaced")
    reason = "people gave the same" if overwrite else "given by people; --overwrite replaces them"
    if counts.n_unusable:
        reason = f"{reason}; {counts.n_unusable:,} of them cannot be used as labels"
    parts.append(f"{labels['left alone']:,} left alone" + (f" ({reason})" if labels["left alone"] else ""))
    if labels["unchanged"]:
        parts.append(f"{labels['unchanged']:,} unchanged")
    if counts.n_refused:
        refused = f"{counts.n_refused:,} records refused"
        parts.append(f"{refused} (too little known about them; --allow-unknown writes them)")
    verb = "would be written" if dry_run else "written"
    return f"{counts.n_written:,} of {counts.n_files:,} files {verb}: {', '.join(parts)}"
