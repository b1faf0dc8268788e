"""Sample processor, memory, disk and network use while a command runs, with MLflow's own monitors."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from scoring.errors import SettingsError
from scoring.tracking.staged_run import Sample
from scoring.tracking.store import load_mlflow

if TYPE_CHECKING:
    from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor

_INTERVAL_SECONDS = 10.0  # MLflow's default
_INTERVAL = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"
_GROUP = "system/"


class LoadMonitor:
    """Samples of processor, memory, disk and network use, taken in a background thread."""

    def __init__(self, interval_seconds: float = _INTERVAL_SECONDS) -> None:
        self._monitors = _monitors()
        self._interval_seconds = interval_seconds
        self._stop = threading.Event()
        self._samples: list[Sample] = []
        self._thread = threading.Thread(target=self._work, name="system-metrics", daemon=True)
        self._lock = threading.Lock()

    def samples(self) -> tuple[Sample, ...]:
        """Take a last sample, and return all of them."""
        self._take()
        return tuple(self._samples)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Sample during the block."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._interval_seconds):
            self._take()

    def _take(self) -> None:
        with self._lock:
            values: dict[str, float] = {}
            for monitor in self._monitors:
                monitor.collect_metrics()
                values |= monitor.aggregate_metrics()
                monitor.clear_metrics()
            named = {_GROUP + name: float(value) for name, value in values.items()}
            self._samples.append(Sample(int(time.time() * 1000), named))


def load_monitor() -> LoadMonitor:
    """Return a monitor with MLflow's interval.

    Raises
    ------
    SettingsError
        If psutil is missing, which MLflow's monitors need, or the interval is not a number above 0.
    """
    if find_spec("psutil") is None:
        raise SettingsError(
            "system_metrics: psutil is not installed: run `pip install psutil`, or set it to false"
        )
    text = os.environ.get(_INTERVAL) or str(_INTERVAL_SECONDS)
    if not re.fullmatch(r"\d+(\.\d+)?", text) or not float(text):
        raise SettingsError(f"{_INTERVAL}: got {text!r}, expected a number of seconds above 0")
    return LoadMonitor(float(text))


def _monitors() -> list[BaseMetricsMonitor]:
    load_mlflow()
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    return [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
