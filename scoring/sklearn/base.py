"""Base classes of the estimators: parameters, reading of records, and prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from scoring.api.inputs import PathLike, field_map_of
from scoring.errors import RecordError
from scoring.features.table import FeatureTable
from scoring.model.score import Score
from scoring.model.scorer import Scorer
from scoring.model.targets import Target, Targets
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.record import Document
from scoring.sklearn.fits import age_of, config_of, feature_table, fit_scorer, section_of, thread_count
from scoring.sklearn.samples import field_names, read_samples, targets_of, with_label
from scoring.training.config import TrainConfig

_NOTE = "an array of predictions cannot hold errors: scoring.Model.score returns a column of errors"


class RecordEstimator(BaseEstimator):
    """An estimator whose samples are records."""

    _target: ClassVar[Target]

    def __init__(
        self,
        config: TrainConfig | PathLike | None = None,
        *,
        fields: FieldMap | PathLike | None = None,
        model_params: Mapping[str, Any] | None = None,
        as_of: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.config = config
        self.fields = fields
        self.model_params = model_params
        self.as_of = as_of
        self.random_state = random_state
        self.n_jobs = n_jobs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.two_d_array = False  # X is no array of numbers, but a frame of records
        tags.input_tags.dict = True
        tags.input_tags.allow_nan = True
        return tags

    def _begin(self, X: Any) -> tuple[list[Document], TrainConfig]:
        """Training records and configuration; also sets ``feature_names_in_`` and ``n_features_in_``."""
        self._field_map = field_map_of(self.fields)
        documents = read_samples(X, self._field_map)
        seed = self.random_state
        if seed is not None and not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        config = config_of(
            self.config,
            model_params=self.model_params,
            as_of=self.as_of,
            seed=None if seed is None else int(seed),
        )
        self._age: timedelta | None = age_of(config.as_of)
        for name in ("feature_names_in_", "n_features_in_"):
            self.__dict__.pop(name, None)  # of an earlier fit
        if (names := field_names(X, self._field_map)) is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
            self.n_features_in_ = len(names)
        return documents, config

    def _read(self, X: Any) -> list[Document]:
        """Records to predict.

        Raises
        ------
        ValueError
            If a column that the records had in ``fit`` is missing.
        """
        check_is_fitted(self, "targets_")
        names = field_names(X, self._field_map)
        known = getattr(self, "feature_names_in_", None)
        if names is not None and known is not None and (missing := [*set(known) - set(names)]):
            listed = ", ".join(map(repr, sorted(missing)))
            raise ValueError(f"X: got no column {listed}, expected the fields of fit, null where absent")
        try:
            return read_samples(X, self._field_map)
        except RecordError as error:
            error.add_note(_NOTE)
            raise


class ScorerEstimator(RecordEstimator):
    """An estimator that learns a label together with the labels that it depends on."""

    _scorer: Scorer

    def _learn(self, documents: Sequence[Document], values: Sequence[Any], config: TrainConfig) -> None:
        labelled = with_label(documents, self._target, values)
        targets = targets_of(labelled, self._target, config.labels)
        section = section_of(self._field_map)
        self._scorer = fit_scorer(labelled, targets, config, thread_count(self.n_jobs), section)
        self.targets_: Targets = targets

    def _scores(self, X: Any) -> list[Score]:
        """Scores of records, which are predicted together."""
        documents = self._read(X)
        return list(self._scorer.score_together(documents, self._age))

    def _scores_and_table(self, X: Any) -> tuple[list[Score], FeatureTable]:
        documents = self._read(X)
        scores = list(self._scorer.score_together(documents, self._age))
        return scores, feature_table(documents, self._age, self._scorer.sections)
