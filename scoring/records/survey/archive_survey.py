"""Survey of an archive: which keys its front matter has, how often, and what their values look like."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from scoring.errors import Fault, RecordError
from scoring.records.corpus import read_bytes
from scoring.records.decode import parse_file, parse_json
from scoring.records.forms.node import Node
from scoring.records.reader import parse_moment
from scoring.records.tables import read_rows

MAX_FILES = 500
"""Files that are read; of a larger archive, evenly spaced ones."""

_MAX_KEYS = 300  # different keys that are kept
_MAX_VALUES = 1000  # different values of a key that are kept
_MAX_CHARS = 60

_ADDRESS = re.compile(r"https?://[^\s/]+\.[^\s]+|www\.[^\s]+\.[^\s]+", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_BOOLEANS = frozenset({"true", "false", "yes", "no"})


@dataclass(slots=True)
class KeySummary:
    """Values of one key in the files that were read.

    Parameters
    ----------
    key : str
        The key, with dots between the keys of nested mappings.
    n_files : int
        Files that have a value.
    kinds : Counter
        Number of values of each kind: ``text``, ``number``, ``boolean``, ``date``, ``address``, ``texts`` (a
        list of texts), ``mappings`` (a list of mappings), ``mapping`` or ``list``.
    values : Counter
        Scalar values with their numbers, at most 1,000 different ones; texts are shortened.
    items : Counter
        Keys of the mappings in a list.
    """

    key: str
    n_files: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    items: Counter[str] = field(default_factory=Counter)

    @property
    def kind(self) -> str:
        """The most frequent kind."""
        return self.kinds.most_common(1)[0][0] if self.kinds else "text"

    def share_of(self, *kinds: str) -> float:
        """Share of the values that are of one of these kinds."""
        return sum(self.kinds[kind] for kind in kinds) / max(self.kinds.total(), 1)

    @property
    def example(self) -> str:
        """A value, the most frequent one of the longest half; empty if there is none."""
        return max(self.values, key=lambda text: (self.values[text] > 1, len(text)), default="")


@dataclass(slots=True)
class Survey:
    """What an archive's files hold.

    Parameters
    ----------
    n_files : int
        Files that may hold a record.
    n_read : int
        Files that were read.
    n_body : int
        Files among them with text below the front matter.
    n_path_dates : int
        Files among them with a date in their path.
    extensions : Counter
        Number of files by extension.
    keys : dict of str to KeySummary
        By key.
    faults : list of RecordError
        Errors of the files that could not be read.
    """

    n_files: int
    n_read: int = 0
    n_body: int = 0
    n_path_dates: int = 0
    extensions: Counter[str] = field(default_factory=Counter)
    keys: dict[str, KeySummary] = field(default_factory=dict)
    faults: list[RecordError] = field(default_factory=list)


def survey_files(
    files: Sequence[str],
    *,
    has_path_date: Callable[[str], bool],
    on_progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Read some files, evenly spaced, and summarize their keys.

    Parameters
    ----------
    files : sequence of str
        All files.
    has_path_date : callable
        Whether a path contains a date.
    on_progress : callable, optional
        Called with the number of files done and the total.
    """
    survey = Survey(len(files), extensions=Counter(os.path.splitext(file)[1].lower() for file in files))
    chosen = _evenly_spaced(files)
    for n_done, file in enumerate(chosen, start=1):
        try:
            root, body = parse_file(read_bytes(file), file)
        except RecordError as error:
            survey.faults.append(error)
        else:
            survey.n_path_dates += has_path_date(file)
            _add_record(survey, root, body)
        if on_progress is not None:
            on_progress(n_done, len(chosen))
    return survey


def survey_table(file: str) -> Survey:
    """Read the first rows of a table, CSV or Parquet, and summarize its columns.

    Parameters
    ----------
    file : str
        The table.

    Raises
    ------
    RecordError
        If it cannot be read.
    """
    survey = Survey(0, extensions=Counter([os.path.splitext(file)[1].lower()]))
    try:
        for number, row in read_rows(file):
            survey.n_files += 1
            if isinstance(row, RecordError):
                survey.faults.append(row)
            elif survey.n_read < MAX_FILES:
                _add_record(survey, parse_json(row, file, number), "")
    except OSError as error:
        raise RecordError(Fault(file, 0, "", error.strerror or "a disk error", "a table")) from None
    return survey


def _add_record(survey: Survey, root: Node, body: str) -> None:
    survey.n_read += 1
    survey.n_body += bool(body.strip())
    for key, node in _values(root):
        _add(survey, key, node)


def _evenly_spaced(files: Sequence[str]) -> list[str]:
    n_chosen = min(len(files), MAX_FILES)
    return [files[index * len(files) // n_chosen] for index in range(n_chosen)]


def _values(root: Node, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Node]]:
    """Keys with a value, those of nested mappings too."""
    if not isinstance(root.value, dict):
        return
    for name, node in root.value.items():
        key = f"{prefix}{name}"
        if node.is_null or node.value in ("", [], {}):
            continue
        yield key, node
        if depth < 2:
            yield from _values(node, f"{key}.", depth + 1)


def _add(survey: Survey, key: str, node: Node) -> None:
    if key not in survey.keys and len(survey.keys) >= _MAX_KEYS:
        return
    summary = survey.keys.setdefault(key, KeySummary(key))
    summary.n_files += 1
    summary.kinds[kind_of_value(node)] += 1
    for text in _scalars(node):
        if text in summary.values or len(summary.values) < _MAX_VALUES:
            summary.values[text] += 1
    if isinstance(node.value, list):
        for item in node.value:
            if isinstance(item.value, dict):
                summary.items.update(list(item.value))


def _scalars(node: Node) -> Iterator[str]:
    items = node.value if isinstance(node.value, list) else [node]
    for item in items:
        if isinstance(item.value, str) and not item.is_null:
            yield item.value if len(item.value) <= _MAX_CHARS else item.value[: _MAX_CHARS - 1] + "…"


def kind_of_value(node: Node) -> str:
    """Kind of a value: see :class:`KeySummary`."""
    if isinstance(node.value, dict):
        return "mapping"
    if isinstance(node.value, list):
        if all(isinstance(item.value, str) for item in node.value):
            return "texts"
        return "mappings" if all(isinstance(item.value, dict) for item in node.value) else "list"
    text = node.value or ""
    if text.lower() in _BOOLEANS:
        return "boolean"
    if _NUMBER.fullmatch(text):
        return "number"
    if _ADDRESS.match(text):
        return "address"
    return "date" if parse_moment(text)[0] is not None else "text"
