"""The current model: resolved at the start, smoke-tested before use, and replaced when its alias moves.

Whatever happens to the store, a running service keeps its model.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.loaded_model import LoadedModel, ResolvedModel, stamp_of
from scoring.deployment.open_model import check_scoring
from scoring.deployment.resolve_model import SERVER_SECONDS, follow, resolve
from scoring.errors import ScoringError
from scoring.model.scorer import Scorer
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.files import STDIN
from scoring.service.options import ServiceOptions
from scoring.service.registry_process import RegistryProcess
from scoring.settings import sqlite_file
from scoring.storage.urls import is_remote

_LOG = logging.getLogger(__name__)
RETRY_SECONDS = 30.0
"""Delay before a failed model is tried again, if nothing changes earlier; seconds."""


@dataclass(frozen=True, slots=True)
class Served:
    """A loaded model; immutable, so that a request scores all its records with one model.

    Parameters
    ----------
    saved : SavedModel
        The model with its manifest.
    scorer : Scorer
        Scorer of the model.
    resolved : ResolvedModel
        Its address, and how it was chosen.
    loaded_at : datetime
        Load time, aware UTC.
    field_map : FieldMap or None
        Field map of records that are sent or dropped; None for scoring's own layout.
    """

    saved: SavedModel
    scorer: Scorer
    resolved: ResolvedModel
    loaded_at: datetime
    field_map: FieldMap | None = None


@dataclass(frozen=True, slots=True)
class FollowFailure:
    """Why the model cannot be followed, and since when (aware UTC); the current one stays in use."""

    cause: str
    since: datetime


class ModelManager:
    """Holds the current model, and replaces it when its alias moves.

    Parameters
    ----------
    options : ServiceOptions
        Model address and check interval.
    on_try : callable
        Called after each attempt to switch, with whether it succeeded.
    """

    def __init__(
        self, options: ServiceOptions, on_try: Callable[[bool], None] = lambda is_swapped: None
    ) -> None:
        self._options = options
        self._on_try = on_try
        self._served: Served | None = None
        self._loaded: LoadedModel | None = None
        self._failure: FollowFailure | None = None
        self._listeners: list[Callable[[Served], None]] = []
        self._follow_listeners: list[Callable[[FollowFailure | None], None]] = []
        self._last_cause = ""
        self._state_at_start: tuple[object, ...] = ()
        self._is_check_requested = asyncio.Event()
        self._registry = RegistryProcess(is_kept=sqlite_file(options.settings.tracking_uri) is None)

    @property
    def is_ready(self) -> bool:
        """Whether a model is loaded."""
        return self._served is not None

    @property
    def current(self) -> Served:
        """The current model. A caller reads it once for records that are scored together."""
        if self._served is None:
            raise RuntimeError("no model is loaded")
        return self._served

    @property
    def failure(self) -> FollowFailure | None:
        """Why the model cannot be followed; None if it can."""
        return self._failure

    def on_follow(self, listener: Callable[[FollowFailure | None], None]) -> None:
        """Add a listener that is called when following the model fails or works again."""
        self._follow_listeners.append(listener)

    def on_swap(self, listener: Callable[[Served], None]) -> None:
        """Add a listener that is called with each new model, in the thread that loaded it."""
        self._listeners.append(listener)

    def load(self) -> bool:
        """Resolve the model at the start; later follow it, and switch to another version of it.

        Returns
        -------
        bool
            Whether the model changed.

        Raises
        ------
        ScoringError
            If it cannot be found, loaded, or fails the smoke test; the current model stays.
        """
        options, before = self._options, self._served
        if before is None or self._loaded is None:
            self._state_at_start = self._state()
            loaded = resolve(options.model, options.settings, lookup=self._registry.ask)
        else:
            loaded = follow(self._loaded, options.model, options.settings, lookup=self._registry.ask)
            if loaded.saved.sha256 == before.saved.sha256:
                self._loaded = replace(loaded, saved=before.saved)
                self._served = replace(before, resolved=loaded.resolved)
                self._set_failure(None)
                return False
        resolved = loaded.resolved
        check_scoring(loaded.saved, resolved.address or resolved.folder)
        scorer = loaded.saved.scorer
        field_maps = field_maps_of((), options.settings).with_model_map(scorer.field_map)
        served = Served(loaded.saved, scorer, resolved, datetime.now(UTC), field_maps.of(STDIN))
        self._served, self._loaded = served, loaded
        for listener in self._listeners:
            listener(served)
        self._set_failure(resolved.store_error)
        return True

    def ask(self) -> None:
        """Request an immediate check for a new model, as on SIGHUP."""
        self._is_check_requested.set()

    async def follow(self) -> None:
        """Follow the model until cancelled."""
        # The state from before the start, so that changes since then are seen too.
        last_state, failed_at = self._state_at_start, time.monotonic() if self._failure else 0.0
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_check_requested.wait(), self._options.follow_seconds)
            state = self._state()  # read before the model: a change in between is seen next time
            is_due = failed_at and time.monotonic() - failed_at > RETRY_SECONDS
            if state == last_state and not self._is_check_requested.is_set() and not is_due:
                continue
            if self._is_check_requested.is_set():
                self._is_check_requested.clear()
                self._last_cause = ""  # an explicit request logs a known cause again
            last_state, failed_at = state, 0.0 if await asyncio.to_thread(self._try) else time.monotonic()

    def close(self) -> None:
        """End the process that queries the store."""
        self._registry.close()

    def _try(self) -> bool:
        """Load the model; after any failure the current one stays."""
        try:
            if self.load():
                _LOG.warning("model swapped", extra={"fields": {"model": self.current.saved.name}})
                self._on_try(True)
        except Exception as error:
            cause = str(error) if isinstance(error, ScoringError) else repr(error)
            if cause != self._last_cause:  # retries do not log the same cause again
                fields = {"cause": cause, "model": self.current.saved.name}
                _LOG.error("model not swapped", extra={"fields": fields})
            self._set_failure(cause)
            self._on_try(False)
            return False
        return True

    def _set_failure(self, cause: str | None) -> None:
        """Record why the model cannot be followed, and since when; None if it can."""
        before = self._failure
        if cause is None:
            self._failure = None
            if before is not None:
                _LOG.warning("model followed again", extra={"fields": {"model": self.current.saved.name}})
        else:
            self._failure = FollowFailure(cause, before.since if before else datetime.now(UTC))
        self._last_cause = cause or ""
        for listener in self._follow_listeners:
            listener(self._failure)

    def _state(self) -> tuple[object, ...]:
        """A value that changes when the model may have moved; it costs three calls of stat()."""
        settings = self._options.settings
        database = sqlite_file(settings.tracking_uri)
        is_remote_model = self._served is not None and is_remote(self._served.resolved.folder)
        if database is None or is_remote_model:
            return (time.monotonic() // SERVER_SECONDS,)
        files = [database, Path(f"{database}-wal")]
        if self._served is not None:
            return (*map(_stamp, files), stamp_of(self._served.resolved.folder))
        return tuple(map(_stamp, files))


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
