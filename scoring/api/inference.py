"""Verbs for records with or without labels: features, scores, explanations, related records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, overload

from scoring.api.argument_names import naming_arguments
from scoring.api.inputs import (
    AnyRecords,
    OnError,
    PathLike,
    Records,
    Warnings,
    read_documents_of,
    read_records,
)
from scoring.api.model import Model, checked_rows, loaded
from scoring.explanation.frames import feature_frame
from scoring.extras import require
from scoring.features.as_of import AsOf, checked_as_of
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
    as_of: AsOf | str = ...,
    on_error: OnError | None = ...,
    settings: Settings | None = ...,
) -> IntoDataFrameT: ...
@overload
def extract_features(
    records: Records,
    *,
    model: PathLike | Model | None = ...,
    as_of: AsOf | str = ...,
    on_error: OnError | None = ...,
    settings: Settings | None = ...,
) -> pd.DataFrame: ...
@naming_arguments
def extract_features(
    records: Any,
    *,
    model: PathLike | Model | None = None,
    as_of: AsOf | str = None,
    on_error: OnError | None = None,
    settings: Settings | None = None,
) -> Any:
    """Extract the features of records, as used by the models.

    The function is not called ``features`` because :mod:`scoring.features` is a package.

    Parameters
    ----------
    records : DataFrame, path, document, record, mapping, or iterable of these
        A pandas, Polars or Arrow frame, one record per row; or any input of :func:`read_records`.
    model : str, path-like or Model, optional
        Model whose section rule is used. Default: the section is the first topic of a record.
    as_of : datetime, timedelta, str or None
        Coverage newer than this moment (aware UTC), or than this age of the record, is ignored. May be text,
        such as ``2021-03-04`` or ``published+6h``. None uses records as they are.
    on_error : {"raise", "warn"} or callable, optional
        As in :func:`read_records`. Default: ``"raise"``. For a frame, the default is to give the reason in
        the column ``error``, with null features.
    settings : Settings, optional
        Home and store of the model. Default: settings of the current folder and environment.

    Returns
    -------
    DataFrame of shape (n_records, n_features)
        A pandas frame, indexed by path, in the order of `records`; NaN or None where a value is missing. If
        `records` is a frame, the result has the same kind and index, and the additional column ``error``.
        ``scoring features --catalogue`` lists the columns.

    Examples
    --------
    >>> int(extract_features({"title": "Rain again"})["title_word_count"].iloc[0])
    2
    """
    require("frames")
    import pyarrow as pa

    from scoring.features.extraction import extracted
    from scoring.features.parquet_schema import FEATURE_SCHEMA, feature_tables, of_one_schema
    from scoring.features.sections import FIRST_TOPIC

    as_of = checked_as_of(as_of)
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
    as_of: AsOf | str = ...,
    on_error: OnError | None = ...,
    settings: Settings | None = ...,
) -> IntoDataFrameT: ...
@overload
def score(
    records: Records,
    *,
    model: PathLike | Model | None = ...,
    as_of: AsOf | str = ...,
    on_error: OnError | None = ...,
    settings: Settings | None = ...,
) -> Iterator[Score]: ...
@naming_arguments
def score(
    records: Any,
    *,
    model: PathLike | Model | None = None,
    as_of: AsOf | str = None,
    on_error: OnError | None = None,
    settings: Settings | None = None,
) -> Any:
    """Score records: quality, lead, heat, published.

    Parameters
    ----------
    records : DataFrame, path, document, record, mapping, or iterable of these
        A pandas, Polars or Arrow frame, one record per row; or any input of :func:`read_records`.
    model : Model, str or path-like, optional
        As in :func:`load_model`; a loaded model is not loaded again.
    as_of : datetime, timedelta, str or None
        Coverage newer than this moment (aware UTC), or than this age of the record, is ignored. May be text,
        such as ``2021-03-04`` or ``published+6h``. None uses records as they are.
    on_error : {"raise", "warn"} or callable, optional
        As in :func:`read_records`. Default: ``"raise"``. For a frame, the default is to give the reason in
        the column ``error``, and to score the other records.
    settings : Settings, optional
        Home and store. Default: settings of the current folder and environment.

    Returns
    -------
    DataFrame of shape (n_records, n_score_fields + 1), or iterator of Score
        For a frame, a frame of the same kind with the same index; otherwise scores in the order of `records`.
        Fields of labels that the model has not learned are None. If records list each other, only one of
        them leads: see :meth:`Model.score`.

    Raises
    ------
    ModelError, TrackingError
        As in :func:`load_model`; raised by the call.
    FeatureError
        If `as_of` cannot be used.
    RecordError
        As in :func:`read_records`; raised by the iterator, or by the call for a frame.

    Examples
    --------
    >>> [result] = score({"title": "Rain", "provider": {"domain": "example.org"}}, model="shipped")
    >>> result.quality_low <= result.quality <= result.quality_high
    True
    """
    return loaded(model, settings).score(records, as_of=as_of, on_error=on_error)


@naming_arguments
def relate(
    records: AnyRecords,
    *,
    as_of: AsOf | str = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> Iterator[Relations]:
    """Find the related records of each record among these records: copies, and others of the same story.

    The lists of the records are not used. Related records are estimated by links that were learned from an
    archive with lists: ``scoring relate --learn``.

    Parameters
    ----------
    records : DataFrame, path, document, record, mapping, or iterable of these
        As in :func:`read_records`.
    as_of : datetime, timedelta, str or None
        Records later than this moment (aware UTC), or than this age of each record, are ignored.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        ``links`` is the file of learned links. Default: settings of the current folder and environment.

    Returns
    -------
    iterator of Relations
        In the order of `records`.

    Raises
    ------
    ModelError
        If the links cannot be used.
    RecordError
        As in :func:`read_records`.

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
    return relations_of(list(read_records(records, on_error=on_error)), links.model, checked_as_of(as_of))


