"""Field map: which keys of an archive's files hold the fields and labels of a record.

A field map is a YAML file, :data:`FILE_NAME` in the archive. It names the keys, and nothing else: no store,
model or other path. An entry that is missing is as in scoring's own layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from scoring.records.record import Labels, Record, archive_name

FILE_NAME = "scoring-fields.yaml"
"""Name of the field map of an archive, in its folder."""

SourceKind = Literal["key", "value", "host", "body", "file"]


class FieldSource(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One place that a field is read from.

    Parameters
    ----------
    kind : {"key", "value", "host", "body", "file"}
        A key; a constant; the host of the address at a key; the text below the front matter; the file's path.
    name : str
        The key, with dots between the keys of nested mappings; the constant; ``first paragraph`` of the body;
        ``date`` or ``name`` of the file.
    formats : tuple of str
        Formats of a date, as for :meth:`datetime.datetime.strptime`, or ``unix``, seconds since 1970; besides
        ISO 8601 and RFC 5322.
    zone : str
        IANA time zone of dates without one; UTC if empty.
    separator : str
        Separator of several values in one text; empty if it is one value.
    item : str
        Key of the value in each item, if the value is a list of mappings.
    """

    kind: SourceKind = "key"
    name: str = ""
    formats: tuple[str, ...] = ()
    zone: str = ""
    separator: str = ""
    item: str = ""


class LabelRule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a label follows from a value in the file, and back.

    A number is multiplied by `scale`, and `offset` is added. Written back, it is rounded to a multiple of
    `step` in the file's unit, and kept from `min` to `max`.

    Parameters
    ----------
    key : str
        The key, with dots between the keys of nested mappings; empty if the label follows from another one.
    label : {"", "quality", "heat"}
        The label that `at_least` compares, if there is no key.
    scale, offset : float
        Points per unit of the file, and points at 0.
    step : float
        Smallest difference between two values in the file.
    min, max : float or None
        Range of values in the file.
    invert : bool
        Whether the label is the opposite of the value, as ``published`` is of ``draft``.
    at_least : float or None
        A record is published from this value on.
    choices : mapping of str to int or bool
        Label of each text that the value may be.
    """

    key: str = ""
    label: Literal["", "quality", "heat"] = ""
    scale: float = 1.0
    offset: float = 0.0
    step: float = 1.0
    min: float | None = None
    max: float | None = None
    invert: bool = False
    at_least: float | None = None
    choices: dict[str, int | bool] = {}

    @property
    def is_written(self) -> bool:
        """Whether the label can be written back: it has a key at the top, and is more than a comparison."""
        return bool(self.key) and "." not in self.key and self.at_least is None

    @property
    def is_in_points(self) -> bool:
        """Whether the file has the label in points, not in a unit of its own."""
        return self.scale == 1 and self.offset == 0 and not self.choices


class FieldMap(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where an archive's files hold the fields and labels of a record.

    Parameters
    ----------
    fields : mapping of str to tuple of FieldSource
        Sources of each field of :data:`FIELDS`; the first that has a value counts. Other fields are empty.
    labels : mapping of str to LabelRule
        Rule of each label that the archive has.
    files : tuple of str
        Globs of the files that hold records, relative to the map's folder; empty for the usual extensions.
    section : str
        Setting ``section`` of this archive: see :class:`scoring.settings.Settings`; empty if it has none.
    """

    fields: dict[str, tuple[FieldSource, ...]]
    labels: dict[str, LabelRule]
    files: tuple[str, ...] = ()
    section: str = ""

    @property
    def is_own_layout(self) -> bool:
        """Whether fields and labels are as in scoring's own layout."""
        return (self.fields, self.labels) == (OWN_LAYOUT.fields, OWN_LAYOUT.labels)

    @property
    def sha256(self) -> str:
        """Digest of fields and labels; empty for scoring's own layout."""
        if self.is_own_layout:
            return ""
        return hashlib.sha256(msgspec.json.encode((self.fields, self.labels))).hexdigest()

    @property
    def keys(self) -> frozenset[str]:
        """Keys at the top of the front matter that this map reads, some by their first part before a dot."""
        names = {source.name for source in self._sources() if source.kind in ("key", "host")}
        names |= {rule.key for rule in self.labels.values() if rule.key}
        return frozenset(names | {name.partition(".")[0] for name in names})

    def field_at(self, key: str) -> str:
        """Return the field that is read from a key, or from within it.

        Parameters
        ----------
        key : str
            A key of the front matter.

        Returns
        -------
        str
            The first such field; empty if there is none.
        """
        for field, sources in self.fields.items():
            for source in sources:
                is_read = source.kind in ("key", "host")
                if is_read and (source.name == key or source.name.startswith(f"{key}.")):
                    return field
        return ""

    def _sources(self) -> Iterator[FieldSource]:
        return (source for sources in self.fields.values() for source in sources)


FIELDS: Mapping[str, str] = {
    **{name: archive_name(name) for name in Record.__struct_fields__},
    "provider.name": "provider.name",
    "provider.domain": "provider.domain",
}
"""Fields of a record that a map may have: name in the map, name in scoring's own layout."""

LABELS = Labels.__struct_fields__
"""Labels that a map may have."""

OWN_LAYOUT = FieldMap(
    {name: (FieldSource(name=key),) for name, key in FIELDS.items() if "." not in name},
    {name: LabelRule(key=name) for name in LABELS},
)
"""Map of scoring's own layout."""
