"""The desk in a real browser: how soon its rows are there, a key is answered, and a new file is shown.

python experiments/benchmarks/desk.py
python experiments/benchmarks/desk.py --smoke

The inbox has synthetic records without labels, and the service the shipped model. A key is answered when the
browser has drawn the next frame after it; keys come every :data:`PAUSE_MS`, while the service takes the
decisions and streams them back to the page. The processor time of a key is that of the page's main thread,
for the answer and for what the service sends afterwards; other programs on the machine change it less.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from blocks import markdown
from playwright.sync_api import CDPSession, Page, sync_playwright
from service import free_port, running
from timing import Figure, arguments, machine, own_home, publish, scoring

from scoring.records.synthetic.generate import write_sample

N_RECORDS = 5_000
N_KEYS = 100  # of each kind
N_NEW = 5
PAUSE_MS = 150
MAX_ROWS_SECONDS, MAX_KEY_MS, MAX_NEW_SECONDS = 2.0, 50.0, 2.0
KEYS = {"a": "accept", "j": "next record", "u": "undo"}

FIRST_ROW = """
new MutationObserver((_, observer) => {
  if (!document.querySelector(".record")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => (window.firstRowMs = performance.now())));
}).observe(document, { childList: true, subtree: true });
"""
ANSWERED = """
window.answeredMs = [];
addEventListener("keydown", ({ timeStamp }) => {
  requestAnimationFrame(() => {
    const channel = new MessageChannel();  // its message comes after the frame has been drawn
    channel.port1.onmessage = () => window.answeredMs.push(performance.now() - timeStamp);
    channel.port2.postMessage("");
  });
}, true);
"""


def first_rows(page: Page, url: str, n_records: int) -> float:
    """Open the page; seconds until its first rows are drawn."""
    page.add_init_script(FIRST_ROW)
    page.goto(url)
    page.wait_for_function("() => window.firstRowMs")
    page.wait_for_function(f"() => document.getElementById('count').textContent === '{n_records:,} left'")
    return float(page.evaluate("window.firstRowMs")) / 1000


def processor_ms(session: CDPSession) -> float:
    """Processor time of the page's main thread so far; milliseconds."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def answered(page: Page, key: str, n_keys: int) -> list[float]:
    """Press a key again and again; milliseconds until the page has drawn its answer."""
    page.evaluate("window.answeredMs.length = 0")
    for number in range(1, n_keys + 1):
        page.keyboard.press(key)
        page.wait_for_timeout(PAUSE_MS)
        page.wait_for_function(f"() => window.answeredMs.length === {number}")
    return list(page.evaluate("window.answeredMs"))


def new_file(page: Page, inbox: Path, number: int) -> float:
    """Add a file; seconds until the page shows it."""
    title = f"Arrival {number}"
    begins = time.perf_counter()
    (inbox / f"arrival-{number}.md").write_text(f"---\ntitle: {title}\ntopics: [Sea]\n---\n", "utf-8")
    page.wait_for_function(f"() => document.querySelector('.record .title')?.textContent === '{title}'")
    return time.perf_counter() - begins


def measure(folder: Path, n_records: int, n_keys: int, n_new: int) -> dict[str, list[float]]:
    """Seconds until the first rows and until new files are shown, and milliseconds of each key."""
    inbox, port = folder / "inbox", free_port()
    write_sample(inbox, n_records=n_records, seed=1, is_labelled=False)
    command = scoring("serve", "--model", "shipped", "--inbox", str(inbox), "--port", str(port))
    path = shutil.which("chromium")
    if path is None:
        raise SystemExit("chromium: got none on this machine, expected one (make browser installs it)")
    with running(command, port, "/readyz", folder / "service.log"), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(120_000)
        url = f"http://127.0.0.1:{port}"
        first_rows(page, url, n_records)  # the service has read the inbox
        outcome = {"first rows": [first_rows(page, url, n_records)]}
        page.evaluate(ANSWERED)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        for key in KEYS:
            before = processor_ms(session)
            outcome[key] = answered(page, key, n_keys)
            outcome[f"{key}, processor"] = [(processor_ms(session) - before) / n_keys]
        outcome["new file"] = []
        for number in range(n_new):
            page.locator("#text").fill(f"arrival {number}")
            outcome["new file"].append(new_file(page, inbox, number))
        browser.close()
    print(outcome, file=sys.stderr, flush=True)
    return outcome


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=1)
    options = parser.parse_args()
    n_records, n_keys, n_new = (60, 3, 1) if options.smoke else (N_RECORDS, N_KEYS, N_NEW)
    with own_home(options) as folder:
        outcome = measure(folder, n_records, n_keys, n_new)
    publish("desk", _parts(outcome, n_records), options)


def _parts(outcome: dict[str, list[float]], n_records: int) -> list[Any]:
    rows = []
    for key, what in KEYS.items():
        ms, (processor,) = outcome[key], outcome[f"{key}, processor"]
        cells = [f"{value:.1f}" for value in (median(ms), max(ms), processor)]
        rows.append([f"`{key}`, {what}", f"{len(ms)}", *cells])
    keys = [ms for key in KEYS for ms in outcome[key]]
    figures = [
        Figure("first rows after opening the page, s", max(outcome["first rows"]), MAX_ROWS_SECONDS),
        Figure("a key answered, ms, median", median(keys), MAX_KEY_MS),
        Figure("a key answered, ms, worst", max(keys), MAX_KEY_MS),
        Figure("a new file shown, s, worst", max(outcome["new file"]), MAX_NEW_SECONDS),
    ]
    return [
        f"An inbox of {n_records:,} files, {PAUSE_MS} ms between keys, browser and service on the same "
        f"machine, whose load was {os.getloadavg()[0]:.1f} (programs that run or wait). {machine()}.",
        markdown(["key", "pressed", "median, ms", "worst, ms", "processor, ms"], rows),
        "\n".join(f"- {figure}" for figure in figures),
    ]


if __name__ == "__main__":
    main()
