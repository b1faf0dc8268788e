"""A champion that an earlier version logged, with plain names of metrics, beside runs with grouped ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from scoring.settings import Settings
from scoring.tracking import Store, list_runs
from scoring.tracking.metric_names import own_name
from scoring.workflows.compare import compare
from scoring.workflows.promote import promote
from scoring.workflows.runs import runs
from tests.conftest import Registry
from tests.workflows.test_promote import FIRST, GATE, NOW, SECOND, champions, stop

pytestmark = pytest.mark.usefixtures("undrawn_plots")


def rename_metrics(settings: Settings, run_id: str, name: Callable[[str], str]) -> dict[str, str]:
    """Rename the metrics of a run in the store; returns the new names by the former."""
    with closing(sqlite3.connect(settings.home / "mlflow.db")) as db, db:
        keys = [key for (key,) in db.execute("SELECT key FROM latest_metrics WHERE run_uuid = ?", (run_id,))]
        renamed = {key: name(key) for key in keys}
        for table in ("metrics", "latest_metrics"):
            for before, after in renamed.items():
                statement = f"UPDATE {table} SET key = ? WHERE key = ? AND run_uuid = ?"  # noqa: S608 -- constant
                db.execute(statement, (after, before, run_id))
    return renamed


@pytest.fixture
def earlier(registry: Registry) -> Registry:
    """The registry, with a champion whose run has the names of the first version."""
    renamed = rename_metrics(registry.settings, registry.weak, own_name)
    assert renamed["quality/r2"] == "quality_r2"
    assert renamed["baseline/global_median/quality_mae"] == "baseline.global_median.quality_mae"
    assert renamed["records/evaluated"] == "n_evaluated"
    return registry


def test_both_spellings_are_listed_alike(earlier: Registry) -> None:
    listed = {
        run.run_id: run.metrics
        for run in list_runs(Store(earlier.settings.tracking_uri, earlier.settings.home))
    }
    assert listed[earlier.weak] == listed[earlier.small]
    assert {"quality_r2", "n_evaluated", "baseline.global_median.quality_mae"} <= listed[earlier.weak].keys()
    by_name = [runs(settings=earlier.settings, sort=name).runs for name in ("quality_r2", "quality/r2")]
    assert by_name[0] == by_name[1] != []


def test_a_new_challenger_takes_the_place_of_an_earlier_champion(earlier: Registry) -> None:
    settings = earlier.settings
    (comparison,) = compare([earlier.weak, earlier.small], settings=settings, limit=1, on_fault=stop)
    assert comparison.data == ()
    outcome = promote(earlier.small, settings=settings, now=NOW, on_fault=stop, gate=GATE)
    assert (outcome.champion, outcome.version, outcome.is_promoted) == (FIRST, SECOND, True)
    assert champions(settings) == (SECOND, FIRST)


def test_an_earlier_challenger_is_refused_by_a_new_champion(earlier: Registry) -> None:
    rename_metrics(earlier.settings, earlier.worse, own_name)
    promote(earlier.small, settings=earlier.settings, now=NOW, on_fault=stop, gate=GATE)
    outcome = promote(earlier.worse, settings=earlier.settings, now=NOW, on_fault=stop, gate=GATE)
    assert (outcome.champion, outcome.is_promoted) == (SECOND, False)
