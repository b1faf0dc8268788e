"""Why a file is left out: by its name, and by its first bytes."""

from __future__ import annotations

import codecs
import os

from scoring.records.field_maps.field_map import FILE_NAME
from scoring.records.file_names import is_markdown
from scoring.records.forms.front_matter import has_carriage_returns, has_front_matter
from scoring.records.left_out import (
    CARRIAGE_RETURNS,
    EMPTY,
    ENCODING,
    JSON_LINES,
    NO_FRONT_MATTER,
    NOT_IN_FIELD_MAP,
    NOT_MARKDOWN,
    Walk,
)
from scoring.storage.regular_files import kind_of, open_regular

HEAD_BYTES = 128
"""Bytes read from the start of a file to see whether it may hold a record."""

LINE_EXTENSIONS = (".jsonl", ".ndjson")
"""Extensions of files with one record per line."""

# Extensions of other texts that may have front matter: such a file is named, others are only counted.
_OTHER_MARKDOWN = frozenset((".mkd", ".mkdn", ".mdown", ".mdwn", ".markdn", ".mdc", ".rmd"))
_OTHER_TEXTS = frozenset((".txt", ".text", ".html", ".htm", ".adoc", ".asciidoc", ".rst", ".org", ".textile"))
_TEMPLATES = frozenset((".njk", ".liquid"))
_RELATED_EXTENSIONS = _OTHER_MARKDOWN | _OTHER_TEXTS | _TEMPLATES | frozenset(LINE_EXTENSIONS)

REPORTED_ONE_BY_ONE = (None, EMPTY, ENCODING, CARRIAGE_RETURNS)
"""Reasons for which a file that arrives by itself is read all the same, so that its fault is reported."""


def may_have_front_matter(name: str) -> bool:
    """Whether a file that is not read may have front matter all the same, so that it is opened to see."""
    extension = os.path.splitext(name)[1].lower()
    return extension in _RELATED_EXTENSIONS and extension not in LINE_EXTENSIONS


def count_other(file: str, name: str, walk: Walk) -> None:
    """Count a file that is not to be read; one that may hold records is named."""
    extension = os.path.splitext(name)[1].lower()
    if name == FILE_NAME:
        return
    if not name.startswith(".") and is_markdown(name):
        walk.leave_out(file, NOT_IN_FIELD_MAP)
    elif name.startswith(".") or extension not in _RELATED_EXTENSIONS:
        walk.n_other += 1
    elif extension in LINE_EXTENSIONS:
        walk.leave_out(file, JSON_LINES)
    elif kind_of(file) is None and has_front_matter(head_of(file)):
        walk.leave_out(file, NOT_MARKDOWN)
    else:
        walk.n_other += 1


def reason_of(file: str) -> str | None:
    """Why a Markdown file is left out; None if it is read, or cannot be, so that this is reported."""
    try:
        descriptor, _ = open_regular(file)
        try:
            return reason_left_out(os.read(descriptor, HEAD_BYTES))
        finally:
            os.close(descriptor)
    except OSError:
        return None


def head_of(file: str) -> bytes:
    """First bytes of a regular file; empty if it cannot be read."""
    try:
        descriptor, _ = open_regular(file)
        try:
            return os.read(descriptor, HEAD_BYTES)
        finally:
            os.close(descriptor)
    except OSError:
        return b""


def reason_left_out(head: bytes) -> str | None:
    """Why a walk leaves a Markdown file out, by its first :data:`HEAD_BYTES`; None if it holds a record.

    A file with blank lines before its ``---`` counts as a record, so that reading it reports the fault.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ENCODING
    head = head.removeprefix(codecs.BOM_UTF8)
    if has_front_matter(head):
        return None
    text = head.lstrip()
    if not text:
        return EMPTY if len(head) < HEAD_BYTES - len(codecs.BOM_UTF8) else None
    if has_carriage_returns(text):
        return CARRIAGE_RETURNS
    return None if text.startswith(b"-") and has_front_matter(text) else NO_FRONT_MATTER


def may_hold_record(head: bytes) -> bool:
    """Whether a file that arrives in a watched folder or lies in a store is reported if it cannot be read.

    Unlike those of a walked folder, such files are not counted by reason: one that is empty, in UTF-16 or has
    carriage returns as line ends is read, which reports the fault.
    """
    return reason_left_out(head) in REPORTED_ONE_BY_ONE
