"""The ledger of corrections: an append-only file of JSON lines, one per correction of a predicted label.

A correction belongs to a record, not to a file: it has the digest of the record without its labels, so that
it still applies if the file moves or its labels change. A correction of quality applies whatever the
coverage; those of heat and published apply only to the coverage that they were made for. A correction
contains no text of the record.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from filelock import FileLock

from scoring.errors import Fault, HomeError, RecordError, naming, shown
from scoring.records.forms.label_positions import LABELS
from scoring.records.record import Document, Labels, Record
from scoring.storage.home import LOCK_MODE, create_file, newer_format, prepare_home
from scoring.storage.regular_files import read_regular
from scoring.storage.urls import name_of

Holding = Mapping[tuple[str, str], "Correction"]
"""Corrections in force, by digest and label."""

FORMAT = 1
"""Format version of a line (field ``format``), and the default if the field is missing."""

_MAX_GOT_CHARS = 60
_LONE_FIELD = re.compile("Object (missing required|contains unknown) field `(.+?)`")
# Replaces msgspec's own messages.
_EXPECTED = {
    "format": "an integer, the format version",
    "at": "a date with a zone, such as 2021-03-04T05:06:07Z",
    "field": f"one of {', '.join(LABELS)}",
    "record_sha256": "64 hexadecimal digits",
    "own_sha256": "64 hexadecimal digits",
}
_TIMEOUT_SECONDS = 30.0


class Correction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's correction of one predicted label, or its withdrawal.

    Parameters
    ----------
    at : datetime
        Time of the correction, aware UTC.
    by : str
        Author; empty if not given.
    path : str
        The record's file, relative to the folder in which it was corrected.
    record_sha256, own_sha256 : str
        Digests of the record with and without its coverage: see :func:`content_sha256`.
    field : str
        ``quality``, ``heat`` or ``published``.
    predicted, value : int or bool
        Predicted and correct value; a `value` of None withdraws earlier corrections.
    model : str
        Name and version of the model.
    reason, note : str
        Why, in the author's words; empty if not given.
    """

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    by: str = ""
    path: str
    record_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    own_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    field: Literal["quality", "heat", "published"]
    predicted: bool | int
    value: bool | int | None
    model: str
    reason: str = ""
    note: str = ""

    @property
    def holds_for(self) -> str:
        """Digest of the record that the correction applies to."""
        return self.own_sha256 if self.field == "quality" else self.record_sha256


class _Format(msgspec.Struct, frozen=True):
    """Format version of a line, whatever its format."""

    format: Annotated[int, msgspec.Meta(ge=0)] = FORMAT


