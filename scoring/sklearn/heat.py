"""Heat as an estimator of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from scoring.explanation.contribution_table import ContributionTable, heat_table
from scoring.model.cascade import NOT_LEADING
from scoring.sklearn.base import ScorerEstimator
from scoring.sklearn.samples import read_points


class HeatRegressor(RegressorMixin, ScorerEstimator):
    """Heat of records, in points: -1 where another record leads the story.

    Records that are predicted together and list each other have one leader, where the labels show that rule.

    Parameters
    ----------
    config : TrainConfig or path, optional
        Training configuration, or its YAML file. Default: the defaults of ``scoring train``.
    model_params : dict of str to float, int or str, optional
        Values that replace those of the configuration's ``model``, by dotted path:
        ``{"heat.num_iterations": 80, "quality.params.num_leaves": 4}``.
    as_of : str, optional
        Age at which records are seen, by ``fit`` and all other methods: ``published+6h`` leaves out coverage
        that appeared later. Default: as in the configuration, or records as they are.
    random_state : int or RandomState, optional
        Random seed. Default: that of the configuration.
    n_jobs : int, optional
        Threads; -1 for all. They do not change the model. Default: 1.

    Attributes
    ----------
    targets_ : tuple of str
        Labels that were learned: ``quality`` too, if the records have it.
    n_features_in_ : int
        Number of columns that are fields of a record; if ``fit`` was given a frame.
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        Their names.
    """

    _target = "heat"

    def fit(self, X: Any, y: Any) -> HeatRegressor:
        """Learn from labelled records.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            Records with dates, as for :meth:`QualityRegressor.fit`. If all have a ``quality``, it is learned
            first; without it, the heat of leads without coverage stands for it.
        y : array-like of int, shape (n_samples,)
            Heats; points, or -1.

        Returns
        -------
        HeatRegressor
            The estimator itself.

        Raises
        ------
        RecordError
            If a record cannot be used, has no date, or has no quality while others have; it names the row,
            from 1.
        ValueError
            If a label is not a whole number of -1 or more; it names the row, from 1.
        ModelError
            If there are too few records, or too few that lead.
        """
        documents, config = self._begin(X)
        self._learn(documents, read_points(y, len(documents), NOT_LEADING), config)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict heats.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            Records, as for :meth:`fit`; their labels are ignored.

        Returns
        -------
        ndarray of shape (n_samples,)
            Points; -1 where another record leads the story.

        Raises
        ------
        RecordError
            If a record cannot be used; it names the row, from 1. :meth:`scoring.Model.score` scores the
            others, and returns a column of errors.
        ValueError
            If a column is missing that ``fit`` has seen.
        """
        return np.array([score.heat for score in self._scores(X)], dtype=np.float64)

    def contributions(self, X: Any) -> ContributionTable:
        """Explain predictions by the contributions of features.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            As for :meth:`predict`.

        Returns
        -------
        ContributionTable
            ``values`` of shape (n_samples, n_features) in points, ``base`` and ``names``; the prediction is
            ``base + values.sum(axis=1)``. ``coverage_count`` is what coverage adds to the quality, ``lead``
            what is missing where another record leads.

        Raises
        ------
        RecordError, ValueError
            As :meth:`predict`.
        """
        scores, table = self._scores_and_table(X)
        return heat_table(self._scorer, table, scores)
