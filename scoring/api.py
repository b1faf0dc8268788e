"""The public functions for notebooks and programs: read, relate, train, score, explain, evaluate, compare.

The package exports them: ``import scoring; scoring.score("inbox")``. They use the same home, store and
settings as the command line, and give the same numbers.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from scoring.errors import Fault, RecordError
from scoring.features.as_of import AsOf
from scoring.records.corpus import read_documents
from scoring.records.decode import decode_json
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.record import Document
from scoring.settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd

    from scoring.artifact.saved_model import SavedModel
    from scoring.evaluation.comparison import Comparison
    from scoring.explanation.policy import PolicyLine
    from scoring.explanation.results import Explanation
    from scoring.model.score import Score
    from scoring.stories.relations import Relations
    from scoring.training.config import TrainConfig
    from scoring.workflows.evaluate import EvaluateOutcome
    from scoring.workflows.suggest import SuggestOutcome
    from scoring.workflows.train import TrainOutcome
    from scoring.workflows.validate import Validation

PathLike: TypeAlias = str | os.PathLike[str]
Records: TypeAlias = (
    PathLike | Document | Mapping[str, Any] | Iterable[PathLike | Document | Mapping[str, Any]]
)
"""Records: files, folders, documents, or mappings with the field names of the front matter."""
OnError: TypeAlias = Literal["raise", "warn"] | Callable[[RecordError], None]
"""What becomes of a record that cannot be used: the error is raised, given as a warning, or handed over."""


class Model:
    """A loaded model.

    Parameters
    ----------
    saved : SavedModel
        Its fitted parts and its manifest.

    Examples
    --------
    >>> import scoring
    >>> model = scoring.load_model("shipped")
    >>> [score] = model.score([{"title": "Rain", "provider": {"domain": "example.org"}}])
    >>> 0 <= score.lead_probability <= 1
    True
    """

    def __init__(self, saved: SavedModel) -> None:
        self.saved = saved

    def __repr__(self) -> str:
        return f"<scoring.Model {self.name}>"

    @property
    def name(self) -> str:
        """Name and version, as in ``Score.model``."""
        return self.saved.name

    def score(self, records: Records, *, as_of: AsOf = None, on_error: OnError = "raise") -> Iterator[Score]:
        """Score records: see :func:`scoring.score`.

        Parameters
        ----------
        records : path, document, mapping, or iterable of these
            As :func:`scoring.read_records` takes them.
        as_of : datetime, timedelta or None
            Coverage newer than this moment (aware UTC), or than so long after publication, is unseen.
        on_error : {"raise", "warn"} or callable
            As in :func:`scoring.read_records`.

        Returns
        -------
        iterator of Score
            In the order of `records`. Where the training labels show one leader a story, one leads of those
            that list each other, and all are scored before the first is returned.
        """
        documents = _read(records, on_error, self.saved.scorer.field_map)
        return self.saved.scorer.score_together(documents, as_of)

    def explain(self, record: Records, *, as_of: AsOf = None) -> Explanation:
        """Explain the scores of one record: see :func:`scoring.explain`.

        Parameters
        ----------
        record : path, document or mapping
            One record, as :func:`scoring.read_records` takes it.
        as_of : datetime, timedelta or None
            As in :meth:`score`.

        Returns
        -------
        Explanation
            The contribution of each feature, in points or log-odds, largest first.
        """
        from scoring.explanation.attribution import explain as attribute

        documents = list(_read(record, "raise", self.saved.scorer.field_map))
        if len(documents) != 1:
            raise RecordError(Fault("record", 0, "", f"{len(documents)} records", "one record"))
        return attribute(self.saved.scorer, documents[0], as_of)

    def policy(self, section: str | None = None) -> list[PolicyLine]:
        """Write what the model learned in words: points, who leads, heat, publication.

        Parameters
        ----------
        section : str, optional
            Only the rules that hold for this section. Default: those of all sections.

        Returns
        -------
        list of PolicyLine
            Each with the 95 % interval of its number and the labelled records that it is based on.

        Raises
        ------
        ModelError
            If the model holds no rules, or not those of the section.

        Examples
        --------
        >>> import scoring
        >>> [line] = [line for line in scoring.load_model("shipped").policy() if line.target == "published"]
        >>> line.text
        'published from a heat of 70'
        """
        from scoring.workflows.policy import lines_of

        return lines_of(self.saved, section)


def load_model(model: PathLike | None = None, *, settings: Settings | None = None) -> Model:
    """Load a model.

    Parameters
    ----------
    model : str or path-like, optional
        A model folder, an exported zip file, ``runs:/ID``, ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``
        or ``shipped``. Without it, the model of the settings, else the champion of the registry.
    settings : Settings, optional
        Home and store. Default: those of the current folder and environment.

    Returns
    -------
    Model
        Its files are checked; the boosters of its baselines are loaded on first use.

    Raises
    ------
    ModelError
        If it cannot be found, is damaged, or is of another format.
    TrackingError
        If the store has no such model, or cannot be reached.

    Examples
    --------
    >>> load_model("shipped").name.startswith("default@")
    True
    """
    from scoring.artifact.saved_model import open_files
    from scoring.artifact.zip_export import unpack
    from scoring.deployment.open_model import open_model

    spec = None if model is None else os.fspath(model)
    if spec is not None and Path(spec).is_file():
        return Model(open_files(unpack(Path(spec)), is_whole=False))
    return Model(open_model(spec, settings or load_settings(), _Warnings(), is_whole=False))


def read_records(
    records: Records, *, fields: PathLike | FieldMap | None = None, on_error: OnError = "raise"
) -> Iterator[Document]:
    """Read records, one at a time.

    Parameters
    ----------
    records : path, document, mapping, or iterable of these
        A folder, a Markdown file or a file of JSON lines; a document that was read already; or a
        mapping with the field names of the front matter.
    fields : path or FieldMap, optional
        Field map of all records. Default: for files the ``scoring-fields.yaml`` of their archive, for others
        scoring's own layout.
    on_error : {"raise", "warn"} or callable
        What becomes of a record that cannot be used. With ``"warn"``, or a callable that returns, the
        others go on.

    Returns
    -------
    iterator of Document
        In the order of `records`.

    Raises
    ------
    RecordError
        If a path does not exist or names no record; with ``on_error="raise"``, at the first record
        that cannot be used.

    Examples
    --------
    >>> [document] = read_records({"title": "Rain", "topics": ["Weather"]})
    >>> document.record.topics
    ('Weather',)
    """
    from scoring.records.field_maps.map_file import read_field_map  # imports PyYAML

    given = fields if isinstance(fields, FieldMap | None) else read_field_map(os.fspath(fields))
    return _read(records, on_error, given=given)


def _read(
    records: Records, on_error: OnError, model_map: FieldMap | None = None, *, given: FieldMap | None = None
) -> Iterator[Document]:
    """Read records by a given field map, else that of their archive, else that of a model."""
    on_fault = _handler(on_error)
    if isinstance(records, str | os.PathLike | Document | Mapping):
        records = [records]
    for number, record in enumerate(records, start=1):
        if isinstance(record, Document):
            yield record
        elif isinstance(record, Mapping):
            try:
                yield _from_mapping(record, number, given or model_map)
            except RecordError as error:
                on_fault(error)
        else:
            path = os.fspath(record)
            field_maps = FieldMaps([path], given=given).with_model_map(model_map)
            yield from read_documents([path], field_maps=field_maps, on_fault=on_fault)


def validate(paths: PathLike | Iterable[PathLike]) -> Validation:
    """Find everything that is wrong with records.

    Parameters
    ----------
    paths : path or iterable of paths
        Folders, Markdown files, files of JSON lines.

    Returns
    -------
    Validation
        ``faults`` is empty where every record can be used.

    Raises
    ------
    RecordError
        If a path does not exist or names no record.
    """
    from scoring.workflows.validate import validate as workflow

    return workflow(_paths(paths))


def extract_features(
    records: Records,
    *,
    model: PathLike | Model | None = None,
    as_of: AsOf = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> pd.DataFrame:
    """Features of records, as the models see them.

    The package :mod:`scoring.features` has the name that this function would have otherwise.

    Parameters
    ----------
    records : path, document, mapping, or iterable of these
        As :func:`read_records` takes them.
    model : str, path-like or Model, optional
        Its rule of sections is used. Default: the section is the first topic of a record.
    as_of : datetime, timedelta or None
        Coverage newer than this moment (aware UTC), or than so long after publication, is unseen; None takes
        records as they are.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home and store of the model. Default: those of the current folder and environment.

    Returns
    -------
    DataFrame of shape (n_records, n_features)
        Indexed by path, in the order of `records`; NaN or None where a value is missing. ``scoring features
        --catalogue`` lists the columns.

    Examples
    --------
    >>> int(extract_features({"title": "Rain again"})["title_word_count"].iloc[0])
    2
    """
    import pyarrow as pa

    from scoring.features.extraction import extracted
    from scoring.features.parquet_schema import FEATURE_SCHEMA, feature_tables, of_one_schema
    from scoring.features.sections import FIRST_TOPIC

    scorer = None if model is None else _loaded(model, settings).saved.scorer
    sections = FIRST_TOPIC if scorer is None else scorer.sections
    documents = _read(records, on_error, None if scorer is None else scorer.field_map)
    features = (extracted(document, as_of, sections) for document in documents)
    table = pa.concat_tables(of_one_schema([FEATURE_SCHEMA.empty_table(), *feature_tables(features)]))
    frame: pd.DataFrame = table.to_pandas()
    return frame.set_index("path")


def score(
    records: Records,
    *,
    model: PathLike | Model | None = None,
    as_of: AsOf = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> Iterator[Score]:
    """Score records: quality, lead, heat, published.

    Parameters
    ----------
    records : path, document, mapping, or iterable of these
        As :func:`read_records` takes them.
    model : Model, str or path-like, optional
        As :func:`load_model` takes it; a loaded model is not loaded again.
    as_of : datetime, timedelta or None
        Coverage newer than this moment (aware UTC), or than so long after publication, is unseen.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home and store. Default: those of the current folder and environment.

    Returns
    -------
    iterator of Score
        In the order of `records`. What is about a label that the model has not learned is None. Of records
        that list each other one leads, as :meth:`Model.score` says.

    Raises
    ------
    ModelError, TrackingError
        As :func:`load_model`, by the call.
    RecordError
        As :func:`read_records`, by the iterator.

    Examples
    --------
    >>> [result] = score({"title": "Rain", "provider": {"domain": "example.org"}}, model="shipped")
    >>> result.quality_low <= result.quality <= result.quality_high
    True
    """
    return _loaded(model, settings).score(records, as_of=as_of, on_error=on_error)


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
    scorer = _loaded(model, chosen).saved.scorer
    return derived_for_scoring(documents, (), coverage_deriver(chosen, _Warnings()), scorer)


def explain(
    record: Records,
    *,
    model: PathLike | Model | None = None,
    as_of: AsOf = None,
    settings: Settings | None = None,
) -> Explanation:
    """Explain the scores of one record.

    Parameters
    ----------
    record : path, document or mapping
        One record, as :func:`read_records` takes it.
    model : Model, str or path-like, optional
        As in :func:`score`.
    as_of : datetime, timedelta or None
        As in :func:`score`.
    settings : Settings, optional
        As in :func:`score`.

    Returns
    -------
    Explanation
        The contribution of each feature, in points or log-odds, largest first.

    Raises
    ------
    ModelError, TrackingError, RecordError
        As :func:`load_model` and :func:`read_records`; also if there is not exactly one record.

    Examples
    --------
    >>> explain({"title": "Rain", "provider": {"domain": "example.org"}}, model="shipped").score.model[:8]
    'default@'
    """
    return _loaded(model, settings).explain(record, as_of=as_of)


def train(
    paths: PathLike | Iterable[PathLike],
    *,
    config: TrainConfig | PathLike | None = None,
    output: PathLike | None = None,
    overwrite: bool = False,
    tracked: bool = True,
    now: datetime | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> TrainOutcome:
    """Train on labelled records: evaluate on the latest ones, fit again on all, save, and log a run.

    Parameters
    ----------
    paths : path or iterable of paths
        Folders and files of labelled records.
    config : TrainConfig or path-like, optional
        Fit options, or a YAML file of them.
    output : path-like, optional
        Folder of the model; below the home's ``models`` if not given.
    overwrite : bool
        Whether another model in `output` may be replaced.
    tracked : bool
        Whether the training is logged to MLflow.
    now : datetime, optional
        Time of the training (aware UTC); the current time if not given.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store, seed and threads. Default: those of the current folder and environment.

    Returns
    -------
    TrainOutcome
        Folder of the model, run, metrics on the held-out records.

    Raises
    ------
    RecordError
        If a path does not exist, or a record cannot be used.
    ModelError
        If there are too few labelled records, or `output` has another model.
    SettingsError
        If the configuration cannot be used.
    TrackingError
        If the store cannot be used.
    """
    from scoring.training.config import TrainConfig
    from scoring.workflows.train import load_config
    from scoring.workflows.train import train as workflow

    chosen = (
        config if isinstance(config, TrainConfig) else load_config(None if config is None else Path(config))
    )
    return workflow(
        _paths(paths),
        config=chosen,
        settings=settings or load_settings(),
        now=now or datetime.now(UTC),
        output=None if output is None else Path(output),
        is_overwrite=overwrite,
        is_tracked=tracked,
        on_fault=_handler(on_error),
        reporter=_Warnings(),
    )


def evaluate(
    paths: PathLike | Iterable[PathLike],
    *,
    model: PathLike | Model | None = None,
    as_of: AsOf = None,
    since: datetime | None = None,
    output: PathLike | None = None,
    tracked: bool = True,
    now: datetime | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> EvaluateOutcome:
    """Compare a model's scores with the labels of records.

    Parameters
    ----------
    paths : path or iterable of paths
        Folders and files of labelled records.
    model : Model, str or path-like, optional
        As in :func:`score`.
    as_of : datetime, timedelta or None
        As in :func:`score`; the labels are the final ones.
    since : datetime, optional
        Only records published at or after this time (aware UTC).
    output : path-like, optional
        Folder for the report, the metrics and the predictions.
    tracked : bool
        Whether the evaluation is logged to MLflow.
    now : datetime, optional
        Time of the evaluation (aware UTC); the current time if not given.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store and experiment. Default: those of the current folder and environment.

    Returns
    -------
    EvaluateOutcome
        Metrics with intervals, baselines and slices.

    Raises
    ------
    RecordError, ModelError, TrackingError
        As :func:`load_model` and :func:`read_records`; also if no record has labels.
    """
    from scoring.workflows.evaluate import evaluate as workflow

    return workflow(
        _paths(paths),
        model=model.saved if isinstance(model, Model) else None if model is None else os.fspath(model),
        settings=settings or load_settings(),
        now=now or datetime.now(UTC),
        as_of=as_of,
        since=since,
        output=None if output is None else Path(output),
        is_tracked=tracked,
        on_fault=_handler(on_error),
        reporter=_Warnings(),
    )


def compare(
    *models: PathLike,
    on: PathLike | Iterable[PathLike] = (),
    limit: int = 20,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> tuple[Comparison, ...]:
    """Compare models or runs on the same records.

    Parameters
    ----------
    *models : str or path-like
        Two or more runs or models: a run's id, ``runs:/ID``, ``models:/...``, or a model folder.
    on : path or iterable of paths
        Records that the models score. Without it, the runs' logged predictions on their held-out records are
        compared.
    limit : int
        Changed decisions that are listed, at most.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store, seed and threads. Default: those of the current folder and environment.

    Returns
    -------
    tuple of Comparison
        The first model with each of the others.

    Raises
    ------
    ModelError
        If fewer than two are named, one cannot be used, or there are no records to compare on.
    TrackingError
        If the store has no such run, or cannot be reached.
    """
    from scoring.workflows.compare import compare as workflow

    return workflow(
        [*_paths(models), *_paths(on)],
        settings=settings or load_settings(),
        limit=limit,
        on_fault=_handler(on_error),
        reporter=_Warnings(),
    )


def suggest(
    paths: PathLike | Iterable[PathLike],
    *,
    count: int = 20,
    model: PathLike | Model | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> SuggestOutcome:
    """Suggest the unlabelled records to label first.

    These are the records whose labels would teach the model the most about quality. Labels that scoring
    itself wrote do not count.

    Parameters
    ----------
    paths : path or iterable of paths
        Folders and files of records, the labelled ones included.
    count : int
        Maximum number of suggestions; 1 or more. A smaller number gives the first ones of a larger number.
    model : Model, str or path-like, optional
        The model that the labels are for, as in :func:`score`.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store, journal and rule of sections. Default: those of the current folder and environment.

    Returns
    -------
    SuggestOutcome
        ``suggestions``, the most useful first, each with its reasons; numbers of labelled, unlabelled and
        unusable records.

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

    return workflow(
        _paths(paths),
        count=count,
        model=model.saved if isinstance(model, Model) else None if model is None else os.fspath(model),
        settings=settings or load_settings(),
        on_fault=_handler(on_error),
        reporter=_Warnings(),
    )


