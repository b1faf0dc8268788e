"""Strict conversion of untyped nodes to a record, which collects every fault."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TypeVar

from scoring.errors import Fault, RecordError
from scoring.records.forms.node import MAX_VALUES, Node, Problem
from scoring.records.reading_warnings import (
    INPUT_FIELDS,
    LABEL_FIELDS,
    TITLE_ONLY,
    is_title_only,
    name_keys,
    unread_keys,
    unusable_label,
)
from scoring.records.record import MAX_INTEGER, Coverage, Image, Labels, Provider, Record

FIRST_YEAR, LAST_YEAR = 1970, 2199
"""Valid years of publication; any other is taken for a typing error."""

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(
    # Day and time; 24:00 is midnight to some versions of Python.
    r"\d{4}-\d{2}-\d{2} [Tt\ ] (?!24)\d{2}:\d{2} (?: :\d{2} (?:\.\d+)? )?"
    r"(?: \ ? (?: [Zz] | [+-]\d{2}(?::?\d{2})? ) )?",  # zone
    re.VERBOSE | re.ASCII,
)
_BEYOND_MICROSECONDS = re.compile(r"(?<=\.\d{6})\d+", re.ASCII)
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}

_NUMBER = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?", re.ASCII)

T = TypeVar("T")


def read_record(root: Node, path: str) -> tuple[Record, Labels, tuple[str, ...]]:
    """Convert a node to a record and its labels.

    Parameters
    ----------
    root : Node
        Mapping of the record's fields.
    path : str
        File, for faults.

    Returns
    -------
    tuple of Record, Labels and tuple of str
        The record, its labels, and warnings about assumptions.

    Raises
    ------
    RecordError
        With every fault, in line order.
    """
    if root.problem is not None:
        raise RecordError(Fault(path, *_of(root.problem)))
    if not isinstance(root.value, dict) or not root.value:
        got = root.describe() if root.value else "nothing"
        raise RecordError(Fault(path, root.line, "", got, "the fields of a record"))
    reader = _Reader(path)
    record, labels = reader.read(root)
    if reader.faults:
        raise RecordError(*sorted(reader.faults, key=lambda fault: fault.line))
    return record, labels, tuple(reader.warnings)


class _Reader:
    """Reads one record and continues after each fault, so that all faults are reported at once."""

    def __init__(self, path: str) -> None:
        self.faults: list[Fault] = []
        self.warnings: list[str] = []
        self._path = path
        self._n_values = 0

    def read(self, root: Node) -> tuple[Record, Labels]:
        fields = self._open(root, "", used=INPUT_FIELDS)
        n_faults = len(self.faults)
        title = self._text(fields, "title", "")
        if title and fields["title"].is_plain and _is_untyped(title):
            self.warnings.append(f"title: got {title}, a number or boolean: taken as text")
        if not title.strip() and len(self.faults) == n_faults:
            self._fail(fields.get("title", root), "title", "no text", "a title")
        record = Record(
            title=html.unescape(title),
            excerpt=html.unescape(self._text(fields, "excerpt", "")),
            published_at=self._moment(fields, ""),
            category=self._text(fields, "category", "") or "news",
            type=self._text(fields, "type", "") or "article",
            original_url=self._text(fields, "originalUrl", ""),
            web_url=self._text(fields, "webUrl", ""),
            amp_web_url=self._text(fields, "ampWebUrl", ""),
            cdn_amp_web_url=self._text(fields, "cdnAmpWebUrl", ""),
            provider=self._provider(fields, ""),
            topics=self._topics(fields),
            images=self._images(fields, ""),
            related=self._items(fields, "related", "", self._coverage),
            featured_content=self._text(fields, "featuredContent", ""),
        )
        labels = self._labels(fields, {name for name, _ in root.repeated})
        for name, node in fields.items():
            if node.problem is not None and name not in INPUT_FIELDS | LABEL_FIELDS:
                problem = node.problem
                self.warnings.append(f"{name}: got {problem.got}, expected {problem.expected}: not read")
        if is_title_only(record) and (unread := unread_keys(root)):
            self.warnings.append(f"{TITLE_ONLY}: no field uses {name_keys(unread)}")
        if record.published_at is None:
            self.warnings.append("no publishedDateTime")
        if not record.provider.name and not record.provider.domain:
            self.warnings.append("no provider")
        if not record.topics:
            self.warnings.append("no topics")
        return record, labels

    def _labels(self, fields: dict[str, Node], repeated: set[str]) -> Labels:
        """Read the labels; one that cannot be used is missing, with a warning."""
        n_faults = len(self.faults)
        labels = Labels(
            quality=None if "quality" in repeated else self._integer(fields, "quality", ""),
            heat=None if "heat" in repeated else self._integer(fields, "heat", "", at_least=-1),
            published=None if "published" in repeated else self._truth(fields, "published", ""),
        )
        for fault in self.faults[n_faults:]:
            self.warnings.append(unusable_label(fault.field, fault.got, fault.expected))
        del self.faults[n_faults:]
        for name in sorted(repeated & LABEL_FIELDS):
            self.warnings.append(unusable_label(name, "a repeated field", "one value"))
        return labels

    def _open(self, node: Node, where: str, *, used: frozenset[str]) -> dict[str, Node]:
        """Return the fields of a mapping; a used field that is repeated is a fault, since it is ambiguous."""
        if not isinstance(node.value, dict) or node.problem is not None:
            self._fail(node, where, node.describe(), "a mapping")
            return {}
        for name, line in node.repeated:
            if name in used:
                self.faults.append(
                    Fault(self._path, line, _join(where, name), "a repeated field", "one value")
                )
        self._count(node, len(node.value))
        return node.value

    def _count(self, node: Node, n_values: int) -> None:
        self._n_values += n_values
        if self._n_values > MAX_VALUES:
            expected = f"at most {MAX_VALUES:,} values"
            raise RecordError(
                Fault(self._path, node.line, "", "too many values after alias expansion", expected)
            )

    def _fail(self, node: Node, where: str, got: str, expected: str) -> None:
        line = node.line
        if node.problem is not None:
            line, got, expected = node.problem
        self.faults.append(Fault(self._path, line, where, got, expected))

    def _text(self, fields: dict[str, Node], name: str, where: str) -> str:
        node = fields.get(name)
        if node is None or node.is_null:
            return ""
        if not isinstance(node.value, str):
            self._fail(node, _join(where, name), node.describe(), "text")
            return ""
        return self._check_text(node, node.value, _join(where, name))

    def _check_text(self, node: Node, text: str, where: str) -> str:
        # JSON can contain unpaired surrogates; such text cannot be printed or saved.
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            self._fail(node, where, "half of a character", "text in Unicode")
        return text

    def _integer(
        self, fields: dict[str, Node], name: str, where: str, *, at_least: int = -MAX_INTEGER
    ) -> int | None:
        node = fields.get(name)
        if node is None or node.is_null:
            return None
        expected = "an integer" if at_least == -MAX_INTEGER else f"an integer of at least {at_least}"
        if isinstance(node.value, str) and node.is_plain and _INTEGER.fullmatch(node.value):
            value = int(node.value)
            if at_least <= value <= MAX_INTEGER:
                return value
            if value > MAX_INTEGER:
                expected = f"an integer of at most {MAX_INTEGER:,}"
        self._fail(node, _join(where, name), node.describe(), expected)
        return None

    def _pixels(self, fields: dict[str, Node], name: str, where: str) -> int | None:
        return self._integer(fields, name, where, at_least=0) or None

    def _truth(self, fields: dict[str, Node], name: str, where: str) -> bool | None:
        node = fields.get(name)
        if node is None or node.is_null:
            return None
        if isinstance(node.value, str) and node.is_plain and node.value in _BOOLEANS:
            return _BOOLEANS[node.value]
        self._fail(node, _join(where, name), node.describe(), "true or false")
        return None

    def _moment(self, fields: dict[str, Node], where: str) -> datetime | None:
        node = fields.get("publishedDateTime")
        if node is None or node.is_null:
            return None
        name = _join(where, "publishedDateTime")
        moment, assumed = parse_moment(node.value) if isinstance(node.value, str) else (None, "")
        if moment is None:
            self._fail(node, name, node.describe(), "a date such as 2021-03-04T05:06:07Z")
        elif not FIRST_YEAR <= moment.year <= LAST_YEAR:
            self._fail(node, name, node.describe(), f"a date from {FIRST_YEAR} to {LAST_YEAR}")
        elif assumed:
            self.warnings.append(f"{name}: {node.describe()} {assumed}")
        return moment

    def _items(
        self, fields: dict[str, Node], name: str, where: str, read: Callable[[Node, str], T]
    ) -> tuple[T, ...]:
        node = fields.get(name)
        if node is None or node.is_null:
            return ()
        where = _join(where, name)
        if not isinstance(node.value, list):
            self._fail(node, where, node.describe(), "a list")
            return ()
        self._count(node, len(node.value))
        return tuple(read(item, f"{where}[{index}]") for index, item in enumerate(node.value))

    def _topics(self, fields: dict[str, Node]) -> tuple[str, ...]:
        node = fields.get("topics")
        if node is not None and isinstance(node.value, str) and not node.is_null:
            return (self._check_text(node, node.value, "topics"),) if node.value else ()
        topics = self._items(fields, "topics", "", self._topic)
        return tuple(topic for topic in topics if topic)

    def _topic(self, node: Node, where: str) -> str:
        if node.is_null:
            self.warnings.append(f"{where}: got nothing, expected text: left out")
            return ""
        if not isinstance(node.value, str) or not node.value:
            self._fail(node, where, node.describe(), "text")
            return ""
        return self._check_text(node, node.value, where)

    def _provider(self, fields: dict[str, Node], where: str) -> Provider:
        node = fields.get("provider")
        if node is None or node.is_null:
            return Provider()
        if isinstance(node.value, str):
            return Provider(name=self._check_text(node, node.value, _join(where, "provider")))
        where = _join(where, "provider")
        inner = self._open(node, where, used=_PROVIDER_FIELDS)
        return Provider(
            name=self._text(inner, "name", where),
            domain=self._text(inner, "domain", where),
            images=self._images(inner, where),
        )

    def _images(self, fields: dict[str, Node], where: str) -> tuple[Image, ...]:
        return self._items(fields, "images", where, self._image)

    def _image(self, node: Node, where: str) -> Image:
        fields = self._open(node, where, used=_IMAGE_FIELDS)
        return Image(
            url=self._text(fields, "url", where),
            width=self._pixels(fields, "width", where),
            height=self._pixels(fields, "height", where),
            is_cached=self._truth(fields, "isCached", where) or False,
        )

    def _coverage(self, node: Node, where: str) -> Coverage:
        fields = self._open(node, where, used=_COVERAGE_FIELDS)
        return Coverage(
            title=html.unescape(self._text(fields, "title", where)),
            excerpt=html.unescape(self._text(fields, "excerpt", where)),
            published_at=self._moment(fields, where),
            web_url=self._text(fields, "webUrl", where),
            original_url=self._text(fields, "originalUrl", where),
            amp_web_url=self._text(fields, "ampWebUrl", where),
            cdn_amp_web_url=self._text(fields, "cdnAmpWebUrl", where),
            type=self._text(fields, "type", where) or "article",
            provider=self._provider(fields, where),
            images=self._images(fields, where),
            quality=self._integer(fields, "quality", where),
        )


_IMAGE_FIELDS = frozenset(Image.__struct_encode_fields__)
_PROVIDER_FIELDS = frozenset(Provider.__struct_encode_fields__)
_COVERAGE_FIELDS = frozenset(Coverage.__struct_encode_fields__)


def _is_untyped(text: str) -> bool:
    """Whether a text without quotes is a number or a boolean."""
    return text in _BOOLEANS or _NUMBER.fullmatch(text) is not None


def _of(problem: Problem) -> tuple[int, str, str, str]:
    return problem.line, "", problem.got, problem.expected


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def parse_moment(text: str) -> tuple[datetime | None, str]:
    """Parse a time as UTC, with the assumption made; None if the text is not a date."""
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC), "has no time: taken as midnight UTC"
        if not _MOMENT.fullmatch(text):
            return None, ""
        text = _BEYOND_MICROSECONDS.sub("", text)  # truncated: rounding could move it into the next second
        time = datetime.fromisoformat(text.upper().replace(" +", "+").replace(" -", "-").replace(" Z", "Z"))
        if time.tzinfo is None:
            return time.replace(tzinfo=UTC), "has no zone: taken as UTC"
        return time.astimezone(UTC), ""
    except (ValueError, OverflowError):
        return None, ""
