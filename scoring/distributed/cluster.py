"""The cluster: reached or started, and given work, a bounded number of pieces at a time."""

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
"""The scheduler's name for worker processes that are started here, and end with the command."""

_CONNECT_SECONDS = 10
_JOIN_SECONDS = 10
_N_RETRIES = 2
_AHEAD = 3  # pieces of work a thread, so that no worker waits for the one whose turn it is


class _Shipment(WorkerPlugin):
    """Puts a model on every worker there is, and on each that joins later."""

    def __init__(self, files: ModelFiles) -> None:
        self.name = f"scoring-model-{files.sha256[:12]}-{uuid4().hex[:8]}"
        self._sha256, self._contents = files.sha256, files.contents

    def setup(self, worker: Any) -> None:
        """Keep the model while this shipment is registered."""
        worker_model.hold(self._sha256, self._contents, self.name)

    def teardown(self, worker: Any) -> None:
        """Forget it, unless another shipment holds it too."""
        worker_model.release(self._sha256, self.name)


class _Aside(WorkerPlugin):
    """Keeps what libraries print in a worker of this command off its stdout, where results go."""

    name = "scoring-aside"

    def setup(self, worker: Any) -> None:
        """Point the worker's stdout, which is the command's, at nothing."""
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.close(nothing)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A scheduler with its workers.

    Parameters
    ----------
    client : Client
        Dask's connection to it.
    address : str
        Where another client finds it.
    """

    client: Client
    address: str

    def each(self, work: Callable[[T], R], items: Iterable[T], *, name: str) -> Iterator[R]:
        """The results of some work on each item, in their order.

        Only so many items are given out at once that no worker waits: the scheduler never holds all of
        them. What a lost worker had is given to another.

        Parameters
        ----------
        work : callable
            What is done; doing it twice must do no harm.
        items : iterable
            What it is done with.
        name : str
            Begins the keys of the tasks.

        Yields
        ------
        object

        Raises
        ------
        ScoringError
            If the work does, or the scheduler is lost, or one item ends worker after worker.
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
        """What a task gave.

        Raises
        ------
        ScoringError
            As :meth:`each` does.
        """
        try:
            return future.result()
        except KilledWorker as error:
            raise ScoringError(
                f"{future.key}: ended {error.allowed_failures + 1} workers, one after the other (memory?): "
                "smaller partitions need less"
            ) from None
        except (CancelledError, TimeoutError, OSError) as error:
            raise ScoringError(
                f"the Dask scheduler was lost ({error or type(error).__name__}); what is done stays done: "
                "the same command goes on"
            ) from error
        except ImportError as error:
            raise ScoringError(
                f"a worker cannot import what it needs: {error}: install news-scoring[dask] there"
            ) from None

    @property
    def n_threads(self) -> int:
        """Threads of all workers of now; at least 1."""
        n_threads: int = sum(self.client.nthreads().values())
        return max(1, n_threads)

    @contextmanager
    def with_model(self, files: ModelFiles) -> Iterator[None]:
        """Have a model on every worker, those included that join later."""
        shipment = _Shipment(files)
        self.client.register_plugin(shipment, name=shipment.name)
        try:
            yield
        finally:
            if self.client.status == "running":
                self.client.unregister_worker_plugin(shipment.name)


def _start_tracker() -> None:
    """Start the process that frees what killed workers leave: it is to do so without a word."""
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
    """Reach a cluster.

    Parameters
    ----------
    scheduler : str
        Address of a scheduler (``tcp://HOST:PORT``, ``tls://HOST:PORT``), or :data:`LOCAL`.
    n_processes : int
        Workers of a local cluster; >= 1.

    Yields
    ------
    Cluster

    Raises
    ------
    ScoringError
        If there is no scheduler, or no worker joins it.
    """
    # They talk of themselves, and of what is told here in other words.
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
                f"--dask {scheduler}: got no worker within {_JOIN_SECONDS} seconds, expected one at least"
            ) from None
        if scheduler == LOCAL:
            client.register_plugin(_Aside())
        yield Cluster(client, address)
