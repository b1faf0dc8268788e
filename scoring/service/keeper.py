"""The model in charge: found, loaded, seen to score before it is put to work, and followed where it moves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from scoring.errors import ScoringError
from scoring.model.bundle import SavedModel, load_model
from scoring.model.files import MANIFEST
from scoring.model.scorer import Scorer
from scoring.service.asking import StoreProcess
from scoring.service.options import ServiceOptions
from scoring.settings import sqlite_file
from scoring.workflows.models import Located, check_scoring, locate_model

_LOG = logging.getLogger(__name__)
SERVER_SECONDS = 60.0
"""How often a store that is no file is asked where the model is; a file is only looked at. Seconds."""

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
    located : Located
        Where it lies, and what the store says of it.
    loaded_at : datetime
        Aware UTC.
    """

    saved: SavedModel
    scorer: Scorer
    located: Located
    loaded_at: datetime


class ModelKeeper:
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
        self._loaded: object = None  # which file, and its state
        self._listeners: list[Callable[[Served], None]] = []
        self._is_asked = asyncio.Event()
        self._store = StoreProcess(is_kept=sqlite_file(options.settings.tracking_uri) is None)

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

    def on_swap(self, listener: Callable[[Served], None]) -> None:
        """Have a listener called with each model that takes over, in the thread that has loaded it."""
        self._listeners.append(listener)

    def load(self) -> bool:
        """Find the model, and put it to work if it is another than the one that is.

        Returns
        -------
        bool
            Whether another model is at work now.

        Raises
        ------
        ScoringError
            If it cannot be found, loaded, or does not score; the model of before stays.
        """
        located = locate_model(self._options.model, self._options.settings, self._store.ask)
        before = self._served
        manifest = Path(located.folder, MANIFEST)
        found = manifest, _stamp(manifest)
        if before is not None and found == self._loaded:
            saved = before.saved
        else:
            saved = load_model(Path(located.folder))
        if before is not None and saved.sha256 == before.saved.sha256:
            self._served, self._loaded = replace(before, located=located), found
            return False
        check_scoring(saved, located.address or located.folder)
        served = Served(saved, saved.scorer, located, datetime.now(UTC))
        self._served, self._loaded = served, found
        for listener in self._listeners:
            listener(served)
        return True

    def ask(self) -> None:
        """Have the model looked for at once: what a SIGHUP does."""
        self._is_asked.set()

    async def follow(self) -> None:
        """Follow the model until cancelled."""
        seen, failed_at = self._state(), 0.0
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_asked.wait(), self._options.follow_seconds)
            state = self._state()  # looked at before the model: what changes in between is seen next time
            is_due = failed_at and time.monotonic() - failed_at > RETRY_SECONDS
            if state == seen and not self._is_asked.is_set() and not is_due:
                continue
            self._is_asked.clear()
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
            fields = {"cause": cause, "model": self.current.saved.name}
            _LOG.error("model not swapped", extra={"fields": fields})
            self._on_try(False)
            return False
        return True

    def _state(self) -> tuple[object, ...]:
        """What differs where the model may have moved; it costs a look at three files."""
        settings = self._options.settings
        database = sqlite_file(settings.tracking_uri)
        if database is None:
            return (time.monotonic() // SERVER_SECONDS,)
        files = [database, Path(f"{database}-wal")]
        if self._served is not None:
            files.append(Path(self._served.located.folder, MANIFEST))
        return tuple(map(_stamp, files))


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size
