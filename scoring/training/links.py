"""Fit the links between records on the lists of related coverage of an archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scoring.features.story import listed_pairs
from scoring.features.table import Floats
from scoring.features.text import word_set
from scoring.model.booster import Booster
from scoring.model.cascade import NOT_LEADING
from scoring.records.record import Document, Record
from scoring.stories.links import LinkModel, LinkRule
from scoring.stories.title_index import FEATURES, Pairs, TitleIndex
from scoring.training.lightgbm_trainer import train_booster
from scoring.training.training_set import as_floats

MIN_LINKS = 200
"""Listed pairs from which links are fitted."""

MIN_LEADS = 50
"""Labelled records from which the threshold of derived coverage is chosen by leads."""

MAX_RECORDS = 10_000
"""Records that links are fitted on, the latest ones."""

MAX_FIT_PAIRS = 1_000_000
"""Pairs that a booster is fitted on, evenly spaced among all."""

N_TREES = 150
PARAMS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 300,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
}
_VALIDATION_RATIO = 0.2
_WINDOW_EDGES_HOURS = 2.0 ** np.arange(0, 12.5, 0.5)
_MIN_RATE_RATIO = 0.1  # of the largest link rate by gap, at the end of the window
_PRIOR_PAIRS = 1000  # pairs at the average link rate that the rate of a word is shrunk by
_MIN_PAIRS = 50  # pairs that share a word with a weight
_COPY_PRECISION = 0.96
_COPY_SIMILARITIES = (0.8, 0.85, 0.9, 0.95, 1.0)
_COPY_GAPS_HOURS = (6.0, 12.0, 24.0, 48.0, 72.0, 120.0, 168.0)


@dataclass(frozen=True, slots=True)
class _ListedPairs:
    """Pairs of an archive with whether they are listed; `n_listed` counts those that are no pairs too."""

    pairs: Pairs
    is_listed: NDArray[np.bool_]
    n_listed: int


def fit_links(documents: Sequence[Document], *, num_threads: int = 1, seed: int = 0) -> LinkModel | None:
    """Fit the links on the lists of records.

    Parameters
    ----------
    documents : sequence of Document
        Dated documents, in the order of publication; what they list counts where it is among them. Labels of
        quality and heat, where there are any, choose the threshold of derived coverage.
    num_threads, seed : int
        Number of threads and random seed of LightGBM.

    Returns
    -------
    LinkModel or None
        None if they list fewer than :data:`MIN_LINKS` pairs.
    """
    documents = documents[-MAX_RECORDS:]
    records = [document.record for document in documents]
    listed = np.array(sorted(listed_pairs(records)), dtype=np.intp).reshape(-1, 2)
    if len(listed) < MIN_LINKS:
        return None
    n_earlier = int(len(records) * (1 - _VALIDATION_RATIO))
    window_hours = _window_hours(records, listed)
    options = {"num_threads": num_threads, "seed": seed}
    draft_words = _word_weights(records[:n_earlier], listed, window_hours)
    draft = _labelled(records, listed, window_hours, draft_words)
    is_earlier = draft.pairs.later < n_earlier
    booster = _fit(draft.pairs.X[is_earlier], draft.is_listed[is_earlier], **options)
    probability = booster.predict(draft.pairs.X[~is_earlier])
    n_later = int(np.count_nonzero(listed[:, 1] >= n_earlier))
    coverage_threshold = lead_threshold(
        Pairs(draft.pairs.later[~is_earlier], draft.pairs.earlier[~is_earlier], draft.pairs.X[~is_earlier]),
        probability,
        documents,
        n_earlier,
    )
    threshold, precision, recall = best_f1(probability, draft.is_listed[~is_earlier], n_later)
    words = _word_weights(records, listed, window_hours)
    final = _labelled(records, listed, window_hours, words)
    similarity, gap_hours = _copy_limits(final)
    rule = LinkRule(
        words,
        window_hours,
        threshold,
        threshold if coverage_threshold is None else coverage_threshold,
        similarity,
        gap_hours,
        len(listed),
        round(precision, 3),
        round(recall, 3),
    )
    return LinkModel(rule, _fit(final.pairs.X, final.is_listed, **options))


def best_f1(probability: Floats, is_listed: NDArray[np.bool_], n_listed: int) -> tuple[float, float, float]:
    """Threshold with the highest F1, and its precision and recall.

    Parameters
    ----------
    probability : ndarray of shape (n_pairs,)
        Probability of each pair.
    is_listed : ndarray of bool, shape (n_pairs,)
        Whether it is listed.
    n_listed : int
        Listed pairs, those that are not among the pairs too; above 0.

    Examples
    --------
    >>> best_f1(np.array([0.9, 0.6, 0.2]), np.array([True, True, False]), 4)
    (0.6, 1.0, 0.5)
    """
    if not len(probability) or not is_listed.any():
        return 1.0, 0.0, 0.0
    order = np.argsort(-probability, kind="stable")
    n_right = np.cumsum(is_listed[order])
    n_linked = np.arange(1, len(order) + 1)
    best = int(np.argmax(2 * n_right / (n_linked + n_listed)))
    return (
        round(float(probability[order[best]]), 4),
        float(n_right[best] / n_linked[best]),
        float(n_right[best] / max(n_listed, 1)),
    )


def lead_threshold(
    pairs: Pairs, probability: Floats, documents: Sequence[Document], n_earlier: int
) -> float | None:
    """Threshold at which "a record leads unless a linked one has a higher quality" is right most often.

    Parameters
    ----------
    pairs : Pairs
        Pairs whose later record is one of the later documents.
    probability : ndarray of shape (n_pairs,)
        Probability of each pair.
    documents : sequence of Document
        All documents.
    n_earlier : int
        Number of the first of the later documents, on which the threshold is chosen.

    Returns
    -------
    float or None
        None if fewer than :data:`MIN_LEADS` of the later documents, or none that leads, have labels.
    """
    quality = as_floats([document.labels.quality for document in documents])
    heat = as_floats([document.labels.heat for document in documents])
    best = np.zeros(len(documents))
    is_earlier_better = quality[pairs.earlier] >= quality[pairs.later]
    np.maximum.at(best, pairs.later[is_earlier_better], probability[is_earlier_better])
    is_later_better = quality[pairs.later] > quality[pairs.earlier]
    np.maximum.at(best, pairs.earlier[is_later_better], probability[is_later_better])
    is_known = np.isfinite(heat) & (np.arange(len(documents)) >= n_earlier)
    is_lead, best = heat[is_known] > NOT_LEADING, best[is_known]
    if len(best) < MIN_LEADS or not is_lead.any():
        return None
    order = np.argsort(best, kind="stable")
    # Of the records in this order, the first lead and the others do not.
    n_right = np.cumsum(is_lead[order]) + (~is_lead).sum() - np.cumsum(~is_lead[order])
    threshold = best[order][min(int(np.argmax(n_right)) + 1, len(best) - 1)]
    return round(float(threshold), 4)


def _fit(X: Floats, is_listed: NDArray[np.bool_], *, num_threads: int, seed: int) -> Booster:
    step = len(X) // MAX_FIT_PAIRS + 1
    return train_booster(
        X[::step],
        is_listed[::step].astype(float),
        names=FEATURES,
        params=PARAMS,
        num_iterations=N_TREES,
        num_threads=num_threads,
        seed=seed,
    )


def _hours(records: Sequence[Record]) -> Floats:
    return np.array([record.published_at.timestamp() / 3600 for record in records if record.published_at])


def _window_hours(records: Sequence[Record], listed: NDArray[np.intp]) -> float:
    """Gap up to which a pair is listed at least a tenth as often as at the gap with the highest rate."""
    hours = _hours(records)
    gaps = hours[listed[:, 1]] - hours[listed[:, 0]]
    n_within = [np.count_nonzero(gaps <= edge) for edge in _WINDOW_EDGES_HOURS]
    rows = np.arange(1, len(hours) + 1)
    n_pairs = [np.sum(rows - 1 - np.searchsorted(hours, hours - edge)) for edge in _WINDOW_EDGES_HOURS]
    rates = np.diff(n_within, prepend=0) / np.maximum(np.diff(n_pairs, prepend=0), 1)
    return float(_WINDOW_EDGES_HOURS[np.flatnonzero(rates >= _MIN_RATE_RATIO * rates.max())[-1]])


def _word_weights(
    records: Sequence[Record], listed: NDArray[np.intp], window_hours: float
) -> dict[str, float]:
    """Weight of each word that enough pairs of records share."""
    ids: dict[str, int] = {}
    rows = [[ids.setdefault(word, len(ids)) for word in sorted(word_set(record.title))] for record in records]
    ends = np.cumsum([0, *(len(row) for row in rows)])
    columns = np.array([column for row in rows for column in row], dtype=np.int64)
    words = csr_array((np.ones(len(columns)), columns, ends), shape=(len(rows), len(ids)))
    hours = _hours(records)
    inside = listed[(listed[:, 1] < len(hours))]
    inside = inside[hours[inside[:, 1]] - hours[inside[:, 0]] <= window_hours]
    shared = words[inside[:, 1]].multiply(words[inside[:, 0]])
    n_listed = np.asarray(csr_array(shared).sum(axis=0)).ravel()
    first = np.searchsorted(hours, hours - window_hours)
    # Pairs that share a word: for each record with it, the earlier ones with it in the window.
    sums = np.zeros(len(ids))
    for column, rows_of in _rows_by_word(words):
        sums[column] = np.sum(np.arange(len(rows_of)) - np.searchsorted(rows_of, first[rows_of]))
    n_pairs = np.sum(np.arange(len(hours)) - first)
    average = max(len(inside), 1) / max(n_pairs, 1)
    rate = (n_listed + _PRIOR_PAIRS * average) / (sums + _PRIOR_PAIRS)
    weights = np.round(np.log(rate / average), 3)
    return {
        word: float(weights[column]) for word, column in sorted(ids.items()) if sums[column] >= _MIN_PAIRS
    }


def _rows_by_word(words: csr_array) -> Iterator[tuple[int, NDArray[np.intp]]]:
    by_word = words.tocsc()
    by_word.sort_indices()
    for column in range(words.shape[1]):
        yield column, by_word.indices[by_word.indptr[column] : by_word.indptr[column + 1]].astype(np.intp)


def _labelled(
    records: Sequence[Record], listed: NDArray[np.intp], window_hours: float, words: Mapping[str, float]
) -> _ListedPairs:
    blocks = list(TitleIndex(window_hours, words).add(records))
    pairs = Pairs(
        np.concatenate([block.later for block in blocks]),
        np.concatenate([block.earlier for block in blocks]),
        np.vstack([block.X for block in blocks]),
    )
    keys = listed[:, 1] * len(records) + listed[:, 0]
    return _ListedPairs(pairs, np.isin(pairs.later * len(records) + pairs.earlier, keys), len(listed))


def _copy_limits(labelled: _ListedPairs) -> tuple[float, float]:
    """Similarity and gap with the most copies of which nearly all are listed; else with the surest."""
    similarity = labelled.pairs.feature("title_similarity")
    gap_hours = labelled.pairs.feature("gap_hours")
    best, most = (2.0, 0.0), 0
    surest, ratio = best, 0.0
    for least in _COPY_SIMILARITIES:
        for gap in _COPY_GAPS_HOURS:
            is_copy = (similarity >= least) & (gap_hours <= gap)
            n_copies, n_right = int(is_copy.sum()), int(labelled.is_listed[is_copy].sum())
            # Laplace's rule of succession: a few pairs that are all listed prove little.
            listed_ratio = (n_right + 1) / (n_copies + 2)
            if n_copies > most and listed_ratio >= _COPY_PRECISION:
                best, most = (least, gap), n_copies
            if n_right and listed_ratio >= ratio:
                surest, ratio = (least, gap), listed_ratio
    return best if most else surest
