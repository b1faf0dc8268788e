"""Two browsers that act at random lose and double no decision; `desk_monkey` makes longer runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from scoring.records.synthetic.generate import write_sample
from scoring.workflows.train import TrainOutcome
from tests.integration.desk_monkey import prepare, run


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "n_restarts"), [(1, 1), (2, 0), (3, 0)])
def test_two_browsers_and_random_actions_lose_and_double_no_decision(
    browser: Browser, training: TrainOutcome, tmp_path: Path, seed: int, n_restarts: int
) -> None:
    write_sample(tmp_path / "records", n_records=12, seed=5, is_labelled=False)
    run(browser, prepare(tmp_path, training.model, tmp_path / "records"), seed, 30, n_restarts)
