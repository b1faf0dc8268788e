"""Nested fields that rows of tables, frames and lines of JSON may hold as JSON text."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeGuard

from scoring.records.field_maps.field_map import FieldMap

NESTED_FIELDS = ("provider", "topics", "images", "related")
"""Fields of scoring's own layout that a row may hold as JSON text."""


def is_json_text(value: object) -> TypeGuard[str]:
    """Whether a value is text that begins like a list or an object; any other text is a plain value.

    Examples
    --------
    >>> is_json_text(' ["a"]'), is_json_text("Weather")
    (True, False)
    """
    return isinstance(value, str) and value.lstrip().startswith(("[", "{"))


def nested_keys(field_map: FieldMap | None) -> Collection[str]:
    """Keys that may hold JSON text: those of nested fields, and those whose own keys are read by name."""
    if field_map is None or field_map.is_own_layout:
        return NESTED_FIELDS
    keys = set()
    for field, sources in field_map.fields.items():
        for source in sources:
            if source.kind not in ("key", "host"):
                continue
            if field in NESTED_FIELDS and not source.separator:
                keys.add(source.name)
            keys.add(source.name.rpartition(".")[0].partition(".")[0])
    return keys
