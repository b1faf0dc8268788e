"""Labels to give next, found in the background once a page asks for them, and again when the rows change."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from functools import partial
from typing import NamedTuple

import msgspec

from scoring.errors import ScoringError
from scoring.inbox.inbox import Inbox
from scoring.inbox.labels_to_give import LabelsToGive, labels_to_give
from scoring.labels.journal import Journal
from scoring.service.desk.live_inbox import LiveInbox
from scoring.service.desk.work_queue import WorkQueue
from scoring.settings import Settings

VERSION = "suggestions"
"""Name of the version of the suggestions in the status events."""

MAX_REST_SECONDS = 30.0
"""Rest before the next search after a fault, or a long search; after others it is as long as the search."""

_LOG = logging.getLogger(__name__)


class SuggestionState(msgspec.Struct, frozen=True):
    """The suggestions found last, for the page.

    Parameters
    ----------
    version : int
        Number of times that they were found; 0 before the first.
    is_computing : bool
        Whether others are being found, since the rows or the model have changed.
    found : LabelsToGive or None
        The suggestions; None before the first, or if they could not be found.
    fault : str
        Why they could not be found; empty if they were.
    """

    version: int
    is_computing: bool
    found: LabelsToGive | None
    fault: str


class _Basis(NamedTuple):
    """What suggestions are found from: the version of the rows, and the model."""

    rows_version: int
    model: str


class LiveSuggestions:
    """Suggestions for the inbox of a service; one computation at a time, and none that no page asked for.

    Parameters
    ----------
    live : LiveInbox
        The inbox, and its pages.
    settings : Settings
        Journal, and the setting of sections.
    stopping : asyncio.Event
        Set when the service stops; abandons the work.
    queue : WorkQueue
        Thread that finds them.
    """

    def __init__(
        self, live: LiveInbox, settings: Settings, stopping: asyncio.Event, queue: WorkQueue
    ) -> None:
        self._live, self._settings, self._stopping, self._queue = live, settings, stopping, queue
        self._journal = Journal(settings.journal)
        self._basis: _Basis | None = None
        self._task: asyncio.Task[None] | None = None
        self._found: LabelsToGive | None = None
        self._fault = ""
        self._version = 0
        self._rest_seconds = 0.0

    def current(self) -> SuggestionState:
        """Return what was found last, at once; start to find others if that is out of date.

        Raises
        ------
        ProblemError
            If the service was started without an inbox.
        """
        inbox = self._live.inbox
        is_outdated = self._basis != _Basis(inbox.version, self._live.saved.name)
        is_computing = self._task is not None and not self._task.done()
        if not is_computing and self._live.is_read and is_outdated:
            is_computing = True
            self._task = asyncio.create_task(self._find(inbox))
        return SuggestionState(
            self._version, is_computing or not self._live.is_read, self._found, self._fault
        )

    async def _find(self, inbox: Inbox) -> None:
        await asyncio.sleep(self._rest_seconds)
        saved, section = self._live.saved, self._settings.section
        self._basis, began_at = _Basis(inbox.version, saved.name), time.monotonic()
        work = partial(labels_to_give, inbox, saved, self._journal, section, self._check)
        try:
            self._found, self._fault = await self._queue.run(work), ""
        except _EndedError:
            return
        except (ScoringError, OSError) as error:
            self._found, self._fault = None, str(error)
        except Exception as error:  # an unexpected error does not end the page
            # The traceback without the message, which may quote a record.
            self._found, self._fault = None, "a defect of scoring: see the log"
            fields = {"error": type(error).__name__, "trace": traceback.format_tb(error.__traceback__)}
            _LOG.error("defect", extra={"fields": fields})
        self._rest_seconds = min(time.monotonic() - began_at, MAX_REST_SECONDS)
        if self._fault:  # whose end changes no row
            self._basis, self._rest_seconds = None, MAX_REST_SECONDS
        self._version += 1
        # The page asks again, and so has the rows that changed in the meantime considered.
        asyncio.get_running_loop().call_soon(self._live.announce, VERSION, self._version)

    def _check(self) -> None:
        if self._stopping.is_set():
            raise _EndedError


class _EndedError(Exception):
    """The service is stopping: the work is abandoned."""
