"""Write the pictures of the desk into the docs, from synthetic records; run by ``make screenshots``."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page

from scoring.records.synthetic.generate import write_sample
from scoring.settings import load_settings
from scoring.training.config import TrainConfig
from scoring.workflows.train import train
from tests.integration.browser import chromium
from tests.integration.test_service import serving

DOCS = Path(__file__).resolve().parent
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAX_BYTES = 300_000


class Shot(NamedTuple):
    """A picture: name, size in px, colours, the keys that are pressed, how far the details is scrolled."""

    name: str
    width: int
    height: int
    scheme: str
    keys: tuple[str, ...]
    scrolled_px: int = 0


SHOTS = (
    Shot("desk", 1360, 820, "light", ("j", "a", "j", "Enter")),
    Shot("desk-dark", 1360, 820, "dark", ("n", "j", "Enter"), 430),
    Shot("desk-phone", 375, 720, "light", ("j",)),
)


def main() -> None:
    """Make up records, train on them, serve others, and take each picture."""
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        folder = Path(scratch)
        write_sample(folder / "archive", n_records=900, seed=1, begins_at=datetime(2025, 3, 1, tzinfo=UTC))
        begins_at = datetime(2026, 1, 20, tzinfo=UTC)
        write_sample(folder / "inbox", n_records=400, seed=5, is_labelled=False, begins_at=begins_at, days=40)
        made = train(
            [str(folder / "archive")],
            config=TrainConfig(name="site"),
            settings=load_settings(home=folder / "home"),
            now=NOW,
            is_tracked=False,
            on_fault=_stop,
        )
        with serving(folder, "--model", made.model, "--inbox", str(folder / "inbox")) as service:
            for shot in SHOTS:
                _take(browser, service.url, shot)


def _take(browser: Browser, url: str, shot: Shot) -> None:
    size = {"width": shot.width, "height": shot.height}
    with browser.new_context(viewport=size, color_scheme=shot.scheme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.clock.set_fixed_time(NOW)  # ages are the same whenever it is taken
        page.goto(url)
        page.locator(".record").first.wait_for()
        for key in shot.keys:
            page.keyboard.press(key)
        _rest(page, shot)
        file = DOCS / f"{shot.name}.png"
        file.write_bytes(page.screenshot())
        if (n_bytes := file.stat().st_size) > MAX_BYTES:
            raise ValueError(f"{file}: got {n_bytes:,} bytes, expected at most {MAX_BYTES:,}")


def _rest(page: Page, shot: Shot) -> None:
    """Wait until everything is drawn."""
    if "Enter" in shot.keys:
        page.locator(".waterfall").wait_for()
        page.locator("#details").evaluate("(panel, top) => { panel.scrollTop = top }", shot.scrolled_px)
    page.wait_for_timeout(500)


def _stop(error: Exception) -> None:
    raise error


if __name__ == "__main__":
    main()
