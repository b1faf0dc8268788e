"""A real Chromium for the tests of the desk, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 720}
N_RECORDS = 40
# As root there is no sandbox; what talks to its maker's hosts is off.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium; skip the test if it is missing, except in CI, where `make browser` installs it."""
    path = shutil.which("chromium")
    if path is None:
        reason = "no chromium on this machine: make browser installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def loaded(page: Page) -> Page:
    """Wait until the desk shows all records of its inbox."""
    expect(page.locator("#count")).to_have_text(f"{N_RECORDS} left")
    return page


def drawn(page: Page) -> Locator:
    """Rows that are in the document."""
    return page.locator(".record")
