"""Untyped YAML or JSON values with their line numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

MAX_DEPTH = 32
"""Maximum depth of nesting; a record needs five levels."""

MAX_VALUES = 60_000
"""Maximum number of values on the strict path, with keys and expanded aliases; so many take half a second.
1,000 related records with all fields have 50,000 values. The fast path has no such limit."""

OPAQUE = "secured"
"""Name of the field that is never read."""


class Problem(NamedTuple):
    """Why a value cannot be read; it refuses a record only if the value is used."""

    line: int
    got: str
    expected: str


TOO_DEEP = "deeper nesting", f"at most {MAX_DEPTH} levels"
"""Problem of a value below the maximum depth."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One value of a document.

    Parameters
    ----------
    line : int
        Line in the file where it begins, from 1.
    value : str or list of Node or dict of str to Node or None
        Source text of a scalar, items, fields, or nothing.
    is_plain : bool
        Whether a scalar is unquoted, so that ``67`` is a number and ``true`` a boolean.
    repeated : tuple of (str, int)
        Repeated keys of a mapping, each with its line.
    problem : Problem or None
        Why the value cannot be read; a mapping with a problem may still have fields.
    """

    line: int
    value: str | list[Node] | dict[str, Node] | None
    is_plain: bool = False
    repeated: tuple[tuple[str, int], ...] = ()
    problem: Problem | None = None

    @property
    def is_null(self) -> bool:
        """Whether the value is missing or a YAML null."""
        if self.problem is not None:
            return False
        return self.value is None or (self.is_plain and self.value in ("", "~", "null", "Null", "NULL"))

    def describe(self) -> str:
        """Describe the value for a fault, in about 40 characters.

        Examples
        --------
        >>> Node(1, "high", is_plain=True).describe()
        "'high'"
        """
        if self.problem is not None:
            return self.problem.got
        if self.is_null:
            return "nothing"
        if isinstance(self.value, str):
            shown = repr(self.value if len(self.value) <= 40 else self.value[:39] + "…")
            return shown if self.is_plain else f"the text {shown}"
        return "a list" if isinstance(self.value, list) else "a mapping"


def at_key(root: Node, key: str) -> Node | None:
    """Return the value at a key, with dots between the keys of nested mappings; None if there is none."""
    if not isinstance(root.value, dict):
        return None
    if key in root.value:
        return root.value[key]
    first, dot, rest = key.partition(".")
    return at_key(root.value[first], rest) if dot and first in root.value else None
