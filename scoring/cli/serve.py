"""The ``serve`` command: start the HTTP service."""

from __future__ import annotations

import io
import ipaddress
import sys
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scoring.cli import options, signals
from scoring.cli.console import Terminal
from scoring.errors import SettingsError, shown
from scoring.extras import require
from scoring.storage.urls import name_of

if TYPE_CHECKING:
    from scoring.service.options import ServiceOptions

RATE_SECONDS = 10
"""Time over which the status line counts requests a second."""

LOCAL = ("127.0.0.1", "localhost", "::1")


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
            help="Labelled records that the desk trains on; may be repeated.",
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
    from scoring.storage.urls import refuse_remote
    from scoring.workflows.coverage import note_as_listed

    is_local = _is_local(host)
    if not is_local and token_file is None and not insecure:
        raise SettingsError(f"--host {host} requires --token-file FILE, or --insecure")
    if inbox is not None:
        refuse_remote(inbox, "--inbox", "use a folder synchronized with it")
    if token_file is not None:
        refuse_remote(token_file, "--token-file", "its permissions are checked")
    if inbox is not None and not inbox.is_dir():
        raise SettingsError(
            f"--inbox: got {shown(repr(str(inbox)))}, expected a folder: make it, or name the one in which "
            "new records arrive"
        )
    settings = options.settings_of(terminal, fields=fields, tracking_uri=tracking_uri, journal=journal)
    note_as_listed(settings, terminal)
    service = ServiceOptions(
        settings=settings,
        model=model,
        inbox=inbox,
        archive=tuple(archive or ()),
        token_file=token_file,
        is_token_file_shared=insecure_token_file,
        hosts=(*LOCAL, host) if is_local and token_file is None else (),
        origins=tuple(allow_origin or ()),
        has_images=images,
        limits=read_limits(limit or ()),
    )
    level = "error" if terminal.is_quiet else "debug" if terminal.is_debug else "info"
    on_listening = partial(_print_addresses, terminal, inbox) if sys.stderr.isatty() else None
    start(
        terminal, service, host=host, port=port, workers=workers, log_level=level, on_listening=on_listening
    )


def _print_addresses(terminal: Terminal, inbox: Path | None, address: str) -> None:
    """Print the address of the desk and that of the scores."""
    what = (
        f"with the records of {name_of(inbox)}"
        if inbox
        else "for a preview of dropped files (--inbox DIR shows the records of a folder)"
    )
    terminal.note(f"the desk, {what}: {address}")
    terminal.note(f"scores: POST {address}v1/score, described at {address}docs; Ctrl-C stops")


def start(
    terminal: Terminal,
    service: ServiceOptions,
    *,
    host: str,
    port: int,
    workers: int = 1,
    log_level: str,
    on_listening: Callable[[str], None] | None,
) -> None:
    """Serve until a signal, with a status line on a terminal; ``on_listening`` gets the service's URL."""
    from scoring.service.process import Watcher
    from scoring.service.server import run

    signals.release()  # the service answers accepted requests before it stops
    status = _Status(terminal)

    def on_address(address: str) -> None:
        status.address = address
        if on_listening is not None:
            on_listening(address)

    is_watched = sys.stderr.isatty() and workers == 1  # several processes write their logs by themselves
    run(
        service,
        host=host,
        port=port,
        workers=workers,
        log_level=log_level,
        on_listening=on_address,
        watcher=Watcher(_LogAboveStatus(terminal), status.update) if is_watched else None,
    )


class _LogAboveStatus(io.StringIO):
    """The log on a terminal, above the status; nothing is kept."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal

    def write(self, text: str) -> int:
        self._terminal.error(text.removesuffix("\n"))
        return len(text)


class _Status:
    """The last line of a terminal while a service runs: its requests, how many a second, and the time."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.address = ""
        self._n_seconds = 0
        self._counts: deque[int] = deque([0], maxlen=RATE_SECONDS + 1)

    def update(self, n_requests: int) -> None:
        """Show the number of requests so far; called every second."""
        self._n_seconds += 1
        self._counts.append(n_requests)
        rate = (n_requests - self._counts[0]) / (len(self._counts) - 1)
        self._terminal.status(
            f"serving {self.address}: {n_requests:,} request{'s' * (n_requests != 1)}, {rate:,.1f}/s, "
            f"{timedelta(seconds=self._n_seconds)}; Ctrl-C stops"
        )


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


COMMANDS = (serve,)
