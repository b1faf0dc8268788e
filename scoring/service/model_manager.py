"""The model at work: resolved at the start, checked before it scores, and followed where it moves.

Whatever happens to its store, a running service keeps the model that it has.
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
from scoring.service.options import ServiceOptions
from scoring.service.registry_process import RegistryProcess
from scoring.settings import sqlite_file

_LOG = logging.getLogger(__name__)
RETRY_SECONDS = 30.0
"""When a model that could not be put to work is tried again, if nothing has moved before; seconds."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model at work; never changed, so that who has taken it scores with it to the end.

    Parameters
    ----------
    saved : SavedModel
        The model, with what is known of it.
    scorer : Scorer
        What scores with it.
    resolved : ResolvedModel
        Which model it is, and why.
    loaded_at : datetime
        Aware UTC.
    """

    saved: SavedModel
    scorer: Scorer
    resolved: ResolvedModel
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class FollowFailure:
    """Why the model cannot be followed, and since when, aware UTC; the one at work goes on meanwhile."""

    cause: str
    since: datetime


class ModelManager:
    """Holds the model at work, and follows it.

    Parameters
    ----------
    options : ServiceOptions
        Which model, and how often to look.
    on_try : callable
        Told of each model that was tried: whether it is at work now.
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
        self._is_asked = asyncio.Event()
        self._store = RegistryProcess(is_kept=sqlite_file(options.settings.tracking_uri) is None)

    @property
    def is_ready(self) -> bool:
        """Whether a model is at work."""
        return self._served is not None

    @property
    def current(self) -> Served:
        """The model at work. A caller takes it once for all that it scores together."""
        if self._served is None:
            raise RuntimeError("no model is loaded")
        return self._served

    @property
    def failure(self) -> FollowFailure | None:
        """Why the model cannot be followed; None where it can."""
        return self._failure

    def on_follow(self, listener: Callable[[FollowFailure | None], None]) -> None:
        """Have a listener called whenever the model could not be followed, or can be again."""
        self._follow_listeners.append(listener)

    def on_swap(self, listener: Callable[[Served], None]) -> None:
        """Have a listener called with each model that takes over, in the thread that has loaded it."""
        self._listeners.append(listener)

    def load(self) -> bool:
        """Resolve the model at the start; later follow it, and put another version of it to work.

        Returns
        -------
        bool
            Whether another model is at work now.

        Raises
        ------
        ScoringError
            If it cannot be found, loaded, or does not score; the model of before stays.
        """
        options, before = self._options, self._served
        if before is None or self._loaded is None:
            self._state_at_start = self._state()
            loaded = resolve(options.model, options.settings, lookup=self._store.ask)
        else:
            loaded = follow(self._loaded, options.model, options.settings, lookup=self._store.ask)
            if loaded.saved.sha256 == before.saved.sha256:
                self._loaded = replace(loaded, saved=before.saved)
                self._served = replace(before, resolved=loaded.resolved)
                self._tell_failure(None)
                return False
        resolved = loaded.resolved
        check_scoring(loaded.saved, resolved.address or resolved.folder)
        served = Served(loaded.saved, loaded.saved.scorer, resolved, datetime.now(UTC))
        self._served, self._loaded = served, loaded
        for listener in self._listeners:
            listener(served)
        self._tell_failure(resolved.store_error)
        return True

    def ask(self) -> None:
        """Have the model looked for at once: what a SIGHUP does."""
        self._is_asked.set()

    async def follow(self) -> None:
        """Follow the model until cancelled."""
        # Of before the start: what has changed since then is to be seen too.
        seen, failed_at = self._state_at_start, time.monotonic() if self._failure else 0.0
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_asked.wait(), self._options.follow_seconds)
            state = self._state()  # looked at before the model: what changes in between is seen next time
            is_due = failed_at and time.monotonic() - failed_at > RETRY_SECONDS
            if state == seen and not self._is_asked.is_set() and not is_due:
                continue
            if self._is_asked.is_set():
                self._is_asked.clear()
                self._last_cause = ""  # who asks is told again
            seen, failed_at = state, 0.0 if await asyncio.to_thread(self._try) else time.monotonic()

    def close(self) -> None:
        """End what was started to ask the store."""
        self._store.close()

    def _try(self) -> bool:
        """Load the model; where that fails, in whatever way, the one of before goes on."""
        try:
            if self.load():
                _LOG.warning("model swapped", extra={"fields": {"model": self.current.saved.name}})
                self._on_try(True)
        except Exception as error:
            cause = str(error) if isinstance(error, ScoringError) else repr(error)
            if cause != self._last_cause:  # else it was logged, and is tried again and again
                fields = {"cause": cause, "model": self.current.saved.name}
                _LOG.error("model not swapped", extra={"fields": fields})
            self._tell_failure(cause)
            self._on_try(False)
            return False
        return True

    def _tell_failure(self, cause: str | None) -> None:
        """Keep why the model cannot be followed, and since when; None where it can."""
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
        """What differs where the model may have moved; it costs a look at three files."""
        settings = self._options.settings
        database = sqlite_file(settings.tracking_uri)
        if database is None:
            return (time.monotonic() // SERVER_SECONDS,)
        files = [database, Path(f"{database}-wal")]
        if self._served is not None:
            return (*map(_stamp, files), stamp_of(self._served.resolved.folder))
        return tuple(map(_stamp, files))


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size
