"""Search the runs of the store: newest first, by a metric, or by the beginning of the id.

The store searches and sorts. Only the pages that hold the wanted runs are read.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

from scoring.errors import TrackingError
from scoring.tracking.caller_state import PARENT_TAG
from scoring.tracking.metric_names import own_names, store_name
from scoring.tracking.queries import PAGE_SIZE, RunSummary, experiment_names, pages, summaries
from scoring.tracking.store import Store, opened

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_INNER_KINDS = ("", "backtest fold", "trial")  # "" for runs that scoring did not log
_MORE = 10  # runs of a page above those that are wanted
_NEWEST_FIRST = "attributes.start_time DESC"


def list_runs(
    store: Store, experiment: str | None = None, *, model: str | None = None, limit: int | None = None
) -> list[RunSummary]:
    """List the runs of the store, newest first, without nested runs (folds, trials).

    Parameters
    ----------
    store : Store
        The store; a missing SQLite store has no runs and is not created.
    experiment : str, optional
        Name of the experiment; default is all experiments.
    model : str, optional
        Name and version of the trained or evaluated model; default is all runs.
    limit : int, optional
        Maximum number of runs; others are not read. Default is no limit.

    Returns
    -------
    list of RunSummary
        Without parameters and files: see :func:`read_run`.

    Raises
    ------
    TrackingError
        If the store cannot be read, or has no such experiment.
    """
    if store.database is not None and not store.database.exists():
        return []
    with opened(store, "read its runs", writes=False) as client:
        names = _chosen_experiments(store, client, experiment)
        filter_string = "" if model is None else f"tags.model = {_quoted(model)}"
        runs = _search(client, [*names], filter_string, page_size=_page_size(limit))
        return summaries(client, islice(_outer(runs), limit), names)


def best_runs(
    store: Store,
    metric: str,
    *,
    is_lower_better: bool,
    experiment: str | None = None,
    limit: int | None = None,
) -> list[RunSummary]:
    """List the runs of the store by a metric, best first, without nested runs; runs without it come last.

    Parameters
    ----------
    store : Store
        The store; a missing SQLite store has no runs and is not created.
    metric : str
        Name of the metric, as in :class:`RunSummary`.
    is_lower_better : bool
        Whether the lowest value is the best.
    experiment : str, optional
        Name of the experiment; default is all experiments.
    limit : int, optional
        Maximum number of runs; default is no limit.

    Returns
    -------
    list of RunSummary
        Those of equal value, and those without the metric, newest first.

    Raises
    ------
    TrackingError
        If the store cannot be read, or has no such experiment.
    """
    if store.database is not None and not store.database.exists():
        return []
    spellings = (
        sorted({metric, store_name(metric)}) if "`" not in metric else []
    )  # it ends a name in a filter
    sign = 1 if is_lower_better else -1
    with opened(store, "read its runs", writes=False) as client:
        names = _chosen_experiments(store, client, experiment)

        def with_metric(spelling: str) -> Iterator[Run]:
            order = [f"metrics.`{spelling}` {'ASC' if is_lower_better else 'DESC'}", _NEWEST_FIRST]
            # A run without the metric does not pass any comparison with its value.
            any_value = f"metrics.`{spelling}` >= -1e308"
            return _outer(_search(client, [*names], any_value, order, page_size=_page_size(limit)))

        def rank(run: Run) -> tuple[float, float]:
            return (sign * own_names(run.data.metrics)[metric], -run.info.start_time)

        ranked = heapq.merge(*map(with_metric, spellings), key=rank)
        others = _outer(_search(client, [*names], page_size=_page_size(limit)))
        return summaries(client, islice(_distinct(chain(ranked, others)), limit), names)


def find_run(store: Store, beginning: str) -> str | None:
    """Find a run by the beginning of its id; None if no run matches.

    Parameters
    ----------
    store : Store
        The store; a missing SQLite store is not created.
    beginning : str
        First characters of the id; hexadecimal digits.

    Returns
    -------
    str or None
        The whole id.

    Raises
    ------
    TrackingError
        If several runs match, or the store cannot be read.
    """
    if store.database is not None and not store.database.exists():
        return None
    with opened(store, f"find run {beginning}", writes=False) as client:
        runs = _search(client, [*experiment_names(client)], f"attributes.run_id LIKE '{beginning}%'")
        run_ids = [str(run.info.run_id) for run in runs]
    if len(run_ids) > 1:
        raise TrackingError(
            f"{store}: {len(run_ids)} runs start with {beginning!r}: give more digits of the id"
        )
    return run_ids[0] if run_ids else None


def _search(
    client: MlflowClient,
    experiments: list[str],
    filter_string: str = "",
    order_by: list[str] | None = None,
    page_size: int = PAGE_SIZE,
) -> Iterator[Run]:
    """Runs of the experiments, newest first by default; a page is read when its first run is asked for."""
    return pages(
        lambda token: client.search_runs(
            experiments, filter_string, max_results=page_size, order_by=order_by, page_token=token
        )
    )


def _page_size(limit: int | None) -> int:
    """Runs of a page: a few more than are wanted, since nested runs may be among them."""
    return PAGE_SIZE if limit is None else min(limit + _MORE, PAGE_SIZE)


def _quoted(value: str) -> str:
    """A text in a filter."""
    return f'"{value}"' if "'" in value else f"'{value}'"


def _outer(runs: Iterable[Run]) -> Iterator[Run]:
    return (run for run in runs if not _is_inner(run))


def _distinct(runs: Iterable[Run]) -> Iterator[Run]:
    """Each run once, at its first place."""
    seen: set[str] = set()
    for run in runs:
        if run.info.run_id not in seen:
            seen.add(run.info.run_id)
            yield run


def _chosen_experiments(store: Store, client: MlflowClient, experiment: str | None) -> dict[str, str]:
    """Names of all active experiments, or of the one that is named, by id."""
    names = experiment_names(client)
    if experiment is not None and experiment not in names.values():
        known = ", ".join(sorted(names.values()))
        raise TrackingError(f"{store}: experiment: got {experiment!r}, expected one of {known}")
    return {id_: name for id_, name in names.items() if experiment in (None, name)}


def _is_inner(run: Run) -> bool:
    """Whether a run is a part of another, unlike a training nested under the caller's active run."""
    return PARENT_TAG in run.data.tags and run.data.tags.get("type", "") in _INNER_KINDS
