from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
from pyarrow import parquet
from rich.console import Console, RenderableType

from scoring.audit.finding import Finding
from scoring.cli import formats
from scoring.cli.tables import common
from scoring.evaluation.results import Evaluation, Figure, Slice
from scoring.explanation.results import Change, Explanation, Reason
from scoring.model.score import Score
from scoring.settings import Origin

LOW = Score(
    path="inbox/b.md",
    quality=31,
    quality_low=25.4,
    quality_high=36.6,
    heat=-1,
    heat_expected=2.5,
    heat_settled=17.4,
    lead_probability=0.04,
    published=False,
    published_probability=0.01,
    lead_settled_probability=0.03,
    published_settled_probability=0.02,
    model="default 1",
    warnings=("provider unknown: example.org", 'title has a "quote"'),
)
HIGH = msgspec.structs.replace(LOW, path="inbox/[a].md", heat=92, quality=52, published=True, warnings=())
EVALUATION = Evaluation(
    n_records=40,
    begins_at=datetime(2021, 3, 4, tzinfo=UTC),
    ends_at=datetime(2021, 5, 6, tzinfo=UTC),
    figures={"quality_mae": Figure(2.5, 2.25, 2.75), "heat_within_5": Figure(0.875)},
    baselines={"global median": {"quality_mae": 9.0}, "provider median": {"quality_mae": 7.5}},
    slices=(
        Slice("provider", "example.com", 30, {"quality_mae": 2.0}),
        Slice("provider", "example.org", 10, {"quality_mae": 4.0}),
        Slice("month", "2021-03", 40, {"quality_mae": 2.5, "quality_r2": 0.5, "heat_within_5": 0.9}),
    ),
    predictions={"path": np.array(["inbox/a.md"])},
)


def text(view: RenderableType) -> list[list[str]]:
    """Lines of a view, each as its cells."""
    console = Console(file=io.StringIO(), width=200)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return [
        [cell for cell in line.split("  ") if cell.strip()] for line in console.file.getvalue().splitlines()
    ]


def cells(view: RenderableType) -> list[list[str]]:
    return [[cell.strip() for cell in line] for line in text(view)]


def test_json_of_a_score_reads_back() -> None:
    assert msgspec.json.decode(formats.to_json(LOW), type=Score) == LOW


def test_json_of_an_evaluation_leaves_single_records_out() -> None:
    value = json.loads(formats.to_json({"run_id": "1", "evaluation": EVALUATION}))
    evaluation = value["evaluation"]
    assert "predictions" not in evaluation
    assert evaluation["n_records"] == 40
    assert evaluation["begins_at"] == "2021-03-04T00:00:00Z"
    assert evaluation["figures"]["quality_mae"] == {"value": 2.5, "low": 2.25, "high": 2.75}
    assert evaluation["slices"][1]["name"] == "example.org"


def test_lines_come_one_by_one() -> None:
    def scores() -> Iterator[Score]:
        yield LOW
        raise RuntimeError("asked for more than one line")

    assert json.loads(next(formats.score_lines(scores(), "jsonl")))["path"] == "inbox/b.md"


def test_csv_reads_back() -> None:
    rows = list(csv.DictReader(formats.score_lines([LOW, HIGH], "csv")))
    assert [row["path"] for row in rows] == ["inbox/b.md", "inbox/[a].md"]
    assert rows[0]["heat"] == "-1"
    assert rows[0]["quality_low"] == "25.4"
    assert rows[0]["warnings"] == 'provider unknown: example.org; title has a "quote"'


@pytest.mark.parametrize("scores", [[LOW, HIGH], []])
def test_parquet_reads_back(tmp_path: Path, scores: list[Score]) -> None:
    with (tmp_path / "scores.parquet").open("wb") as file:
        assert formats.write_scores(iter(scores), "parquet", file) == len(scores)
    table = parquet.read_table(tmp_path / "scores.parquet")
    assert msgspec.convert(table.to_pylist(), list[Score]) == scores
    assert {"quality": "int64", "published": "bool", "warnings": "list<element: string>"}.items() <= {
        field.name: str(field.type) for field in table.schema
    }.items()


@pytest.mark.parametrize(("form", "n_lines"), [("jsonl", 2), ("csv", 3)])
def test_scores_are_counted(form: str, n_lines: int) -> None:
    file = io.BytesIO()
    assert formats.write_scores([LOW, HIGH], form, file) == 2
    assert file.getvalue().count(b"\n") == n_lines


