"""The desk of a service in a real browser, with the same inbox for each test; runs that can be killed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings
from scoring.workflows.train import TrainOutcome
from tests.integration.browser import DESKTOP, N_RECORDS, chromium, loaded
from tests.integration.forks import Forks, forking
from tests.integration.test_service import Service, serving

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "inbox").mkdir()
    write_sample(folder / "records", n_records=N_RECORDS, seed=5, is_labelled=False)
    write_sample(folder / "others", n_records=3, seed=9, is_labelled=False)
    return folder


@pytest.fixture(scope="module")
def desk_service(place: Path, training: TrainOutcome) -> Iterator[Service]:
    with serving(place, "--model", training.model, "--inbox", str(place / "inbox")) as service:
        yield service


@pytest.fixture
def inbox(place: Path) -> Path:
    """The service's inbox, with the same records for each test and no decision."""
    folder = place / "inbox"
    for file in folder.iterdir():
        file.unlink()
    for file in (place / "records").iterdir():
        shutil.copy(file, folder)
    for name in ("corrections.jsonl", "decisions-*.jsonl"):
        for file in (place / "home").glob(name):
            file.unlink()
    return folder


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens pages; one that complains in its console, or breaks its own policy, fails the test."""
    complaints: list[str] = []
    contexts = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{message.text} {message.location}")

    def start(url: str, **options: Any) -> Page:
        contexts.append(browser.new_context(**{"viewport": DESKTOP} | options))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield start
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def desk(open_page: Open, desk_service: Service, inbox: Path) -> Page:
    return loaded(open_page(desk_service.url))


@pytest.fixture
def forks(settings: Settings, tmp_path: Path) -> Iterator[Forks]:
    """Starts commands on the home of the test."""
    (tmp_path / "scratch").mkdir()
    with forking(settings.home, tmp_path / "scratch") as forks:
        yield forks
