"""Report of an evaluation: its content; self-contained and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from jinja2 import UndefinedError

from scoring.artifact.saved_model import SavedModel
from scoring.evaluation.error_analysis import ErrorAnalysis
from scoring.evaluation.results import Evaluation, Figure, Slice
from scoring.evaluation.verdict import evaluation_verdict
from scoring.explanation.policy import policy_texts
from scoring.model.policy_change import ChangedEffect, PolicyChange
from scoring.plots import evaluation_figures
from scoring.report.evaluation import MAX_PARTS
from scoring.report.labels import importance_label, plot_labels
from scoring.report.pages import render

MakePage = Callable[[str], Any]
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def changed(evaluation: Evaluation, **changes: Any) -> Evaluation:
    return msgspec.structs.replace(evaluation, **changes)


def repeated(predictions: Mapping[str, np.ndarray], n_records: int) -> dict[str, np.ndarray]:
    """More predictions, with slightly different numbers."""
    rng = np.random.default_rng(1)
    rows = np.arange(n_records) % len(predictions["quality"])
    columns = {name: column[rows] for name, column in predictions.items()}
    for name in ("quality_predicted", "lead_probability", "published_probability"):
        columns[name] = np.clip(columns[name] + rng.normal(0, 0.01, n_records), 0, None)
    return columns


def test_page_needs_nothing_else(page: Any, html: str) -> None:
    policies = [of["content"] for _, of, _ in page.all("meta") if "http-equiv" in of]
    assert policies == [POLICY]
    assert not page.all("script", "link", "iframe", "object", "embed", "form", "base", "img", "foreignobject")
    links = [of[name] for _, of, _ in page.elements for name in ("href", "src", "action") if name in of]
    assert len(links) > 8
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert re.findall(r"https?:|@import|url\((?!#)|javascript:", re.sub(r"base64,[^\"]*", "", html)) == []
    assert not any(name.startswith("on") for _, of, _ in page.elements for name in of)


def test_page_is_the_same_each_time(make_report: Callable[..., str]) -> None:
    assert make_report() == make_report()


def test_ids_are_unique_and_links_arrive(page: Any) -> None:
    ids = [of["id"] for _, of, _ in page.elements if "id" in of]
    assert len(ids) == len(set(ids))
    targets = [of["href"][1:] for tag, of, _ in page.elements if tag in ("a", "use") and "href" in of]
    assert set(targets) <= set(ids)
    assert {"figures", "plots", "slices", "misses", "features", "data", "config"} <= set(targets)


def test_page_can_be_read_without_eyes(page: Any) -> None:
    ((_, of, _),) = page.all("html")
    assert of["lang"] == "en"
    assert page.texts("title") == page.texts("h1") == ["Evaluation of small"]
    assert next(tag for tag, _, _ in page.all("h1", "h2", "h3", "h4")) == "h1"
    assert page.texts("h3", "h4") == ["Quality", "Heat", "Published"]
    plots = page.all("svg")
    assert len(plots) == 8
    assert all(of["role"] == "img" and of["aria-label"].endswith(".") for _, of, _ in plots)
    assert len(page.all("caption")) == len(page.all("table")) == 5
    assert {of.get("scope") for _, of, _ in page.all("th")} == {"col", "row", "rowgroup"}
    boxes = [of for _, of, _ in page.elements if of.get("class") == "box"]
    assert all(of["tabindex"] == "0" and of["role"] == "region" and of["aria-label"] for of in boxes)


def test_figures_stand_beside_baselines(
    make_report: Callable[..., str], make_page: MakePage, values: Any
) -> None:
    evaluation = changed(
        values["evaluation"],
        figures={"quality_mae": Figure(2.5, 2.0, 3.125), "lead_accuracy": Figure(0.9)},
        baselines={"plain": {"quality_mae": 2.25, "lead_accuracy": 0.75}, "median": {"quality_mae": 19.0}},
    )
    page = make_page(make_report(evaluation=evaluation))
    head, mae, lead = page.rows(f"{evaluation.n_records} records; 95 % intervals")
    assert head == ["Metric", "Model", "95 % interval", "plain", "median"]
    assert mae[0].startswith("Quality MAEmean absolute error")
    assert mae[1:] == ["2.500", "2.000 to 3.125", "2.250better than the model", "19.000"]
    assert lead[1:] == ["0.900", "–", "0.750", "–"]  # noqa: RUF001
    tiles = [text for tag, _, text in page.all("li") if text.startswith(("Quality MAE", "Lead accuracy"))]
    assert tiles == ["Quality MAE 2.500 2.000 to 3.125 plain 2.250", "Lead accuracy 0.900 – plain 0.750"]  # noqa: RUF001


def test_ages_stand_beside_settled(page: Any, values: Any) -> None:
    evaluation = values["evaluation"]
    rows = page.rows("The same records at an age")
    ages = [name for age in evaluation.at_ingest for name in (age, f"{age}, forecast")]
    assert [row[0] for row in rows[1:]] == [*ages, "settled"]
    shown = rows[0].index("Lead accuracy")
    assert rows[-1][shown] == f"{evaluation.figures['lead_accuracy'].value:.3f}"
    assert rows[1][shown] == f"{evaluation.at_ingest['published']['lead_accuracy']:.3f}"
    assert rows[2][shown] == f"{evaluation.forecast['published']['lead_accuracy']:.3f}"


def test_smallest_parts_are_left_out_and_counted(
    make_report: Callable[..., str], make_page: MakePage, values: Any
) -> None:
    parts = [
        Slice("topic", f"t{index:02}", index, {"quality_mae": index / 4}) for index in range(1, MAX_PARTS + 4)
    ]
    page = make_page(make_report(evaluation=changed(values["evaluation"], slices=tuple(parts))))
    _, family, *rows = page.rows("Metrics by slice")
    assert family == ["By topic3 smaller slices left out"]
    assert [row[0] for row in rows] == [f"t{index:02}" for index in range(4, MAX_PARTS + 4)]
    assert rows[0][1:3] == ["4", "1.000"]


def test_misses_have_reasons(page: Any) -> None:
    (item,) = [text for text in page.texts("li") if "news/a.md" in text]
    assert item.startswith("A quiet day at the harbour news/a.md ")
    assert "Labelled 84, predicted 52 (40 to 64), error −32; a.example, 2018-11-09" in item  # noqa: RUF001
    assert item.endswith("−17.8 the record has an image: no")  # noqa: RUF001


def test_worst_heat_and_decisions_are_listed(page: Any) -> None:
    (heat,) = [text for text in page.texts("li") if "news/b.md" in text]
    assert heat == (
        "news/b.md Labelled no lead, predicted 1,200, probability of leading 75 %; no provider, 2018-11-10"
    )
    (decision,) = [text for text in page.texts("li") if "news/c.md" in text]
    assert decision.startswith(
        "<b>Gulls</b> news/c.md Labelled not published, predicted probability of publication 88 %;"
    )


def test_verdict_stands_on_top_and_the_contents_below(page: Any, values: Any) -> None:
    (verdict,) = [text for _, of, text in page.all("p") if of.get("class") == "verdict"]
    assert verdict == evaluation_verdict(values["evaluation"]) != ""
    links = [(of["href"], text) for _, of, text in page.all("a")]
    assert links[0] == ("#figures", "Metrics")
    assert [href for href, _ in links] == [f"#{of['id']}" for _, of, _ in page.all("h2")]


def test_contributions_have_bars_as_long_as_their_points(page: Any) -> None:
    bars = [(of["style"], text) for _, of, text in page.all("td") if "bar" in of.get("class", "")]
    assert bars == [("--share: 1.000", "8.00"), ("--share: 0.250", "2.00")]


def test_data_and_configuration_are_reported(page: Any, values: Any) -> None:
    descriptions = dict(zip(page.texts("dt"), page.texts("dd"), strict=True))
    training = values["training"]
    assert descriptions["Model"] == "small"
    assert descriptions["SHA-256 of the evaluated data"] == "0123456789abcdef" * 4
    assert descriptions["Counts"] == "train 340, test 60"
    assert descriptions["Training records"].startswith(
        f"{training.n_records} records, {training.begins_at:%Y-%m-%d}"
    )
    n_judged = values["evaluation"].n_records
    ((section, n_learned),) = training.sections.items()
    assert page.rows("Records by section")[1:] == [[section, str(n_judged), str(n_learned)]]
    (config,) = page.texts("pre")
    assert config.startswith("name: small")


def test_hostile_names_are_text(make_report: Callable[..., str], make_page: MakePage, values: Any) -> None:
    bad = '"/><script>alert(1)</script>'
    evaluation = values["evaluation"]
    n_records = len(evaluation.predictions["quality"])
    predictions = evaluation.predictions | {
        name: np.array([bad] * n_records, dtype=object) for name in ("provider", "section", "path")
    }
    miss = msgspec.structs.replace(values["account"].misses[0], path=bad, title=bad, provider=bad)
    html = make_report(
        title=bad, intro=bad, data_path=bad, account=ErrorAnalysis((miss,), ()),
        importances=[(bad, bad, 1.0, 1)],
        evaluation=changed(
            evaluation, predictions=predictions, slices=(Slice(bad, bad, 12, {}),), baselines={bad: {}}
        ),
    )  # fmt: skip
    assert "<script" not in html
    page = make_page(html)
    assert page.texts("h1") == [bad]
    assert any(text.startswith(bad) for text in page.texts("p"))
    assert f"{bad} ({n_records})" in page.texts("text")


def test_size_is_bounded(make_report: Callable[..., str], values: Any) -> None:
    evaluation = values["evaluation"]
    many = changed(evaluation, predictions=repeated(evaluation.predictions, 5000), n_records=5000)
    assert len(make_report(evaluation=many).encode()) < 600_000


def test_what_is_not_there_is_said(make_report: Callable[..., str], make_page: MakePage, values: Any) -> None:
    evaluation = changed(values["evaluation"], baselines={}, slices=(), at_ingest={})
    page = make_page(make_report(evaluation=evaluation, account=ErrorAnalysis((), ()), importances=[]))
    assert "No slice has enough records." in page.texts("p")
    assert "None: every label was predicted exactly." in page.texts("p")
    assert "At ingest" not in page.texts("a")
    assert not [of for _, of, _ in page.all("p") if of.get("class") == "verdict"]


def test_labels_say_what_plots_show(values: Any) -> None:
    evaluation = values["evaluation"]
    labels = plot_labels(evaluation)
    assert labels.keys() == evaluation_figures(evaluation).keys()
    columns = evaluation.predictions
    off = np.abs(columns["quality_predicted"] - columns["quality"])
    assert f"Absolute error of {off.size} records: median {np.median(off):.1f}" in labels["quality"]
    wrong = int((columns["lead"] != columns["lead_predicted"]).sum())
    assert f"for {wrong} the predicted lead is wrong" in labels["heat"]
    assert f"random guess {columns['lead'].mean():.2f}" in labels["precision_recall"]
    months = np.unique(columns["published_at"].astype("datetime64[M]").astype(str))
    assert all(f"{month} " in labels["residuals_by_month"] for month in months)


def test_labels_of_nothing_say_so(values: Any) -> None:
    evaluation = values["evaluation"]
    none = changed(
        evaluation, predictions={name: column[:0] for name, column in evaluation.predictions.items()}
    )
    assert all("No data" in label for label in plot_labels(none).values())


def test_importance_names_the_strongest() -> None:
    rows = [("a", "lead", 1.0, 1), ("b", "lead", 3.0, 1)]
    assert importance_label("lead", rows).endswith("of the lead booster. Strongest: b 75%, a 25%.")
    assert importance_label("lead", [("a", "lead", 0.0, 0)]).endswith("Strongest: a 0%.")


@pytest.mark.parametrize("missing", ["title", "intro", "verdict", "contents"])
def test_template_names_nothing_unknown(missing: str) -> None:
    names = ("title", "intro", "verdict", "contents")
    with pytest.raises(UndefinedError, match=missing):
        render("page.html.j2", **{name: "a" for name in names if name != missing})


def test_the_policy_is_written_in_words(
    make_report: Callable[..., str], make_page: Callable[[str], Any], saved: SavedModel
) -> None:
    page = make_page(make_report(policies=policy_texts(saved.models.rules)))
    (policy,) = policy_texts(saved.models.rules)
    _, *rows = page.rows(f"{policy.sections_text}: rules learned from {policy.n_records} labelled records")
    assert [row[:3] for row in rows] == [[line.target, line.text, line.interval] for line in policy.lines]
    assert "#policy" in [of.get("href") for _, of, _ in page.all("a")]
    assert "Policy" not in make_page(make_report()).texts("h2")  # a model without rules


def test_small_changes_of_a_policy_are_counted(
    make_report: Callable[..., str], make_page: Callable[[str], Any], saved: SavedModel
) -> None:
    (section,) = saved.models.rules[0].sections
    effects = (ChangedEffect("has_image", 20.0, 12.0, 8.0), ChangedEffect("has_amp", 0.6, 0.0, 0.6))
    change = PolicyChange(section, "quality", datetime(2018, 5, 1, tzinfo=UTC), 90, 60, effects)
    page = make_page(make_report(policies=policy_texts(saved.models.rules, [change])))
    changed = [text for text in page.texts("th") if text.startswith("since ")]
    assert changed == ["since 2018-05-01 00:00 UTC: +12 instead of +20 where the record has an image"]
    assert "Left out: 1 change of less than a step of the labels." in page.texts("p")
