"""Verbs for records before they are labelled or used: validate, suggest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scoring.api.argument_names import naming_arguments
from scoring.api.inputs import LabelledRecords, OnError, PathLike, Warnings, fault_handler, source_of
from scoring.api.model import Model, saved_or_spec
from scoring.settings import Settings, load_settings

if TYPE_CHECKING:
    from scoring.workflows.suggest import SuggestOutcome
    from scoring.workflows.validate import Validation


@naming_arguments
def validate(records: LabelledRecords) -> Validation:
    """Find all faults of records.

    Parameters
    ----------
    records : DataFrame, path, document, mapping, or iterable of these
        A pandas, Polars or Arrow frame, one record per row; folders and files; or mappings with the field
        names of the front matter.

    Returns
    -------
    Validation
        ``faults`` is empty if every record can be used.

    Raises
    ------
    RecordError
        If a path does not exist or names no record.
    """
    from scoring.workflows.validate import validate as workflow

    paths, stdin = source_of(records)
    return workflow(paths, stdin=stdin)


@naming_arguments
def suggest(
    records: LabelledRecords,
    *,
    count: int = 20,
    model: PathLike | Model | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> SuggestOutcome:
    """Suggest the unlabelled records to label first.

    The labels of these records would improve the model's quality predictions the most. Labels that scoring
    itself wrote do not count.

    Parameters
    ----------
    records : DataFrame, path, document, mapping, or iterable of these
        Labelled records: a pandas, Polars or Arrow frame, one record per row; folders and files; or documents
        and mappings with the field names of the front matter.
    count : int
        Maximum number of suggestions; 1 or more. With a smaller number, the list is cut off earlier.
    model : Model, str or path-like, optional
        The model to improve, as in :func:`score`.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store, journal and rule of sections. Default: settings of the current folder and environment.

    Returns
    -------
    SuggestOutcome
        ``suggestions``, the most useful first, each with its reasons; and the numbers of labelled, unlabelled
        and unusable records.

    Raises
    ------
    ValueError
        If `count` is below 1.
    RecordError
        If a path does not exist or names no record, or a record cannot be used.
    ModelError
        If the model cannot be used, or every record with a date has a label.
    TrackingError
        If the store has no such model, or cannot be reached.
    """
    from scoring.workflows.suggest import suggest as workflow

    paths, stdin = source_of(records)
    return workflow(
        paths,
        count=count,
        model=None if model is None else saved_or_spec(model),
        settings=settings or load_settings(),
        stdin=stdin,
        on_fault=fault_handler(on_error),
        reporter=Warnings(),
    )
