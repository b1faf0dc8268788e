"""Who is at which record now, as reported by the open pages."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import msgspec
from msgspec import Meta

_Name = Annotated[str, Meta(max_length=80)]


class Presence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of a person, and the record at which it is; an empty path is none.

    Parameters
    ----------
    page, by, client : str
        Id of the page, name of the person, id of the browser.
    path : str
        File of the record.
    """

    page: _Name
    path: Annotated[str, Meta(max_length=4096)] = ""
    by: _Name = ""
    client: _Name = ""


class PresenceList:
    """Records that the open pages are at; used in the event loop only."""

    def __init__(self) -> None:
        self._pages: dict[str, Presence] = {}
        self._n_streams: Counter[str] = Counter()
        self._unnamed: dict[str, None] = {}

    def join(self, page: str) -> None:
        """Begin to follow the inbox; a page that connects again may do so before its earlier stream ends."""
        self._n_streams[page] += 1
        self._pages.setdefault(page, Presence(page))

    def leave(self, page: str) -> bool:
        """Stop following it with one stream; return whether a page that was at a record is gone."""
        self._n_streams[page] -= 1
        if self._n_streams[page] > 0:
            return False
        del self._n_streams[page]
        return bool(self._pages.pop(page, Presence(page)).path)

    def update(self, presence: Presence) -> bool:
        """Take note of a page that follows the inbox; return whether anything has changed."""
        before = self._pages.get(presence.page)
        if before is None or before == presence:
            return False
        self._pages[presence.page] = presence
        if not presence.by:
            self._unnamed[presence.client] = None
        return True

    @property
    def unnamed(self) -> list[str]:
        """Ids of the browsers of people without a name, in the order in which they came."""
        return list(self._unnamed)

    def present(self) -> list[Presence]:
        """Pages that are at a record."""
        return [presence for presence in self._pages.values() if presence.path]
