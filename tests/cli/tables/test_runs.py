"""Tables of runs and comparisons: their content, and that they fit a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from rich.console import Console, RenderableType

from scoring.cli.tables import runs
from scoring.evaluation.comparison import Comparison, FeatureDifference, Side, ValueDiff
from scoring.evaluation.decision_changes import DecisionChange, DecisionChangeCounts, ReasonPair
from scoring.evaluation.paired_figures import Difference, SliceDifference
from scoring.evaluation.section_changes import section_changes, worst_sections_first
from scoring.explanation.results import Reason
from scoring.model.score import Score
from scoring.tracking import RunSummary, Version

RUN = RunSummary(
    run_id="476aacb29fe049e3",
    name="strong-shrinkage",
    experiment="demo",
    kind="train",
    status="FINISHED",
    started_at=datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC),
    model="strong-shrinkage@1",
    versions=(Version("scoring", 3, ("champion",)), Version("scoring", 4, ())),
    metrics={"quality_mae": 2.5, "published_f1": 0.75, "n_test": 90.0},
    data_sha256="0123456789abcdef",
    git_commit="fedcba9876543210",
    is_dirty=True,
)
FIRST = Score(
    path="inbox/a.md",
    quality=67,
    quality_low=66.5,
    quality_high=68.0,
    heat=-1,
    heat_expected=0.5,
    heat_settled=1.5,
    lead_probability=0.011,
    published=False,
    published_probability=0.02,
    lead_settled_probability=0.013,
    published_settled_probability=0.03,
    model="old@1",
)
SECOND = msgspec.structs.replace(FIRST, quality=68, heat=88, published=True, published_probability=0.914)
MINUS, PLUS = Reason("heat", "heat, as predicted: -1", -4.0), Reason("heat", "heat, as predicted: 88", 9.0)
REASONS = (
    ReasonPair("quality", "image", None, Reason("image", "the record has an image: yes", 2.0)),
    ReasonPair("quality", "x", Reason("x", "the title: 84 characters", -1.5), None),
    ReasonPair("lead", "heat", MINUS, PLUS),
    ReasonPair("published", "y", Reason("y", "one: 1", 1.0), Reason("y", "two: 2", 2.0)),
)  # fmt: skip
WORSE = Difference("quality_mae", 3.0, 4.0, -1.0, -2.0, -0.5)
UNSURE = Difference("quality_mae", 3.0, 2.5, 0.5, -0.1, 1.0)
COMPARISON = Comparison(
    first=Side("default 01234567", "01234567", "default@1"),
    second=Side("other 76543210", "76543210", "other@2"),
    n_records=90,
    n_labelled=80,
    begins_at=datetime(2021, 3, 4, tzinfo=UTC),
    ends_at=datetime(2021, 5, 6, tzinfo=UTC),
    parameters=(ValueDiff("model.seed", "0", None), ValueDiff("note", "short", "long " * 50)),
    data=(ValueDiff("n_all", "400", "500"),),
    features=(FeatureDifference(("quality", "spread"), ("age_hours",), ("sea", "land")),),
    differences={
        "quality_mae": Difference("quality_mae", 2.5, 2.0, 0.5, 0.25, 0.75),
        "quality_r2": Difference("quality_r2", 0.975, 0.9751, 0.0001, -0.001, 0.002),
        "lead_accuracy": Difference("lead_accuracy", 0.9, 0.9, 0.0, 0.0, 0.0),
        "published_f1": Difference("published_f1", 0.8, 0.7, -0.1),
    },
    slices=(
        SliceDifference("section", "Sea", 40, {"quality_mae": WORSE}),
        SliceDifference("month", "2021-03", 12, {"quality_mae": UNSURE}),
    ),
    flip_counts=DecisionChangeCounts(3, 2, 1, 0, 2),
    flips=(DecisionChange("inbox/a.md", datetime(2021, 3, 4, tzinfo=UTC), True, FIRST, SECOND, REASONS),),
)


def lines(view: RenderableType, width: int = 100) -> list[str]:
    """Lines of a view, with one blank between words."""
    console = Console(file=io.StringIO(), width=width)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue().splitlines()
    assert max(map(len, printed)) <= width
    return [" ".join(line.split()) for line in printed]


def changed(**values: Any) -> Comparison:
    return msgspec.structs.replace(COMPARISON, **values)


def test_runs_with_who_leads() -> None:
    shown = lines(runs.runs([RUN]), 130)
    assert shown[0] == "run when (UTC) name kind aliases MAE lead heat F1 data commit"
    assert shown[1] == (
        "476aacb 2021-03-04 05:06 strong-shrinkage train champion v3, v4 2.500 0.750 0123456 fedcba9+"
    )


def test_runs_of_several_experiments_name_them() -> None:
    other = msgspec.structs.replace(RUN, experiment="second")
    head, *rows = lines(runs.runs([RUN, other]), 150)
    assert head.startswith("run when (UTC) experiment name kind")
    assert [row.split()[3] for row in rows] == [RUN.experiment, "second"]


def test_what_is_not_usual_is_said() -> None:
    clean = msgspec.structs.replace(RUN, is_dirty=False, status="FAILED", versions=())
    other = msgspec.structs.replace(RUN, is_dirty=None, git_commit="", versions=(Version("news", 1, ()),))
    shown = lines(runs.runs([clean, other, RUN], sort="n_test"), 150)
    assert "F1" in shown[0]
    assert "n_test MAE" in shown[0]
    assert shown[1].endswith("train failed 90.000 2.500 0.750 0123456 fedcba9")
    assert shown[2].endswith("train news/1 90.000 2.500 0.750 0123456")
    assert "champion scoring/3, scoring/4" in shown[3]


def test_a_row_fits_a_terminal() -> None:
    run = msgspec.structs.replace(RUN, versions=RUN.versions[:1], name="default")
    assert len(lines(runs.runs([run]))) == 2


def test_only_what_differs_is_shown() -> None:
    shown = lines(runs.comparison(COMPARISON))
    assert shown[:2] == ["first default 01234567 default@1", "second other 76543210 other@2"]
    assert "model.seed 0 -" in shown
    assert sum("long" in line for line in shown) == 1  # cut
    assert "n_all 400 500" in shown
    assert "quality, spread age_hours sea, land" in shown
    assert "90 records, 80 of them with labels, 2021-03-04 to 2021-05-06" in shown
    assert "quality_mae 2.500 2.000 +0.500 +0.250 to +0.750 better" in shown
    assert "quality_r2 0.975 0.975 +1e-04 -0.001 to +0.002" in shown
    assert "published_f1 0.800 0.700 -0.100" in shown
    assert "the same: lead_accuracy" in shown
    assert "1 of 2 metrics on subsets changed significantly; expected by chance: about 0" in shown
    assert "section Sea 40 quality_mae 3.000 4.000 -1.000 -2.000 to -0.500" in shown
    assert not any(line.startswith("month") for line in shown)


def test_the_worst_section_is_named_before_the_figures_of_all() -> None:
    fine = Difference("quality_mae", 5.0, 4.0, 1.0, 0.5, 1.5)
    slices = (
        SliceDifference("section", "Land", 50, {"quality_mae": fine, "published_f1": UNSURE}),
        SliceDifference("section", "Sea", 40, {"quality_mae": WORSE}),
    )
    compared = changed(
        slices=worst_sections_first(slices), sections=section_changes(slices), sections_left_out={"Mill": 3}
    )
    shown = lines(runs.comparison(compared), 150)
    at = shown.index(
        "worst section: Sea (40 records), quality_mae first 3.000, second 4.000, gain -1 (-2 to -0.5): "
        "clearly worse"
    )
    assert shown[at + 1 : at + 5] == [
        "section records metric first second gain 95 % interval",
        "Sea 40 quality_mae 3.000 4.000 -1 -2 to -0.5",
        "Land 50 quality_mae 5.000 4.000 +1 +0.5 to +1.5",
        "quality_mae 3.000 2.500 +0.5 -0.1 to +1",
    ]
    assert shown[at + 5] == "too few records to compare by section: Mill (3 records)"


def test_a_decision_change_has_both_explanations_and_reasons() -> None:
    shown = lines(runs.comparison(COMPARISON))
    at = shown.index("2021-03-04 inbox/a.md")
    assert shown[at - 3 : at - 1] == [
        "published would change for 3 of 90 records: 2 to yes, 1 to no",
        "right by the labels: first 0, second 2",
    ]
    assert shown[at + 1 :] == [
        "quality 90 % interval heat lead published",
        "first 67 66 to 68 -1 1% 2% no",
        "second 68 66 to 68 88 1% 91% yes right",
        "why first second",
        "quality - +2.00 the record has an image: yes",
        "quality -1.50 - the title: 84 characters",
        "lead -4.00 +9.00 heat, as predicted: -1 / 88",
        "published +1.00 +2.00 one: 1 / two: 2",
        "",
        "2 more: --limit shows them",
    ]


def test_nothing_differs() -> None:
    same = {name: Difference(name, 2.5, 2.5, 0.0, 0.0, 0.0) for name in ("quality_mae", "published_brier")}
    shown = lines(
        runs.comparison(
            changed(
                n_labelled=90,
                parameters=(),
                data=(),
                features=(),
                differences=same,
                slices=(),
                flip_counts=DecisionChangeCounts(0, 0, 0, 0, 0),
                flips=(),
            )
        )
    )
    assert shown[2:] == [
        "",
        "same parameters, data and features",
        "",
        "90 records, 2021-03-04 to 2021-05-06",
        "the same: quality_mae, published_brier",
        "",
        "published would change for none of 90 records",
    ]


@pytest.mark.parametrize(
    ("at", "shown"), [(None, "no date inbox/a.md"), (COMPARISON.begins_at, "2021-03-04 inbox/a.md")]
)
def test_records_without_labels(at: datetime | None, shown: str) -> None:
    flip = DecisionChange("inbox/a.md", at, None, FIRST, SECOND)
    unlabelled = changed(
        n_labelled=0,
        differences={},
        slices=(),
        flips=(flip,),
        flip_counts=DecisionChangeCounts(1, 1, 0, 0, 0),
    )
    text = lines(runs.comparison(unlabelled))
    assert "90 records, none of them with labels, 2021-03-04 to 2021-05-06" in text
    assert text[-4:] == [
        shown,
        "quality 90 % interval heat lead published",
        "first 67 66 to 68 -1 1% 2% no",
        "second 68 66 to 68 88 1% 91% yes",
    ]
    assert "published would change for 1 of 90 records: 1 to yes, 0 to no" in text


def test_the_surest_parts_stand_first() -> None:
    parts = tuple(
        SliceDifference("month", f"2021-{month:02}", 10, {
            "quality_mae": Difference("quality_mae", 1.0, 0.5, 0.5, 0.5 - 0.02 * month, 0.5 + 0.02 * month)
        })
        for month in range(20, 0, -1)
    )  # fmt: skip
    shown = lines(runs.comparison(changed(slices=parts)))
    months = [line.split()[1] for line in shown if line.startswith("month ")]
    assert months == [f"2021-{month:02}" for month in range(1, runs.MAX_SLICES + 1)]