class _Warnings:
    """A reporter that gives warnings as Python's, logs notes at level INFO, and drops progress."""

    def step(self, name: str, done: int, total: int | None) -> None:
        """Drop the step."""

    def note(self, text: str) -> None:
        """Log the note."""
        logging.getLogger("scoring").info(text)

    def warn(self, text: str) -> None:
        """Give a Python warning."""
        warnings.warn(text, stacklevel=4)


def _handler(on_error: OnError) -> Callable[[RecordError], None]:
    if on_error == "raise":
        return _raise
    if on_error == "warn":
        return lambda error: warnings.warn(str(error), stacklevel=4)
    if not callable(on_error):
        raise ValueError(f'on_error: got {on_error!r}, expected "raise", "warn" or a callable')
    return on_error


def _raise(error: RecordError) -> None:
    raise error


def _from_mapping(record: Mapping[str, Any], number: int, field_map: FieldMap | None) -> Document:
    """Read a mapping as a line of JSON is read; ``path`` names the record."""
    fields = dict(record)
    path = str(fields.pop("path", "-"))
    line = number if path == "-" else 0
    try:
        data = msgspec.json.encode(fields)
    except TypeError as error:
        raise RecordError(Fault(path, line, "", str(error), "values that JSON has")) from None
    return decode_json(data, path, line, field_map)


def _loaded(model: PathLike | Model | None, settings: Settings | None) -> Model:
    return model if isinstance(model, Model) else load_model(model, settings=settings)


def _paths(paths: PathLike | Iterable[PathLike]) -> list[str]:
    if isinstance(paths, str | os.PathLike):
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]
