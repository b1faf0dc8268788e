"""Verbs for records with or without labels: features, scores, explanations, related records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, overload

from scoring.api.inputs import OnError, PathLike, Records, Warnings, read_documents_of, read_records
from scoring.api.model import Model, checked_rows, loaded
from scoring.explanation.frames import feature_frame
from scoring.features.as_of import AsOf
from scoring.records.frame_rows import is_frame, read_frame
from scoring.records.record import Document
from scoring.settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd
    from narwhals.typing import IntoDataFrameT

    from scoring.explanation.results import Explanation
    from scoring.model.score import Score
    from scoring.stories.relations import Relations


@overload
def extract_features(
    records: IntoDataFrameT,
    *,
    model: PathLike | Model | None = ...,
    as_of: AsOf = ...,
    on_error: OnError | None = ...,
    settings: Settings | None = ...,
) -> IntoDataFrameT: ...
@overload
def extract_features(
    records: Records,
    *,
    model: PathLike | Model | None = ...,
    as_of: AsOf = ...,
    on_error: OnError | None = ...,
    settings: Settings | None = ...,
) -> pd.DataFrame: ...
def extract_features(
    records: Any,
    *,
    model: PathLike | Model | None = None,
    as_of: AsOf = None,
    on_error: OnError | None = None,
    settings: Settings | None = None,
) -> Any:
    """Features of records, as the models see them.

    The package :mod:`scoring.features` has the name that this function would have otherwise.

    Parameters
    ----------
    records : DataFrame, path, document, mapping, or iterable of these
        A frame of pandas, Polars or Arrow, one record a row; or as :func:`read_records` takes them.
    model : str, path-like or Model, optional
        Its rule of sections is used. Default: the section is the first topic of a record.
    as_of : datetime, timedelta or None
        Coverage newer than this moment (aware UTC), or than so long after publication, is unseen; None takes
        records as they are.
    on_error : {"raise", "warn"} or callable, optional
        As in :func:`read_records`. Default: ``"raise"``; of a frame, the column ``error`` says why a record
        cannot be used, and its features are null.
    settings : Settings, optional
        Home and store of the model. Default: those of the current folder and environment.

    Returns
    -------
    DataFrame of shape (n_records, n_features)
        Of pandas, indexed by path, in the order of `records`; NaN or None where a value is missing. For a
        frame, of its kind, with its index, and the column ``error``. ``scoring features --catalogue`` lists
        the columns.

    Examples
    --------
    >>> int(extract_features({"title": "Rain again"})["title_word_count"].iloc[0])
    2
    """
    import pyarrow as pa

    from scoring.features.extraction import extracted
    from scoring.features.parquet_schema import FEATURE_SCHEMA, feature_tables, of_one_schema
    from scoring.features.sections import FIRST_TOPIC

    scorer = None if model is None else loaded(model, settings).saved.scorer
    sections = FIRST_TOPIC if scorer is None else scorer.sections
    field_map = None if scorer is None else scorer.field_map
    rows = checked_rows(read_frame(records, field_map), on_error) if is_frame(records) else None
    documents = rows.documents if rows else read_documents_of(records, on_error or "raise", field_map)
    features = (extracted(document, as_of, sections) for document in documents)
    table = pa.concat_tables(of_one_schema([FEATURE_SCHEMA.empty_table(), *feature_tables(features)]))
    if rows is not None:
        return feature_frame(table, rows.read, rows.frame)
    frame: pd.DataFrame = table.to_pandas()
    return frame.set_index("path")


@overload
def score(
    records: IntoDataFrameT,
    *,
    model: PathLike | Model | None = ...,
    as_of: AsOf = ...,
    on_error: OnError | None = ...,
    settings: Settings | None = ...,
) -> IntoDataFrameT: ...
@overload
def score(
    records: Records,
    *,
    model: PathLike | Model | None = ...,
    as_of: AsOf = ...,
    on_error: OnError | None = ...,
    settings: Settings | None = ...,
) -> Iterator[Score]: ...
def score(
    records: Any,
    *,
    model: PathLike | Model | None = None,
    as_of: AsOf = None,
    on_error: OnError | None = None,
    settings: Settings | None = None,
) -> Any:
    """Score records: quality, lead, heat, published.

    Parameters
    ----------
    records : DataFrame, path, document, mapping, or iterable of these
        A frame of pandas, Polars or Arrow, one record a row; or as :func:`read_records` takes them.
    model : Model, str or path-like, optional
        As :func:`load_model` takes it; a loaded model is not loaded again.
    as_of : datetime, timedelta or None
        Coverage newer than this moment (aware UTC), or than so long after publication, is unseen.
    on_error : {"raise", "warn"} or callable, optional
        As in :func:`read_records`. Default: ``"raise"``; of a frame, the column ``error`` says why a record
        cannot be used, and the others are scored.
    settings : Settings, optional
        Home and store. Default: those of the current folder and environment.

    Returns
    -------
    DataFrame of shape (n_records, n_score_fields + 1), or iterator of Score
        For a frame, one of its kind, with its index; else scores, in the order of `records`. What is about a
        label that the model has not learned is None. Of records that list each other one leads, as
        :meth:`Model.score` says.

    Raises
    ------
    ModelError, TrackingError
        As :func:`load_model`, by the call.
    RecordError
        As :func:`read_records`; by the iterator, if there is one.

    Examples
    --------
    >>> [result] = score({"title": "Rain", "provider": {"domain": "example.org"}}, model="shipped")
    >>> result.quality_low <= result.quality <= result.quality_high
    True
    """
    return loaded(model, settings).score(records, as_of=as_of, on_error=on_error)


def relate(
    records: Records,
    *,
    as_of: AsOf = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> Iterator[Relations]:
    """Find the related records of each record among these records: copies, and others of the same story.

    Their own lists are not used. Related records are an estimate by links that were learned from an archive
    with lists: ``scoring relate --learn``.

    Parameters
    ----------
    records : path, document, mapping, or iterable of these
        As :func:`read_records` takes them.
    as_of : datetime, timedelta or None
        Records later than this moment (aware UTC), or than so long after each one's publication, are unseen.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        ``links`` names the file of learned links. Default: those of the current folder and environment.

    Returns
    -------
    iterator of Relations
        In the order of `records`.

    Raises
    ------
    ModelError
        If the links cannot be used.
    RecordError
        As :func:`read_records`.

    Examples
    --------
    >>> rain = {"title": "Rain again in Oslo", "publishedDateTime": "2021-03-04T05:00:00Z"}
    >>> again = rain | {"publishedDateTime": "2021-03-04T06:00:00Z", "path": "again"}
    >>> [first, _] = relate([rain, again])
    >>> [copy.path for copy in first.copies]
    ['again']
    """
    from scoring.artifact.links_file import load_links
    from scoring.stories.relations import relations_of

    links = load_links((settings or load_settings()).links)
    return relations_of(list(read_records(records, on_error=on_error)), links.model, as_of)


def derive_coverage(
    records: Records,
    *,
    model: PathLike | Model | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> list[Document]:
    """Give the records of an archive without lists the related records that are found in it: an estimate.

    The records are one archive. If any of them lists related records, all are returned as they are.

    Parameters
    ----------
    records : path, document, mapping, or iterable of these
        As :func:`read_records` takes them.
    model : Model, str or path-like, optional
        As :func:`load_model` takes it; it predicts the quality of records without that label.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        ``links`` names the file of learned links. Default: those of the current folder and environment.

    Returns
    -------
    list of Document
        In the order of `records`; each with derived coverage has a warning, which its score has too.

    Raises
    ------
    ModelError, TrackingError
        As :func:`load_model`; also if the links cannot be used.
    RecordError
        As :func:`read_records`.

    Examples
    --------
    >>> rain = {"title": "Rain again in Oslo", "publishedDateTime": "2021-03-04T05:00:00Z"}
    >>> again = rain | {"publishedDateTime": "2021-03-04T06:00:00Z"}
    >>> [len(document.record.related) for document in derive_coverage([rain, again], model="shipped")]
    [1, 1]
    """
    from scoring.workflows.coverage import coverage_deriver, derived_for_scoring

    chosen = settings or load_settings()
    documents = list(read_records(records, on_error=on_error))
    scorer = loaded(model, chosen).saved.scorer
    return derived_for_scoring(documents, (), coverage_deriver(chosen, Warnings()), scorer)


@overload
def explain(
    records: IntoDataFrameT,
    *,
    model: PathLike | Model | None = ...,
    as_of: AsOf = ...,
    settings: Settings | None = ...,
) -> IntoDataFrameT: ...
@overload
def explain(
    records: Records,
    *,
    model: PathLike | Model | None = ...,
    as_of: AsOf = ...,
    settings: Settings | None = ...,
) -> Explanation: ...
def explain(
    records: Any,
    *,
    model: PathLike | Model | None = None,
    as_of: AsOf = None,
    settings: Settings | None = None,
) -> Any:
    """Explain the scores of a record, or of each row of a frame.

    Parameters
    ----------
    records : DataFrame, path, document or mapping
        A frame of pandas, Polars or Arrow, one record a row; or one record, as :func:`read_records` takes it.
    model : Model, str or path-like, optional
        As in :func:`score`.
    as_of : datetime, timedelta or None
        As in :func:`score`.
    settings : Settings, optional
        As in :func:`score`.

    Returns
    -------
    DataFrame of shape (n_contributions, 7), or Explanation
        For a frame, a long frame of its kind, as :meth:`Model.explain` describes it; for one record, the
        contribution of each feature, in points or log-odds, largest first.

    Raises
    ------
    ModelError, TrackingError, RecordError
        As :func:`load_model` and :func:`read_records`; also if there is not exactly one record.

    Examples
    --------
    >>> explain({"title": "Rain", "provider": {"domain": "example.org"}}, model="shipped").score.model[:8]
    'default@'
    """
    return loaded(model, settings).explain(records, as_of=as_of)
