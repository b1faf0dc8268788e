"""The list of runs: selection and order."""

from __future__ import annotations

import pytest

from scoring.errors import ScoringError, TrackingError
from scoring.settings import Settings
from scoring.workflows.runs import runs
from tests.conftest import KeptRuns


def test_the_newest_stands_first(kept_runs: KeptRuns) -> None:
    outcome = runs(settings=kept_runs.settings)
    assert [run.run_id for run in outcome.runs] == [*kept_runs[:0:-1]]
    assert len(outcome.runs) == 4
    assert not outcome.has_more
    assert runs(settings=kept_runs.settings, experiment="demo") == outcome
    assert runs(settings=kept_runs.settings, experiment="Default").runs == []


@pytest.mark.parametrize(
    ("figure", "order"),
    [
        ("quality_mae", ["other", "small", "broken", "fewer"]),  # the lowest error
        ("published_f1", ["small", "broken", "other", "fewer"]),  # the highest share; else the newest
    ],
)
def test_the_best_stands_first(kept_runs: KeptRuns, figure: str, order: list[str]) -> None:
    assert [run.name for run in runs(settings=kept_runs.settings, sort=figure).runs] == order


def test_no_more_than_the_limit(kept_runs: KeptRuns) -> None:
    outcome = runs(settings=kept_runs.settings, sort="quality_mae", limit=1)
    assert [run.run_id for run in outcome.runs] == [kept_runs.judged]
    assert outcome.has_more
    assert not runs(settings=kept_runs.settings, limit=4).has_more


def test_a_figure_that_no_run_has(kept_runs: KeptRuns) -> None:
    for unknown in ("loss", "a`b"):
        message = f"sort: got '{unknown}', expected a metric of the runs: quality_mae, "
        with pytest.raises(ScoringError, match=message):
            runs(settings=kept_runs.settings, sort=unknown)
    with pytest.raises(TrackingError, match="experiment: got 'none', expected one of Default, demo"):
        runs(settings=kept_runs.settings, experiment="none")


def test_no_store_no_runs(settings: Settings) -> None:
    assert runs(settings=settings, sort="quality_mae").runs == []
    assert not settings.home.exists()