@naming_arguments
def derive_coverage(
    records: AnyRecords,
    *,
    model: PathLike | Model | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> list[Document]:
    """Estimate the coverage of the records of an archive without lists from the archive itself.

    The records form one archive. If any of them lists related records, all are returned unchanged.

    Parameters
    ----------
    records : DataFrame, path, document, record, mapping, or iterable of these
        As in :func:`read_records`.
    model : Model, str or path-like, optional
        As in :func:`load_model`; the model predicts the quality of records without that label.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        ``links`` is the file of learned links. Default: settings of the current folder and environment.

    Returns
    -------
    list of Document
        In the order of `records`. Each document with derived coverage has a warning, which is also in its
        score.

    Raises
    ------
    ModelError, TrackingError
        As in :func:`load_model`; also if the links cannot be used.
    RecordError
        As in :func:`read_records`.

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
    as_of: AsOf | str = ...,
    settings: Settings | None = ...,
) -> IntoDataFrameT: ...
@overload
def explain(
    records: Records,
    *,
    model: PathLike | Model | None = ...,
    as_of: AsOf | str = ...,
    settings: Settings | None = ...,
) -> Explanation: ...
@naming_arguments
def explain(
    records: Any,
    *,
    model: PathLike | Model | None = None,
    as_of: AsOf | str = None,
    settings: Settings | None = None,
) -> Any:
    """Explain the scores of a record, or of each row of a frame.

    Parameters
    ----------
    records : DataFrame, path, document or mapping
        A pandas, Polars or Arrow frame, one record per row; or one record, as in :func:`read_records`.
    model : Model, str or path-like, optional
        As in :func:`score`.
    as_of : datetime, timedelta, str or None
        As in :func:`score`.
    settings : Settings, optional
        As in :func:`score`.

    Returns
    -------
    DataFrame of shape (n_contributions, 7), or Explanation
        For a frame, a long frame of the same kind: see :meth:`Model.explain`. For one record, the
        contribution of each feature, in points or log-odds, largest first.

    Raises
    ------
    ModelError, TrackingError, RecordError
        As in :func:`load_model` and :func:`read_records`; also if there is not exactly one record.

    Examples
    --------
    >>> explain({"title": "Rain", "provider": {"domain": "example.org"}}, model="shipped").score.model[:8]
    'default@'
    """
    return loaded(model, settings).explain(records, as_of=as_of)
