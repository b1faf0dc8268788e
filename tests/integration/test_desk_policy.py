"""The policy of the model on the desk, in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scoring.artifact.saved_model import load_model, save_model
from scoring.explanation.policy import policy_lines
from scoring.model.policy_change import ChangedEffect, PolicyChange
from scoring.records.synthetic.generate import write_sample
from scoring.workflows.train import TrainOutcome
from tests.integration.browser import DESKTOP, PHONE
from tests.integration.conftest import Open
from tests.integration.test_desk_access import serious
from tests.integration.test_service import Service, serving, wait_until

OLD = Path(__file__).parents[1] / "model" / "format_1" / "model"


@pytest.fixture(scope="module")
def policy_service(two_scales: TrainOutcome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without an inbox."""
    with serving(tmp_path_factory.mktemp("policy"), "--model", two_scales.model) as found:
        yield found


def opened(page: Page) -> Page:
    expect(page.locator("#link")).not_to_have_text("not connected")
    page.get_by_role("button", name="Policy", exact=True).click()
    expect(page.locator(".rules").first).to_be_visible()
    return page


def test_it_is_what_the_command_says_by_section(
    open_page: Open, policy_service: Service, two_scales: TrainOutcome
) -> None:
    page = opened(open_page(policy_service.url))
    rules = load_model(Path(two_scales.model)).models.rules
    expect(page.locator("#policy h3")).to_have_text(
        ["Harbour 300 labelled records", "Meadow a policy of its own, 200 labelled records"]
    )
    for section in ("Harbour", "Meadow"):
        table = page.get_by_role("table", name=f"Policy of {section}")
        lines = policy_lines(rules, section)
        assert table.get_by_role("rowheader").all_inner_texts() == [line.text for line in lines]
        intervals = table.locator("td:nth-child(3)").all_inner_texts()
        assert intervals == [line.interval for line in lines]
    assert page.locator("#policy").get_by_text(load_model(Path(two_scales.model)).name).is_visible()


def test_small_changes_are_counted(open_page: Open, two_scales: TrainOutcome, tmp_path: Path) -> None:
    saved = load_model(Path(two_scales.model))
    effects = (ChangedEffect("has_image", 20.0, 12.0, 8.0), ChangedEffect("has_amp", 0.6, 0.0, 0.6))
    change = PolicyChange("Harbour", "quality", datetime(2018, 5, 1, tzinfo=UTC), 90, 60, effects)
    models = replace(saved.models, changes=(change,))
    save_model(tmp_path / "model", models, saved.manifest.training, saved.manifest.profile)
    with serving(tmp_path, "--model", str(tmp_path / "model")) as service:
        page = opened(open_page(service.url))
        body = page.locator("#policy-body")
        expect(body).to_contain_text("+12 instead of +20 where the record has an image")
        expect(body).to_contain_text("Left out: 1 change of less than a step of the labels.")
        expect(body).not_to_contain_text("+0 instead of +0.6")


def test_by_keys_alone_and_back_to_the_list(open_page: Open, policy_service: Service) -> None:
    page = open_page(policy_service.url)
    expect(page.locator("#place")).not_to_be_empty()
    page.keyboard.press("p")
    expect(page.locator(".rules").first).to_be_visible()
    page.keyboard.press("n")  # a key of the list, which is not in reach
    expect(page.locator("#order")).to_have_value("heat")
    body = page.locator("#policy-body")
    page.keyboard.press("Tab")
    expect(body).to_be_focused()
    page.keyboard.press("End")
    wait_until(lambda: page.evaluate("document.getElementById('policy-body').scrollTop") > 0)
    page.keyboard.press("Escape")
    expect(page.locator("#policy")).to_be_hidden()
    page.keyboard.press("n")
    expect(page.locator("#order")).to_have_value("doubt")


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE), ("dark", PHONE)],
    ids=["light", "dark", "phone", "dark phone"],
)
def test_axe_finds_nothing_serious_and_it_fits(
    open_page: Open, policy_service: Service, scheme: str, viewport: dict[str, int]
) -> None:
    page = opened(open_page(policy_service.url, color_scheme=scheme, viewport=viewport))
    assert serious(page) == []
    for name in ("document.documentElement", "document.getElementById('policy-body')"):
        assert page.evaluate(f"{name}.scrollWidth - {name}.clientWidth") <= 0
    box = page.get_by_role("button", name="Close the policy").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= viewport["width"]


def test_a_change_of_the_model_is_told_with_what_it_changes(
    open_page: Open, two_scales: TrainOutcome, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(two_scales.model, folder)
    write_sample(tmp_path / "inbox", n_records=12, seed=5, is_labelled=False, section="Harbour")
    with serving(tmp_path, "--model", str(folder), "--inbox", str(tmp_path / "inbox")) as service:
        page = open_page(service.url)
        expect(page.locator("#count")).to_have_text("12 left")
        expect(page.locator("#notice")).to_be_hidden()
        page.keyboard.press("a")
        folder.rename(tmp_path / "before")
        shutil.copytree(OLD, tmp_path / "next")
        (tmp_path / "next").rename(folder)
        notice = page.locator("#notice")
        before, after = (load_model(path).name for path in (tmp_path / "before", folder))
        expect(notice).to_contain_text(f"The model has changed from {before} to {after}: ")
        expect(notice).to_contain_text("1 accepted record, not saved yet, has other scores now")
        page.get_by_role("button", name="Dismiss").click()
        expect(notice).to_be_hidden()


def test_another_model_is_shown_as_soon_as_it_scores_and_one_without_rules_says_so(
    open_page: Open, two_scales: TrainOutcome, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(two_scales.model, folder)
    with serving(tmp_path, "--model", str(folder)) as service:
        page = opened(open_page(service.url))
        folder.rename(tmp_path / "before")
        shutil.copytree(OLD, tmp_path / "next")
        (tmp_path / "next").rename(folder)
        expect(page.locator("#policy-body")).to_contain_text("was trained before models had rules")
        expect(page.locator(".rules")).to_have_count(0)
