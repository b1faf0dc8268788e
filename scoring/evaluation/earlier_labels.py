"""Labels that follow earlier rules than those that a model knows today."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.evaluation.metrics import PredictionColumns
from scoring.evaluation.paired_figures import is_labelled
from scoring.model.policy_change import PolicyChange


def earlier_labels(
    columns: PredictionColumns,
    changes: Sequence[PolicyChange],
    model: str = "the model",
    remedy: str = "name only records since {since} to leave them out",
) -> str:
    """Say how many labels are from before a change of policy that a model knows; empty if none are.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n_records,)
        Labels, sections and dates of the records, as in :class:`scoring.evaluation.results.Evaluation`.
    changes : sequence of PolicyChange
        Changes that the model knows.
    model : str
        The model, in the sentence.
    remedy : str
        What leaves these labels out; ``{since}`` is the time of the latest change.
    """
    is_earlier = np.zeros(len(columns["section"]), dtype=bool)
    for change in changes:
        is_before = columns["published_at"] < np.datetime64(change.since.replace(tzinfo=None))
        is_earlier |= (columns["section"] == change.section) & is_before
    n_earlier = int(np.count_nonzero(is_earlier & is_labelled(columns)))
    if not n_earlier:
        return ""
    since = f"{max(change.since for change in changes):%Y-%m-%dT%H:%M:%SZ}"
    return (
        f"{n_earlier} labels are from before a change of policy that {model} knows, and follow earlier rules"
        f": {remedy.format(since=since)}"
    )
