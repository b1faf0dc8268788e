"""The ``cache``, ``ui`` and ``config`` commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scoring.cli import options, signals
from scoring.cli.console import Terminal
from scoring.cli.groups import Group

if TYPE_CHECKING:
    from scoring.features.cache import FeatureCache


def ui(
    terminal: Terminal,
    port: Annotated[int, typer.Option(metavar="PORT", min=1, max=65535, help="Port.")] = 5000,
) -> None:
    """Serve MLflow's pages of runs and models on this machine.

    Needs the extra news-scoring[ui].
    """
    from scoring.deployment.named_store import check_store
    from scoring.tracking import Store, serve_ui

    signals.release()  # serve_ui stops the MLflow server itself
    settings = options.settings_of(terminal)
    check_store(settings)
    store = Store(settings.tracking_uri, settings.home, is_verbose=terminal.is_verbose)
    serve_ui(store, port=port, on_up=terminal.note, experiment=settings.experiment)


def config(terminal: Terminal, json: options.Json = False) -> None:
    """Show each setting and its origin."""
    from scoring.cli import formats
    from scoring.cli.tables import common
    from scoring.settings import settings_origins

    origins = settings_origins()
    if json:
        terminal.out(formats.to_json([origin._asdict() for origin in origins]))
    else:
        terminal.show(common.origins(origins))


def cache(terminal: Terminal, json: options.Json = False) -> None:
    """Show the size and contents of the feature cache."""
    from scoring.cli import formats
    from scoring.cli.tables import common
    from scoring.features.cache import open_cache

    feature_cache = open_cache(options.settings_of(terminal), options.now())
    cache_info = feature_cache.info()
    _report_complaints(terminal, feature_cache)
    if json:
        terminal.out(formats.to_json(cache_info))
    else:
        terminal.show(common.named((name, getattr(cache_info, name)) for name in cache_info.__slots__))


def info(terminal: Terminal, json: options.Json = False) -> None:
    """Show the size and contents of the feature cache."""
    cache(terminal, json=json)


def clear(terminal: Terminal) -> None:
    """Delete the cached features. They are computed when needed."""
    from scoring.features.cache import open_cache

    feature_cache = open_cache(options.settings_of(terminal), options.now())
    n_records = feature_cache.clear()
    _report_complaints(terminal, feature_cache)
    terminal.note(f"{n_records} records deleted from the cache")


def _report_complaints(terminal: Terminal, feature_cache: FeatureCache) -> None:
    """Report why the cache could not be read or written."""
    for complaint in feature_cache.complaints:
        terminal.error(complaint)
    terminal.n_faults += len(feature_cache.complaints)


COMMANDS = (Group(cache, (info, clear)), ui, config)
