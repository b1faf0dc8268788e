"""Report columns of tables and frames that no field uses."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Sequence

from scoring.records.field_maps.field_map import FieldMap
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.forms.node import OPAQUE
from scoring.records.reading_warnings import name_keys, used_keys
from scoring.records.record import Labels, Record, archive_name
from scoring.records.tables import column_names, is_table

NAMES = frozenset(("path", "id"))
"""Columns that name a row."""

_LOG = logging.getLogger(__name__)
_FIELDS = {name: archive_name(name) for name in (*Record.__struct_fields__, *Labels.__struct_fields__)}
_MIN_SIMILARITY = 0.8


def unread_columns(columns: Sequence[str], field_map: FieldMap | None = None) -> tuple[str, bool]:
    """Describe the columns that no field uses; None is scoring's own layout.

    Returns
    -------
    tuple of str and bool
        The message, empty if there are none; and whether one of them looks like a misspelt field.

    Examples
    --------
    >>> unread_columns(["title", "topcis", "note"])
    ("columns not read: 'topcis' (did you mean topics?), 'note'", True)
    """
    used = set(used_keys(field_map)) | {key.partition(".")[0] for key in used_keys(field_map)}
    unread = [name for name in columns if name and name not in used | NAMES | {OPAQUE}]
    if not unread:
        return "", False
    free = used.difference(columns)
    meant = {name: near for name in unread if (near := _near(name, free))}
    # Those that may be mistakes first, since a message lists at most a dozen.
    others = [name for name in unread if name not in meant]
    texts = [f"{name_keys([name])} (did you mean {near}?)" for name, near in meant.items()]
    if others:
        texts.append(name_keys(others))
    return f"columns not read: {', '.join(texts)}", bool(meant)


def _near(name: str, fields: Iterable[str]) -> str:
    by_lower = {field.lower(): field for field in fields}
    own = _FIELDS.get(name.lower(), "").lower()
    near = [own] if own in by_lower else difflib.get_close_matches(name.lower(), by_lower, 1, _MIN_SIMILARITY)
    return by_lower[near[0]] if near else ""


def log_unread_columns(files: Iterable[str], field_maps: FieldMaps) -> None:
    """Log, once for each table among some files, the columns that no field uses."""
    for file in files:
        if is_table(file):
            message, is_suspicious = unread_columns(column_names(file), field_maps.of(file))
            if message:
                _LOG.log(logging.WARNING if is_suspicious else logging.INFO, "%s: %s", file, message)
