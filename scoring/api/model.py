"""A loaded model: scores, explanations, and its policy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.api.inputs import OnError, PathLike, Records, Warnings, read_documents_of
from scoring.errors import Fault, RecordError
from scoring.features.as_of import AsOf
from scoring.settings import Settings, load_settings

if TYPE_CHECKING:
    from scoring.artifact.saved_model import SavedModel
    from scoring.explanation.policy import PolicyLine
    from scoring.explanation.results import Explanation
    from scoring.model.score import Score


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
        documents = read_documents_of(records, on_error, self.saved.scorer.field_map)
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

        documents = list(read_documents_of(record, "raise", self.saved.scorer.field_map))
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
    return Model(open_model(spec, settings or load_settings(), Warnings(), is_whole=False))


def loaded(model: PathLike | Model | None, settings: Settings | None) -> Model:
    return model if isinstance(model, Model) else load_model(model, settings=settings)
