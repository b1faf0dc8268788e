"""Report of a comparison: differences only, with intervals and both explanations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from scoring.evaluation.comparison import Comparison, FeatureDifference, Side, ValueDiff
from scoring.evaluation.decision_changes import DecisionChange, DecisionChangeCounts, ReasonPair
from scoring.evaluation.paired_figures import Difference, SliceDifference
from scoring.evaluation.section_changes import section_changes, worst_sections_first
from scoring.explanation.policy import compare_rules
from scoring.explanation.results import Reason
from scoring.model.rules import Rule, SectionRules
from scoring.model.score import Score
from scoring.report import comparison_report

MakePage = Callable[[str], Any]
MAE = Difference("quality_mae", 3.0, 2.5, 0.5, 0.25, 0.75)
F1 = Difference("published_f1", 0.5, 0.375, -0.125, -0.25, 0.125)
SAME = Difference("lead_accuracy", 0.875, 0.875, 0.0, 0.0, 0.0)


def score(probability: float, quality: int) -> Score:
    return Score(
        path="inbox/a.md", quality=quality, quality_low=quality - 6.0, quality_high=quality + 7.0, heat=-1,
        heat_expected=3.0, heat_settled=2.0, lead_probability=0.25, published=probability >= 0.5,
        published_probability=probability, lead_settled_probability=0.5, published_settled_probability=0.5,
        model="m",
    )  # fmt: skip


FLIP = DecisionChange(
    "inbox/a.md",
    datetime(2021, 6, 3, tzinfo=UTC),
    True,
    score(0.125, 48),
    score(0.75, 61),
    (
        ReasonPair(
            "quality", "has_image", Reason("has_image", "no image", -3.25), Reason("has_image", "none", 4.5)
        ),
        ReasonPair("published", "heat", Reason("heat", "heat of the record", 2.25), None),
    ),
)
COMPARISON = Comparison(
    first=Side("default 3", None, "default@1111"),
    second=Side("wide 1", "feed" * 8, "wide@2222"),
    n_records=1200,
    n_labelled=1100,
    begins_at=datetime(2021, 5, 15, tzinfo=UTC),
    ends_at=datetime(2021, 7, 1, tzinfo=UTC),
    parameters=(ValueDiff("model.lead.num_leaves", "15", None),),
    data=(),
    features=(FeatureDifference(("quality", "spread"), ("age_hours", "host_depth"), ()),),
    differences={"quality_mae": MAE, "published_f1": F1, "lead_accuracy": SAME},
    slices=(
        SliceDifference("section", "North", 700, {"published_f1": F1, "quality_mae": MAE}),
        SliceDifference("month", "2021-05", 300, {"published_f1": F1}),
    ),
    flip_counts=DecisionChangeCounts(5, 3, 2, 1, 4),
    flips=(FLIP,),
    notes=("Some records were in a training.",),
)


def test_verdict_stands_on_top(page: Any) -> None:
    (verdict,) = [text for _, of, text in page.all("p") if of.get("class") == "verdict"]
    assert (
        verdict == "The second model is better on quality and not significantly worse elsewhere: promote it."
    )


@pytest.fixture(scope="module")
def page(make_page: MakePage) -> Any:
    return make_page(comparison_report(COMPARISON))


def test_page_stands_alone_and_is_the_same_each_time(page: Any) -> None:
    assert page.html == comparison_report(COMPARISON)
    assert not page.all("script", "link", "iframe", "img")
    ids = [of["id"] for _, of, _ in page.elements if "id" in of]
    assert len(ids) == len(set(ids))
    links = [of["href"] for tag, of, _ in page.elements if tag in ("a", "use") and "href" in of]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert all("scope" in of for _, of, _ in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))


def test_sides_and_records_are_named(page: Any) -> None:
    assert page.texts("h1") == ["wide 1 against default 3"]
    paragraphs = page.texts("p")
    assert paragraphs[1] == (
        "First: default 3; second: wide 1. Differences on 1,200 records scored by both, "
        "2021-05-15 to 2021-07-01, 1,100 of them with labels."
    )
    assert paragraphs[2] == "Some records were in a training."
    assert page.texts("dd") == ["default 3, model default@1111", f"wide 1, model wide@2222, run {'feed' * 8}"]


def test_only_figures_that_differ_have_rows(page: Any) -> None:
    _, mae, f1 = page.rows("A gain above zero")
    assert mae[1:] == ["3.000", "2.500", "+0.500", "0.250 to 0.750", "better"]
    assert f1[1:] == ["0.500", "0.375", "−0.125", "−0.250 to 0.125", "unsure"]  # noqa: RUF001
    assert "The same for both: Lead accuracy." in page.texts("p")
    ((_, of, _),) = page.all("svg")
    assert of["aria-label"].endswith(
        "Quality MAE +0.500 (0.250 to 0.750), better; Published F1 −0.125 (−0.250 to 0.125), unsure."  # noqa: RUF001
    )


def test_only_parts_that_surely_moved_have_rows(page: Any) -> None:
    _, family, *rows = page.rows("Slices with a metric whose interval excludes zero, of 2 slices")
    assert family == ["By section"]
    assert [row[:4] for row in rows] == [["North", "700", "Quality MAE", "3.000"]]


def test_the_worst_section_is_named_first(page: Any, make_page: MakePage) -> None:
    assert not any(text == "Sections" for text in page.texts("h2"))  # not compared by section
    worse = Difference("quality_mae", 3.0, 6.0, -3.0, -4.0, -2.0)
    slices = (
        SliceDifference("section", "North", 700, {"quality_mae": MAE, "published_f1": F1}),
        SliceDifference("section", "South & East", 400, {"quality_mae": worse}),
    )
    compared = msgspec.structs.replace(
        COMPARISON,
        slices=worst_sections_first(slices),
        sections=section_changes(slices),
        sections_left_out={"Mill": 3, "Quay": 8},
    )
    page = make_page(comparison_report(compared))
    _, *rows = page.rows("Metrics of each section")
    assert [row[:3] for row in rows] == [
        ["South & East", "400", "Quality MAE"],
        ["North", "700", "Quality MAE"],
        ["North", "700", "Published F1"],
    ]
    worst = "The second model is worst in South & East: Quality MAE 3.000, then 6.000, clearly worse."
    assert worst in page.texts("p")
    assert "Too few records to compare: Mill (3), Quay (8)." in page.texts("p")


def test_only_rules_that_differ_are_shown(page: Any, make_page: MakePage) -> None:
    assert "Not compared: the models were not opened." in page.texts("p")

    def rules(points: float, *sections: str) -> SectionRules:
        more = Rule("published", "published from", 70, 69, 71, 30)
        return SectionRules(
            sections, False, 90, (Rule("quality", "has_image", points, points - 1, points + 1, 50), more)
        )

    policy = compare_rules([rules(20, "Sea & Land")], [rules(5, "Sea & Land", "Mill")])
    page = make_page(comparison_report(msgspec.structs.replace(COMPARISON, policy=policy)))
    assert page.rows("Rules that differ")[1:] == [
        [
            "Sea & Land",
            "quality",
            "+20 where the record has an image (19 to 21)",
            "+5 where the record has an image (4 to 6)",
        ]
    ]
    assert "Sections that only the second knows: Mill." in page.texts("p")
    same = msgspec.structs.replace(COMPARISON, policy=compare_rules([rules(5, "Sea")], [rules(5, "Sea")]))
    assert "No rule differs." in make_page(comparison_report(same)).texts("p")


def test_decision_changes_have_both_explanations(page: Any) -> None:
    tiles = [text for text in page.texts("li") if text.startswith(("Changed decisions", "The second was"))]
    assert tiles == [
        "Changed decisions5of 1,200 records",
        "The second was right4where labelled",
    ]
    (flip,) = [text for text in page.texts("li") if text.startswith("inbox/a.md")]
    assert "2021-06-03, labelled published: the second is right" in flip
    assert page.rows("Scores and reasons") == [
        ["Score", "First", "Second"],
        ["Published", "no, 12 %", "yes, 75 %"],
        ["Quality", "48 (42 to 55)", "61 (55 to 68)"],
        ["Heat", "−1", "−1"],  # noqa: RUF001
        ["Lead", "25 %", "25 %"],
        ["Published, once settled", "50 %", "50 %"],
        ["Heat, once settled", "2", "2"],
        ["Why this quality first: no image second: none", "−3.25", "+4.50"],  # noqa: RUF001
        ["Why this published heat of the record", "+2.25", ""],
    ]


def test_a_forecast_that_an_earlier_run_has_not_logged_is_a_dash(make_page: MakePage) -> None:
    nan = float("nan")
    earlier = msgspec.structs.replace(FLIP.first, heat_settled=nan, published_settled_probability=nan)
    flip = msgspec.structs.replace(FLIP, first=earlier)
    page = make_page(comparison_report(msgspec.structs.replace(COMPARISON, flips=(flip,))))
    assert page.rows("Scores and reasons")[5:7] == [
        ["Published, once settled", "–", "50 %"],  # noqa: RUF001
        ["Heat, once settled", "–", "2"],  # noqa: RUF001
    ]
    assert "nan" not in page.html


def test_only_what_they_are_made_of_that_differs_is_reported(page: Any) -> None:
    assert page.rows("Parameters that differ")[1:] == [["model.lead.num_leaves", "15", "–"]]  # noqa: RUF001
    _, features = page.rows("Features of one side only")
    assert features == ["quality, spread", "age_hours, host_depth", "–"]  # noqa: RUF001
    assert "Data: the same for both." in page.texts("p")


def test_twins_are_said_to_be_the_same(make_page: MakePage) -> None:
    twins = msgspec.structs.replace(
        COMPARISON, differences={"lead_accuracy": SAME}, slices=(), flips=(), parameters=(), features=(),
        flip_counts=DecisionChangeCounts(0, 0, 0, 0, 0),
    )  # fmt: skip
    page = make_page(comparison_report(twins))
    paragraphs = page.texts("p")
    assert {"The same for both: Lead accuracy.", "Both would publish the same records."} <= set(paragraphs)
    assert "Features: the same for both." in paragraphs
    assert not page.all("table", "svg")


def test_records_without_labels_have_decision_changes_alone(make_page: MakePage) -> None:
    flip = msgspec.structs.replace(FLIP, label=None, published_at=None, reasons=())
    unknown = msgspec.structs.replace(COMPARISON, differences={}, slices=(), flips=(flip,), n_labelled=0)
    page = make_page(comparison_report(unknown))
    assert "No record has labels, so there are no metrics." in page.texts("p")
    assert "–, without a label" in page.texts("p")  # noqa: RUF001
    assert len(page.rows("Scores and reasons")) == 7


def test_hostile_names_are_text(make_page: MakePage) -> None:
    bad = '"/><script>alert(1)</script>'
    hostile = msgspec.structs.replace(
        COMPARISON,
        first=Side(bad, bad, bad),
        parameters=(ValueDiff(bad, bad, bad),),
        slices=(SliceDifference(bad, bad, 700, {"quality_mae": MAE}),),
        flips=(msgspec.structs.replace(FLIP, path=bad),),
        notes=(bad,),
    )
    html = comparison_report(hostile)
    assert "<script" not in html
    assert make_page(html).texts("p")[2] == bad
