"""The ledger of corrections: what people made of a model's values, a line of JSON each, only ever added to.

A correction is of a record, not of a file: it names the digest of what the record says, its labels left
out, so that it holds where the file moves, and whatever labels are written into it. That of a quality holds
whatever coverage comes and goes; those of heat and published hold for the coverage that they were made under.
A correction bears no text.
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
from scoring.records.label_positions import LABELS
from scoring.records.record import Document, Labels, Record
from scoring.storage.home import LOCK_MODE, create_file, newer_format, prepare_home
from scoring.storage.regular_files import read_regular

Holding = Mapping[tuple[str, str], "Correction"]
"""Corrections that hold, by the digest of what each holds for and by the label."""

FORMAT = 1
"""Format version of a line, which is its field ``format``; a line without one is of this version."""

_MAX_GOT_CHARS = 60
_LONE_FIELD = re.compile("Object (missing required|contains unknown) field `(.+?)`")
# Where msgspec's own words would not help.
_EXPECTED = {
    "format": "an integer, the format version",
    "at": "a date with a zone, such as 2021-03-04T05:06:07Z",
    "field": f"one of {', '.join(LABELS)}",
    "record_sha256": "64 digits, 0 to f",
    "own_sha256": "64 digits, 0 to f",
}
_TIMEOUT_SECONDS = 30.0


class Correction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value that a person put in the place of a model's, or took back.

    Parameters
    ----------
    at : datetime
        When, aware UTC.
    by : str
        Who; empty where that was not given.
    path : str
        The record's file, relative to the folder that it was corrected in.
    record_sha256, own_sha256 : str
        Digests of the record and of what it is without its coverage: see :func:`content_sha256`.
    field : str
        ``quality``, ``heat`` or ``published``.
    predicted, value : int or bool
        What the model said, and what is right; a `value` of None takes earlier corrections back.
    model : str
        Name and version of the model.
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

    @property
    def holds_for(self) -> str:
        """Digest of what it holds for."""
        return self.own_sha256 if self.field == "quality" else self.record_sha256


class _Format(msgspec.Struct, frozen=True):
    """What a line of every format tells."""

    format: Annotated[int, msgspec.Meta(ge=0)] = FORMAT


class _Line(Correction, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of the ledger."""

    format: int = FORMAT


class Digests(NamedTuple):
    """What corrections of a record are known by: see :func:`content_sha256`."""

    record: str
    own: str

    def of(self, field: str) -> str:
        """The one that a correction of that label holds for."""
        return self.own if field == "quality" else self.record

    def pick(self, holding: Holding) -> dict[str, Correction]:
        """The corrections that hold for the record, by their label."""
        found = {field: holding.get((self.of(field), field)) for field in LABELS}
        return {field: each for field, each in found.items() if each is not None}


@dataclass(frozen=True, slots=True)
class Ledger:
    """A ledger as it was read.

    Parameters
    ----------
    path : str
        The file.
    sha256 : str
        Hex digest of its bytes.
    corrections : tuple of Correction
        The earliest first; those of one moment in the order of their lines.
    torn : tuple of Fault
        Lines that are no JSON, as a crash or a full disk leaves them: they are skipped, and are to be told.
    """

    path: str
    sha256: str
    corrections: tuple[Correction, ...]
    torn: tuple[Fault, ...] = ()

    def holding(self) -> Holding:
        """The last correction of each label of each record, but for those that were taken back."""
        latest = {(each.holds_for, each.field): each for each in self.corrections}
        return {key: each for key, each in latest.items() if each.value is not None}


def digests_of(record: Record) -> Digests:
    """What corrections of a record are known by."""
    own = msgspec.structs.replace(record, related=()) if record.related else record
    return Digests(content_sha256(record), content_sha256(own))


def content_sha256(record: Record) -> str:
    """Digest of what a record says, whatever its file, its labels and how it is written.

    Examples
    --------
    >>> content_sha256(Record(title="Rain"))[:8]
    '960c8f87'
    """
    return hashlib.sha256(msgspec.json.encode(record)).hexdigest()


