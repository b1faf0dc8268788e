"""The figures on real records, where they are at hand: two sections of one site, on their latest months.

The records are no part of the project. They are looked for in the folder that ``SCORING_CORPUS`` names,
else in ``shared/corpus`` beside the repository; where they are not, these tests say so and are skipped.
The figures that are asked for are those of experiments/RESULTS.md with some room.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from scoring.model.results import Slice
from scoring.settings import load_settings
from scoring.workflows.train import TrainOutcome, load_config, train

ROOT = Path(__file__).parents[2]
# Read here, since no test sees the settings of the person who runs it.
CORPUS = Path(os.environ.get("SCORING_CORPUS") or ROOT.parent / "shared" / "corpus")
FOLDERS = [CORPUS / "azure", CORPUS / "powerapps"]

pytestmark = pytest.mark.skipif(
    not all(folder.is_dir() for folder in FOLDERS), reason=f"no real records in {CORPUS}: set SCORING_CORPUS"
)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> TrainOutcome:
    home = tmp_path_factory.mktemp("home")

    def stop(error: Exception) -> None:
        raise error

    return train(
        [str(folder) for folder in FOLDERS],
        config=msgspec.structs.replace(load_config(ROOT / "experiments" / "default.yaml"), n_bootstrap=0),
        settings=load_settings(home=home, threads=1),
        now=datetime(2022, 1, 1, tzinfo=UTC),
        is_tracked=False,
        on_fault=stop,
    )


def section(outcome: TrainOutcome, name: str) -> Slice:
    (found,) = (one for one in outcome.evaluation.slices if (one.family, one.name) == ("section", name))
    return found


LEAST = {
    "Azure": {
        "quality_r2": 0.978,
        "quality_within_1": 0.93,
        "quality_within_5": 0.95,
        "lead_accuracy": 0.97,
        "heat_within_5": 0.94,
        "heat_ndcg_10": 0.98,
        "published_f1": 0.88,
    },
    "Power Apps": {
        "quality_r2": 0.957,
        "quality_within_1": 0.9,
        "quality_within_5": 0.9,
        "lead_accuracy": 0.97,
        "heat_within_5": 0.9,
        "heat_ndcg_10": 0.98,
        "published_f1": 0.96,
    },
}


@pytest.mark.parametrize(("name", "n_records"), [("Azure", 497), ("Power Apps", 70)])
def test_later_records_are_scored_well(outcome: TrainOutcome, name: str, n_records: int) -> None:
    found = section(outcome, name)
    assert found.n_records == n_records
    missed = {
        figure: found.figures[figure]
        for figure, least in LEAST[name].items()
        if found.figures[figure] <= least
    }
    assert missed == {}
    assert found.figures["quality_mae"] < 1.2


def test_baselines_are_beaten(outcome: TrainOutcome) -> None:
    for name, figures in outcome.evaluation.baselines.items():
        assert outcome.metrics["quality_mae"] < figures["quality_mae"], name
        assert outcome.metrics["heat_within_5"] > figures["heat_within_5"], name
        assert outcome.metrics["published_f1"] > figures.get("published_f1", 0), name


def test_interval_holds_its_share(outcome: TrainOutcome) -> None:
    # The level is 0.9; most labels are exact to the point, so the interval holds rather more.
    assert 0.88 < outcome.metrics["quality_interval_coverage"] < 0.98
