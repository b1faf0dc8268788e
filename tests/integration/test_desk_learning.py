"""Training from the desk in a real browser, and what the model has missed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from scoring.artifact.saved_model import load_model
from scoring.deployment.gate import Check
from scoring.evaluation.paired_figures import Difference
from scoring.evaluation.section_changes import SectionChange
from scoring.records.corpus import read_documents
from scoring.records.ledger import Correction, append_corrections, digests_of
from scoring.records.synthetic.generate import write_sample
from scoring.service.desk.live_inbox import LEDGER
from scoring.service.desk.training_state import (
    STATE,
    ChangedDecision,
    TrainingResult,
    TrainingState,
    write_state,
)
from scoring.workflows.train import TrainOutcome
from tests.conftest import Registry
from tests.integration.browser import DESKTOP, N_RECORDS, PHONE, loaded
from tests.integration.conftest import Open
from tests.integration.test_desk_access import serious
from tests.integration.test_service import Service, serving

SECONDS = 180
NOW = datetime.now(UTC)
GAIN = Difference("quality_mae", 3.6, 3.1, 0.5, 0.2, 0.8)
LOSS = Difference("heat_within_5", 0.81, 0.74, -0.07, -0.11, -0.03)


def stop(error: Exception) -> None:
    raise error


def check_of(gain: Difference) -> Check:
    facts = {name: getattr(gain, name) for name in ("first", "second", "gain", "low", "high")}
    return Check(figure=gain.name, against="champion", n_records=60, expected="", is_passed=True, **facts)


def section_of(name: str, n_records: int, gain: Difference) -> SectionChange:
    is_worse = gain.gain < 0
    return SectionChange(section=name, n_records=n_records, difference=gain, is_clearly_worse=is_worse)


@pytest.fixture
def ended(desk_service: Service, inbox: Path, place: Path, training: TrainOutcome) -> Iterator[list[str]]:
    """A training has ended, and somebody has corrected a record; paths of two records that would change."""
    files = sorted(inbox.iterdir())
    changed = [ChangedDecision(files[0].name, False, True), ChangedDecision(files[1].name, True, False)]
    result = TrainingResult(
        outcome="passed",
        model="next@12345678",
        run_id="12ab",
        champion="models:/scoring/1",
        n_records=60,
        n_days=31,
        n_corrections=12,
        reasons=("quality_mae: champion 3.600, challenger 3.100, gain +0.5 (+0.2 to +0.8)",),
        figures=(check_of(GAIN), check_of(LOSS)),
        sections=(section_of("Harbour", 40, LOSS), section_of("Meadow", 20, GAIN)),
        has_page=True,
        n_compared=N_RECORDS,
        changes=tuple(changed),
        next_step="scoring promote 12ab",
    )
    served = load_model(Path(training.model)).name
    state = TrainingState(
        id="0123456789",
        status="done",
        started_at=NOW - timedelta(minutes=4),
        ended_at=NOW,
        by="Ada",
        served=served,
        result=result,
    )
    home = place / "home"
    write_state(home, state)
    (document,) = read_documents([str(files[2])], on_fault=stop)
    digests = digests_of(document.record)
    correction = Correction(
        at=NOW - timedelta(hours=30), by="Bob", path=files[2].name, record_sha256=digests.record,
        own_sha256=digests.own, field="quality", predicted=42, value=61, model=served,
        reason="a reprint", note="see the first one",
    )  # fmt: skip
    append_corrections(home / LEDGER, [correction])
    yield [change.path for change in changed]
    (home / STATE).unlink()


@pytest.mark.parametrize(("scheme", "viewport"), [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE)])
def test_the_panel_shows_the_result_and_is_accessible(
    open_page: Open, desk_service: Service, ended: list[str], scheme: str, viewport: dict[str, int]
) -> None:
    page = loaded(open_page(desk_service.url, color_scheme=scheme, viewport=viewport))
    page.get_by_role("button", name="Learning").click()
    panel = page.locator("#learning")
    expect(panel.locator(".verdict")).to_contain_text("next@12345678 is better than")
    expect(panel).to_contain_text("No archive to train on: start the service with --archive PATH")
    expect(panel).to_contain_text("12 corrections of this desk were used.")
    worst = panel.get_by_role("table", name="The worst metric of each section").get_by_role("row").nth(1)
    expect(worst).to_contain_text("Harbour: heat_within_5 40 records, clearly worse")
    expect(panel.locator(".missed li")).to_contain_text(
        "quality: 42 by the model, 61 by Bob (a reprint: see the first one)"
    )
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_changed_decisions_are_marked_and_missed_records_open(
    open_page: Open, desk_service: Service, ended: list[str], inbox: Path
) -> None:
    page = loaded(open_page(desk_service.url))
    page.keyboard.press("t")
    page.get_by_role("button", name="Show them").click()
    expect(page.locator("#count")).to_have_text(f"2 of {N_RECORDS} records")
    marks = page.locator(".chip.mark")
    expect(marks).to_have_count(2)
    assert set(marks.all_inner_texts()) == {"→ published", "→ not published"}
    page.keyboard.press("t")
    page.locator(".missed button").click()
    expect(page.locator("#details .path")).to_have_text(sorted(inbox.iterdir())[2].name)
    page.keyboard.press("t")
    page.get_by_role("button", name="The learned policy").click()
    expect(page.locator("#policy")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.get_by_role("button", name="Records to label next").click()
    expect(page.locator("#order")).to_have_value("labels")


@pytest.fixture
def learning_service(registry: Registry, later: str, tmp_path: Path) -> Iterator[Service]:
    """A service with a weak champion, an archive that is newer than it, and an inbox."""
    write_sample(tmp_path / "archive", n_records=240, seed=1)
    for file in Path(later).glob("*.md"):
        shutil.copy(file, tmp_path / "archive" / f"later-{file.name}")
    write_sample(tmp_path / "inbox", n_records=N_RECORDS, seed=5, is_labelled=False)
    home = registry.settings.home
    options = ("--inbox", str(tmp_path / "inbox"), "--archive", str(tmp_path / "archive"))
    with serving(tmp_path, *options, SCORING_HOME=str(home), SCORING_THREADS="1") as service:
        yield service


def test_records_that_are_about_to_change_are_marked_until_they_are_old(
    open_page: Open, desk_service: Service, inbox: Path
) -> None:
    page = loaded(open_page(desk_service.url))
    rising, settled = (file.name for file in sorted(inbox.iterdir())[:2])
    page.evaluate(
        """async ([rising, settled]) => {
          const { store } = await import("/page/store.js");
          const give = (path, hours, outlook) => {
            const until = new Date(Date.now() + hours * 3600e3).toISOString();
            store.put({ ...store.rows.get(path), outlook: { ...outlook, until } });
          };
          give(rising, 1, { trend: "rising", heat: 97, reason: "its heat is likely to be about 97" });
          give(settled, -1, { trend: "falling", heat: null, reason: "another record is likely to lead" });
        }""",
        [rising, settled],
    )
    page.locator("#text").fill("is:changing")
    expect(page.locator("#count")).to_have_text(f"1 of {N_RECORDS} left")
    expect(page.locator(".chip.mark")).to_have_text("rising to about 97")
    page.locator(".record").click()
    note = page.locator("#details .note.mark")
    expect(note).to_have_text("Rising to about 97: its heat is likely to be about 97.")
    assert serious(page) == []


def test_decisions_that_are_not_saved_are_named_before_a_training(
    open_page: Open, learning_service: Service
) -> None:
    page = loaded(open_page(learning_service.url))
    page.keyboard.press("a")
    expect(page.locator("#write")).to_have_text("Save 1 to files")
    page.keyboard.press("t")
    panel = page.locator("#learning-train")
    expect(panel).to_contain_text("1 decision is not saved yet, and would not be used")
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    expect(page.locator("#write")).to_have_text("Save to files")
    page.keyboard.press("t")
    expect(panel).to_contain_text("with the saved corrections of this desk")
    expect(panel).not_to_contain_text("not saved yet")


@pytest.mark.exhaustive
def test_it_trains_and_shows_what_would_change_and_another_page_sees_it(
    open_page: Open, learning_service: Service
) -> None:
    page = loaded(open_page(learning_service.url))
    page.keyboard.press("t")
    panel = page.locator("#learning")
    expect(panel).to_contain_text("No saved correction of a predicted label")
    panel.get_by_role("button", name="Train and compare").click()
    expect(panel.get_by_role("button", name="Cancel")).to_be_visible()

    other = loaded(open_page(learning_service.url))
    expect(other.locator("#show-learning")).to_have_text("Training …")
    other.keyboard.press("t")
    expect(other.locator("#learning")).to_contain_text("Training, started by Somebody at")

    verdict = panel.locator(".verdict")
    expect(verdict).to_contain_text("can replace it", timeout=SECONDS * 1000)
    expect(other.locator("#learning .verdict")).to_have_text(verdict.inner_text())
    expect(panel).to_contain_text("0 corrections of this desk were used: one counts if it is saved")
    expect(panel.locator(".next-step code")).to_have_text(re.compile("^scoring promote [0-9a-f]{12}$"))
    expect(panel.get_by_role("row", name=re.compile("^quality_mae")).first).to_be_visible()
    changes = panel.get_by_text("publishing decisions would change").inner_text()
    count = int(changes.split()[0])
    assert count > 0
    panel.get_by_role("button", name="Show them").click()
    expect(page.locator("#count")).to_have_text(f"{count} of {N_RECORDS} records")
    expect(page.locator(".chip.mark").first).to_have_text(re.compile("would (not )?be published"))

    page.reload()
    page.keyboard.press("t")
    expect(panel.locator(".verdict")).to_be_visible()
    with page.expect_popup() as popup:
        panel.get_by_role("link", name="Full comparison").click()
    expect(popup.value.get_by_role("heading").first).to_be_visible()
