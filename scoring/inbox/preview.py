"""Preview: score and explain uploaded records without storing them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from scoring.artifact.saved_model import SavedModel
from scoring.errors import Fault, RecordError
from scoring.inbox.rows import RecordDetails, Row, put_together, record_details, score_rows
from scoring.records.decode import decode_file, decode_json
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.limits import UNLIMITED, RecordLimits
from scoring.records.record import Document


class UploadedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Name and text of a file; of JSON lines the text is one line, and `line` its number from 1."""

    name: str
    text: str
    line: int = 0


def preview(
    files: Sequence[UploadedFile],
    saved: SavedModel,
    limits: RecordLimits = UNLIMITED,
    field_map: FieldMap | None = None,
) -> list[Row]:
    """Score files and assign their stories; an unusable file gives a row with its fault.

    Parameters
    ----------
    files : sequence of UploadedFile
        The files.
    saved : SavedModel
        The model.
    limits : RecordLimits
        Size limits of a record.
    field_map : FieldMap, optional
        Where fields and labels are; None for scoring's own layout.
    """
    results = list(_read(files, limits, field_map))
    documents = [result for result in results if isinstance(result, Document)]
    rows = iter(put_together(score_rows(documents, saved), saved.models.leaders) if documents else [])
    return [result if isinstance(result, Row) else next(rows) for result in results]


def explain_preview(
    file: UploadedFile,
    saved: SavedModel,
    limits: RecordLimits = UNLIMITED,
    field_map: FieldMap | None = None,
) -> RecordDetails:
    """Explain the scores of an uploaded record.

    Raises
    ------
    RecordError
        If the record cannot be used.
    """
    return record_details(_document(file, limits, field_map), saved)


def _read(
    files: Sequence[UploadedFile], limits: RecordLimits, field_map: FieldMap | None
) -> Iterator[Document | Row]:
    for file in files:
        try:
            yield _document(file, limits, field_map)
        except RecordError as error:
            yield Row(path=_path(file), title=_path(file), fault=str(error))


def _document(file: UploadedFile, limits: RecordLimits, field_map: FieldMap | None) -> Document:
    try:
        data = file.text.encode()
    except UnicodeEncodeError:
        raise RecordError(Fault(file.name, 0, "", "half of a character", "text in Unicode")) from None
    limits.check_bytes(len(data), file.name, file.line)
    if file.line:
        document = decode_json(data, file.name, file.line, field_map)
    else:
        document = decode_file(data, file.name, field_map=field_map, reads_body=True)
    return msgspec.structs.replace(limits.check(document, file.line), path=_path(file), line=0, row_id="")


def _path(file: UploadedFile) -> str:
    return f"{file.name}:{file.line}" if file.line else file.name
