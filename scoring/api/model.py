"""A loaded model: scores, explanations, features, policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec

from scoring.api.argument_names import naming_arguments
from scoring.api.inputs import OnError, PathLike, Records, Warnings, fault_handler, read_documents_of
from scoring.errors import Fault, RecordError
from scoring.explanation.frames import reason_frame, score_frame
from scoring.extras import MissingExtraError
from scoring.features.as_of import AsOf, checked_as_of
from scoring.model.targets import listed
from scoring.records.frame_rows import FrameRows, is_frame, read_frame
from scoring.records.record import Document
from scoring.settings import Settings, load_settings
from scoring.storage.urls import name_of

if TYPE_CHECKING:
    import pandas as pd
    from narwhals.typing import IntoDataFrameT

    from scoring.api.policy import Policy
    from scoring.artifact.saved_model import SavedModel
    from scoring.explanation.results import Explanation
    from scoring.model.score import Score

_T = TypeVar("_T")
_RUN_ID = re.compile(r"[0-9a-f]{32}")


class Model:
    """A loaded model.

    Parameters
    ----------
    saved : SavedModel
        Fitted parts and manifest of the model.
    address : str, optional
        Its run or version in the store, ``runs:/ID`` or ``models:/NAME/3``; None for a folder, a zip or the
        shipped model.

    Examples
    --------
    >>> import scoring
    >>> model = scoring.load_model("shipped")
    >>> [score] = model.score([{"title": "Rain", "provider": {"domain": "example.org"}}])
    >>> 0 <= score.lead_probability <= 1
    True
    """

    def __init__(self, saved: SavedModel, address: str | None = None) -> None:
        self.saved = saved
        self.address = address

    def __repr__(self) -> str:
        training = self.saved.manifest.training
        labels = listed(self.saved.scorer.targets)
        return f"<scoring.Model {self.name}: {labels}, from {training.n_records:,} records>"

    def _repr_html_(self) -> str:
        """Card of the model in a notebook: data, metrics, policy."""
        try:
            from scoring.report.model_card import model_card
        except MissingExtraError as error:
            return f"<pre>{escape(repr(self))}</pre><p>{escape(str(error))}</p>"
        return model_card(self.saved)

    @property
    def name(self) -> str:
        """Name and version, as in ``Score.model``."""
        return self.saved.name

    @overload
    def score(
        self, records: IntoDataFrameT, *, as_of: AsOf | str = ..., on_error: OnError | None = ...
    ) -> IntoDataFrameT: ...
    @overload
    def score(
        self, records: Records, *, as_of: AsOf | str = ..., on_error: OnError | None = ...
    ) -> Iterator[Score]: ...
    def score(self, records: Any, *, as_of: AsOf | str = None, on_error: OnError | None = None) -> Any:
        """Score records: see :func:`scoring.score`.

        Parameters
        ----------
        records : DataFrame, path, document, record, mapping, or iterable of these
            A pandas, Polars or Arrow frame, one record per row; or any input of :func:`scoring.read_records`.
        as_of : datetime, timedelta, str or None
            Coverage newer than this moment (aware UTC), or than this age of the record, is ignored. May be
            text, such as ``2021-03-04`` or ``published+6h``. None uses records as they are.
        on_error : {"raise", "warn"} or callable, optional
            As in :func:`scoring.read_records`. Default: ``"raise"``. For a frame, the default is to give the
            reason in the column ``error``, and to score the other records.

        Returns
        -------
        DataFrame of shape (n_records, n_score_fields + 1), or iterator of Score
            For a frame, a frame of the same kind with the same index; otherwise scores in the order of
            `records`. If the training labels show one leader per story, only one of several records that list
            each other leads, and all records are scored before the first is returned.
        """
        as_of = checked_as_of(as_of)
        if is_frame(records):
            rows = self._read_frame(records, on_error)
            scores = self.saved.scorer.score_together(rows.documents, as_of)
            return score_frame([_or_error(item, scores) for item in rows.read], rows.frame)
        documents = read_documents_of(records, on_error or "raise", self.saved.scorer.field_map)
        return self.saved.scorer.score_together(documents, as_of)

    @overload
    def explain(self, records: IntoDataFrameT, *, as_of: AsOf | str = ...) -> IntoDataFrameT: ...
    @overload
    def explain(self, records: Records, *, as_of: AsOf | str = ...) -> Explanation: ...
    def explain(self, records: Any, *, as_of: AsOf | str = None) -> Any:
        """Explain scores: see :func:`scoring.explain`.

        Parameters
        ----------
        records : DataFrame, path, document or mapping
            A pandas, Polars or Arrow frame, one record per row; or one record, as in
            :func:`scoring.read_records`.
        as_of : datetime, timedelta, str or None
            As in :meth:`score`.

        Returns
        -------
        DataFrame of shape (n_contributions, 7), or Explanation
            For a frame, a long frame of the same kind with the columns ``row``, ``path``, ``target``,
            ``feature``, ``text``, ``contribution`` and ``error``. The contributions of a record to a target
            add up to its score: in points for quality and heat, in log-odds for lead and published. For one
            record, its explanation.
        """
        from scoring.explanation.attribution import explain as attribute

        scorer, as_of = self.saved.scorer, checked_as_of(as_of)
        if is_frame(records):
            rows = self._read_frame(records, None)
            scores = scorer.score_together(rows.documents, as_of)
            explained = (
                msgspec.structs.replace(attribute(scorer, document, as_of), score=score)
                for document, score in zip(rows.documents, scores, strict=True)
            )
            return reason_frame([_or_error(item, explained) for item in rows.read], rows.frame)
        documents = list(read_documents_of(records, "raise", scorer.field_map))
        if len(documents) != 1:
            expected = "one record, or a frame to explain several"
            raise RecordError(Fault("record", 0, "", f"{len(documents)} records", expected))
        return attribute(scorer, documents[0], as_of)

    @overload
    def features(
        self, records: IntoDataFrameT, *, as_of: AsOf | str = ..., on_error: OnError | None = ...
    ) -> IntoDataFrameT: ...
    @overload
    def features(
        self, records: Records, *, as_of: AsOf | str = ..., on_error: OnError | None = ...
    ) -> pd.DataFrame: ...
    def features(self, records: Any, *, as_of: AsOf | str = None, on_error: OnError | None = None) -> Any:
        """Extract the features of records, as used by the model: see :func:`scoring.extract_features`.

        Parameters
        ----------
        records : DataFrame, path, document, record, mapping, or iterable of these
            As in :meth:`score`.
        as_of : datetime, timedelta, str or None
            As in :meth:`score`.
        on_error : {"raise", "warn"} or callable, optional
            As in :meth:`score`.

        Returns
        -------
        DataFrame of shape (n_records, n_features)
            For a frame, a frame of the same kind with the same index and the column ``error``; otherwise a
            pandas frame, indexed by path.
        """
        from scoring.api.inference import extract_features

        return extract_features(records, model=self, as_of=as_of, on_error=on_error)

    def _read_frame(self, frame: Any, on_error: OnError | None) -> FrameRows:
        return checked_rows(read_frame(frame, self.saved.scorer.field_map), on_error)

    def policy(self, section: str | None = None) -> Policy:
        """Describe the learned policy in words: points, leads, heat, publication.

        Parameters
        ----------
        section : str, optional
            Return only the rules of this section. Default: the rules of all sections.

        Returns
        -------
        list of PolicyLine
            Rules, each with the 95 % interval of its value and the number of labelled records that it is
            based on. The list has ``to_frame``.

        Raises
        ------
        ModelError
            If the model has no rules, or no rules for the section.

        Examples
        --------
        >>> import scoring
        >>> [line] = [line for line in scoring.load_model("shipped").policy() if line.target == "published"]
        >>> line.text
        'published from a heat of 70'
        """
        from scoring.api.policy import Policy
        from scoring.workflows.policy import lines_of

        return Policy(lines_of(self.saved, section))


def checked_rows(rows: FrameRows, on_error: OnError | None) -> FrameRows:
    """Pass the errors of rows to `on_error`, if it is given; the rows are kept."""
    if on_error is not None:
        handle = fault_handler(on_error)
        for item in rows.read:
            if isinstance(item, RecordError):
                handle(item)
    return rows


def _or_error(item: Document | RecordError, results: Iterator[_T]) -> _T | RecordError:
    """The next result for a document that was read, else its error."""
    return item if isinstance(item, RecordError) else next(results)


@naming_arguments
def load_model(model: PathLike | None = None, *, settings: Settings | None = None) -> Model:
    """Load a model.

    Parameters
    ----------
    model : str or path-like, optional
        A model folder or exported zip file (a path or URL), a run's id, ``runs:/ID`` with the id or its
        beginning, ``models:/NAME/VERSION``, ``models:/NAME/latest``, ``models:/NAME@ALIAS`` or ``shipped``.
        Default: the model of the settings, else the champion of the registry.
    settings : Settings, optional
        Home and store. Default: settings of the current folder and environment.

    Returns
    -------
    Model
        The model; its files are checked, and the boosters of its baselines are loaded on first use.

    Raises
    ------
    ModelError
        If the model cannot be found, is damaged, or has another format.
    TrackingError
        If the store has no such model, or cannot be reached.

    Examples
    --------
    >>> load_model("shipped").name.startswith("default@")
    True
    """
    from scoring.deployment.resolve_model import resolve

    spec = None if model is None else spec_of(model)
    loaded_model = resolve(spec, settings or load_settings(), is_whole=False, reporter=Warnings())
    return Model(loaded_model.saved, loaded_model.resolved.address)


def spec_of(model: PathLike) -> str:
    """The model's name for workflows; a run's id is that of its model, unless it is a path.

    Examples
    --------
    >>> spec_of("0123456789abcdef0123456789abcdef"), spec_of("models:/scoring/1")
    ('runs:/0123456789abcdef0123456789abcdef', 'models:/scoring/1')
    """
    spec = name_of(model)
    return f"runs:/{spec}" if _RUN_ID.fullmatch(spec) and not Path(spec).exists() else spec


def loaded(model: PathLike | Model | None, settings: Settings | None) -> Model:
    return model if isinstance(model, Model) else load_model(model, settings=settings)


def saved_or_spec(model: PathLike | Model) -> str | SavedModel:
    """The model argument of the workflows: a loaded model, or the text that names it."""
    return model.saved if isinstance(model, Model) else spec_of(model)
