"""The ``restore`` command: undo a write of labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scoring.cli import options
from scoring.cli.console import Terminal


def restore(
    terminal: Terminal,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="The records: folders, Markdown files, globs. Default: the working folder.",
            show_default=False,
        ),
    ] = None,
    write_id: Annotated[
        str | None, typer.Option(metavar="ID", help="ID of the write, as score --write printed it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes only.")] = False,
    fields: options.Fields = None,
    journal: options.Journal = None,
    json: options.Json = False,
) -> None:
    """Restore labels that a write of scores changed, or list writes.

    A label that was missing before is removed, any other gets its earlier spelling back. Labels that
    somebody has changed or accepted since are left alone. Only files that the write wrote are changed,
    and files with the same record as one that was moved away. They are read by the field map that the
    journal keeps with the write.
    """
    from scoring.errors import ScoringError
    from scoring.records.field_maps.lookup import field_maps_of
    from scoring.workflows.restore import Restorer

    settings = options.settings_of(terminal, fields=fields, journal=journal)
    if write_id is None:
        if paths or dry_run:
            raise typer.BadParameter("paths and --dry-run require --write-id ID")
        _list_writes(terminal, settings.journal, is_json=json)
        return
    if json:
        raise typer.BadParameter("--json applies only to the list of writes")
    restorer = Restorer(
        settings.journal,
        write_id,
        clock=options.now,
        is_dry_run=dry_run,
        field_maps=field_maps_of(paths or ["."], settings),
        on_fault=terminal.on_fault,
        reporter=terminal,
    )
    try:
        for change in restorer.restore(paths or ["."]):
            terminal.out(change.diff.rstrip("\n") if dry_run else change.path)
    finally:
        counts = restorer.counts
        verb = "would be restored" if dry_run else "restored"
        message = f"{counts.n_restored:,} labels of {counts.n_files:,} files {verb}"
        if counts.n_left_alone:
            message += f", {counts.n_left_alone:,} left alone (changed or accepted since)"
        if counts.n_missing:
            message += f"; {counts.n_missing:,} records of the write were not found there"
        terminal.note(message)
    if counts.n_missing and not counts.n_found:
        raise ScoringError(
            f"none of the {counts.n_missing:,} records of write {write_id} was found in "
            f"{', '.join(paths or ['.'])}: name the folder that was written"
        )


def _list_writes(terminal: Terminal, journal: Path, *, is_json: bool) -> None:
    from scoring.labels.write_history import list_writes

    writes = list_writes(journal)
    if is_json:
        from scoring.cli import formats

        for write in writes:
            terminal.out(formats.to_json(write))
        return
    if not writes:
        terminal.note(f"{journal}: no writes of scores recorded")
        return
    from scoring.cli.tables import common

    table = common.empty_table("write", "began (UTC)", "command", "files>", "filled>", "changed>", "model")
    for write in writes:
        began = f"{write.began_at:%Y-%m-%d %H:%M:%S}"
        counts = (f"{n:,}" for n in (write.file_count, write.filled_count, write.changed_count))
        table.add_row(write.write_id, began, write.command, *counts, write.model)
    terminal.show(table)


COMMANDS = (restore,)