class _Line(Correction, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of the ledger."""

    format: int = FORMAT


class Digests(NamedTuple):
    """Digests that identify a record in the ledger: see :func:`content_sha256`."""

    record: str
    own: str

    def of(self, field: str) -> str:
        """Return the digest that identifies corrections of a label."""
        return self.own if field == "quality" else self.record

    def pick(self, holding: Holding) -> dict[str, Correction]:
        """Return the corrections of the record, by label."""
        corrections = {field: holding.get((self.of(field), field)) for field in LABELS}
        return {field: correction for field, correction in corrections.items() if correction is not None}


@dataclass(frozen=True, slots=True)
class Ledger:
    """Contents of a ledger.

    Parameters
    ----------
    path : str
        The file.
    sha256 : str
        Hex digest of its bytes.
    corrections : tuple of Correction
        Earliest first; those of the same time in the order of their lines.
    torn : tuple of Fault
        Lines that are not JSON, as a crash or a full disk leaves them: skipped, and to be reported.
    """

    path: str
    sha256: str
    corrections: tuple[Correction, ...]
    torn: tuple[Fault, ...] = ()

    def holding(self) -> Holding:
        """Return the last correction of each label of each record, without withdrawn ones."""
        latest = {(correction.holds_for, correction.field): correction for correction in self.corrections}
        return {key: correction for key, correction in latest.items() if correction.value is not None}


def digests_of(record: Record) -> Digests:
    """Return the digests that identify a record in the ledger."""
    own = msgspec.structs.replace(record, related=()) if record.related else record
    return Digests(content_sha256(record), content_sha256(own))


def content_sha256(record: Record) -> str:
    """Hash the content of a record, independent of its file, labels and formatting.

    Examples
    --------
    >>> content_sha256(Record(title="Rain"))[:8]
    '960c8f87'
    """
    return hashlib.sha256(msgspec.json.encode(record)).hexdigest()


def read_ledger(path: Path) -> Ledger:
    """Read a ledger; a missing file has no corrections, and truncated lines are skipped.

    Raises
    ------
    RecordError
        With a fault for each line that is JSON but not a correction.
    HomeError
        If a line has a newer format.
    """
    try:
        content = read_regular(path)
    except FileNotFoundError:
        content = b""
    except OSError as error:
        got = error.strerror or "a disk error"
        raise RecordError(Fault(name_of(path), 0, "", got, "a file that can be read")) from None
    corrections: list[Correction] = []
    faults: list[Fault] = []
    torn: list[Fault] = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            corrections.append(_read_line(line, name_of(path), number))
        except _TornLineError as error:
            torn += error.faults
        except RecordError as error:
            faults += error.faults
    if faults:
        raise RecordError(*faults)
    corrections.sort(key=lambda correction: correction.at)
    return Ledger(name_of(path), hashlib.sha256(content).hexdigest(), tuple(corrections), tuple(torn))


def append_corrections(path: Path, corrections: Sequence[Correction]) -> None:
    """Append corrections to a ledger, all or none; safe for concurrent processes.

    Parameters
    ----------
    path : Path
        The file; created if missing, with its folder as a home.
    corrections : sequence of Correction

    Raises
    ------
    OSError
        If it cannot be written; the file is then unchanged.
    """
    lines = b"".join(
        msgspec.json.encode({"format": FORMAT} | _fields_of(correction)) + b"\n" for correction in corrections
    )
    if not lines:
        return
    lock = FileLock(f"{path}.lock", timeout=_TIMEOUT_SECONDS, mode=LOCK_MODE)
    with naming(path):
        if not path.parent.is_dir():
            prepare_home(path.parent)
        create_file(path)
    with naming(path), lock, path.open("a+b", buffering=0) as file:
        n_bytes = file.seek(0, os.SEEK_END)
        if n_bytes:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # keep a truncated line separate
                lines = b"\n" + lines
        try:
            if (n_written := file.write(lines)) != len(lines):
                raise OSError(f"{path}: got {n_written} of {len(lines)} bytes written, expected all")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(n_bytes)
            raise


def _fields_of(correction: Correction) -> dict[str, object]:
    """Fields of a line; reason and note only if they are given."""
    fields = msgspec.structs.asdict(correction)
    return {name: value for name, value in fields.items() if value or name not in ("reason", "note")}


def with_corrections(document: Document, holding: Holding) -> Document:
    """Replace the labels of a document by the corrections of its record.

    Parameters
    ----------
    document : Document
        The record as read.
    holding : mapping
        See :meth:`Ledger.holding`.

    Returns
    -------
    Document
        The same document if no label changes. Otherwise its digest includes the new labels, since corrected
        records are different training data.
    """
    corrections = digests_of(document.record).pick(holding)
    labels: Labels = msgspec.structs.replace(
        document.labels, **{field: correction.value for field, correction in corrections.items()}
    )
    if labels == document.labels:
        return document
    digest = hashlib.sha256(document.sha256.encode() + msgspec.json.encode(labels)).hexdigest()
    return msgspec.structs.replace(document, labels=labels, sha256=digest)


class _TornLineError(RecordError):
    """A line that is not JSON."""


def _read_line(line: bytes, path: str, number: int) -> Correction:
    try:
        if (version := msgspec.json.decode(line, type=_Format).format) > FORMAT:
            raise HomeError(newer_format(f"{path}:{number}", version, FORMAT))
        entry = msgspec.json.decode(line, type=_Line)
        for name, value in (("predicted", entry.predicted), ("value", entry.value)):
            _check_label(name, entry.field, value)
    except msgspec.ValidationError as error:
        raise RecordError(_fault(shown(str(error)), msgspec.json.decode(line), path, number)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        got = "a line that is not JSON (cut off?)"
        raise _TornLineError(Fault(path, number, "", got, "a correction; the line is skipped")) from None
    fields = msgspec.structs.asdict(entry) | {"at": entry.at.astimezone(UTC)}
    del fields["format"]
    return Correction(**fields)


def _check_label(name: str, field: str, value: bool | int | None) -> None:
    try:
        msgspec.convert({field: value}, Labels)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(str(error).replace(f"$.{field}", f"$.{name}")) from None


def _fault(message: str, content: object, path: str, number: int) -> Fault:
    """Convert a validation message of msgspec to a fault."""
    if not isinstance(content, dict):
        return Fault(path, number, "", "a line that is not a JSON object", "a correction")
    if field_error := _LONE_FIELD.match(message):
        is_missing = field_error[1].startswith("missing")
        got = "nothing" if is_missing else _shortened(content[field_error[2]])
        return Fault(path, number, field_error[2], got, "a value" if is_missing else "no such field")
    message, _, location = message.partition(" - at `$.")
    field = location.rstrip("`")
    expected_type = message.removeprefix("Expected ").partition(", got ")[0].replace("`", "")
    expected = _EXPECTED.get(field, expected_type)
    return Fault(path, number, field, _shortened(content.get(field)), expected)


def _shortened(value: object) -> str:
    return repr(value)[:_MAX_GOT_CHARS]
