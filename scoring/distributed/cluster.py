"""Connect to a Dask cluster or start one, and submit a bounded number of tasks at a time."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Any, TypeVar
from uuid import uuid4

from distributed import Client, Future, KilledWorker, LocalCluster, WorkerPlugin

from scoring.artifact.model_folder import ModelFiles
from scoring.distributed import worker_model
from scoring.errors import ScoringError

T = TypeVar("T")
R = TypeVar("R")

LOCAL = "local"
"""Name of a local cluster, whose workers are started here and end with the command."""

_CONNECT_SECONDS = 10
_JOIN_SECONDS = 10
_N_RETRIES = 2
_AHEAD = 3  # submitted tasks per thread, so that no worker waits for results in order


class _ModelPlugin(WorkerPlugin):
    """Sends a model to every worker, including those that join later."""

    def __init__(self, files: ModelFiles) -> None:
        self.name = f"scoring-model-{files.sha256[:12]}-{uuid4().hex[:8]}"
        self._sha256, self._contents = files.sha256, files.contents

    def setup(self, worker: Any) -> None:
        """Keep the model while this plugin is registered."""
        worker_model.hold(self._sha256, self._contents, self.name)

    def teardown(self, worker: Any) -> None:
        """Release the model."""
        worker_model.release(self._sha256, self.name)


class _QuietWorker(WorkerPlugin):
    """Keeps output of libraries in local workers off the command's stdout, which is for results."""

    name = "scoring-aside"

    def setup(self, worker: Any) -> None:
        """Redirect the worker's stdout, which is the command's, to the null device."""
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.close(nothing)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A scheduler with its workers.

    Parameters
    ----------
    client : Client
        Dask client of the scheduler.
    address : str
        Address of the scheduler, for other clients.
    """

    client: Client
    address: str

    def each(self, work: Callable[[T], R], items: Iterable[T], *, name: str) -> Iterator[R]:
        """Apply a function to each item on the workers, and yield the results in order.

        Only as many items are submitted as keep the workers busy, so that the scheduler never has all of
        them. Tasks of a lost worker are repeated by another one.

        Parameters
        ----------
        work : callable
            Function to apply; must be idempotent.
        items : iterable
            Its arguments.
        name : str
            Prefix of the task keys.

        Yields
        ------
        object

        Raises
        ------
        ScoringError
            If `work` raises it, the scheduler is lost, or one item kills several workers.
        """
        waiting: deque[Future[Any]] = deque()
        token = uuid4().hex[:8]
        try:
            for number, item in enumerate(items):
                key = f"{name}-{token}-{number}"
                waiting.append(self.client.submit(work, item, key=key, pure=False, retries=_N_RETRIES))
                if len(waiting) > _AHEAD * self.n_threads:
                    yield self.result(waiting.popleft())
            while waiting:
                yield self.result(waiting.popleft())
        finally:
            if waiting and self.client.status == "running":
                self.client.cancel(list(waiting))

    def result(self, future: Future[Any]) -> Any:
        """Return the result of a task.

        Raises
        ------
        ScoringError
            As for :meth:`each`.
        """
        try:
            return future.result()
        except KilledWorker as error:
            raise ScoringError(
                f"{future.key}: killed {error.allowed_failures + 1} workers (out of memory?): "
                "use smaller partitions"
            ) from None
        except (CancelledError, TimeoutError, OSError) as error:
            raise ScoringError(
                f"lost the Dask scheduler ({error or type(error).__name__}); finished parts are kept: "
                "run the same command to continue"
            ) from error
        except ImportError as error:
            raise ScoringError(
                f"a worker cannot import what it needs: {error}: install news-scoring[dask] there"
            ) from None

    @property
    def n_threads(self) -> int:
        """Number of threads of all current workers; at least 1."""
        n_threads: int = sum(self.client.nthreads().values())
        return max(1, n_threads)

    @contextmanager
    def with_model(self, files: ModelFiles) -> Iterator[None]:
        """Send a model to every worker, including those that join later."""
        plugin = _ModelPlugin(files)
        self.client.register_plugin(plugin, name=plugin.name)
        try:
            yield
        finally:
            if self.client.status == "running":
                self.client.unregister_worker_plugin(plugin.name)


def _start_tracker() -> None:
    """Start the process that cleans up after killed workers, without warnings."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore:resource_tracker:UserWarning"
    try:
        resource_tracker.ensure_running()
    finally:
        del os.environ["PYTHONWARNINGS"]
        if before is not None:
            os.environ["PYTHONWARNINGS"] = before


@contextmanager
def opened(scheduler: str, *, n_processes: int) -> Iterator[Cluster]:
    """Connect to a cluster.

    Parameters
    ----------
    scheduler : str
        Address of a scheduler (``tcp://HOST:PORT``, ``tls://HOST:PORT``), or :data:`LOCAL`.
    n_processes : int
        Number of workers of a local cluster, at least 1.

    Yields
    ------
    Cluster

    Raises
    ------
    ScoringError
        If there is no scheduler, or no worker joins it.
    """
    # Their messages repeat the errors that are reported here.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        address = scheduler
        if scheduler == LOCAL:
            _start_tracker()
            local = stack.enter_context(
                LocalCluster(
                    n_workers=n_processes,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.ERROR,
                )
            )
            address = local.scheduler_address
        try:
            client = stack.enter_context(Client(address, timeout=_CONNECT_SECONDS, set_as_default=False))
        except (OSError, ValueError) as error:
            raise ScoringError(f"--dask {scheduler}: cannot be reached: {error}") from None
        try:
            client.wait_for_workers(1, timeout=_JOIN_SECONDS)
        except TimeoutError:
            raise ScoringError(
                f"--dask {scheduler}: got no worker within {_JOIN_SECONDS} seconds, expected at least one"
            ) from None
        if scheduler == LOCAL:
            client.register_plugin(_QuietWorker())
        yield Cluster(client, address)
