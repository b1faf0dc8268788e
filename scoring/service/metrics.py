"""Prometheus metrics of the service, of one process or of all worker processes together.

Several processes keep their metrics in files of one folder (``PROMETHEUS_MULTIPROC_DIR``), so that any of
them can report the metrics of all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from scoring.drift.detect import Drift
from scoring.service.model_manager import FollowFailure, Served

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Metrics of the service, in their own registry."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "scoring_requests",
            "Answered requests.",
            ("route", "method", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "scoring_request_seconds",
            "From a request's head to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_hand = Gauge(
            "scoring_requests_in_hand",
            "Requests to score in progress.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.records = Counter(
            "scoring_records", "Records, scored or faulty.", ("outcome",), registry=registry
        )
        self.faults = Counter(
            "scoring_faults",
            "Problems of requests and records.",
            ("kind",),
            registry=registry,
        )
        self.model = Gauge(
            "scoring_model",
            "Processes that score with this model; 0 once it is replaced.",
            ("model", "address"),
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.loads = Counter(
            "scoring_model_loads",
            "Attempts to switch to a new model.",
            ("outcome",),
            registry=registry,
        )
        self.is_followed = Gauge(
            "scoring_model_is_followed",
            "0 if the service keeps its model because the store or the new model cannot be used.",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self.not_followed_since = Gauge(
            "scoring_model_not_followed_since_seconds",
            "Unix time since when the model is not followed; 0 if it is.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        # Looking up a labelled metric costs more than updating it, so these lookups are cached.
        self._requests_of = cache(self.requests.labels)
        self._seconds_of = cache(self.seconds.labels)
        self._drift = _DriftGauges(registry)
        self._current_model: tuple[str, str] | None = None

    def record_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests_of(route, method, status).inc()
        self._seconds_of(route).observe(seconds)

    def record_model(self, served: Served) -> None:
        """Record the current model."""
        if self._current_model is not None:
            self.model.labels(*self._current_model).set(0)
        self._current_model = served.saved.name, served.resolved.address or ""
        self.model.labels(*self._current_model).set(1)

    def record_follow(self, failure: FollowFailure | None) -> None:
        """Record whether the model is followed."""
        self.is_followed.set(failure is None)
        self.not_followed_since.set(failure.since.timestamp() if failure else 0)

    def record_swap(self, is_swapped: bool) -> None:
        """Count an attempt to switch to a new model."""
        self.loads.labels("swapped" if is_swapped else "failed").inc()

    def record_drift(self, drift: Drift) -> None:
        """Record the drift of the latest records."""
        self._drift.record(drift)

    def exposition(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        if FOLDER not in os.environ:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        _AllProcesses(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def close(self) -> None:
        """Remove this process's live gauges from the shared folder."""
        if FOLDER in os.environ:
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]


class _AllProcesses(MultiProcessCollector):
    """Collects the metrics of all processes; skips files that a process has not initialized yet."""

    def collect(self) -> Iterable[Metric]:
        files = [str(file) for file in Path(os.environ[FOLDER]).glob("*.db") if _is_initialized(file)]
        return cast("Iterable[Metric]", self.merge(files))  # type: ignore[no-untyped-call]


def _is_initialized(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # its process has ended
        return False


class _DriftGauges:
    """Result of :func:`scoring.drift.detect.measure_drift` on the latest records of each process.

    Over several processes the maximum is reported, so that drift in one is not hidden by the others.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry, multiprocess_mode="livemax")

        self.records = gauge(
            "scoring_drift_records", "Number of latest records that the drift is measured on."
        )
        self.is_refused = gauge(
            "scoring_drift_is_refused", "1 if `scoring drift` would refuse these records."
        )
        self.family = gauge(
            "scoring_drift_family_ratio",
            "Distance of a feature family from training, divided by its limit.",
            "family",
        )
        self.unseen = gauge(
            "scoring_drift_unseen_ratio", "Share of records with an unseen provider or topic.", "what"
        )
        self.unseen_limit = gauge("scoring_drift_unseen_limit_ratio", "Limit of the unseen share.", "what")
        self.mean = gauge("scoring_score_mean", "Mean score of these records.", "score")
        self.mean_before = gauge(
            "scoring_score_training_mean", "Mean score of the held-back records.", "score"
        )
        self.shift = gauge(
            "scoring_drift_score_ratio", "Difference of the two means, divided by its limit.", "score"
        )

    def record(self, drift: Drift) -> None:
        self.records.set(drift.n_records)
        self.is_refused.set(bool(drift.reasons))
        for family in drift.families:
            self.family.labels(family.family).set(_ratio(family.distance, family.limit))
        for unseen in drift.unseen:
            self.unseen.labels(unseen.what).set(unseen.ratio)
            self.unseen_limit.labels(unseen.what).set(unseen.limit_ratio)
        for shift in drift.shifts:
            self.mean.labels(shift.name).set(shift.new)
            self.mean_before.labels(shift.name).set(shift.before)
            self.shift.labels(shift.name).set(_ratio(abs(shift.new - shift.before), shift.limit))


def _ratio(value: float, limit: float) -> float:
    return value / limit if limit else float("inf") if value else 0.0
