"""What a feature column is."""

from __future__ import annotations

from typing import Literal

import msgspec

Family = Literal["provider", "topic", "recency", "coverage", "content"]
Type = Literal["bool", "count", "number", "category"]


class Column(msgspec.Struct, frozen=True):
    """One feature column.

    Parameters
    ----------
    name : str
        Its name in the table.
    family : str
        ``provider``, ``topic``, ``recency``, ``coverage`` or ``content``.
    type : str
        ``bool`` (0 or 1), ``count``, ``number`` or ``category`` (text).
    unit : str
        Unit; empty where there is none.
    range : str
        Values that it can take; ``missing`` stands where a value may be absent.
    meaning : str
        What it says of the record, in one line.
    is_portable : bool
        False where it names something of one site (a provider, a topic) and does not travel to another.
    """

    name: str
    family: Family
    type: Type
    unit: str
    range: str
    meaning: str
    is_portable: bool = True
