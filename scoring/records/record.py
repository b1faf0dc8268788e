"""Types of a news record and its labels.

A :class:`Record` has inputs only. Its labels are a separate :class:`Labels`, so that code which takes a
record cannot see its labels.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

MAX_INTEGER = 999_999_999
"""Largest integer in a record; a larger one is taken for a mistake, and a float would round it."""

Points = Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
Heat = Annotated[int, msgspec.Meta(ge=-1, le=MAX_INTEGER)]
Pixels = Annotated[int, msgspec.Meta(ge=1, le=MAX_INTEGER)]


def archive_name(field: str) -> str:
    """Return the name of a field in front matter and JSON.

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
    """An image: URL, size in px (None if unknown), and whether the site has a copy."""

    url: str = ""
    width: Pixels | None = None
    height: Pixels | None = None
    is_cached: bool = False


class Provider(msgspec.Struct, frozen=True, gc=False, rename=archive_name):
    """A news provider: name, domain, and the site's images of it (known providers only)."""

    name: str = ""
    domain: str = ""
    images: tuple[Image, ...] = ()


class Coverage(msgspec.Struct, frozen=True, gc=False, rename=archive_name):
    """A related record, as listed in a record.

    ``quality`` is that of the related record, None if the site has not scored it yet; ``published_at`` is
    aware UTC.
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
    """A news record without its labels.

    ``published_at`` is aware UTC, None if the record has no date; one of ``topics`` is the site's section.
    HTML entities in texts are resolved.
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
        """URL of the record: of its first publication, else the one that the site links to."""
        return self.original_url or self.web_url


class Labels(msgspec.Struct, frozen=True, gc=False, rename=archive_name):
    """Labels of a record; None for a missing label.

    ``heat`` is -1 if another record leads the story.
    """

    quality: Points | None = None
    heat: Heat | None = None
    published: bool | None = None


class Document(msgspec.Struct, frozen=True, gc=False):
    """A record with its labels and source: file (``-`` is standard input), line, and warnings.

    ``path`` is escaped by :func:`scoring.errors.shown`, since a file name may not be valid text. ``sha256``
    is the hex digest of the file or line. ``warnings`` has the assumptions made when it was read (a date
    without a time zone, for example).
    """

    path: str
    line: int
    sha256: str
    record: Record
    labels: Labels
    warnings: tuple[str, ...] = ()
