"""The desk and the service with models of some of the labels, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from scoring.model.targets import TARGETS, Targets
from scoring.records.decode import decode_file
from scoring.settings import load_settings
from scoring.workflows.train import train
from tests.integration.browser import drawn
from tests.integration.conftest import Open
from tests.integration.test_service import GOOD, Service, serving
from tests.labelled_archives import write_archive
from tests.workflows.test_labels import NOW, QUICK, stop


class Desk(NamedTuple):
    """A service with an inbox and a model of some labels."""

    targets: Targets
    service: Service
    inbox: Path


@pytest.fixture(
    scope="module",
    params=[("published",), ("quality",), ("quality", "published"), ("heat",)],
    ids="+".join,
)
def some(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    targets, folder = request.param, tmp_path_factory.mktemp("some")
    archive = write_archive(folder / "archive", targets, n_records=120)
    inbox = write_archive(folder / "inbox", (), n_records=12, seed=6)
    outcome = train(
        [str(archive)],
        config=QUICK,
        settings=load_settings(home=folder / "training", threads=1),
        now=NOW,
        is_tracked=False,
        on_fault=stop,
    )
    with serving(folder, "--model", outcome.model, "--inbox", str(inbox)) as service:
        yield Desk(targets, service, inbox)


@pytest.fixture
def page(some: Desk, open_page: Open) -> Page:
    page = open_page(some.service.url)
    expect(page.locator("#count")).to_have_text("12 left")
    return page


def test_service_answers_null_for_labels_that_the_model_lacks(some: Desk) -> None:
    status, answer = some.service.ask("/v1/score", GOOD)
    assert status == 200
    score = json.loads(answer)
    assert [name for name in TARGETS if score[name] is not None] == list(some.targets)
    status, answer = some.service.ask("/v1/score?explain=true", GOOD)
    assert status == 200
    assert {"heat" if name == "lead" else name for name in json.loads(answer)["reasons"]} == set(some.targets)


def test_desk_shows_and_writes_the_labels_of_the_model(some: Desk, page: Page) -> None:
    for name in TARGETS:
        n_cells = drawn(page).locator(f".{name}").count()
        assert (n_cells > 0) == (name in some.targets)
        assert page.locator(f"[data-order={name}]").is_visible() == (name in some.targets)
    first = "heat" if "heat" in some.targets else some.targets[0]
    expect(page.locator("#order")).to_have_value(first)
    page.keyboard.press("Enter")
    expect(page.locator(".figures dt").first).to_have_text(first.capitalize())
    expect(page.locator(".reasons h3").first).to_be_visible()
    fields = page.locator(".fields input")
    assert [fields.nth(index).get_attribute("name") for index in range(fields.count())] == list(some.targets)
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.keyboard.press("w")
    expect(page.locator("#toast")).to_have_text("1 file saved")
    labels = [decode_file(file.read_bytes(), file.name).labels for file in some.inbox.iterdir()]
    written = [name for name in TARGETS if any(getattr(label, name) is not None for label in labels)]
    assert written == list(some.targets)
