"""Files that are met and not read, most of them in the walk of a folder: counted by reason, and named."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import msgspec

from scoring.errors import shown

NO_FRONT_MATTER = "without front matter"
EMPTY = "empty"
ENCODING = "in an unreadable encoding"
CARRIAGE_RETURNS = "with carriage returns as line ends"
LINK_OUT = "links that lead out of the folder"
NOT_MARKDOWN = "with front matter, but not Markdown"
NOT_IN_FIELD_MAP = "not among the files of the field map"
OTHER_REPOSITORY = "a Git repository of its own, to be named as a path of its own"
JSON_LINES = "of JSON lines, which are read if they are named"

_LOG = logging.getLogger(__name__)


class LeftOutFile(msgspec.Struct, frozen=True):
    """A file that was not read.

    Parameters
    ----------
    path : str
        The file (or folder, if it is a repository of its own), escaped by :func:`scoring.errors.shown`.
    reason : str
        Why.
    """

    path: str
    reason: str


@dataclass(slots=True)
class Walk:
    """What a walk of a folder met.

    Attributes
    ----------
    n_files : int
        Files that are read.
    counts : Counter
        Number of files that are left out, by reason.
    first : dict
        The first file of each reason.
    n_other : int
        Hidden files and folders, and files of other kinds (images, for example).
    listed : list of LeftOutFile or None
        Every file that is left out; None if they are counted only.
    """

    n_files: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    n_other: int = 0
    listed: list[LeftOutFile] | None = None

    def leave_out(self, file: str, reason: str) -> None:
        """Count a file."""
        self.counts[reason] += 1
        self.first.setdefault(reason, shown(file))
        if self.listed is not None:
            self.listed.append(LeftOutFile(shown(file), reason))


class Walks:
    """The walks of one command; a folder that is walked again counts once."""

    def __init__(self, *, is_listing: bool = False) -> None:
        self.is_listing = is_listing
        self._by_folder: dict[str, Walk] = {}

    def begin(self, folder: str) -> Walk:
        """Begin the walk of a folder."""
        walk = self._by_folder[folder] = Walk(listed=[] if self.is_listing else None)
        return walk

    def update(self, walks: Walks) -> None:
        """Take over other walks."""
        self._by_folder.update(walks._by_folder)

    @property
    def n_left_out(self) -> int:
        """Number of files that are left out, without hidden ones and those of other kinds."""
        return sum(walk.counts.total() for walk in self._by_folder.values())

    @property
    def n_other(self) -> int:
        """Number of hidden files and files of other kinds."""
        return sum(walk.n_other for walk in self._by_folder.values())

    @property
    def listed(self) -> tuple[LeftOutFile, ...]:
        """Every file that is left out, if they are listed."""
        return tuple(file for walk in self._by_folder.values() for file in walk.listed or ())

    def summary(self) -> str:
        """Describe in one line what was read and what was left out; empty if nothing was left out.

        Examples
        --------
        >>> walks = Walks()
        >>> walk = walks.begin("news")
        >>> walk.n_files, walk.n_other = 2310, 3
        >>> for name in ("a/b.md", "a/c.md"):
        ...     walk.leave_out(name, NO_FRONT_MATTER)
        >>> walks.summary()
        '2,310 records; 5 files left out: 2 without front matter (first: a/b.md), 3 hidden or of another kind'
        """
        counts: Counter[str] = Counter()
        first: dict[str, str] = {}
        for walk in self._by_folder.values():
            counts += walk.counts
            first = {**walk.first, **first}
        parts = [f"{count:,} {reason} (first: {first[reason]})" for reason, count in counts.most_common()]
        if self.n_other:
            parts.append(f"{self.n_other:,} hidden or of another kind")
        n_files = sum(walk.n_files for walk in self._by_folder.values())
        n_left_out = self.n_left_out + self.n_other
        if not n_left_out:
            return ""
        records, files = ("" if number == 1 else "s" for number in (n_files, n_left_out))
        return f"{n_files:,} record{records}; {n_left_out:,} file{files} left out: {', '.join(parts)}"


_CURRENT: ContextVar[Walks | None] = ContextVar("walks", default=None)


@contextmanager
def collecting(*, is_listing: bool = False) -> Iterator[Walks]:
    """Collect the walks of what is done within; those of an inner block count for the outer one too."""
    outer = _CURRENT.get()
    walks = Walks(is_listing=is_listing)
    token = _CURRENT.set(walks)
    try:
        yield walks
    finally:
        _CURRENT.reset(token)
        if outer is not None:
            outer.update(walks)


@contextmanager
def walking(folder: str) -> Iterator[Walk]:
    """Count what the walk of a folder leaves out; log it if nobody collects the walks."""
    current = _CURRENT.get()
    walks = current if current is not None else Walks()
    walk = walks.begin(folder)
    yield walk
    if current is None and walk.counts:
        _LOG.warning("%s: %s", shown(folder), walks.summary())
