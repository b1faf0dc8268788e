"""Types of a news record and its labels.

A :class:`Record` has inputs only. Its labels are a separate :class:`Labels`, so that code which takes a
record cannot see its labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec

from scoring.errors import located

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
    """An image.

    Parameters
    ----------
    url : str
        Address.
    width, height : int or None
        Size; px, 0 or more.
    is_cached : bool
        Whether the site has a copy.
    """

    url: str = ""
    width: Pixels | None = None
    height: Pixels | None = None
    is_cached: bool = False


class Provider(msgspec.Struct, frozen=True, gc=False, rename=archive_name):
    """A news provider.

    Parameters
    ----------
    name : str
        Name.
    domain : str
        Domain, as the record has it.
    images : tuple of Image
        Images of the provider that the site has; it has none of unknown providers.
    """

    name: str = ""
    domain: str = ""
    images: tuple[Image, ...] = ()


class Coverage(msgspec.Struct, frozen=True, gc=False, rename=archive_name):
    """A related record, as listed in a record.

    Parameters
    ----------
    title, excerpt : str
        Texts, HTML entities resolved.
    published_at : datetime or None
        Time of publication, aware UTC.
    web_url, original_url, amp_web_url, cdn_amp_web_url : str
        Addresses; empty if not given.
    type : str
        ``article`` or ``video``.
    provider : Provider
        Its provider.
    images : tuple of Image
        Its images.
    quality : int or None
        Its quality in points; None if the site has not scored it yet.
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

    Parameters
    ----------
    title, excerpt : str
        Texts, HTML entities resolved.
    published_at : datetime or None
        Time of publication, aware UTC.
    category : str
        ``news``, usually.
    type : str
        ``article`` or ``video``.
    original_url, web_url, amp_web_url, cdn_amp_web_url : str
        Addresses; empty if not given.
    provider : Provider
        Its provider.
    topics : tuple of str
        Topics; one of them is the site's section.
    images : tuple of Image
        Its images.
    related : tuple of Coverage
        The story's other coverage.
    featured_content : str
        As the site has it; empty for most.
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


class Body(msgspec.Struct, frozen=True, gc=False):
    """Counts of what the text below the front matter has.

    Parameters
    ----------
    words, links, hosts, headings, code_blocks, images, quotes : int
        Numbers of words, links, different hosts of the links, headings, blocks of code, images and block
        quotes.
    """

    words: int = 0
    links: int = 0
    hosts: int = 0
    headings: int = 0
    code_blocks: int = 0
    images: int = 0
    quotes: int = 0


class RecordWithBody(Record, frozen=True, gc=False, rename=archive_name):
    """A record whose file has text below its front matter; the text itself is not kept.

    Parameters
    ----------
    body : Body
        What the text has.
    """

    body: Body = Body()


def without_body(record: Record) -> Record:
    """Return a record without what the text below its front matter has."""
    if not isinstance(record, RecordWithBody):
        return record
    return Record(**{name: getattr(record, name) for name in Record.__struct_fields__})


class Labels(msgspec.Struct, frozen=True, gc=False, rename=archive_name):
    """Labels of a record; None for a missing label.

    Parameters
    ----------
    quality : int or None
        What the record is worth by itself; points.
    heat : int or None
        What its story is worth now; points, -1 if another record leads the story.
    published : bool or None
        Whether the site shows it.
    """

    quality: Points | None = None
    heat: Heat | None = None
    published: bool | None = None


class Document(msgspec.Struct, frozen=True, gc=False):
    """A record with its labels and its source.

    Parameters
    ----------
    path : str
        File, or name of the row in a frame; ``-`` for standard input, or a row without a name. Escaped by
        :func:`scoring.errors.shown`, since a file name may not be valid text.
    line : int
        Line, row or entry of a file of many records, or row of a frame, from 1; 0 for a whole file.
    sha256 : str
        Hex digest of the file or line.
    record : Record
        The record.
    labels : Labels
        Its labels.
    warnings : tuple of str
        Assumptions made when it was read (a date without a time zone, for example).
    unread_keys : tuple of str
        Keys of the front matter that no field uses, if they were asked for; without the opaque one.
    field_map_sha256 : str
        Digest of the field map by which it was read; empty for scoring's own layout.
    label_texts : mapping of str to tuple of str
        Key and text in the file of each label that a field map finds at a key.
    row_id : str
        The ``path``, else the ``id``, of a row or line that has one, escaped; empty for a whole file.
    """

    path: str
    line: int
    sha256: str
    record: Record
    labels: Labels
    warnings: tuple[str, ...] = ()
    unread_keys: tuple[str, ...] = ()
    field_map_sha256: str = ""
    label_texts: Mapping[str, tuple[str, str]] = {}
    row_id: str = ""

    @property
    def name(self) -> str:
        """Name in results: the file, ``file:number`` for a line, row or entry, or the row's own name."""
        return self.row_id or located(self.path, self.line)

    @property
    def line_in_path(self) -> int:
        """Line, row or entry to look for in the file; 0 if the path itself names the record."""
        return 0 if self.row_id == self.path else self.line
