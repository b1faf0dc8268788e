"""The labels of a file as the field map of a write reads them.

A field map may have been edited since scoring wrote labels by it. What scoring wrote is a text at a key, so
the text that is at this key now is read by the rule of the write, and compared with the label that it wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from scoring.records.field_maps.field_map import OWN_LAYOUT, FieldMap
from scoring.records.forms.label_positions import LABELS
from scoring.records.mapped_labels import read_text
from scoring.records.record import Document

DIGEST_CHARS = 32
"""Digits of a digest in the journal: 128 bits, so that no two records of an archive share them."""


class View(NamedTuple):
    """Labels as one field map reads them: their values, and the position there of each label of the file.

    The position is None for a label that this map does not write.
    """

    values: tuple[Any, ...]
    positions: tuple[int | None, ...]


_SAME = tuple(range(len(LABELS)))


class LabelView:
    """Labels of a file, as any field map of the journal reads them.

    Parameters
    ----------
    document : Document
        The record with the labels of its file.
    field_maps : mapping of str to FieldMap
        Field maps of the journal, by digest.
    """

    def __init__(self, document: Document, field_maps: Mapping[str, FieldMap]) -> None:
        self.values = msgspec.structs.astuple(document.labels)
        self.field_map = document.field_map_sha256[:DIGEST_CHARS]
        self._texts = document.label_texts
        self._field_maps = field_maps
        self._views: dict[str | None, View] = {}

    def is_other(self, field_map: str | None) -> bool:
        """Whether a field map is known and not the one by which the file was read."""
        return field_map is not None and field_map != self.field_map and self._known(field_map) is not None

    def by(self, field_map: str | None) -> View:
        """Return the labels as a field map reads them; by the file's own one if it is not known."""
        view = self._views.get(field_map)
        if view is None:
            view = self._views[field_map] = self._view(field_map)
        return view

    def _known(self, field_map: str) -> FieldMap | None:
        return self._field_maps.get(field_map) if field_map else OWN_LAYOUT

    def _view(self, field_map: str | None) -> View:
        known = self._known(field_map) if field_map is not None else None
        if known is None or field_map == self.field_map == "":
            return View(self.values, _SAME)
        by_key = {rule.key: name for name, rule in known.labels.items() if rule.is_written}
        values: list[Any] = [None] * len(LABELS)
        positions: list[int | None] = [None] * len(LABELS)
        for name, (key, text) in (self._texts if self.field_map else self._own_texts()).items():
            if written := by_key.get(key):
                position = LABELS.index(written)
                positions[LABELS.index(name)] = position
                values[position] = read_text(written, text, known.labels[written])
        return View(tuple(values), tuple(positions))

    def _own_texts(self) -> dict[str, tuple[str, str]]:
        """Keys and texts in scoring's own layout."""
        pairs = zip(LABELS, self.values, strict=True)
        return {name: (name, str(value).lower()) for name, value in pairs if value is not None}
