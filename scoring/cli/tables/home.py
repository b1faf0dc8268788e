"""Table of the ``home`` command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scoring.cli.tables.common import empty_table, named
from scoring.workflows.check_home import HomeReport

_MAX_ROWS = 20


def report(home: HomeReport) -> RenderableType:
    """Home and store, its entries, the files of versions, and files that other users can reach."""
    return Group(*_blocks(home))


def _blocks(home: HomeReport) -> Iterator[RenderableType]:
    version = "none" if home.format is None else str(home.format)
    yield named([("home", home.home), ("format", version), ("mode", home.mode), ("store", home.store)])
    if home.entries:
        yield _entries(home)
    if versions := [item for item in home.artifacts if item.kind == "version"]:
        table = empty_table("version", "aliases", "files", "where")
        for item in versions[-_MAX_ROWS:]:
            table.add_row(Text(item.name), Text(" ".join(item.aliases)), item.state, Text(item.path))
        yield table
    counts = Counter((item.kind, item.state) for item in home.artifacts if item.kind != "experiment")
    for kind, state in sorted(counts):
        yield Text(f"{counts[kind, state]} {kind}s: files {state}")
    if any(item.state == "moved" for item in home.artifacts):
        yield Text(
            "moved: found in this home, while the store names another place; "
            "`scoring home check --repair` corrects the store, for other programs"
        )
    if home.n_wider:
        yield Text(
            f"{home.n_wider} files and folders can be reached by other users: chmod -R go= {home.home}"
        )


def _entries(home: HomeReport) -> Table:
    table = empty_table("name", "what", "mode", "files>", "bytes>", "format")
    for entry in home.entries:
        size = f"{entry.n_bytes:,}"
        table.add_row(
            Text(entry.name),
            entry.content or "not made by scoring",
            entry.mode + (" wide" if entry.n_wider else ""),
            str(entry.n_files),
            size,
            " ".join(entry.formats),
        )
    return table