def read_ledger(path: Path) -> Ledger:
    """Read a ledger; a file that is not there yet has no corrections, and a torn line is skipped.

    Raises
    ------
    RecordError
        With the fault of each line that is JSON and no correction.
    HomeError
        If a line is of a newer format.
    """
    try:
        content = read_regular(path)
    except FileNotFoundError:
        content = b""
    except OSError as error:
        got = error.strerror or "an error of the disk"
        raise RecordError(Fault(str(path), 0, "", got, "a file that can be read")) from None
    corrections: list[Correction] = []
    faults: list[Fault] = []
    torn: list[Fault] = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            corrections.append(_read_line(line, str(path), number))
        except _TornLineError as error:
            torn += error.faults
        except RecordError as error:
            faults += error.faults
    if faults:
        raise RecordError(*faults)
    corrections.sort(key=lambda each: each.at)
    return Ledger(str(path), hashlib.sha256(content).hexdigest(), tuple(corrections), tuple(torn))


def append_corrections(path: Path, corrections: Sequence[Correction]) -> None:
    """Add lines to a ledger, all or none of them; several processes may do so at once.

    Parameters
    ----------
    path : Path
        Made where it is not there; so is its folder, as a home.
    corrections : sequence of Correction

    Raises
    ------
    OSError
        If it cannot be written; it is as it was then.
    """
    lines = b"".join(
        msgspec.json.encode({"format": FORMAT} | msgspec.structs.asdict(each)) + b"\n" for each in corrections
    )
    if not lines:
        return
    lock = FileLock(f"{path}.lock", timeout=_TIMEOUT_SECONDS, mode=LOCK_MODE)
    with naming(path):
        if not path.parent.is_dir():
            prepare_home(path.parent)  # the desk keeps its ledger there
        create_file(path)
    with naming(path), lock, path.open("a+b", buffering=0) as file:
        n_bytes = file.seek(0, os.SEEK_END)
        if n_bytes:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # what a crash has cut off stays a line of its own
                lines = b"\n" + lines
        try:
            if (n_written := file.write(lines)) != len(lines):
                raise OSError(f"{path}: got {n_written} of {len(lines)} bytes written, expected all")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(n_bytes)
            raise


def with_corrections(document: Document, holding: Holding) -> Document:
    """A document with the corrections that hold for its record in the place of its labels.

    Parameters
    ----------
    document : Document
        The record as it was read.
    holding : mapping
        See :meth:`Ledger.holding`.

    Returns
    -------
    Document
        The same one where no label changes. Else its digest is of the new labels too: a training on
        corrected records is one on other data.
    """
    fields = digests_of(document.record).pick(holding)
    labels: Labels = msgspec.structs.replace(
        document.labels, **{field: each.value for field, each in fields.items()}
    )
    if labels == document.labels:
        return document
    digest = hashlib.sha256(document.sha256.encode() + msgspec.json.encode(labels)).hexdigest()
    return msgspec.structs.replace(document, labels=labels, sha256=digest)


class _TornLineError(RecordError):
    """A line that is no JSON."""


def _read_line(line: bytes, path: str, number: int) -> Correction:
    try:
        if (version := msgspec.json.decode(line, type=_Format).format) > FORMAT:
            raise HomeError(newer_format(f"{path}:{number}", version, FORMAT))
        found = msgspec.json.decode(line, type=_Line)
        for what, value in (("predicted", found.predicted), ("value", found.value)):
            _check_label(what, found.field, value)
    except msgspec.ValidationError as error:
        raise RecordError(_fault(shown(str(error)), msgspec.json.decode(line), path, number)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        got = "a line that is no JSON (cut off?)"
        raise _TornLineError(Fault(path, number, "", got, "a correction; the line is skipped")) from None
    fields = msgspec.structs.asdict(found) | {"at": found.at.astimezone(UTC)}
    del fields["format"]
    return Correction(**fields)


def _check_label(what: str, field: str, value: bool | int | None) -> None:
    try:
        msgspec.convert({field: value}, Labels)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(str(error).replace(f"$.{field}", f"$.{what}")) from None


def _fault(message: str, content: object, path: str, number: int) -> Fault:
    """What msgspec says of a line, as every fault is told."""
    if not isinstance(content, dict):
        return Fault(path, number, "", "a line that is not a JSON object", "a correction")
    if lone := _LONE_FIELD.match(message):
        is_missing = lone[1].startswith("missing")
        got = "nothing" if is_missing else _shortened(content[lone[2]])
        return Fault(path, number, lone[2], got, "a value" if is_missing else "no such field")
    message, _, where = message.partition(" - at `$.")
    field = where.rstrip("`")
    said = message.removeprefix("Expected ").partition(", got ")[0].replace("`", "")
    expected = _EXPECTED.get(field, said)
    return Fault(path, number, field, _shortened(content.get(field)), expected)


def _shortened(value: object) -> str:
    return repr(value)[:_MAX_GOT_CHARS]