def test_table_has_the_highest_heat_first() -> None:
    lines = cells(common.scores_table([LOW, HIGH]))
    assert lines[1] == ["92", "17", "52", "25 to 37", "4%", "1%", "inbox/[a].md"]
    assert lines[2][6:] == ["inbox/b.md", 'provider unknown: example.org; title has a "quote"']


def test_figures_stand_beside_the_baselines() -> None:
    lines = cells(common.evaluation(EVALUATION))
    assert lines[0] == ["40 records with labels, 2021-03-04 to 2021-05-06"]
    assert ["metric", "value", "95 % interval", "global median", "provider median"] in lines
    assert ["quality_mae", "2.500", "2.250 to 2.750", "9.000", "7.500"] in lines
    assert ["heat_within_5", "0.875"] in lines
    assert ["by", "part", "records", "quality_mae", "heat_within_5"] in lines
    assert ["provider", "example.org", "10", "4.000"] in lines
    assert ["month", "2021-03", "40", "2.500", "0.900"] in lines


def test_explanation_names_reasons_of_each_target() -> None:
    reasons: dict[str, tuple[Reason, ...]] = {
        "quality": (Reason("topic_count", "3 topics", 17.0), Reason("image_count", "no image", -8.25))
    }
    explanation = Explanation(score=HIGH, expected_heat=88.5, base={"quality": 40.0}, reasons=reasons)
    lines = cells(common.explanation(explanation))
    assert ["expected heat 88.50: the mean over the possible values of its quality and lead"] in lines
    assert ["40.00", "base value of all records"] in lines
    assert ["+17.00", "topic_count", "3 topics"] in lines
    assert ["-8.25", "image_count", "no image"] in lines


def test_small_reasons_are_added_up() -> None:
    reasons = {"quality": tuple(Reason(f"column_{n}", "", 16.0 - n) for n in range(12))}
    explanation = Explanation(score=HIGH, expected_heat=88.5, base={"quality": 40.0}, reasons=reasons)
    lines = cells(common.explanation(explanation))
    at = lines.index(["+7.00", "column_9"])
    assert lines[at + 1 : at + 3] == [["+11.00", "2 smaller reasons"], []]


CHANGE = Change(
    kind="add image",
    text="add an [image]",
    effort=4,
    decisions=("published",),
    quality=81,
    heat=101,
    expected_heat=99.5,
    published=True,
    published_probability=0.97,
)


def test_explanation_reports_what_would_change_it() -> None:
    without = Explanation(score=HIGH, expected_heat=88.5, base={}, reasons={})
    assert cells(common.explanation(without))[-1] == [
        "none of the single changes tried would reverse a decision or raise a score"
    ]
    lines = cells(common.explanation(msgspec.structs.replace(without, changes=(CHANGE,))))
    assert lines[-2:] == [
        ["quality", "heat", "published", "reverses", "change"],
        ["81", "101", "97%", "published", "add an [image]"],
    ]


def test_findings_stand_in_their_order() -> None:
    quality = Finding(
        kind="quality",
        path="inbox/[a].md",
        field="quality",
        label=31,
        expected=50,
        difference=-19.0,
        low=45.2,
        high=54.9,
        reason="19 points below",
    )
    shown = Finding(
        kind="published",
        path="inbox/b.md",
        field="published",
        label=False,
        expected=True,
        difference=-1.0,
        probability=0.99,
        reason="others are shown",
    )
    lines = cells(common.findings([quality, shown]))
    assert lines[0] == ["kind", "field", "is", "expected", "interval", "off by", "record", "why"]
    assert lines[1] == [
        *("quality", "quality", "31", "50", "45 to 55", "-19"),
        *("inbox/[a].md", "19 points below"),
    ]
    assert lines[2] == ["published", "published", "no", "yes", "inbox/b.md", "others are shown"]
    assert msgspec.json.decode(formats.to_json(shown), type=Finding) == shown


def test_catalogue_has_a_line_for_each_column() -> None:
    class Column(NamedTuple):
        name: str
        family: str
        type: str
        unit: str
        range: str
        meaning: str

    column = Column("title_chars", "content", "count", "characters", "[0, 500]", "Length of the title.")
    assert cells(common.catalogue([column]))[1] == list(column)


def test_origins_and_names_take_values_as_they_are() -> None:
    lines = cells(
        common.origins([Origin("model", None, "default"), Origin("home", "/x/[b]", "scoring.yaml")])
    )
    assert lines[1:] == [["model", "default"], ["home", "/x/[b]", "scoring.yaml"]]
    assert cells(common.named([("model", "[bold]x"), ("run_id", None)])) == [
        ["model", "[bold]x"],
        ["run_id"],
    ]
