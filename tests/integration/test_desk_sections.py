"""Sections on the desk, in a real browser: different scales of points, the filter, unknown sections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scoring.records.synthetic.generate import write_sample
from scoring.workflows.train import TrainOutcome
from tests.integration.browser import PHONE
from tests.integration.conftest import Open
from tests.integration.test_desk_access import serious
from tests.integration.test_service import Service, serving
from tests.sites import SIX_TIMES

N_EACH = 12
N_UNKNOWN = 3


@pytest.fixture(scope="module")
def sections_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an inbox of two known sections and an unknown one, whose records name no section last."""
    folder = tmp_path_factory.mktemp("sections")
    write_sample(folder / "inbox" / "harbour", n_records=N_EACH, seed=5, is_labelled=False, section="Harbour")
    write_sample(
        folder / "inbox" / "meadow",
        n_records=N_EACH,
        seed=6,
        is_labelled=False,
        section="Meadow",
        policy=SIX_TIMES,
    )
    write_sample(folder / "inbox" / "quay", n_records=N_UNKNOWN, seed=7, is_labelled=False, section="Quay")
    for file in (folder / "inbox" / "meadow").iterdir():  # the section may stand anywhere among the topics
        text = file.read_text("utf-8")
        file.write_text(text.replace("topics:\n  - Meadow\n", "topics:\n  - Alders\n  - Meadow\n"), "utf-8")
    return folder


@pytest.fixture(scope="module")
def sections_service(sections_place: Path, two_scales: TrainOutcome) -> Iterator[Service]:
    options = ("--model", two_scales.model, "--inbox", str(sections_place / "inbox"))
    with serving(sections_place, *options) as found:
        yield found


@pytest.fixture
def desk(open_page: Open, sections_service: Service) -> Page:
    page = open_page(sections_service.url)
    expect(page.locator("#count")).to_have_text(f"{2 * N_EACH + N_UNKNOWN} left")
    return page


def numbers(page: Page, name: str) -> list[int]:
    texts = page.locator(f".record .{name} b").all_inner_texts()
    return [int(text.rstrip("%").replace(",", "").replace("\N{MINUS SIGN}", "-")) for text in texts]


def sorted_by(page: Page) -> list[str]:
    """Columns that the grid says it is sorted by."""
    heads = page.locator("[data-order][aria-sort=descending]")
    return [str(head.get_attribute("data-order")) for head in heads.all()]


def test_across_scales_rows_come_by_probability_and_the_page_says_so(desk: Page) -> None:
    note = desk.locator("#order-note")
    for order in ("heat", "quality"):
        desk.locator("#order").select_option(order)
        expect(note).to_contain_text(f"Choose a section to order by {order}")
        expect(desk.locator("#order")).to_have_value("published")
        assert sorted_by(desk) == ["published"]
        shares = numbers(desk, "published")
        assert shares == sorted(shares, reverse=True)
        qualities = numbers(desk, "quality")
        assert qualities != sorted(qualities, reverse=True)
    sections = desk.locator(".record .section").all_inner_texts()
    assert sections != sorted(sections)  # by points all of Meadow would come first
    assert sections != sorted(sections, reverse=True)


def test_within_a_section_rows_come_by_points(desk: Page) -> None:
    desk.locator("#order").select_option("quality")
    for section in ("Harbour", "Meadow"):
        desk.locator("#section").select_option(f"known {section}")
        expect(desk.locator("#count")).to_contain_text(f"{N_EACH} of ")
        expect(desk.locator("#order-note")).to_be_hidden()
        expect(desk.locator("#order")).to_have_value("quality")
        assert sorted_by(desk) == ["quality"]
        qualities = numbers(desk, "quality")
        assert qualities == sorted(qualities, reverse=True)
        assert len(set(desk.locator(".record .section").all_inner_texts())) == 1


def test_what_needs_review_comes_first_whatever_the_scale(desk: Page) -> None:
    desk.keyboard.press("n")
    expect(desk.locator("#order")).to_have_value("doubt")
    classes = desk.locator(".record").evaluate_all("all => all.map(one => one.classList.contains('open'))")
    n_open = sum(classes)
    assert classes == [True] * n_open + [False] * (len(classes) - n_open)
    shares = numbers(desk, "published")[n_open:]
    assert shares == sorted(shares, reverse=True)


def test_bars_have_the_scale_of_their_section(desk: Page) -> None:
    highest = {}
    for section in ("Harbour", "Meadow"):
        desk.locator("#section").select_option(f"known {section}")
        expect(desk.locator("#count")).to_contain_text(f"{N_EACH} of ")
        ends = desk.locator(".record .quality .bar").evaluate_all(
            "all => all.map(bar => Number(bar.style.getPropertyValue('--high')))"
        )
        highest[section] = max(ends)
    assert highest["Meadow"] > 0.9
    assert highest["Harbour"] > 0.9  # with one scale for all at most a sixth


def test_rows_of_an_unknown_section_are_marked_and_found(desk: Page) -> None:
    options = desk.locator("#section option").all_inner_texts()
    assert sorted(options) == sorted(
        ["All sections", f"Harbour ({N_EACH})", f"Meadow ({N_EACH})", f"unknown section ({N_UNKNOWN})"]
    )
    marked = desk.locator(".record .unknown-section")
    expect(marked).to_have_text(["unknown section"] * N_UNKNOWN)
    desk.locator("#section").select_option("unknown ")
    expect(desk.locator(".record")).to_have_count(N_UNKNOWN)
    desk.locator(".record").first.click()
    expect(desk.locator("#details")).to_contain_text("unknown section")
    expect(desk.locator("#details .unknown")).to_contain_text("section unknown to the model")


def test_a_section_is_found_wherever_its_topic_stands(desk: Page) -> None:
    desk.locator("#section").select_option("known Meadow")
    expect(desk.locator(".record")).to_have_count(N_EACH)
    assert all(text.startswith("Alders, Meadow") for text in desk.locator(".topics").all_inner_texts())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits_a_phone(open_page: Open, sections_service: Service, scheme: str) -> None:
    page = open_page(sections_service.url, color_scheme=scheme, viewport=PHONE)
    expect(page.locator("#order-note")).to_be_visible()
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
