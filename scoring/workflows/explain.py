"""Explain the scores of one record."""

from __future__ import annotations

from typing import BinaryIO

from scoring.deployment.open_model import open_model
from scoring.errors import Fault, RecordError
from scoring.explanation.attribution import explain as explain_document
from scoring.explanation.results import Explanation
from scoring.features.as_of import AsOf
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import read_documents
from scoring.records.field_maps.lookup import field_maps_of
from scoring.settings import Settings
from scoring.workflows.coverage import note_as_listed


def explain(
    path: str,
    *,
    model: str | None = None,
    settings: Settings,
    as_of: AsOf = None,
    stdin: BinaryIO | None = None,
    reporter: Reporter = SILENT,
) -> Explanation:
    """Explain the scores of one record.

    Parameters
    ----------
    path : str
        A file with one record; ``-`` is standard input.
    model : str, optional
        See :func:`scoring.deployment.resolve_model.resolve`.
    settings : Settings
        Home and store.
    as_of : datetime or timedelta, optional
        Coverage later than this time (aware UTC, or an age after publication) is ignored.
    stdin : binary file, optional
        Input of ``-``.
    reporter : Reporter
        Receives a warning if the model is neither the requested one nor the champion.

    Returns
    -------
    Explanation

    Raises
    ------
    RecordError
        If the file has no usable record, or more than one.
    """

    def raise_fault(error: RecordError) -> None:
        raise error

    note_as_listed(settings, reporter)
    scorer = open_model(model, settings, reporter).scorer
    field_maps = field_maps_of([path], settings).with_model_map(scorer.field_map)
    documents = list(read_documents([path], stdin=stdin, field_maps=field_maps, on_fault=raise_fault))
    if len(documents) != 1:
        raise RecordError(Fault(path, 0, "", f"{len(documents)} records", "one record"))
    return explain_document(scorer, documents[0], as_of)
