"""The desk in a real browser, by mouse and keyboard."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from scoring.artifact.saved_model import SavedModel
from scoring.model.label_ranges import label_ranges
from scoring.records.corpus import read_documents
from scoring.records.ledger import read_ledger
from scoring.records.synthetic.generate import write_sample
from scoring.workflows.train import TrainOutcome
from tests.integration.browser import N_RECORDS, drawn, loaded
from tests.integration.conftest import Open
from tests.integration.test_service import Service, serving, wait_until

TOKEN = "0123456789abcdef"  # noqa: S105 -- of these tests


def stop(error: Exception) -> None:
    raise error


def titles(page: Page) -> list[str]:
    """Titles of the visible rows, from top to bottom."""
    return page.locator(".record .title").all_inner_texts()


def active(page: Page) -> str:
    return page.locator(".record.active .title").inner_text()


def having(page: Page, selector: str, name: str) -> list[bool]:
    """Whether each element has a class."""
    classes = page.locator(selector).evaluate_all("all => all.map(one => [...one.classList])")
    return [name in names for names in classes]


def signed(text: str) -> float:
    """A number as the page shows it, with a typographic minus sign."""
    return float(text.replace("\N{MINUS SIGN}", "-").replace("+", ""))


def file_of(inbox: Path, title: str) -> Path:
    (path,) = [
        Path(document.path)
        for document in read_documents([str(inbox)], on_fault=stop)
        if document.record.title == title
    ]
    return path


def test_rows_come_by_expected_heat_with_what_the_model_says(
    desk: Page, inbox: Path, desk_service: Service
) -> None:
    shown = titles(desk)
    scores: list[tuple[str, dict[str, Any]]] = []
    for document in read_documents([str(inbox)], on_fault=stop):
        status, answer = desk_service.ask("/v1/score", Path(document.path).read_bytes(), kind="text/markdown")
        assert status == 200
        scores.append((document.record.title, json.loads(answer)))
    scores.sort(key=lambda pair: -pair[1]["heat_expected"])
    assert shown == [title for title, _ in scores][: len(shown)]
    first = drawn(desk).first
    _, score = scores[0]
    assert first.locator(".heat b").inner_text() == str(round(score["heat_expected"]))
    assert first.locator(".heat small").inner_text() == f"label {score['heat']}"
    assert first.locator(".quality b").inner_text() == str(score["quality"])
    low, high = round(score["quality_low"]), round(score["quality_high"])
    assert first.locator(".quality").get_attribute("title") == f"90% interval {low} to {high}"
    assert first.locator(".published b").inner_text() == f"{round(100 * score['published_probability'])}%"
    expect(desk.locator("#link")).to_have_text("live")
    assert desk.locator("#grid").get_attribute("aria-rowcount") == str(N_RECORDS + 1)
    follower = desk.locator(".record .led").first
    assert re.match("led by .+", follower.inner_text())


def test_orders_filters_and_stories(desk: Page) -> None:
    by_heat = titles(desk)
    desk.get_by_role("button", name="Heat").click()
    expect(desk.locator("[data-order=heat]")).to_have_attribute("aria-sort", "descending")
    heats = [signed(text) for text in desk.locator(".record .heat b").all_inner_texts()]
    assert heats == sorted(heats, reverse=True)  # of the numbers that are shown
    desk.get_by_role("button", name="Quality").click()
    expect(desk.locator("[data-order=quality]")).to_have_attribute("aria-sort", "descending")
    qualities = [int(text) for text in desk.locator(".record .quality b").all_inner_texts()]
    assert qualities == sorted(qualities, reverse=True)
    desk.keyboard.press("n")
    expect(desk.locator("#order")).to_have_value("doubt")
    expect(desk.locator("[data-order=doubt]")).to_have_attribute("aria-sort", "descending")
    is_open = having(desk, ".record", "open")
    assert any(is_open)
    assert is_open == sorted(is_open, reverse=True)
    desk.keyboard.press("n")
    expect(desk.locator(".record .title").first).to_have_text(by_heat[0])

    desk.keyboard.press("/")
    desk.keyboard.type("a/b")
    expect(desk.locator("#text")).to_have_value("a/b")
    desk.locator("#text").select_text()
    desk.keyboard.type("PRUNING rig")
    expect(desk.locator("#count")).to_have_text(re.compile(rf"^\d+ of {N_RECORDS} left"))
    assert all("pruning rig" in title.lower() for title in titles(desk))
    desk.keyboard.press("Escape")
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS} left")
    desk.locator("#topic").select_option(index=2)
    topic = desk.locator("#topic").input_value()
    expect(desk.locator("#count")).to_have_text(re.compile(" of "))
    assert all(topic in text for text in desk.locator(".record .topics").all_inner_texts())
    desk.locator("#topic").select_option("")
    desk.locator("#provider").select_option(index=1)
    provider = desk.locator("#provider").input_value()
    expect(desk.locator("#count")).to_have_text(re.compile(" of "))
    assert all(text.startswith(provider) for text in desk.locator(".record .facts").all_inner_texts())
    desk.locator("#provider").select_option("")
    desk.locator("#state").select_option("labelled")
    expect(desk.get_by_role("heading", name="No records match the filter")).to_be_visible()
    desk.locator("#state").select_option("")

    desk.get_by_label("By story").check()
    story = desk.locator(".story").first
    expect(story).to_be_visible()
    count = int(story.inner_text().split()[0])
    begin = having(desk, "#window > *", "story").index(True) + 1
    assert having(desk, "#window > *", "within")[begin : begin + count] == [True] * count


def test_details_add_up_and_follow_the_keys(desk: Page) -> None:
    drawn(desk).nth(1).click()
    details = desk.locator("#details")
    expect(details.locator("h2")).to_have_text(titles(desk)[1])
    expect(details.locator(".waterfall")).to_be_visible()
    *parts, total = map(signed, details.locator(".value").all_inner_texts())
    assert sum(parts) == pytest.approx(total, abs=0.06 * len(parts))
    quality = details.locator(".figures b").first.inner_text()
    assert round(total) == pytest.approx(int(quality), abs=1)
    for target in ("lead", "heat", "published"):
        details.get_by_role("button", name=target, exact=True).click()
        expect(details.locator(".waterfall caption")).to_have_text(f"Why this {target}")
    expect(details.get_by_role("heading", name="What would change it")).to_be_visible()
    desk.locator("#grid").focus()
    desk.keyboard.press("j")
    expect(details.locator("h2")).to_have_text(titles(desk)[2])
    desk.keyboard.press("Escape")
    expect(details).to_be_hidden()
    desk.keyboard.press("Enter")
    expect(details).to_be_visible()
    desk.keyboard.press("Escape")


def test_what_the_model_did_not_know_is_reported(desk: Page, inbox: Path) -> None:
    (inbox / "odd.md").write_text(
        "---\ntitle: A kite over the mill\nprovider:\n  domain: odd.example\ntopics:\n- Kites\n---\n",
        "utf-8",
    )
    desk.locator("#text").fill("kite over")
    expect(desk.locator(".record .title")).to_have_text(["A kite over the mill"])
    drawn(desk).click()
    unknown = desk.locator(".unknown")
    expect(unknown).to_contain_text("provider unknown to the model: odd.example")
    expect(unknown).to_contain_text("topic unknown to the model: Kites")


def test_details_say_of_how_much_coverage_they_show_the_best(desk: Page, inbox: Path) -> None:
    related = "".join(f"- title: Gull {index}\n  quality: {index}\n" for index in range(20))
    text = f"---\ntitle: A kite over the mill\ntopics:\n- Tessaril\nrelated:\n{related}---\n"
    (inbox / "covered.md").write_text(text, "utf-8")
    desk.locator("#text").fill("kite over")
    expect(desk.locator(".record .title")).to_have_text(["A kite over the mill"])
    drawn(desk).click()
    expect(desk.get_by_role("heading", name="Coverage: the best 12 of 20")).to_be_visible()
    expect(desk.locator("#details .coverage li")).to_have_count(12)


def test_corrected_by_keys_alone_undone_written_and_taken_back(desk: Page, inbox: Path, place: Path) -> None:
    before = {file.name: file.read_bytes() for file in inbox.iterdir()}
    desk.keyboard.press("k")  # the first has the focus from the start
    first = active(desk)
    row = drawn(desk).first
    quality = int(row.locator(".quality b").inner_text())
    heat = int(row.locator(".heat small").inner_text().removeprefix("label "))
    desk.keyboard.press("e")
    desk.keyboard.type(str(quality + 3))
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("button", name="Save 1")).to_be_enabled()
    second = active(desk)
    assert second != first
    desk.keyboard.press("a")
    third = active(desk)
    desk.keyboard.press("a")
    expect(desk.get_by_role("button", name="Save 3")).to_be_enabled()
    desk.keyboard.press("u")
    expect(desk.locator(".record.active .title")).to_have_text(third)
    expect(desk.get_by_role("button", name="Save 2")).to_be_enabled()
    desk.locator("#state").select_option("pending")
    expect(desk.locator(".record .chip.pending")).to_have_text(["corrected", "accepted"])
    desk.locator("#state").select_option("todo")
    desk.locator("#grid").focus()
    assert {file.name: file.read_bytes() for file in inbox.iterdir()} == before

    desk.keyboard.press("w")
    expect(desk.locator("#toast")).to_have_text("2 files saved")
    changed = {file.name: file.read_bytes() for file in inbox.iterdir()}
    first_name, second_name = file_of(inbox, first).name, file_of(inbox, second).name
    assert {name for name in before if changed[name] != before[name]} == {first_name, second_name}
    labels = re.search(rb"quality: (-?\d+)\nheat: (-?\d+)\npublished: (true|false)\n", changed[first_name])
    assert labels is not None
    assert (int(labels[1]), int(labels[2])) == (quality + 3, heat + 3)  # by the model's rule
    assert changed[first_name].replace(labels[0], b"") == before[first_name]
    lines = read_ledger(place / "home" / "corrections.jsonl").corrections
    assert [(line.path, line.field, line.predicted, line.value) for line in lines] == [
        (first_name, "quality", quality, quality + 3),
        (first_name, "heat", heat, heat + 3),
    ]
    desk.locator("#state").select_option("corrected")
    expect(desk.locator(".record .title")).to_have_text([first])
    expect(desk.locator(".record .values")).to_have_text(re.compile(rf"^{quality + 3} · {heat + 3} · \w+$"))
    desk.locator("#state").select_option("todo")
    expect(desk.get_by_text(first, exact=True)).to_have_count(0)  # else its own step is undone
    desk.locator("#grid").focus()

    desk.keyboard.press("u")
    expect(desk.locator("#toast")).to_have_text("2 files restored")
    assert {file.name: file.read_bytes() for file in inbox.iterdir()} == before
    assert read_ledger(place / "home" / "corrections.jsonl").holding() == {}
    expect(desk.get_by_role("button", name="Save 2")).to_be_enabled()
    desk.keyboard.press("u")
    expect(desk.get_by_role("button", name="Save 1")).to_be_enabled()
    expect(desk.locator(".record.active .title")).to_have_text(second)


def test_a_correction_without_a_change_decides_nothing_unless_the_file_has_changed(
    desk: Page, inbox: Path
) -> None:
    first = active(desk)
    desk.keyboard.press("e")
    desk.keyboard.press("Enter")
    expect(desk.locator("#toast")).to_contain_text("No value was changed, so nothing is decided")
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS} left")
    desk.get_by_label("Note").fill("looked at it")  # is a change
    desk.keyboard.press("Enter")
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS - 1} left")
    file = file_of(inbox, first)
    file.write_bytes(file.read_bytes().replace(b"\ntype:", b"\nquality: 5\ntype:", 1))
    expect(desk.locator(".record .chip.doubt", has_text="file changed")).to_have_count(1)
    desk.locator(".record .title").get_by_text(first, exact=True).click()
    desk.get_by_role("button", name="Save correction").click()  # keeps the decision
    expect(desk.locator(".record .chip.doubt", has_text="file changed")).to_have_count(0)


def test_titles_beside_the_details_have_two_lines(desk: Page) -> None:
    second = drawn(desk).nth(1)
    expect(second).to_have_css("top", "52px")
    desk.keyboard.press("Enter")
    expect(second).to_have_css("top", "72px")
    assert re.search(r" \d{4}-\d\d-\d\d \d\d:\d\d UTC", drawn(desk).first.locator(".facts").inner_text())


def test_what_was_decided_outlives_a_reload_and_a_change_of_the_record_but_not_of_its_labels(
    desk: Page, inbox: Path
) -> None:
    first, second, third, *_ = titles(desk)
    for _ in range(3):
        desk.keyboard.press("a")
    desk.reload()
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS - 3} left")
    expect(desk.get_by_role("button", name="Save 3")).to_be_enabled()
    desk.keyboard.press("u")  # the last one can still be undone
    expect(desk.locator(".record.active .title")).to_have_text(third)
    expect(desk.get_by_role("button", name="Save 2")).to_be_enabled()

    file = file_of(inbox, first)
    file.write_bytes(file.read_bytes().replace(b'\ntitle: "', b'\ntitle: "Now ', 1))
    other = file_of(inbox, second)
    other.write_bytes(other.read_bytes().replace(b"\ntype:", b"\nquality: 5\ntype:", 1))
    expect(desk.get_by_role("button", name="Save 1")).to_be_enabled()
    expect(desk.locator(".record .chip.doubt", has_text="file changed")).to_have_count(1)
    desk.locator(".record .title").get_by_text(second, exact=True).click()
    expect(desk.locator("#details .note").first).to_contain_text("have changed since this decision")
    file.chmod(0o640)
    desk.keyboard.press("w")
    expect(desk.locator("#toast")).to_have_text("1 file saved")
    assert b"\nquality: " in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o640
    desk.get_by_role("button", name="Accept", exact=True).click()
    expect(desk.get_by_role("button", name="Save 1")).to_be_enabled()
    desk.keyboard.press("w")
    wait_until(lambda: b"\nquality: 5\n" not in other.read_bytes())
    expect(desk.get_by_role("button", name="Save 1")).to_have_count(0)


def test_a_decision_follows_a_renamed_file_and_is_shown_if_its_file_is_gone(desk: Page, inbox: Path) -> None:
    first, second, *_ = titles(desk)
    for _ in range(2):
        desk.keyboard.press("a")
    expect(desk.locator("#progress")).to_have_text("2 decided, 100% accepted")
    file_of(inbox, first).rename(inbox / "renamed.md")
    gone = file_of(inbox, second)
    content = gone.read_bytes()
    gone.unlink()
    expect(desk.locator("#progress")).to_have_text("1 decided, 100% accepted; 1 decision without a file")
    desk.locator("#state").select_option("pending")
    expect(desk.locator(".record .title")).to_have_text([first])
    desk.locator("#progress").click()
    lost = desk.locator("#people .lost li")
    expect(lost).to_contain_text(re.compile(rf"^{re.escape(gone.name)}You, .* UTC: quality \d+, heat"))
    desk.keyboard.press("Escape")
    (inbox / "again.md").write_bytes(content)
    expect(desk.locator("#progress")).to_have_text("2 decided, 100% accepted")
    desk.locator("#grid").focus()
    desk.keyboard.press("w")
    expect(desk.locator("#toast")).to_have_text("2 files saved")
    assert all(b"\nquality: " in (inbox / name).read_bytes() for name in ("renamed.md", "again.md"))
    (inbox / "again.md").unlink()  # a saved one needs no file
    expect(desk.locator("#progress")).to_have_text("1 decided, 100% accepted")


def test_a_decision_draws_only_the_rows_that_it_changes(desk: Page) -> None:
    desk.locator("#state").select_option("")  # where decided records stay
    mark = "rows => rows.forEach(row => (row.dataset.isOld = true))"
    drawn(desk).evaluate_all(mark)
    n_rows = drawn(desk).count()
    desk.locator("#grid").focus()
    desk.keyboard.press("a")
    desk.keyboard.press("a")
    expect(desk.locator("#progress")).to_have_text("2 decided, 100% accepted")
    expect(desk.locator(".record .chip.pending")).to_have_count(2)
    assert desk.locator(".record:not([data-is-old])").count() == 2
    drawn(desk).evaluate_all(mark)
    desk.keyboard.press("u")
    expect(desk.locator(".record .chip.pending")).to_have_count(1)
    assert desk.locator(".record:not([data-is-old])").count() == 1
    assert drawn(desk).count() == n_rows
    drawn(desk).nth(3).click()
    form = desk.locator("#details form")
    form.evaluate("form => (form.dataset.isOld = true)")
    desk.locator("#state").select_option("todo")
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS - 1} left")
    expect(form).to_have_attribute("data-is-old", "true")  # a click on it is not lost


def test_two_people_agree_and_the_later_one_is_told(
    desk: Page, open_page: Open, desk_service: Service
) -> None:
    other = loaded(open_page(desk_service.url))
    for page, name in ((desk, "Anna"), (other, "Bob")):
        page.get_by_role("button", name="Help").click()
        page.locator("#by").fill(name)
        page.locator("#by").blur()
        page.keyboard.press("Escape")
        page.locator("#grid").focus()
    first = active(desk)
    held: list[Any] = []
    other.route("**/desk/decide", lambda route: held.append(route))
    other.keyboard.press("a")  # on its way while Anna decides
    expect(other.locator("#count")).to_have_text(f"{N_RECORDS - 1} left")
    desk.keyboard.press("e")
    desk.keyboard.type("7")
    desk.keyboard.press("Enter")
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS - 1} left")
    expect(desk.locator("#progress")).to_have_text("1 decided, 0% accepted")
    held[0].continue_()
    told = f"{first}: Anna decided this just now (quality 7"
    expect(other.locator("#toast")).to_contain_text(told, timeout=20_000)
    other.unroute("**/desk/decide")
    other.locator("#state").select_option("done")
    expect(other.locator(".record .chip.pending")).to_have_text("corrected, Anna")
    expect(other.locator("#write")).to_be_disabled()  # it is hers
    other.locator(".record").first.click()
    expect(other.locator("#details")).to_contain_text("Decided by Anna")
    other.locator("#details").get_by_role("button", name="Undo", exact=True).click()
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS} left")


def test_people_without_a_name_are_told_apart(desk: Page, open_page: Open, desk_service: Service) -> None:
    second, third = (loaded(open_page(desk_service.url)) for _ in range(2))
    for n_decided, page in enumerate((desk, second)):
        expect(page.locator("#count")).to_have_text(f"{N_RECORDS - n_decided} left")  # else it is late
        page.keyboard.press("a")
    expect(third.locator("#progress")).to_have_text("2 decided, 100% accepted")
    third.locator("#state").select_option("done")
    chips = third.locator(".record .chip.pending")
    expect(chips).to_have_count(2)
    names = {text.removeprefix("accepted, ") for text in chips.all_inner_texts()}
    assert len(names) == 2
    assert all(re.fullmatch(r"Somebody( \(\d+\))?", name) for name in names)
    third.locator("#progress").click()
    assert set(third.locator("#people tbody th").all_inner_texts()) == names
    third.keyboard.press("Escape")
    second.locator("#state").select_option("done")
    others = second.locator(".record .chip.pending", has_text="Somebody")
    expect(others).to_have_count(1)
    assert others.inner_text().removeprefix("accepted, ") in names  # the same on each page


def test_several_are_accepted_and_undone_together(desk: Page) -> None:
    desk.keyboard.press("x")
    desk.keyboard.press("j")
    desk.keyboard.press("j")
    desk.keyboard.press("Shift+X")
    expect(desk.locator(".record.selected")).to_have_count(3)
    desk.keyboard.press("Shift+A")
    desk.get_by_role("button", name="Accept 3 selected records").click()
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS - 3} left")
    expect(desk.locator("#progress")).to_have_text("3 decided, 100% accepted")
    desk.keyboard.press("Shift+A")
    clear = desk.locator("#several").get_by_role("button", name="that need no review")
    count = int(clear.inner_text().split()[1])
    clear.click()
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS - 3 - count} left")
    desk.keyboard.press("u")
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS - 3} left")
    desk.keyboard.press("u")
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS} left")
    desk.locator("#progress").wait_for(state="hidden")


def test_heat_and_published_follow_the_quality_unless_they_are_locked(desk: Page) -> None:
    desk.keyboard.press("e")
    heat, published = desk.locator("#label-heat"), desk.locator("#label-published")
    desk.locator("#label-quality").fill("300")
    expect(heat).to_have_value(re.compile(r"^3\d\d$"))
    expect(published).to_be_checked()
    heat.fill("3")  # a value that one gives stays
    expect(desk.get_by_role("button", name="Lock heat")).to_have_attribute("aria-pressed", "true")
    expect(published).not_to_be_checked()
    expect(desk.locator("#details .rule")).to_contain_text(
        "heat 3 contradicts the model's rule, which gives 3"
    )
    desk.locator("#label-quality").fill("299")
    expect(heat).to_have_value("3")
    desk.get_by_role("button", name="Lock heat").click()
    expect(heat).not_to_have_value("3")
    expect(desk.locator("#details .rule")).to_be_hidden()
    desk.locator("#label-quality").fill("5")
    desk.keyboard.press("Enter")  # before the rule has answered: its values count
    desk.locator("#state").select_option("done")
    expect(desk.locator(".record .values")).to_have_text(re.compile("^5 · \N{MINUS SIGN}?\\d · no$"))


def test_a_value_that_no_record_of_training_has_is_asked_about(desk: Page, saved: SavedModel) -> None:
    ranges = label_ranges(saved.models)[""]
    low, high = (round(value) for value in ranges["quality"])
    question = desk.locator("#ask")
    desk.keyboard.press("e")
    for value in (-500, high + 1):
        desk.locator("#label-quality").fill(str(value))
        desk.keyboard.press("Enter")
        shown = str(value).replace("-", "\N{MINUS SIGN}")
        expect(question).to_contain_text(
            f"Quality {shown} is outside the range of labels seen in training ({low} to {high})"
        )
        desk.keyboard.press("Enter")  # the first answer is to change it
        expect(question).to_be_hidden()
        expect(desk.locator("#label-quality")).to_be_focused()
        expect(desk.locator("#label-quality")).to_have_value(str(value))
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS} left")
    desk.locator("#label-heat").fill("99999")
    desk.keyboard.press("Enter")
    expect(question).to_contain_text("; heat 99,999 is outside the range")
    desk.get_by_role("button", name="Keep").click()
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS - 1} left")
    desk.keyboard.press("e")
    desk.locator("#label-quality").fill(str(high))  # as some record has
    desk.keyboard.press("Enter")
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS - 2} left")


@pytest.mark.parametrize("order", ["doubt", "heat", "newest"])
def test_the_next_undecided_record_is_active_in_any_order(desk: Page, order: str) -> None:
    desk.locator("#order").select_option(order)
    desk.locator("#state").select_option("")  # where decided records stay
    desk.locator("#grid").focus()
    shown = titles(desk)[:4]
    for index in range(3):
        assert active(desk) == shown[index]
        desk.keyboard.press("a")
    assert active(desk) == shown[3]
    desk.keyboard.press("w")
    expect(desk.locator("#toast")).to_have_text("3 files saved")
    expect(desk.locator(".record.active .title")).to_have_text(shown[3])
    desk.locator("#undo").click()
    expect(desk.locator("#toast")).to_have_text("3 files restored")
    desk.locator("#undo").click()
    expect(desk.locator(".record.active .title")).to_have_text(shown[2])
    expect(desk.locator(".record.active")).to_be_in_viewport()
    desk.keyboard.press("a")
    expect(desk.locator(".record.active .title")).to_have_text(shown[3])


def test_what_is_asked_for_is_in_the_address_and_can_be_saved(
    desk: Page, inbox: Path, open_page: Open, desk_service: Service
) -> None:
    (inbox / "new.md").write_text(
        "---\ntitle: Orchard opens\npublishedDateTime: 2021-05-02T00:00:00Z\nprovider:\n  name: The Quay\n"
        "topics:\n- Kites\n---\nGulls over the northern pier.\n",
        "utf-8",
    )
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS + 1} left")
    for text in (
        '"northern pier"',
        "gulls -tessaril",
        'provider:"the quay"',
        "topic:kites orchard",
        "after:2021-05",
        "after:2021 before:2021-06",
        "quality:<1000 after:2021 -published:maybe",
    ):
        desk.locator("#text").fill(text)
        expect(desk.locator("#count")).to_have_text(f"1 of {N_RECORDS + 1} left")
        expect(desk.locator(".record .title")).to_have_text(["Orchard opens"])
    for text in ("quality:>5000", "before:2001", '"pier northern"', "-topic:tessaril -topic:kites"):
        desk.locator("#text").fill(text)
        expect(desk.locator("#count")).to_have_text(f"0 of {N_RECORDS + 1} left")
    desk.locator("#text").fill("published:yes")
    expect(desk.locator(".record .published.no")).to_have_count(0)
    desk.locator("#order").select_option("newest")
    shown = desk.locator("#count").inner_text()
    expect(desk).to_have_url(re.compile(r"\?text=published%3Ayes&order=newest$"))
    desk.reload()
    expect(desk.locator("#count")).to_have_text(shown)
    other = open_page(desk.url)
    expect(other.locator("#count")).to_have_text(shown)
    expect(other.locator("#order")).to_have_value("newest")

    desk.get_by_role("button", name="Views").click()
    desk.locator("#view-name").fill("Fresh")
    desk.keyboard.press("Enter")
    expect(desk.locator("#views-list .view")).to_have_text(["Fresh"])
    desk.keyboard.press("Escape")
    desk.locator("#text").fill("")
    desk.keyboard.press("Escape")
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS + 1} left")
    desk.keyboard.press("f")
    desk.locator("#views-list .view").click()
    expect(desk.locator("#count")).to_have_text(shown)
    expect(desk.locator("#text")).to_have_value("published:yes")


def test_decided_by_keys_with_a_reason_and_a_note_and_others_see_where_one_is(
    desk: Page, place: Path, open_page: Open, desk_service: Service
) -> None:
    first = active(desk)
    other = loaded(open_page(desk_service.url))
    expect(other.locator(".record .chip.here").first).to_be_visible()
    was = drawn(desk).first.locator(".published").get_attribute("class")
    assert was is not None
    is_published = "yes" in was
    desk.keyboard.press("-" if is_published else "+")
    desk.keyboard.press("e")
    desk.locator("#label-quality").fill("7")
    desk.get_by_label("Reason").select_option("old news")
    desk.get_by_label("Note").fill("from last week")
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("button", name="Save 2")).to_be_enabled()
    desk.locator("#grid").focus()
    desk.keyboard.press("w")
    expect(desk.locator("#toast")).to_have_text("2 files saved")
    corrections = read_ledger(place / "home" / "corrections.jsonl").corrections
    (flipped,) = [line for line in corrections if not line.reason]
    assert (flipped.field, flipped.value, flipped.note) == ("published", not is_published, "")
    assert {line.note for line in corrections if line.reason == "old news"} == {"from last week"}
    desk.locator("#state").select_option("done")
    desk.locator(".record .title").get_by_text(first, exact=True).click()
    expect(desk.locator("#details")).to_contain_text("saved")
    desk.locator("#grid").focus()
    desk.keyboard.press("v")
    expect(desk.locator("#preview .excerpt")).to_be_visible()
    expect(desk.locator("#preview img")).to_have_count(0)  # without --images


def test_files_that_come_change_and_go_are_seen_by_every_page(
    desk: Page, inbox: Path, place: Path, open_page: Open, desk_service: Service
) -> None:
    other = loaded(open_page(desk_service.url))
    new = min((place / "others").iterdir())
    shutil.copy(new, inbox / "new.md")
    for page in (desk, other):
        expect(page.locator("#count")).to_have_text(f"{N_RECORDS + 1} left")
    (inbox / "new.md").write_text("---\ntitle: Rain\nimages: high\n---\n", "utf-8")
    desk.locator("#state").select_option("fault")
    faulty = desk.locator(".record.faulty")
    expect(faulty).to_contain_text("new.md:3: images: got 'high', expected a list")
    faulty.click()
    expect(desk.locator("#details .fault")).to_contain_text("expected a list")
    desk.locator("#state").select_option("")
    (inbox / "new.md").unlink()
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS} records")
    expect(other.locator("#count")).to_have_text(f"{N_RECORDS} left")
    expect(desk.locator("#details")).to_be_hidden()


def test_a_ledger_that_cannot_be_used_is_reported_until_it_can(desk: Page, inbox: Path, place: Path) -> None:
    ledger = place / "home" / "corrections.jsonl"
    ledger.parent.mkdir(exist_ok=True)
    ledger.write_text("{\n", "utf-8")
    (inbox / "new.md").write_text("---\ntitle: Orchard opens\n---\n", "utf-8")
    expect(desk.locator("#banner")).to_contain_text("corrections.jsonl:1: got a line that is not JSON")
    ledger.unlink()
    (inbox / "new.md").unlink()
    expect(desk.locator("#banner")).to_be_hidden()


def test_names_and_titles_that_would_turn_or_hide_text_are_spelled_out(
    desk: Page, inbox: Path, place: Path
) -> None:
    content = min((place / "others").iterdir()).read_bytes()
    names = {
        os.fsdecode(b"caf\xe9.md"): r"caf\xe9.md",
        "line\nbreak.md": r"line\u000abreak.md",
        "bell\x07.md": r"bell\u0007.md",
        "turned\u202edm.md": r"turned\u202edm.md",
    }
    for index, name in enumerate(names):
        titled = content.replace(b'\ntitle: "', f'\ntitle: "Peculiar{index} '.encode(), 1)
        (inbox / name).write_bytes(titled)
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS + len(names)} left")
    for index, spelled in enumerate(names.values()):
        desk.locator("#text").fill(f"peculiar{index}")
        expect(desk.locator(".record .title")).to_have_count(1)
        drawn(desk).click()
        expect(desk.locator("#details .path")).to_have_text(spelled)
        expect(desk.locator(".waterfall")).to_be_visible()
        desk.keyboard.press("a")
        expect(desk.get_by_role("button", name=f"Save {index + 1}")).to_be_enabled()
    desk.keyboard.press("w")
    expect(desk.locator("#toast")).to_have_text("4 files saved")
    assert all(b"\nquality: " in (inbox / name).read_bytes() for name in names)
    desk.locator("#undo").click()
    expect(desk.locator("#toast")).to_have_text("4 files restored")
    assert not any(b"\nquality: " in (inbox / name).read_bytes() for name in names)

    bad = inbox / "faulty\u202edm.md"
    bad.write_text("---\ntitle: [\n---\n", "utf-8")
    desk.locator("#text").fill("faulty")
    expect(desk.locator(".record.faulty .title")).to_have_text(r"faulty\u202edm.md")
    bad.unlink()
    # Escapes of YAML, which the record's text has as what they stand for.
    turned = content.replace(b'\ntitle: "', b'\ntitle: "Turned \\u202e\\x9b ', 1)
    (inbox / "title.md").write_bytes(turned)
    desk.locator("#text").fill("turned")
    title = desk.locator(".record .title").filter(has_text="Turned")
    expect(title).to_contain_text(r"Turned \u202e")
    shown = desk.locator("body").inner_text()
    assert not re.search("[\x00-\x08\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", shown)


def test_an_inbox_that_goes_away_is_reported_and_comes_back(desk: Page, inbox: Path) -> None:
    inbox.rename(inbox.with_name("aside"))
    expect(desk.locator("#banner")).to_contain_text("the folder of the inbox; it is polled until it exists")
    inbox.with_name("aside").rename(inbox)
    expect(desk.locator("#banner")).to_be_hidden()
    (inbox / "new.md").write_text("---\ntitle: Orchard opens\n---\n", "utf-8")
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS + 1} left")


def drop(page: Page, *files: tuple[str, str]) -> None:
    page.evaluate(
        """files => {
            const data = new DataTransfer();
            for (const [name, text] of files) data.items.add(new File([text], name));
            const options = { dataTransfer: data, bubbles: true, cancelable: true };
            document.body.dispatchEvent(new DragEvent("dragenter", options));
            document.body.dispatchEvent(new DragEvent("drop", options));
        }""",
        [list(file) for file in files],
    )


def test_dropped_files_are_looked_at_and_not_kept(desk: Page, inbox: Path, place: Path) -> None:
    before = sorted(file.name for file in inbox.iterdir())
    new = min((place / "others").iterdir())
    lines = '{"title": "Orchard opens", "topics": ["Tessaril"]}\n{"title": ""}\n'
    drop(desk, ("new.md", new.read_text("utf-8")), ("lines.jsonl", lines))
    desk.locator("#state").select_option("")
    expect(desk.locator("#count")).to_have_text(f"{N_RECORDS + 3} records")
    expect(desk.locator("#drop")).to_be_hidden()
    desk.locator("#text").fill("orchard opens")
    expect(desk.locator(".record .title")).to_have_text(["Orchard opens"])
    expect(desk.locator(".record .chip.soft")).to_have_text("not saved")
    drawn(desk).click()
    expect(desk.locator(".waterfall")).to_be_visible()
    expect(desk.locator(".details .labels")).to_contain_text("cannot be labelled")
    desk.keyboard.press("a")
    expect(desk.locator("#toast")).to_have_text("Dropped files cannot be labelled")
    expect(desk.locator("#write")).to_be_disabled()
    desk.locator("#text").fill("")
    desk.locator("#state").select_option("fault")
    expect(desk.locator(".record.faulty")).to_contain_text("lines.jsonl:2")
    drop(desk, ("page.html", "<p>"))
    expect(desk.locator("#toast")).to_contain_text("neither Markdown nor JSON lines")
    assert sorted(file.name for file in inbox.iterdir()) == before
    desk.reload()
    expect(desk.locator("#count")).to_have_text(f"0 of {N_RECORDS} records")


@pytest.mark.exhaustive
def test_five_thousand_rows(
    browser: Browser, open_page: Open, training: TrainOutcome, tmp_path: Path
) -> None:
    write_sample(tmp_path / "many", n_records=5000, seed=1)
    with serving(tmp_path, "--model", training.model, "--inbox", str(tmp_path / "many")) as service:
        page = open_page(service.url)
        page.locator("#state").select_option("")
        expect(page.locator("#count")).to_have_text("5,000 records", timeout=60_000)
        assert drawn(page).count() < 60
        page.locator("#grid").focus()
        page.keyboard.press("End")
        last = page.locator(".record.active")
        expect(last).to_have_attribute("aria-rowindex", "5001")
        expect(last).to_be_in_viewport()
        assert drawn(page).count() < 60
        assert page.locator("#grid").get_attribute("aria-activedescendant") == last.get_attribute("id")
        page.keyboard.press("Home")
        expect(page.locator(".record.active")).to_have_attribute("aria-rowindex", "2")
        page.get_by_label("By story").check()
        expect(page.locator(".story").first).to_be_visible()
        assert page.locator("#window > *").count() < 70
        with page.expect_response("**/desk/search"):
            page.locator("#text").fill("pruning rig")
        expect(page.locator("#count")).to_have_text(re.compile(r" of 5,000 records"))


def test_a_service_with_a_token_and_one_that_goes_away(
    browser: Browser, inbox: Path, training: TrainOutcome, tmp_path: Path
) -> None:
    (tmp_path / "tokens").write_text(TOKEN, "utf-8")
    (tmp_path / "tokens").chmod(0o600)
    options = ("--model", training.model, "--inbox", str(inbox), "--token-file", str(tmp_path / "tokens"))
    credentials = {"username": "desk", "password": TOKEN}
    with browser.new_context(http_credentials=credentials) as context:  # type: ignore[arg-type]
        page = context.new_page()
        with serving(tmp_path, *options) as service:
            page.goto(service.url)
            loaded(page)
            page.keyboard.press("a")
            page.keyboard.press("w")
            expect(page.locator("#toast")).to_have_text("1 file saved")
            page.keyboard.press("a")
        expect(page.locator("#banner")).to_contain_text("does not respond")
        expect(page.locator("#link")).to_have_text("not connected")
        page.keyboard.press("a")
        expect(page.locator("#toast")).to_contain_text("1 action will be sent when it does")
        expect(page.get_by_role("button", name="Save 2")).to_be_enabled()
        expect(page.locator("#count")).to_have_text(f"{N_RECORDS - 3} left")
