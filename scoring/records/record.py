"""The record: what a site knows of one piece of news before anybody has judged it.

A :class:`Record` holds inputs only. What the site's editors made of it stands apart in
:class:`Labels`, so that nothing that takes a record can see its labels.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

MAX_INTEGER = 999_999_999
"""Largest integer that a record may hold: what is larger is a mistake, and a float would round it."""

Points = Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
Heat = Annotated[int, msgspec.Meta(ge=-1, le=MAX_INTEGER)]
Pixels = Annotated[int, msgspec.Meta(ge=1, le=MAX_INTEGER)]


def archive_name(field: str) -> str:
    """Name that a field bears in an archive's front matter and JSON.

    Examples
    --------
    >>> archive_name("published_at"), archive_name("cdn_amp_web_url")
    ('publishedDateTime', 'cdnAmpWebUrl')
    """
    if field == "published_at":
        return "publishedDateTime"
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


class Image(msgspec.Struct, frozen=True, gc=False, rename=archive_name):
    """One picture: address, size in px (None where unknown), and whether the site holds a copy."""

    url: str = ""
    width: Pixels | None = None
    height: Pixels | None = None
    is_cached: bool = False


class Provider(msgspec.Struct, frozen=True, gc=False, rename=archive_name):
    """Who published: name, domain, and the site's own pictures of it (only for those it knows)."""

    name: str = ""
    domain: str = ""
    images: tuple[Image, ...] = ()


class Coverage(msgspec.Struct, frozen=True, gc=False, rename=archive_name):
    """One related record, as the record that it belongs to lists it.

    ``quality`` is the *other* record's, None where the site has not scored it yet;
    ``published_at`` is aware UTC.
    """

    title: str = ""
    excerpt: str = ""
    published_at: datetime | None = None
    web_url: str = ""
    original_url: str = ""
    amp_web_url: str = ""
    cdn_amp_web_url: str = ""
    type: str = "article"
    provider: Provider = Provider()
    images: tuple[Image, ...] = ()
    quality: Points | None = None


class Record(msgspec.Struct, frozen=True, gc=False, rename=archive_name):
    """One news record without its labels.

    ``published_at`` is aware UTC, None where the record bears no date; ``topics`` has the site's
    section first. Texts are as a reader sees them: HTML entities are resolved.
    """

    title: str = ""
    excerpt: str = ""
    published_at: datetime | None = None
    category: str = "news"
    type: str = "article"
    original_url: str = ""
    web_url: str = ""
    amp_web_url: str = ""
    cdn_amp_web_url: str = ""
    provider: Provider = Provider()
    topics: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    related: tuple[Coverage, ...] = ()
    featured_content: str = ""

    @property
    def url(self) -> str:
        """The record's address: where it was first published, else where the site links to."""
        return self.original_url or self.web_url


class Labels(msgspec.Struct, frozen=True, gc=False, rename=archive_name):
    """What the site's editors and machinery gave a record; None where they have not yet.

    ``heat`` is -1 where another record leads the story.
    """

    quality: Points | None = None
    heat: Heat | None = None
    published: bool | None = None


class Document(msgspec.Struct, frozen=True, gc=False):
    """A record where it was found: its file (``-`` is standard input), the line it begins on, and notes.

    ``path`` is spelled as :func:`scoring.errors.shown` does it, since a name may hold what no text can bear.
    ``sha256`` is the hex digest of the bytes that it was read from (of the file, or of the line);
    ``warnings`` tells what had to be assumed to read it (a date without a zone, for example).
    """

    path: str
    line: int
    sha256: str
    record: Record
    labels: Labels
    warnings: tuple[str, ...] = ()
