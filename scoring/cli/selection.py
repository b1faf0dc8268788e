"""Options that select files among the paths: changed files, and files that are records."""

from __future__ import annotations

from typing import Annotated

import typer

from scoring.cli.console import Terminal
from scoring.errors import shown

ChangedSince = Annotated[
    str | None,
    typer.Option(
        "--changed-since",
        metavar="REV",
        help="Use only the files of the paths that differ from this Git revision in the working tree, "
        "including untracked files. Records are compared only with records of these files.",
    ),
]
SkipNonRecords = Annotated[
    bool,
    typer.Option(
        "--skip-non-records",
        help="Leave out named files without front matter, like files of a folder. For hooks, which name "
        "every file; implied by --changed-since.",
    ),
]


def selected(
    terminal: Terminal, paths: list[str], *, changed_since: str | None, skip_non_records: bool
) -> list[str]:
    """The record files among the paths, with a note if there are none; without these options, the paths."""
    if changed_since is None and not skip_non_records:
        return paths
    from scoring.records.selection import select_files

    files = select_files(paths, changed_since=changed_since, on_fault=terminal.on_fault)
    note_if_none(terminal, len(files), changed_since)
    return files


def note_if_none(terminal: Terminal, number: int, changed_since: str | None) -> None:
    """Report that nothing was selected."""
    if number == 0 and changed_since is not None:
        terminal.report("notice", f"no record file changed since {shown(changed_since)}")
    elif number == 0:
        terminal.report("notice", "no record file among the paths")
