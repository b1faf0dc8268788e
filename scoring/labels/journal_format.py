"""Format of the journal: an append-only file of JSON lines.

They have digests, labels and field maps, and neither paths nor texts of records. The order of lines and
repeated lines do not matter, so that two journals are merged by concatenation (``merge=union`` in Git).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from scoring.records.field_maps.field_map import FieldMap
from scoring.records.label_spelling import SPELLING
from scoring.records.record import Heat, Points

FORMAT = 1
"""Format version of a line; a newer one is refused."""

_Digest = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
_DigestOrNone = Annotated[str, Meta(pattern="^([0-9a-f]{32})?$")]
_Name = Annotated[str, Meta(min_length=1, max_length=80)]
_Spelling = Annotated[str, Meta(pattern=rf"^{SPELLING}\Z")]


class JournalLabels(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Labels of a file after a write that it set or confirmed; None for a label that it removed."""

    quality: Points | UnsetType | None = UNSET
    heat: Heat | UnsetType | None = UNSET
    published: bool | UnsetType | None = UNSET


class LabelsBefore(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Labels of a file before a write; an omitted label was absent.

    A string is the source text after the label's colon, if it was not the usual spelling of the value: see
    :func:`scoring.records.label_spelling.spellings_of`.
    """

    quality: bool | Points | _Spelling | UnsetType = UNSET
    heat: bool | Points | _Spelling | UnsetType = UNSET
    published: bool | Points | _Spelling | UnsetType = UNSET


class JournalEntry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="labels",
    tag_field="kind",
    gc=False,
):
    """Labels to be written into one file.

    Parameters
    ----------
    format : int
        Format version of the line.
    at : datetime
        Time of the batch, aware UTC.
    write_id : str
        Id of the write.
    batch, item : int
        Batch of the write and item of the batch; from 0.
    command : str
        ``score``, ``watch``, ``desk`` or ``restore``.
    owner : str
        ``scoring`` for a model's values, ``people`` for a person's.
    record : str
        First 32 digits of the digest of the record without its coverage: see
        :func:`scoring.records.ledger.content_sha256`.
    file : str
        First 32 digits of the digest of the file's path and the record's URL and date; empty if there are
        none.
    place : str
        First 32 digits of the digest of the file's path alone; empty in entries of earlier versions.
    field_map : str
        First 32 digits of the digest of the field map by which the record was read, empty for scoring's own
        layout; unset in entries of earlier versions.
    labels : JournalLabels
        Labels after the write.
    before : LabelsBefore
        The same labels before the write.
    model : str
        Name and version of the model; empty if there was none.
    """

    format: Literal[1] = 1
    at: Annotated[datetime, Meta(tz=True)]
    write_id: _Name
    batch: Annotated[int, Meta(ge=0)] = 0
    item: Annotated[int, Meta(ge=0)] = 0
    command: Literal["score", "watch", "desk", "restore"]
    owner: Literal["scoring", "people"]
    record: _Digest
    file: _DigestOrNone = ""
    place: _DigestOrNone = ""
    field_map: _DigestOrNone | UnsetType = UNSET
    labels: JournalLabels
    before: LabelsBefore = LabelsBefore()
    model: str = ""


class BatchDone(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="done",
    tag_field="kind",
    gc=False,
):
    """End of a batch: its files are written.

    A batch without this line was interrupted: each of its files may or may not have been written.

    Parameters
    ----------
    format : int
        Format version of the line.
    write_id : str
        Id of the write.
    batch : int
        The batch.
    not_written : tuple of int
        Items of the batch that were not written.
    """

    format: Literal[1] = 1
    write_id: _Name
    batch: Annotated[int, Meta(ge=0)] = 0
    not_written: tuple[int, ...] = ()


class FieldMapLine(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="field map",
    tag_field="kind",
    gc=False,
):
    """A field map by which records were read, so that their labels are found again when it has changed.

    Parameters
    ----------
    format : int
        Format version of the line.
    digest : str
        First 32 digits of its digest.
    field_map : FieldMap
        Its fields and labels.
    """

    format: Literal[1] = 1
    digest: _Digest
    field_map: FieldMap


Line = JournalEntry | BatchDone | FieldMapLine
