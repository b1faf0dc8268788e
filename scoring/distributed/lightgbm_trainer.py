"""Distributed training of boosters with LightGBM's Dask interface, restarted if a worker is lost."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import dask.array as da
import lightgbm as lgb
import numpy as np
from distributed import Client
from lightgbm.dask import DaskLGBMRegressor

from scoring.distributed.cluster import Cluster
from scoring.errors import ModelError, ScoringError
from scoring.features.table import Floats
from scoring.model.booster import Booster
from scoring.progress import Reporter
from scoring.training.lightgbm_trainer import FIXED, column_names

MIN_ROWS_A_WORKER = 50
N_ATTEMPTS = 5
_POLL_SECONDS = 0.2
_NOTICE_SECONDS = 5.0  # timeout for the scheduler to notice a lost worker
_RESTART_SECONDS = 60
_TIMEOUT_MINUTES = 10  # of LightGBM's sockets; its default is two hours
_NETWORK_ERROR = re.compile(r"socket|connecting|\bport\b", re.IGNORECASE)
# Parameters in the text of a booster that depend on the machines it was trained on.
_NETWORK_PARAMS = re.compile(r"\[(num_machines|local_listen_port|time_out|machines|tree_learner): [^]]*\]")
_SINGLE_MACHINE = {
    "num_machines": "1",
    "local_listen_port": "12400",
    "time_out": "120",
    "machines": "",
    "tree_learner": "serial",
}


class _LostError(Exception):
    """A worker or its connection was lost during a training by ``workers``."""

    def __init__(self, workers: Sequence[str], message: str) -> None:
        super().__init__(message)
        self.workers = workers


@dataclass(frozen=True, slots=True)
class ClusterTrainer:
    """A ``BoosterTrainer`` that trains boosters on the workers of a cluster.

    Rows are distributed at random, so that all workers have similar records. The number of trees is selected
    after training by the mean absolute error on the validation records, since distributed LightGBM has no
    early stopping. The distribution of rows changes the last digits of sums and, with `regression_l1`, the
    medians in the leaves, so that the booster depends on the number of workers.

    Parameters
    ----------
    cluster : Cluster
        The cluster.
    reporter : Reporter
        Notified of restarts.
    """

    cluster: Cluster
    reporter: Reporter

    def __call__(
        self,
        X: Floats,
        y: Floats,
        *,
        names: Sequence[str],
        params: dict[str, Any],
        num_iterations: int,
        num_threads: int,
        seed: int,
        categories: Sequence[str] = (),
        validation: tuple[Floats, Floats] | None = None,
        patience: int = 50,
    ) -> Booster:
        """Train a booster with the threads of the workers.

        Raises
        ------
        ModelError
            If LightGBM rejects a parameter.
        ScoringError
            If workers are lost too often.
        """
        settings = {**FIXED, **params, "seed": seed, "time_out": _TIMEOUT_MINUTES}
        model = {"n_estimators": num_iterations, **settings}
        fit = {
            "feature_name": column_names(names),
            "categorical_feature": [names.index(name) for name in categories] or "auto",
        }
        for _ in range(N_ATTEMPTS):
            try:
                booster = self._attempt(X, y, model, fit, seed)
            except _LostError as error:
                self.reporter.note(f"training lost {error}: restarting with the remaining workers")
                self._restart(error.workers)
            else:
                n_trees = best_iteration(booster, *validation, patience) if validation else -1
                text = booster.model_to_string(num_iteration=n_trees, importance_type="gain")
                return Booster(_NETWORK_PARAMS.sub(_as_single_machine, text))
        raise ScoringError(f"training lost a worker {N_ATTEMPTS} times: use stable workers")

    def _attempt(
        self, X: Floats, y: Floats, model: dict[str, Any], fit: dict[str, Any], seed: int
    ) -> lgb.Booster:
        # A separate client: closing it makes the scheduler drop its tasks and data.
        with Client(self.cluster.address, set_as_default=False) as client, ThreadPoolExecutor(1) as thread:
            workers = self._workers(client)[: max(1, len(X) // MIN_ROWS_A_WORKER)]
            training = thread.submit(_fit, client, workers, X, y, model, fit, seed)
            while not training.done():
                time.sleep(_POLL_SECONDS)
                if self._lost(workers):
                    client.close()  # the remaining workers might wait for the lost one
                    break
            error = training.exception()
        if error is None:
            return training.result()
        is_network_error = _is_network_error(error)
        if isinstance(error, lgb.basic.LightGBMError) and not is_network_error:
            raise ModelError(f"LightGBM cannot train with {model}: {error}") from error
        if lost := self._noticed(workers):
            raise _LostError(workers, ", ".join(lost)) from error
        if is_network_error:
            raise _LostError(workers, f"a connection: {error}") from error
        raise error

    def _restart(self, workers: Sequence[str]) -> None:
        """Restart the remaining workers, where LightGBM would wait forever on a closed socket."""
        client = self.cluster.client
        remaining = sorted(set(workers) & client.nthreads().keys())
        try:
            client.restart_workers(remaining, timeout=_RESTART_SECONDS, raise_for_error=True)
        except ValueError:
            raise ScoringError(
                "training lost a worker, and the others cannot be restarted: start workers with a nanny, "
                "the default of `dask worker`"
            ) from None
        except TimeoutError:
            raise ScoringError("training lost a worker, and the others did not restart in time") from None

    def _workers(self, client: Client) -> list[str]:
        try:
            client.wait_for_workers(1, timeout=_NOTICE_SECONDS)
        except TimeoutError:
            raise ScoringError("training lost all workers") from None
        return sorted(client.nthreads())

    def _lost(self, workers: Sequence[str]) -> list[str]:
        return sorted(set(workers) - self.cluster.client.nthreads().keys())

    def _noticed(self, workers: Sequence[str]) -> list[str]:
        """Return the lost workers; the scheduler may notice a loss later than LightGBM."""
        deadline = time.monotonic() + _NOTICE_SECONDS
        while not (lost := self._lost(workers)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return lost


def _is_network_error(error: BaseException) -> bool:
    return isinstance(error, lgb.basic.LightGBMError) and bool(_NETWORK_ERROR.search(str(error)))


def _fit(
    client: Client,
    workers: Sequence[str],
    X: Floats,
    y: Floats,
    model: dict[str, Any],
    fit: dict[str, Any],
    seed: int,
) -> lgb.Booster:
    _redirect_messages()
    client.run(_redirect_messages, workers=list(workers))
    order = np.random.default_rng(seed).permutation(len(X)) if len(workers) > 1 else np.arange(len(X))
    blocks, targets = [], []
    for worker, chosen in zip(workers, np.array_split(order, len(workers)), strict=True):
        rows = np.sort(chosen)
        block, target = client.scatter([X[rows], y[rows]], workers=[worker], hash=False)
        blocks.append(da.from_delayed(block, (len(rows), X.shape[1]), X.dtype))
        targets.append(da.from_delayed(target, (len(rows),), y.dtype))
    matrix, labels = da.concatenate(blocks), da.concatenate(targets)
    with client.as_current():  # parts of LightGBM ignore the `client` argument
        fitted = DaskLGBMRegressor(client=client, **model).fit(matrix, labels, **fit)
    booster: lgb.Booster = fitted.booster_
    return booster


def _as_single_machine(match: re.Match[str]) -> str:
    """Replace a network parameter by its value for training on one machine."""
    return f"[{match[1]}: {_SINGLE_MACHINE[match[1]]}]"


def _redirect_messages() -> None:
    """Redirect LightGBM's messages to the log, since it prints to stdout, which is for results."""
    lgb.register_logger(
        logging.getLogger("scoring.lightgbm"), info_method_name="debug", warning_method_name="debug"
    )


def best_iteration(booster: lgb.Booster, X: Floats, y: Floats, patience: int) -> int:
    """Select the number of trees as early stopping would.

    Parameters
    ----------
    booster : lightgbm.Booster
        Regression booster with all trees.
    X : ndarray of shape (n_records, n_features)
        Features of validation records.
    y : ndarray of shape (n_records,)
        Their targets.
    patience : int
        Number of trees without improvement after which the search stops.

    Returns
    -------
    int
        Number of trees with the lowest mean absolute error; at least 1.
    """
    predicted = np.zeros(len(y))
    best, lowest_error = 1, np.inf
    for n_trees in range(1, booster.num_trees() + 1):
        predicted += np.asarray(booster.predict(X, start_iteration=n_trees - 1, num_iteration=1))
        error = float(np.abs(y - predicted).mean())
        if error < lowest_error:
            best, lowest_error = n_trees, error
        elif n_trees - best >= patience:
            break
    return best
