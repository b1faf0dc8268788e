"""scikit-learn estimator of publication."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin

from scoring.explanation.contribution_table import ContributionTable, published_table
from scoring.sklearn.base import ScorerEstimator
from scoring.sklearn.samples import read_truths


class PublishedClassifier(ClassifierMixin, ScorerEstimator):
    """Whether the site publishes records.

    Parameters
    ----------
    config : TrainConfig or path, optional
        Training configuration, or its YAML file. Default: the defaults of ``scoring train``.
    fields : FieldMap or path, optional
        Field map that names the columns of X, or its file: see :func:`scoring.read_records`. y is in points.
        Default: scoring's own layout.
    model_params : dict of str to float, int or str, optional
        Values that replace those of the configuration's ``model``, by dotted path:
        ``{"published.num_iterations": 80, "quality.params.num_leaves": 4}``.
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
        Learned labels: ``published``, and ``quality`` and ``heat`` if the records have them.
    classes_ : ndarray of shape (2,)
        False and true, in the type of the labels: booleans, or 0 and 1.
    n_features_in_ : int
        Number of columns that are fields of a record; only if ``fit`` was given a frame.
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        Names of these columns.
    """

    _target = "published"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any) -> PublishedClassifier:
        """Fit to labelled records.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            Records with dates, as in :meth:`QualityRegressor.fit`. If all have a ``quality``, and some a
            ``heat``, these labels are learned first, and publication is learned from them.
        y : array-like of bool, shape (n_samples,)
            Whether each record is published: booleans, or 1 and 0.

        Returns
        -------
        PublishedClassifier
            The fitted estimator.

        Raises
        ------
        RecordError
            If a record cannot be used, has no date, or lacks the first of the labels while other records have
            it; the message names the row, from 1.
        ValueError
            If a label is neither true nor false (the message names the row, from 1), or all are the same.
        ModelError
            If there are too few records, or too few that lead.
        """
        documents, config = self._begin(X)
        values, classes = read_truths(y, len(documents))
        self._learn(documents, values, config)
        self.classes_: NDArray[Any] = classes
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict publication.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            Records, as in :meth:`fit`; their labels are ignored.

        Returns
        -------
        ndarray of shape (n_samples,)
            Booleans, or 0 and 1, as in the labels. The probability threshold is learned from the latest
            records, and need not be 0.5.

        Raises
        ------
        RecordError
            If a record cannot be used; the message names the row, from 1. :meth:`scoring.Model.score` scores
            the other records, and returns a column of errors.
        ValueError
            If a column that ``fit`` has seen is missing.
        """
        is_published = [bool(score.published) for score in self._scores(X)]
        return self.classes_[np.array(is_published, dtype=np.intp)]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict the probability of publication.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            As in :meth:`predict`.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Probabilities of false and true, in the order of ``classes_``.

        Raises
        ------
        RecordError, ValueError
            As in :meth:`predict`.
        """
        published = np.array([score.published_probability for score in self._scores(X)], dtype=np.float64)
        return np.column_stack([1.0 - published, published])

    def contributions(self, X: Any) -> ContributionTable:
        """Explain probabilities by the contributions of features.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
            As in :meth:`predict`.

        Returns
        -------
        ContributionTable
            ``values`` of shape (n_samples, n_features) in log-odds, ``base`` and ``names``; the log-odds of
            the second column of :meth:`predict_proba` are ``base + values.sum(axis=1)``. Probabilities of 0
            and 1 are replaced by 0.00005 and 0.99995.

        Raises
        ------
        RecordError, ValueError
            As in :meth:`predict`.
        """
        scores, table = self._scores_and_table(X)
        return published_table(self._scorer, table, scores)
