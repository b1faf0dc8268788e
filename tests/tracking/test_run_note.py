"""Description of a run."""

from __future__ import annotations

from typing import Any

import pytest

from scoring.evaluation.results import Evaluation, Figure
from scoring.tracking.run_note import run_note, verdict


def evaluation(figures: dict[str, Figure], baselines: dict[str, dict[str, float]], **more: Any) -> Evaluation:
    values = {"begins_at": None, "ends_at": None, "slices": (), "predictions": {}} | more
    return Evaluation(n_records=1200, figures=figures, baselines=baselines, **values)


@pytest.mark.parametrize(
    ("figures", "baselines", "expected"),
    [
        (
            {"quality_mae": Figure(3.0)},
            {"global median": {"quality_mae": 2.0}, "provider median": {"quality_mae": 4.0}},
            "`quality_mae` is 3 on 1,200 records: not better than the baseline global median (2).",
        ),
        (
            {"heat_mae": Figure(3.0), "published_brier": Figure(0.03)},
            {"global median": {"heat_mae": 9.0, "published_brier": 0.06}},
            "`published_brier` is 0.03 on 1,200 records: 50 % lower than the best baseline, "
            "global median (0.06).",
        ),
        (
            {"quality_mae": Figure(0.0)},
            {"global median": {"quality_mae": 0.0}},
            "`quality_mae` is 0 on 1,200 records: not better than the baseline global median (0).",
        ),
        (
            {"quality_mae": Figure(3.0)},
            {"plain": {"heat_mae": 1.0}},
            "`quality_mae` is 3 on 1,200 records; there is no baseline to compare with.",
        ),
        ({"published_f1": Figure(0.5)}, {}, ""),
    ],
)
def test_the_verdict_is_one_sentence(
    figures: dict[str, Figure], baselines: dict[str, dict[str, float]], expected: str
) -> None:
    assert verdict(evaluation(figures, baselines)) == expected


def test_a_run_without_metrics_has_its_description_alone() -> None:
    assert run_note(evaluation({}, {}), " The first.\n") == "The first."
    assert run_note(evaluation({}, {})) == ""


def test_the_best_of_each_row_is_bold() -> None:
    note = run_note(
        evaluation(
            {"quality_mae": Figure(3.0), "published_f1": Figure(0.5), "quality_r2": Figure(0.1)},
            {"plain": {"quality_mae": 2.0, "published_f1": 0.5}},
        )
    )
    assert note.splitlines()[-2:] == [
        "| `quality_mae` | 3.000 |  | **2.000** |",
        "| `published_f1` | **0.500** |  | **0.500** |",
    ]
