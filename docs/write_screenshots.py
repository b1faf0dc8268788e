"""Write the pictures of the desk and of MLflow's pages into the docs, from synthetic records.

Run by ``make screenshots``.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page

from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings, load_settings
from scoring.tracking.experiment_view import runs_page
from scoring.training.config import TrainConfig
from scoring.workflows.train import train
from tests.integration.browser import chromium
from tests.integration.test_server import wait_until_up
from tests.integration.test_service import serving

DOCS = Path(__file__).resolve().parent
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAX_BYTES = 300_000


class Shot(NamedTuple):
    """A picture: name, size in px, colours, keys to press, scroll of the details, and what to wait for."""

    name: str
    width: int
    height: int
    scheme: str
    keys: tuple[str, ...]
    scrolled_px: int = 0
    shown: str = ".record"


SHOTS = (
    Shot("desk", 1360, 820, "light", ("j", "a", "j", "Enter"), shown=".waterfall"),
    Shot("desk-dark", 1360, 820, "dark", ("n", "j", "Enter"), 430, ".waterfall"),
    Shot("desk-phone", 375, 720, "light", ("j",)),
    Shot("desk-compare", 1360, 820, "light", ("j", "j", "c"), shown=".side-by-side"),
    Shot("desk-learning", 1360, 820, "light", ("t",), shown="#learning table"),
)
N_KNOWN = 600
"""Records of the archive that the desk's model is trained on; the panel "Learning" trains on all."""


def main() -> None:
    """Make up records, train on them, serve others, and take each picture."""
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        folder = Path(scratch)
        write_sample(folder / "archive", n_records=900, seed=1, begins_at=datetime(2025, 3, 1, tzinfo=UTC))
        begins_at = datetime(2026, 1, 20, tzinfo=UTC)
        write_sample(folder / "inbox", n_records=400, seed=5, is_labelled=False, begins_at=begins_at, days=40)
        known = folder / "known"
        known.mkdir()
        for file in sorted((folder / "archive").iterdir())[:N_KNOWN]:  # their names begin with the date
            shutil.copy(file, known)
        made = train(
            [str(known)],
            config=TrainConfig(name="site"),
            settings=load_settings(home=folder / "home"),
            now=NOW,
            is_tracked=False,
            on_fault=_stop,
        )
        options = ["--model", made.model, "--inbox", "inbox", "--archive", "archive"]
        with serving(folder, *options) as service:
            _train(browser, service.url)
            for shot in SHOTS:
                _take(browser, service.url, shot)
        _take_runs(browser, folder)


def _train(browser: Browser, url: str) -> None:
    """Train at the desk, and wait for the verdict."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        page.locator(".record").first.wait_for()
        page.keyboard.press("t")
        page.get_by_role("button", name="Train and compare").click()
        page.locator("#learning table").first.wait_for(timeout=300_000)


def _take_runs(browser: Browser, folder: Path) -> None:
    """Train twice, and take MLflow's table of the runs and the page of one of them."""
    settings = load_settings(home=folder / "mlflow")
    run_ids = [
        train(
            [str(folder / "archive")],
            config=TrainConfig(name=name, seed=seed),
            settings=settings,
            now=datetime.now(UTC),
            on_fault=_stop,
        ).run_id
        for seed, name in enumerate(("first", "second"))
    ]
    with (
        _ui(settings, folder) as url,
        browser.new_context(viewport={"width": 1800, "height": 480}) as context,
    ):
        page = context.new_page()
        page.goto(url + runs_page("1"))
        page.get_by_text("heat_mae").first.wait_for()
        for button in page.get_by_label("Close").all()[::-1]:  # MLflow's assistant, and its note on views
            button.click()
        page.get_by_text("quality_mae").first.wait_for()
        _keep(page, "mlflow-runs")
        page.set_viewport_size({"width": 1500, "height": 760})
        page.goto(f"{url}/#/experiments/1/runs/{run_ids[-1]}?workflowType=machine_learning")
        page.get_by_text("Show more").click()
        page.get_by_role("link", name="Report").wait_for()
        _keep(page, "mlflow-run")


@contextmanager
def _ui(settings: Settings, folder: Path) -> Iterator[str]:
    """Serve MLflow's pages as ``scoring ui`` does; yields their address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log, environment = folder / "ui.log", os.environ | {"SCORING_HOME": str(settings.home)}
    command = [sys.executable, "-m", "scoring", "ui", "--port", str(port)]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process,  # noqa: S603 -- no shell
    ):
        try:
            wait_until_up(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)


def _keep(page: Page, name: str) -> None:
    """Write the picture of a page, once it has drawn itself."""
    page.wait_for_timeout(2000)
    _write(DOCS / f"{name}.png", page.screenshot())


def _write(file: Path, picture: bytes) -> None:
    if len(picture) > MAX_BYTES:
        raise ValueError(f"{file}: got {len(picture):,} bytes, expected at most {MAX_BYTES:,}")
    file.write_bytes(picture)


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
        _write(DOCS / f"{shot.name}.png", page.screenshot())


def _rest(page: Page, shot: Shot) -> None:
    """Wait until everything is drawn."""
    page.locator(shot.shown).first.wait_for()
    if shot.scrolled_px:
        page.locator("#details").evaluate("(panel, top) => { panel.scrollTop = top }", shot.scrolled_px)
    page.wait_for_timeout(500)


def _stop(error: Exception) -> None:
    raise error


if __name__ == "__main__":
    main()
