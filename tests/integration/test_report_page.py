"""The report in a browser: axe, the width of a phone, contents that stay in view."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from scoring.records.synthetic.generate import write_sample
from scoring.settings import load_settings
from scoring.workflows.evaluate import evaluate
from scoring.workflows.train import TrainOutcome
from tests.integration.browser import DESKTOP, PHONE, chromium
from tests.integration.test_desk_access import serious

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def report(training: TrainOutcome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_sample(folder / "later", n_records=60, seed=3)
    evaluate(
        [str(folder / "later")],
        model=training.model,
        settings=load_settings(home=folder / "home"),
        now=datetime(2026, 3, 1, tzinfo=UTC),
        output=folder / "out",
        is_tracked=False,
        on_fault=lambda error: None,
    )
    return folder / "out" / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_report_is_accessible_and_fits(
    report: Path, browser: Browser, viewport: dict[str, int], scheme: str
) -> None:
    page = browser.new_page(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(report.as_uri())
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    page.get_by_role("link", name="Worst errors").click()
    contents, heading = page.locator("nav").bounding_box(), page.locator("#misses").bounding_box()
    assert contents is not None
    assert heading is not None
    assert contents["y"] == 0
    assert contents["height"] <= heading["y"] < contents["height"] + 40
    page.close()
