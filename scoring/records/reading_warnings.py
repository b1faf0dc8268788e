"""Warnings about what was not read of a record: unused keys, and labels that cannot be used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from scoring.records.field_maps.field_map import FieldMap
from scoring.records.forms.node import Node
from scoring.records.record import Labels, Record

INPUT_FIELDS = frozenset(Record.__struct_encode_fields__)
"""Fields of a record, by their names in a file."""

LABEL_FIELDS = frozenset(Labels.__struct_encode_fields__)
"""Labels, by their names in a file."""

TITLE_ONLY = "only the title was read"
"""Start of the warning that only the title of a record was read, though it has more keys."""

_MAX_KEYS, _MAX_KEY_CHARS = 12, 40  # of a message
_UNUSABLE = ": taken as a missing label"
_EMPTY = "the text '',"


def unread_keys(root: Node, field_map: FieldMap | None = None) -> tuple[str, ...]:
    """Return the keys of a record that no field uses, in their order; None is scoring's own layout.

    Examples
    --------
    >>> unread_keys(Node(2, {"title": Node(2, "Rain"), "link": Node(3, "a")}))
    ('link',)
    """
    if not isinstance(root.value, dict):
        return ()
    known = used_keys(field_map)
    return tuple(key for key in root.value if key not in known)


def used_keys(field_map: FieldMap | None) -> Collection[str]:
    """Keys at the top of a record that fields or labels use; None is scoring's own layout."""
    if field_map is None or field_map.is_own_layout:
        return INPUT_FIELDS | LABEL_FIELDS
    return field_map.keys


def name_keys(keys: Sequence[str]) -> str:
    """List keys for a message, at most a dozen of them.

    Examples
    --------
    >>> name_keys(["date", "link"])
    "'date', 'link'"
    """
    named = [repr(key if len(key) <= _MAX_KEY_CHARS else f"{key[: _MAX_KEY_CHARS - 1]}…") for key in keys]
    more = [f"{len(keys) - _MAX_KEYS:,} more"] if len(keys) > _MAX_KEYS else []
    return ", ".join(named[:_MAX_KEYS] + more)


def is_title_only(record: Record) -> bool:
    """Whether nothing but a record's title (and its category and type) was read.

    Examples
    --------
    >>> is_title_only(Record(title="Rain")), is_title_only(Record(title="Rain", topics=("Sea",)))
    (True, False)
    """
    return record == Record(title=record.title, category=record.category, type=record.type)


def title_only_warning(warnings: Iterable[str]) -> str:
    """Return the warning that only the title of a record was read, though it has more keys; else empty."""
    return next((warning for warning in warnings if warning.startswith(TITLE_ONLY)), "")


def unusable_label(name: str, got: str, expected: str) -> str:
    """Warning about a label that cannot be used.

    Examples
    --------
    >>> unusable_label("quality", "'high'", "an integer")
    "quality: got 'high', expected an integer: taken as a missing label"
    """
    return f"{name}: got {got}, expected {expected}{_UNUSABLE}"


def unusable_labels(warnings: Iterable[str], keys: Mapping[str, str]) -> dict[str, str]:
    """Return the warning about each label that cannot be used, by label; an empty text is a missing label.

    Parameters
    ----------
    warnings : iterable of str
        Warnings of a record.
    keys : mapping of str to str
        Key of each label.

    Examples
    --------
    >>> unusable_labels([unusable_label("grade", "'C'", "one of A, B")], {"quality": "grade"})
    {'quality': "grade: got 'C', expected one of A, B"}
    """
    about_labels = [warning.removesuffix(_UNUSABLE) for warning in warnings if warning.endswith(_UNUSABLE)]
    return {
        name: about
        for about in about_labels
        for name, key in keys.items()
        if about.startswith(f"{key}: got ") and not about.startswith(f"{key}: got {_EMPTY}")
    }


def has_unusable_label(warnings: Iterable[str]) -> bool:
    """Whether a record's warnings tell of a label that cannot be used."""
    return any(warning.endswith(_UNUSABLE) for warning in warnings)
