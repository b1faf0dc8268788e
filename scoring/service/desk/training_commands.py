"""Commands of a training that is started at the desk, and their environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from scoring.credentials import mask_credentials
from scoring.deployment.loaded_model import ModelSource, ResolvedModel
from scoring.service.desk.live_inbox import LEDGER
from scoring.service.desk.training_state import PAGE
from scoring.settings import Settings, load_settings, setting_names

_PROGRAM = (sys.executable, "-m", "scoring")
_REGISTRY = (ModelSource.CHAMPION, ModelSource.LAST_KNOWN_CHAMPION)


def retrain_command(archive: Sequence[str], resolved: ResolvedModel, settings: Settings) -> list[str]:
    """Train on an archive and the ledger of the home, compare with the service's model, promote nothing."""
    ledger = settings.home / LEDGER
    return [
        *(*_PROGRAM, "retrain", "--no-promote", "--json", "--progress", "jsonl"),
        *("--html", str(settings.home / PAGE)),
        *(("--corrections", str(ledger)) if ledger.is_file() else ()),
        *(() if resolved.source in _REGISTRY else ("--against", resolved.address or resolved.folder)),
        *_fields(settings),
        "--",
        *archive,
    ]


def score_command(inbox: Path, run_id: str, settings: Settings) -> list[str]:
    """Score the inbox with a trained model."""
    return [
        *(*_PROGRAM, "score", "--quiet", "--format", "jsonl", "--model", f"runs:/{run_id}"),
        *_fields(settings),
        "--",
        str(inbox),
    ]


def next_step(run_id: str, resolved: ResolvedModel, settings: Settings) -> str:
    """The command that makes a trained model the one of the service."""
    if resolved.source is ModelSource.EXPLICIT and not (resolved.address or "").startswith("models:/"):
        return f"scoring serve --model runs:/{run_id}"
    is_option = settings.store_origin.startswith("option")
    store = f" --tracking-uri {mask_credentials(settings.tracking_uri)}" if is_option else ""
    return f"scoring promote {run_id[:12]}{store}"


def environment(settings: Settings) -> dict[str, str]:
    """The environment in which a command has the service's settings, and leaves it a processor."""
    n_threads = min(settings.threads, max(1, (os.cpu_count() or 1) - 1))
    own, inherited = settings, load_settings()
    differing = {
        name: value
        for name in setting_names()
        if (value := getattr(own, name)) is not None and value != getattr(inherited, name)
    }
    variables = {f"SCORING_{name.upper()}": str(value) for name, value in differing.items()}
    return {**os.environ, **variables, "SCORING_THREADS": str(n_threads)}


def _fields(settings: Settings) -> tuple[str, ...]:
    """The field map, which as an option holds for all files."""
    is_option = settings.fields_origin.startswith("option")
    return ("--fields", str(settings.fields)) if is_option and settings.fields is not None else ()
