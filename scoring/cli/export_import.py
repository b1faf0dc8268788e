"""The ``export`` and ``import`` commands: a model as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scoring.cli import options
from scoring.cli.console import Terminal


def export(
    terminal: Terminal,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model's folder or zip, runs:/ID, models:/NAME/VERSION, models:/NAME@ALIAS or shipped.",
            show_default=False,
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="File to write.", show_default=False)],
    overwrite: options.OverwriteFile = False,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Write a model to one file, which scores without a store.

    The file contains the model's files with their hashes; the same model gives the same bytes. A file
    with other content is replaced only with --overwrite.
    """
    from scoring.storage.replacement import open_replacement
    from scoring.storage.urls import name_of
    from scoring.workflows.export import export_model as workflow

    exported = workflow(
        model,
        settings=options.settings_of(terminal, tracking_uri=tracking_uri),
        output=file,
        is_overwrite=overwrite,
        reporter=terminal,
    )
    with open_replacement(file) as target:
        target.write(exported.data)
    terminal.note(f"{name_of(file)}: {exported.name}")


def import_(
    terminal: Terminal,
    file: Annotated[
        Path, typer.Argument(metavar="FILE.zip", help="File that export wrote.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder to save the model in. Default: models/NAME in the home."),
    ] = None,
    overwrite: options.OverwriteModel = False,
) -> None:
    """Check and unpack an exported model, and print its folder.

    Another model in the folder is replaced only with --overwrite; anything else never is.
    """
    from scoring.storage.urls import name_of
    from scoring.workflows.export import import_model as workflow

    settings = options.settings_of(terminal)
    imported = workflow(file, settings=settings, output=output, is_overwrite=overwrite, reporter=terminal)
    terminal.out(name_of(imported.folder))
    terminal.note(f"{name_of(file)}: {imported.name}")


COMMANDS = (export, import_)
