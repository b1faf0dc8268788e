"""Boosters trained by all workers at once, with LightGBM's own engine; begun anew where one is lost."""

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
_NOTICE_SECONDS = 5.0  # within which the scheduler notices that a worker is gone
_RESTART_SECONDS = 60
_TIMEOUT_MINUTES = 10  # of LightGBM's sockets; its own is two hours
_OF_NETWORK = re.compile(r"socket|connecting|\bport\b", re.IGNORECASE)
# What a booster says of the machines that it was trained on; it would be another text on others.
_NETWORK = re.compile(r"\[(num_machines|local_listen_port|time_out|machines|tree_learner): [^]]*\]")
_ALONE = {
    "num_machines": "1",
    "local_listen_port": "12400",
    "time_out": "120",
    "machines": "",
    "tree_learner": "serial",
}


class _LostError(Exception):
    """A worker was lost, or its port, in the middle of a training by ``workers``."""

    def __init__(self, workers: Sequence[str], what: str) -> None:
        super().__init__(what)
        self.workers = workers


@dataclass(frozen=True, slots=True)
class ClusterTrainer:
    """Trains boosters on the workers of a cluster, as a ``BoosterTrainer``.

    Rows are dealt out at random, so that each worker sees the same kind of records. How many trees are best
    is told afterwards, by the mean absolute error on the validation records, since LightGBM does not stop
    early where it is distributed. Which worker has which rows changes sums in their last digits, and with
    `regression_l1` the medians in the leaves: the booster is another one for another number of workers.

    Parameters
    ----------
    cluster : Cluster
        Its workers.
    reporter : Reporter
        Told when a training begins anew.
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
        """Train a booster; threads are those of the workers.

        Raises
        ------
        ModelError
            If LightGBM refuses a parameter.
        ScoringError
            If workers are lost again and again.
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
                self.reporter.note(f"training lost {error}, and begins anew with the workers that are left")
                self._free(error.workers)
            else:
                n_trees = best_iteration(booster, *validation, patience) if validation else -1
                text = booster.model_to_string(num_iteration=n_trees, importance_type="gain")
                return Booster(_NETWORK.sub(lambda found: f"[{found[1]}: {_ALONE[found[1]]}]", text))
        raise ScoringError(f"training lost a worker {N_ATTEMPTS} times: expected workers that stay")

    def _attempt(
        self, X: Floats, y: Floats, model: dict[str, Any], fit: dict[str, Any], seed: int
    ) -> lgb.Booster:
        # A client of its own: when it is closed, the scheduler forgets all that hangs on it.
        with Client(self.cluster.address, set_as_default=False) as client, ThreadPoolExecutor(1) as thread:
            workers = self._workers(client)[: max(1, len(X) // MIN_ROWS_A_WORKER)]
            training = thread.submit(_fit, client, workers, X, y, model, fit, seed)
            while not training.done():
                time.sleep(_POLL_SECONDS)
                if self._lost(workers):
                    client.close()  # those that are left might wait for the one that is gone
                    break
            error = training.exception()
        if error is None:
            return training.result()
        is_of_network = _is_of_network(error)
        if isinstance(error, lgb.basic.LightGBMError) and not is_of_network:
            raise ModelError(f"LightGBM cannot train with {model}: {error}") from error
        if lost := self._noticed(workers):
            raise _LostError(workers, ", ".join(lost)) from error
        if is_of_network:
            raise _LostError(workers, f"a connection: {error}") from error
        raise error

    def _free(self, workers: Sequence[str]) -> None:
        """Start those anew that are left: LightGBM waits without end for what a closed socket has to say."""
        client = self.cluster.client
        left = sorted(set(workers) & client.nthreads().keys())
        try:
            client.restart_workers(left, timeout=_RESTART_SECONDS, raise_for_error=True)
        except ValueError:
            raise ScoringError(
                "training lost a worker, and the others cannot be started anew: start workers with a nanny, "
                "which is what `dask worker` does unless it is told not to"
            ) from None
        except TimeoutError:
            raise ScoringError("training lost a worker, and the others did not start anew") from None

    def _workers(self, client: Client) -> list[str]:
        try:
            client.wait_for_workers(1, timeout=_NOTICE_SECONDS)
        except TimeoutError:
            raise ScoringError("training has lost all workers") from None
        return sorted(client.nthreads())

    def _lost(self, workers: Sequence[str]) -> list[str]:
        return sorted(set(workers) - self.cluster.client.nthreads().keys())

    def _noticed(self, workers: Sequence[str]) -> list[str]:
        """Which of the workers are gone; the scheduler may hear of it later than LightGBM does."""
        ends = time.monotonic() + _NOTICE_SECONDS
        while not (lost := self._lost(workers)) and time.monotonic() < ends:
            time.sleep(_POLL_SECONDS)
        return lost


def _is_of_network(error: BaseException) -> bool:
    return isinstance(error, lgb.basic.LightGBMError) and bool(_OF_NETWORK.search(str(error)))


def _fit(
    client: Client,
    workers: Sequence[str],
    X: Floats,
    y: Floats,
    model: dict[str, Any],
    fit: dict[str, Any],
    seed: int,
) -> lgb.Booster:
    _be_quiet()
    client.run(_be_quiet, workers=list(workers))
    order = np.random.default_rng(seed).permutation(len(X)) if len(workers) > 1 else np.arange(len(X))
    blocks, targets = [], []
    for worker, chosen in zip(workers, np.array_split(order, len(workers)), strict=True):
        rows = np.sort(chosen)
        block, target = client.scatter([X[rows], y[rows]], workers=[worker], hash=False)
        blocks.append(da.from_delayed(block, (len(rows), X.shape[1]), X.dtype))
        targets.append(da.from_delayed(target, (len(rows),), y.dtype))
    matrix, labels = da.concatenate(blocks), da.concatenate(targets)
    with client.as_current():  # which parts of LightGBM ask for, whatever client they are given
        fitted = DaskLGBMRegressor(client=client, **model).fit(matrix, labels, **fit)
    booster: lgb.Booster = fitted.booster_
    return booster


def _be_quiet() -> None:
    """Send what LightGBM says to the log: its own way is to print on stdout, where results go."""
    lgb.register_logger(
        logging.getLogger("scoring.lightgbm"), info_method_name="debug", warning_method_name="debug"
    )


def best_iteration(booster: lgb.Booster, X: Floats, y: Floats, patience: int) -> int:
    """Trees that predict best, as training would have stopped.

    Parameters
    ----------
    booster : lightgbm.Booster
        With all of its trees; of a regression.
    X : ndarray of shape (n_records, n_features)
        Features of records that it was not trained on.
    y : ndarray of shape (n_records,)
        Their targets.
    patience : int
        Trees without a gain after which the others are not looked at.

    Returns
    -------
    int
        By mean absolute error; at least 1.
    """
    predicted = np.zeros(len(y))
    best, least = 1, np.inf
    for n_trees in range(1, booster.num_trees() + 1):
        predicted += booster.predict(X, start_iteration=n_trees - 1, num_iteration=1)
        error = float(np.abs(y - predicted).mean())
        if error < least:
            best, least = n_trees, error
        elif n_trees - best >= patience:
            break
    return best
