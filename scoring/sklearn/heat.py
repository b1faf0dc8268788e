"""scikit-learn estimator of heat."""

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

    If the labels show that a story has one leader, only one of several records that list each other and
    are predicted together leads.

    Parameters
    ----------
    config : TrainConfig or path, optional
        Training configuration, or its YAML file. Default: the defaults of ``scoring train``.
    fields : FieldMap or path, optional
        Field map that names the columns of X, or its file: see :func:`scoring.read_records`. y is in points.
        Default: scoring's own layout.
    model_params : dict of str to float, int or str, optional
        Values that replace those of the configuration's ``model``, by dotted path:
        ``{"heat.num_iterations": 80, "quality.params.num_leaves": 4}``.
    as_of : str, optional
        Age at which ``fit`` and all other methods use records: ``published+6h`` leaves out coverage that
        appeared later. Default: as in the configuration, or records as they are.
    random_state : int or RandomState, optional
        Random seed. Default: the seed of the configuration.
    n_jobs : int, optional
        Number of threads, -1 for all; does not change the model. Default: 1.

    Attributes
    ----------
    targets_ : tuple of str
        Learned labels: ``heat``, and ``quality`` if the records have it.
    n_features_in_ : int
        Number of columns that are fields of a record; only if ``fit`` was given a frame.
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        Names of these columns.
    """

    _target = "heat"

    def fit(self, X: Any, y: Any) -> HeatRegressor:
        """Fit to labelled records.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            Records with dates, as in :meth:`QualityRegressor.fit`. If all have a ``quality``, it is learned
            first; without it, the heat of leads without coverage is used instead of the quality.
        y : array-like of int, shape (n_samples,)
            Heat in points, or -1.

        Returns
        -------
        HeatRegressor
            The fitted estimator.

        Raises
        ------
        RecordError
            If a record cannot be used, has no date, or has no quality while other records have one; the
            message names the row, from 1.
        ValueError
            If a label is not a whole number of -1 or more; the message names the row, from 1.
        ModelError
            If there are too few records, or too few that lead.
        """
        documents, config = self._begin(X)
        self._learn(documents, read_points(y, len(documents), NOT_LEADING), config)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict heat.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            Records, as in :meth:`fit`; their labels are ignored.

        Returns
        -------
        ndarray of shape (n_samples,)
            Points; -1 where another record leads the story.

        Raises
        ------
        RecordError
            If a record cannot be used; the message names the row, from 1. :meth:`scoring.Model.score` scores
            the other records, and returns a column of errors.
        ValueError
            If a column that ``fit`` has seen is missing.
        """
        return np.array([score.heat for score in self._scores(X)], dtype=np.float64)

    def contributions(self, X: Any) -> ContributionTable:
        """Explain predictions by the contributions of features.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            As in :meth:`predict`.

        Returns
        -------
        ContributionTable
            ``values`` of shape (n_samples, n_features) in points, ``base`` and ``names``; the prediction is
            ``base + values.sum(axis=1)``. ``coverage_count`` is the points that coverage adds to the quality;
            ``lead`` is the points lost where another record leads.

        Raises
        ------
        RecordError, ValueError
            As in :meth:`predict`.
        """
        scores, table = self._scores_and_table(X)
        return heat_table(self._scorer, table, scores)
