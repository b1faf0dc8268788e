"""What a careful reader of YAML or JSON hands on: untyped values that know their line."""

from __future__ import annotations

from dataclasses import dataclass

MAX_DEPTH = 32
"""Levels of nesting that are read; a record needs five."""

MAX_VALUES = 60_000
"""Values that are read with full care, keys and what aliases repeat included: so many take half a second.
1,000 related records with all their fields are 50,000; the plain form is read fast, and has no such bound."""

OPAQUE = "secured"
"""The field that is never read, whatever it holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One value of a document.

    Parameters
    ----------
    line : int
        Line of the file on which it begins, from 1.
    value : str or list of Node or dict of str to Node or None
        Text of a scalar as it is written, items, fields, or nothing.
    is_plain : bool
        Whether a scalar stands without quotes, so that ``67`` and ``true`` mean a number and a truth.
    repeated : tuple of (str, int)
        Keys that a mapping holds once more, each with its line.
    """

    line: int
    value: str | list[Node] | dict[str, Node] | None
    is_plain: bool = False
    repeated: tuple[tuple[str, int], ...] = ()

    @property
    def is_null(self) -> bool:
        """Whether nothing stands here: no value, or one of YAML's words for it."""
        return self.value is None or (self.is_plain and self.value in ("", "~", "null", "Null", "NULL"))

    def describe(self) -> str:
        """Say what stands here, in at most some 40 characters.

        Examples
        --------
        >>> Node(1, "high", is_plain=True).describe()
        "'high'"
        """
        if self.is_null:
            return "nothing"
        if isinstance(self.value, str):
            shown = repr(self.value if len(self.value) <= 40 else self.value[:39] + "…")
            return shown if self.is_plain else f"the text {shown}"
        return "a list" if isinstance(self.value, list) else "a mapping"
