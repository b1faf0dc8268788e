"""Labels to give next on the desk, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from scoring.records.corpus import read_documents
from scoring.records.synthetic.generate import write_sample
from scoring.settings import load_settings
from scoring.workflows.suggest import SuggestOutcome, suggest
from scoring.workflows.train import TrainOutcome
from tests.integration.browser import DESKTOP, PHONE
from tests.integration.conftest import Open
from tests.integration.test_desk_access import serious
from tests.integration.test_service import Service, serving

N_RECORDS = 30


def stop(error: Exception) -> None:
    raise error


@pytest.fixture(scope="module")
def suggested_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suggested")
    for section, seed in (("Harbour", 8), ("Meadow", 9)):
        write_sample(
            folder / "inbox" / section.lower(),
            n_records=N_RECORDS // 2,
            seed=seed,
            is_labelled=False,
            section=section,
        )
    return folder


@pytest.fixture(scope="module")
def suggested_service(suggested_place: Path, two_scales: TrainOutcome) -> Iterator[Service]:
    options = ("--model", two_scales.model, "--inbox", str(suggested_place / "inbox"))
    with serving(suggested_place, *options) as found:
        yield found


@pytest.fixture
def page(open_page: Open, suggested_service: Service) -> Page:
    return loaded(open_page(suggested_service.url))


def loaded(page: Page) -> Page:
    expect(page.locator("#count")).to_have_text(f"{N_RECORDS} left")
    return page


def outcome_of(place: Path, model: str) -> SuggestOutcome:
    settings = load_settings(home=place / "home", threads=1)
    return suggest([str(place / "inbox")], count=50, model=model, settings=settings, on_fault=stop)


def title_of(path: str) -> str:
    (document,) = read_documents([path], on_fault=stop)
    return document.record.title


def test_rows_come_in_the_order_of_the_command_with_a_reason_each(
    page: Page, suggested_place: Path, two_scales: TrainOutcome
) -> None:
    outcome = outcome_of(suggested_place, two_scales.model)
    expect(page.locator(".chip.next")).to_have_count(0)
    page.locator("#order").select_option("labels")
    expect(page.locator("#order-note")).to_contain_text(
        f"The {len(outcome.suggestions)} records whose labels would teach the model the most, of "
        f"{N_RECORDS} records without a label"
    )
    expect(page.locator(".record .chip.next").first).to_have_text("label 1")
    titles = page.locator(".record .title").all_inner_texts()
    n_seen = min(len(titles), len(outcome.suggestions))
    assert titles[:n_seen] == [suggestion.title for suggestion in outcome.suggestions][:n_seen]
    reasons = page.locator(".record .why").all_inner_texts()
    assert reasons == ["; ".join(suggestion.reasons) for suggestion in outcome.suggestions][: len(reasons)]
    expect(page.locator(".record.active .title")).to_have_text(titles[0])
    page.keyboard.press("Enter")
    expect(page.locator("#details .note.next")).to_contain_text(
        f"Number 1 of the records to label next: {reasons[0]}."
    )


def test_a_decision_takes_a_record_off_the_list_and_a_save_finds_others(
    page: Page, suggested_place: Path
) -> None:
    page.keyboard.press("l")
    note = page.locator("#order-note")
    expect(note).to_contain_text(f"of {N_RECORDS} records without a label")
    first = page.locator(".record .title").first.inner_text()
    page.keyboard.press("a")
    expect(page.locator(".record .title").first).not_to_have_text(first)
    expect(page.locator(".record .chip.next").first).to_have_text("label 2")
    page.keyboard.press("w")
    expect(page.locator("#toast")).to_have_text("1 file saved")
    expect(note).to_contain_text(f"of {N_RECORDS - 1} records without a label")
    expect(page.locator(".record .chip.next").first).to_have_text("label 1")
    assert first not in page.locator(".record.suggested .title").all_inner_texts()
    page.keyboard.press("u")
    expect(page.locator("#toast")).to_have_text("1 file restored")
    expect(note).to_contain_text(f"of {N_RECORDS} records without a label")
    page.keyboard.press("u")  # the decision, too
    expect(page.locator("#count")).to_have_text(f"{N_RECORDS} left")
    page.keyboard.press("l")
    expect(note).not_to_contain_text("without a label")
    expect(page.locator(".record .why")).to_have_count(0)


def test_it_says_that_they_are_being_found_and_the_page_goes_on(
    open_page: Open, suggested_service: Service
) -> None:
    page = loaded(open_page(suggested_service.url))
    held: list[Route] = []
    page.route("**/desk/suggestions", lambda route: held.append(route))
    with page.expect_request("**/desk/suggestions", timeout=60_000):
        page.keyboard.press("l")
    expect(page.locator("#order-note")).to_have_text(
        "Finding the records whose labels would teach the model the most …"
    )
    assert serious(page) == []
    before = page.locator(".record.active .title").inner_text()
    page.keyboard.press("j")
    expect(page.locator(".record.active .title")).not_to_have_text(before)
    page.unroute("**/desk/suggestions")  # lets what is held go on
    expect(page.locator(".record .why").first).to_be_visible()


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE), ("dark", PHONE)],
    ids=["light", "dark", "phone", "dark phone"],
)
def test_axe_finds_nothing_serious_and_it_fits(
    open_page: Open, suggested_service: Service, scheme: str, viewport: dict[str, int]
) -> None:
    page = loaded(open_page(suggested_service.url, color_scheme=scheme, viewport=viewport))
    page.keyboard.press("l")
    why = page.locator(".record .why").first
    expect(why).to_be_visible()
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    box, row = why.bounding_box(), page.locator(".record").first.bounding_box()
    assert box is not None
    assert row is not None
    assert box["width"] > 100
    assert box["x"] + box["width"] <= row["x"] + row["width"]


def test_without_an_inbox_it_says_so(open_page: Open, two_scales: TrainOutcome, tmp_path: Path) -> None:
    with serving(tmp_path, "--model", two_scales.model) as service:
        page = open_page(service.url)
        expect(page.locator("#place")).not_to_be_empty()
        page.locator("#order").select_option("labels")
        expect(page.locator("#order-note")).to_contain_text("are suggested from an inbox")
