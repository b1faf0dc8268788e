"""The ``serve`` command: start the HTTP service."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import Annotated

import typer

from scoring.cli import options, signals
from scoring.cli.console import Terminal
from scoring.extras import require

_LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(
    terminal: Terminal,
    model: options.Model = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port; 0 for a free one.")
    ] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Number of worker processes.")] = 1,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Tokens, one per line; every request needs one of them. Read again on SIGHUP.",
        ),
    ] = None,
    insecure_token_file: Annotated[
        bool,
        typer.Option("--insecure-token-file", help="Accept a token file that other users can read."),
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Accept connections from other machines without a token.")
    ] = False,
    inbox: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of records that the desk shows.")
    ] = None,
    archive: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Labelled records that a training from the desk uses; may be repeated.",
        ),
    ] = None,
    images: Annotated[
        bool,
        typer.Option(
            "--images",
            help="Let the desk's preview load the images of records from their addresses.",
        ),
    ] = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Allow requests from pages of this origin (CORS), as https://desk.example.org; "
            "may be repeated.",
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help="Limit on requests, as records=5000; may be repeated. Names: docs/operate.md.",
        ),
    ] = None,
    fields: options.Fields = None,
    journal: options.Journal = None,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Serve scores and the curators' page over HTTP, until stopped.

    The service switches to a new champion when the alias moves. SIGHUP checks for one at once and reads
    the tokens again; SIGTERM stops after all accepted requests are answered, a second one at once. The
    log goes to stderr, one line of JSON per request. Needs the extra news-scoring[serve], and for a
    champion news-scoring[track].
    """
    require("serve")
    from scoring.service.options import ServiceOptions, read_limits
    from scoring.service.server import run
    from scoring.storage.urls import refuse_remote
    from scoring.workflows.coverage import note_as_listed

    is_local = _is_local(host)
    if not is_local and token_file is None and not insecure:
        raise typer.BadParameter(f"--host {host} requires --token-file FILE, or --insecure")
    if inbox is not None:
        refuse_remote(inbox, "--inbox", "use a folder synchronized with it")
    if token_file is not None:
        refuse_remote(token_file, "--token-file", "its permissions are checked")
    if inbox is not None and not inbox.is_dir():
        raise typer.BadParameter(f"--inbox: got '{inbox}', expected a folder")
    signals.release()  # the service answers accepted requests before it stops
    settings = options.settings_of(terminal, fields=fields, tracking_uri=tracking_uri, journal=journal)
    level = "error" if terminal.is_quiet else "debug" if terminal.is_debug else "info"
    note_as_listed(settings, terminal)
    if port and sys.stderr.isatty():
        page = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        terminal.note(f"the page is at {page} once the log says listening; Ctrl-C stops")
    run(
        ServiceOptions(
            settings=settings,
            model=model,
            inbox=inbox,
            archive=tuple(archive or ()),
            token_file=token_file,
            is_token_file_shared=insecure_token_file,
            hosts=(*_LOCAL, host) if is_local and token_file is None else (),
            origins=tuple(allow_origin or ()),
            has_images=images,
            limits=read_limits(limit or ()),
        ),
        host=host,
        port=port,
        workers=workers,
        log_level=level,
    )


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


COMMANDS = (serve,)
