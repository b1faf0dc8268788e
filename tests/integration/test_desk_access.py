"""Accessibility of the desk: axe, the width of a phone, light and dark colours."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.integration.browser import DESKTOP, N_RECORDS, PHONE, drawn, loaded
from tests.integration.conftest import Open
from tests.integration.test_service import Service


def serious(page: Page) -> list[tuple[str, str]]:
    """Serious and critical violations found by axe, with the first element of each."""
    violations = Axe().run(page).response["violations"]
    return [
        (violation["id"], violation["nodes"][0]["html"])
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE), ("dark", PHONE)],
    ids=["light", "dark", "phone", "dark phone"],
)
def test_axe_finds_nothing_serious(
    open_page: Open, desk_service: Service, inbox: Path, scheme: str, viewport: dict[str, int]
) -> None:
    (inbox / "bad.md").write_text("---\ntitle: [\n---\n", "utf-8")
    page = open_page(desk_service.url, color_scheme=scheme, viewport=viewport)
    expect(page.locator("#count")).to_have_text(f"{N_RECORDS} left, 1 cannot be used")
    assert serious(page) == []
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.locator(".waterfall")).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.locator("#group").check()
    expect(page.locator(".story").first).to_be_visible()
    assert serious(page) == []
    page.locator("#text").fill("no such words")
    expect(page.locator("#empty")).to_be_visible()
    assert serious(page) == []


def test_it_fits_a_phone(open_page: Open, desk_service: Service, inbox: Path) -> None:
    page = loaded(open_page(desk_service.url, viewport=PHONE, has_touch=True))

    def overhang() -> int:
        return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    assert overhang() <= 0
    for control in page.locator("#tools > *:visible").all():
        box = control.bounding_box()
        assert box is not None
        assert 0 <= box["x"] < box["x"] + box["width"] <= PHONE["width"]
    for row in drawn(page).all()[:3]:
        box = row.bounding_box()
        assert box is not None
        assert 0 <= box["x"] < box["x"] + box["width"] <= PHONE["width"]
    for name in ("Add", "Undo", "Save", "Policy", "Help"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= PHONE["width"]
    drawn(page).first.tap()
    expect(page.locator(".waterfall")).to_be_visible()
    box = page.locator("#details").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, PHONE["width"])
    assert overhang() <= 0
    assert page.evaluate("(details.scrollWidth - details.clientWidth)") <= 0
    page.get_by_role("button", name="Accept", exact=True).tap()
    expect(page.get_by_role("button", name="Save 1")).to_be_attached()


@pytest.mark.parametrize(
    ("scheme", "viewport"), [("light", DESKTOP), ("dark", PHONE)], ids=["light", "dark phone"]
)
def test_coverage_is_compared_side_by_side(
    open_page: Open, desk_service: Service, inbox: Path, scheme: str, viewport: dict[str, int]
) -> None:
    related = "- title: A kite\n  originalUrl: https://mill.example/kite\n  quality: 7\n  excerpt: It fell.\n"
    head = "title: A kite over the mill\nprovider:\n  name: The Quay\nexcerpt: It rose.\n"
    (inbox / "kite.md").write_text(f"---\n{head}related:\n{related}---\n", "utf-8")
    page = open_page(desk_service.url, color_scheme=scheme, viewport=viewport)
    expect(page.locator("#count")).to_have_text(f"{N_RECORDS + 1} left")
    page.locator("#text").fill("kite over")
    expect(page.locator(".record .title")).to_have_text(["A kite over the mill"])
    page.locator("#grid").focus()
    page.keyboard.press("c")
    own, other = (page.locator("#compare li").nth(index) for index in range(2))
    expect(page.locator("#compare li")).to_have_count(2)
    expect(own).to_contain_text("this record")
    expect(own.locator("mark")).to_have_count(0)
    expect(other.get_by_role("link", name="A kite")).to_have_attribute("href", "https://mill.example/kite")
    expect(other.locator("mark")).to_have_text(["fell"])
    expect(other.locator(".differs dt")).to_have_text(["Provider", "Quality"])
    expect(other).to_contain_text("≠ 7")
    expect(other).to_contain_text("not known")
    assert serious(page) == []
    places = [column.bounding_box() for column in (own, other)]
    assert places[0] is not None
    assert places[1] is not None
    assert (places[0]["y"] == places[1]["y"]) == (viewport == DESKTOP)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.keyboard.press("Escape")
    expect(page.locator("#compare")).to_be_hidden()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Compare side by side").click()
    expect(page.locator("#compare li")).to_have_count(2)


def test_targets_are_large_enough_on_a_phone_and_numbers_are_labelled(
    open_page: Open, desk_service: Service, inbox: Path
) -> None:
    page = loaded(open_page(desk_service.url, viewport=PHONE, has_touch=True))
    drawn(page).first.tap()
    expect(page.locator(".waterfall")).to_be_visible()
    small = page.evaluate(
        """() => [..."button select a input:not([type=checkbox]) .check .record".split(" ")]
            .flatMap(kind => [...document.querySelectorAll(kind)])
            .filter(element => element.checkVisibility() && !element.closest(".heads"))
            .filter(element => ["height", "width"].some(side => element.getBoundingClientRect()[side] < 44))
            .map(element => element.outerHTML.slice(0, 90))"""
    )
    assert small == []
    labels = [
        drawn(page).first.locator(f".{name}").evaluate("cell => getComputedStyle(cell, '::before').content")
        for name in ("heat", "quality", "published")
    ]
    assert labels == ['"Heat"', '"Quality"', '"Published"']


def test_dark_is_dark(open_page: Open, desk_service: Service, inbox: Path) -> None:
    grounds = {
        scheme: loaded(open_page(desk_service.url, color_scheme=scheme)).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    }
    assert grounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}
