"""scikit-learn estimator of quality."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from scoring.explanation.contribution_table import ContributionTable, quality_table
from scoring.features.table import FeatureTable, Floats
from scoring.model.quality import QualityModel
from scoring.model.scorer import rounded
from scoring.model.targets import Targets
from scoring.sklearn.base import RecordEstimator
from scoring.sklearn.fits import feature_table, fit_quality_model, section_of, thread_count
from scoring.sklearn.samples import read_points, with_label


class QualityRegressor(RegressorMixin, RecordEstimator):
    """Quality of records, in points.

    Parameters
    ----------
    config : TrainConfig or path, optional
        Training configuration, or its YAML file. Default: the defaults of ``scoring train``.
    fields : FieldMap or path, optional
        Field map that names the columns of X, or its file: see :func:`scoring.read_records`. y is in points.
        Default: scoring's own layout.
    model_params : dict of str to float, int or str, optional
        Values that replace those of the configuration's ``model``, by dotted path:
        ``{"quality.params.num_leaves": 4, "rubric.ridge": 1e-4}``.
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
        Learned labels.
    n_features_in_ : int
        Number of columns that are fields of a record; only if ``fit`` was given a frame.
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        Names of these columns.

    Examples
    --------
    >>> QualityRegressor(model_params={"rubric.ridge": 1e-4}, random_state=7)
    QualityRegressor(model_params={'rubric.ridge': 0.0001}, random_state=7)
    """

    _target = "quality"

    def fit(self, X: Any, y: Any) -> QualityRegressor:
        """Fit to labelled records.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            A pandas, Polars or Arrow frame, one record per row, with the field names of the front matter as
            columns; or records as in :func:`scoring.read_records`. Each record needs a date; labels in X are
            ignored.
        y : array-like of int, shape (n_samples,)
            Quality in points.

        Returns
        -------
        QualityRegressor
            The fitted estimator.

        Raises
        ------
        RecordError
            If a record cannot be used or has no date; the message names the row, from 1.
        ValueError
            If a label is not a whole number; the message names the row, from 1.
        ModelError
            If there are too few records.
        """
        documents, config = self._begin(X)
        labelled = with_label(documents, "quality", read_points(y, len(documents)))
        self._model: QualityModel = fit_quality_model(
            labelled, config, thread_count(self.n_jobs), section_of(self._field_map)
        )
        self.targets_: Targets = ("quality",)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict quality.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            Records, as in :meth:`fit`; their labels are ignored.

        Returns
        -------
        ndarray of shape (n_samples,)
            Quality in points: whole numbers, or ratings if the labels are ratings.

        Raises
        ------
        RecordError
            If a record cannot be used; the message names the row, from 1. :meth:`scoring.Model.score` scores
            the other records, and returns a column of errors.
        ValueError
            If a column that ``fit`` has seen is missing.
        """
        return self._predicted(X)[0]

    def predict_interval(self, X: Any) -> NDArray[np.float64]:
        """Predict intervals of quality.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            As in :meth:`predict`.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper end, in points. The level is ``model.interval_level`` of the configuration, 0.9 by
            default.

        Raises
        ------
        RecordError, ValueError
            As in :meth:`predict`.
        """
        return np.column_stack(self._predicted(X)[1:])

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
            ``base + values.sum(axis=1)``.

        Raises
        ------
        RecordError, ValueError
            As in :meth:`predict`.
        """
        table = self._table(X)
        return quality_table(self._model, table)

    def _table(self, X: Any) -> FeatureTable:
        documents = self._read(X)
        return feature_table(documents, self._age, self._model.encoder.sections_)

    def _predicted(self, X: Any) -> tuple[Floats, Floats, Floats]:
        """Quality, and the lower and upper ends of its interval."""
        table, model = self._table(X), self._model
        expected, spread = model.estimate(table, thread_count(self.n_jobs))
        return rounded(expected, *model.interval(table, expected, spread), model.steps)
