"""Metadata of a feature column."""

from __future__ import annotations

from typing import Literal

import msgspec

Family = Literal["provider", "topic", "recency", "coverage", "content", "body"]
Type = Literal["bool", "count", "number", "category"]


class Column(msgspec.Struct, frozen=True):
    """One feature column.

    Parameters
    ----------
    name : str
        Name in the table.
    family : str
        ``provider``, ``topic``, ``recency``, ``coverage``, ``content`` or ``body``.
    type : str
        ``bool`` (0 or 1), ``count``, ``number`` or ``category`` (text).
    unit : str
        Unit; empty if there is none.
    range : str
        Possible values; includes ``missing`` if a value may be absent.
    meaning : str
        Description in one line.
    is_portable : bool
        False if it depends on names of one site (a provider, a topic) and does not transfer to another.
    """

    name: str
    family: Family
    type: Type
    unit: str
    range: str
    meaning: str
    is_portable: bool = True
