"""Tables on terminals of several widths, and in pipes."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console, RenderableType

from scoring.audit.finding import Finding
from scoring.cli.tables import common
from scoring.explanation.results import Explanation, Reason
from scoring.model.score import Score

SCORE = Score(
    path="inbox/2021-03-04-a-long-name-of-a-file-that-a-static-site-generator-made-of-the-title-n0.md",
    quality=83,
    quality_low=79.0,
    quality_high=87.0,
    heat=103,
    heat_expected=103.0,
    heat_settled=102.0,
    lead_probability=1.0,
    published=True,
    published_probability=1.0,
    lead_settled_probability=1.0,
    published_settled_probability=1.0,
    model="default 1",
    warnings=("provider unknown: wendlow.example", "no publishedDateTime"),
)
OTHER = msgspec.structs.replace(SCORE, path="inbox/records.csv:17", heat=-1)
TITLES = {
    SCORE.path: "Garbaholt pilots its root camera on a greenhouse of four hectares, and says what it found"
}


def lines_of(view: RenderableType, width: int, *, is_terminal: bool = True) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=is_terminal, color_system=None)
    console.print(view)
    file = console.file
    assert isinstance(file, io.StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_no_line_is_wrapped_and_no_number_cropped(width: int) -> None:
    lines = lines_of(common.scores_table([SCORE, OTHER], TITLES), width)
    assert max(map(len, lines)) <= width
    n_notes = sum(line.startswith(("no room for: ", "4 warnings: ")) for line in lines)
    assert len(lines) == 3 + n_notes
    assert lines[1].split()[0] == "103"
    head = lines[0].split()
    assert {"heat", "quality", "published", "title"} <= set(head)


def test_title_stands_for_the_file_on_80_columns() -> None:
    lines = lines_of(common.scores_table([SCORE, OTHER], TITLES), 80)
    assert lines[0].split()[-1] == "title"
    assert "Garbaholt pilots" in lines[1]
    assert "records.csv:17" in lines[2]
    assert lines[3:] == ["no room for: record", "4 warnings: --format jsonl shows them"]


def test_warnings_without_room_are_counted_and_others_not_named() -> None:
    sure = msgspec.structs.replace(SCORE, warnings=())
    one = msgspec.structs.replace(SCORE, warnings=SCORE.warnings[:1])
    assert lines_of(common.scores_table([sure], TITLES), 80)[2] == "no room for: record"
    assert lines_of(common.scores_table([sure]), 80)[2:] == []
    lines = lines_of(common.scores_table([sure, one], all_with="--json"), 80)
    assert lines[3:] == ["1 warning: --json shows them"]


def test_names_of_features_are_whole() -> None:
    reason = Reason("coverage_best_lead_hours", "from the best coverage to the record: " + "hours " * 20, 1.5)
    explanation = Explanation(score=SCORE, expected_heat=88.5, base={}, reasons={"lead": (reason,)})
    lines = lines_of(common.explanation(explanation), 80)
    assert any(line.startswith("+1.50  coverage_best_lead_hours  from the best") for line in lines)
    assert max(map(len, lines)) <= 80


def test_end_of_a_path_is_kept() -> None:
    lines = lines_of(common.scores_table([SCORE]), 80)
    assert lines[1].endswith("-of-the-title-n0.md")
    assert "…" in lines[1]


@pytest.mark.parametrize(("width", "is_terminal"), [(400, True), (100_000, False)])
def test_wide_terminals_and_pipes_have_everything(width: int, is_terminal: bool) -> None:
    lines = lines_of(common.scores_table([SCORE, OTHER], TITLES), width, is_terminal=is_terminal)
    assert len(lines) == 3
    for text in (SCORE.path, TITLES[SCORE.path], *SCORE.warnings):
        assert text in lines[1]


def test_text_that_is_a_sentence_is_wrapped() -> None:
    table = common.empty_table("label", "rule", "records>", drops=("records",), wraps=("rule",))
    rule = (
        "published where the heat is 70 or more, unless the record is a copy of an earlier one of its story"
    )
    table.add_row("published", rule, "300")
    lines = lines_of(table, 60)
    assert " ".join(" ".join(lines[1:]).split()).startswith(f"published {rule[:20]}")
    assert "…" not in "".join(lines)


def test_other_columns_give_way_from_the_right() -> None:
    table = common.empty_table("metric", "first>", "second>", "third>")
    table.add_row("quality_interval_coverage", "0.123456789", "0.223456789", "0.323456789")
    assert lines_of(table, 44) == [
        "metric                           first",
        "quality_interval_coverage  0.123456789",
        "no room for: second, third",
    ]


def test_findings_and_suggestions_have_titles_too() -> None:
    finding = Finding(
        kind="quality",
        path=SCORE.path,
        field="quality",
        label=71,
        expected=46,
        low=40.0,
        high=52.0,
        difference=25.0,
        reason="far from the prediction from the other records",
    )
    lines = lines_of(common.findings([finding], TITLES), 80)
    assert "Garbaholt" in lines[1]
    assert lines[2] == "no room for: interval, record, why"
    assert SCORE.path in lines_of(common.findings([finding]), 400)[1]
