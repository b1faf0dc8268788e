"""Two browsers that act at random on the same inbox, and a check that no decision is lost or doubled.

``python -m tests.integration.desk_monkey --runs 100`` makes the runs of the seeds 0 to 99, with 200 actions
in each browser and several restarts of the service.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page, Request, Response
from playwright.sync_api import Error as PlaywrightError

from scoring.records.decode import decode_file
from scoring.records.ledger import read_ledger
from scoring.records.record import Labels
from scoring.records.synthetic.generate import write_sample
from tests.integration.browser import DESKTOP, chromium
from tests.integration.test_service import wait_until

SECONDS = 60
STATES = ("todo", "todo", "todo", "done", "pending", "", "doubt", "shown")
ACTIONS = {"accept": 30, "correct": 8, "undo": 14, "undo here": 6, "save": 8, "move": 14, "filter": 8}
ACTIONS |= {"order": 4, "reload": 3}
ENDS = ("decided", "saved", "undone")
STATE = """async () => {
    const { states } = await import("/page/states.js");
    const { outbox } = await import("/page/outbox.js");
    const known = [...states.all()].filter(([, state]) => state.head);
    const all = known.map(([path, state]) => [path, state.head.id, state.decided?.labels, state.is_saved]);
    return { isIdle: outbox.isEmpty, all: all.sort() };
}"""


class Place(NamedTuple):
    """Folder of a run, with inbox and home, the model, and the port of the service."""

    folder: Path
    model: str
    port: int

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.port}"


class Traffic:
    """The actions that the pages sent, and what the service answered to each, by action and record."""

    def __init__(self) -> None:
        self.sent: dict[tuple[str, str], str] = {}
        self.answers: dict[tuple[str, str], dict[str, Any]] = {}
        self.unread: set[tuple[str, str]] = set()  # answers that a reload of the page took away

    def hear_request(self, request: Request) -> None:
        """Note what is asked."""
        kind = request.url.rpartition("/")[2]
        if request.method == "POST" and kind in ("decide", "save", "undo"):
            body = request.post_data_json or {}
            for target in body.get("decisions") or body.get("targets") or []:
                self.sent[body["id"], target["path"]] = kind

    def hear_response(self, response: Response) -> None:
        """Note what is answered, unless the page or the service has gone meanwhile."""
        if response.url.rpartition("/")[2] in ("decide", "save", "undo") and response.status == 200:
            body = response.request.post_data_json or {}
            try:
                for result in response.json()["results"]:
                    self.answers[body["id"], result["path"]] = result
            except PlaywrightError:
                targets = body.get("decisions") or body.get("targets") or []
                self.unread |= {(body["id"], target["path"]) for target in targets}


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def service(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """Start the service, and wait until it answers; it is killed at the end."""
    options = ("--model", place.model, "--inbox", str(place.folder / "inbox"), "--port", str(place.port))
    environment = os.environ | {"SCORING_HOME": str(place.folder / "home")}
    command = [sys.executable, "-m", "scoring", "serve", *options]
    with (
        (place.folder / "service.log").open("ab") as log,
        subprocess.Popen(command, cwd=place.folder, env=environment, stderr=log) as process,
    ):
        try:
            wait_until(lambda: _is_listening(place.port), process, place.folder / "service.log")
            yield process
        finally:
            process.kill()


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def act(page: Page, chance: random.Random) -> None:
    """One action, as a person does it."""
    kind = chance.choices(list(ACTIONS), list(ACTIONS.values()))[0]
    if kind == "filter":
        page.locator("#state").select_option(chance.choice(STATES))
    elif kind == "order":
        page.locator("#order").select_option(chance.choice(("heat", "doubt", "newest", "quality")))
    elif kind == "reload":
        page.reload()
        page.locator("#count").wait_for()
        return
    page.locator("#grid").evaluate("grid => grid.focus()")
    if kind == "correct":
        page.keyboard.press("e")
        if page.locator("#label-quality").is_visible():
            page.locator("#label-quality").fill(str(chance.randint(1, 150)))
            page.keyboard.press("Enter")
            if page.locator("#ask").is_visible():  # a value that no record of training has
                page.locator("#ask button").nth(chance.randrange(2)).click()
        page.locator("#grid").evaluate("grid => grid.focus()")
        page.keyboard.press("Escape")
    elif kind == "undo here":
        page.keyboard.press("Enter")
        button = page.locator("#details button", has_text=re.compile("^Undo"))
        if button.count() and button.first.is_visible():
            with suppress(PlaywrightError):  # the other person has undone it meanwhile
                button.first.click(timeout=2000)
        page.keyboard.press("Escape")
    elif key := {"accept": "a", "undo": "u", "save": "w", "move": chance.choice("jk")}.get(kind):
        page.keyboard.press(key)


def run(browser: Browser, place: Place, seed: int, n_actions: int, n_restarts: int) -> None:
    """Act at random in two browsers, each `n_actions` times, and check what has become of every action."""
    chance, traffic = random.Random(seed), Traffic()  # noqa: S311 -- no secret
    restarts = set(chance.sample(range(2 * n_actions), n_restarts))
    running = service(place)
    running.__enter__()
    contexts = [browser.new_context(viewport=DESKTOP) for _ in range(2)]  # type: ignore[arg-type]
    try:
        pages = []
        for name, context in zip(("Anna", "Bob"), contexts, strict=True):
            context.add_init_script(f"localStorage.setItem('scoring.by', '{name}')")
            page = context.new_page()
            page.set_default_timeout(20_000)
            page.on("dialog", lambda dialog: dialog.accept())
            page.on("request", traffic.hear_request)
            page.on("response", traffic.hear_response)
            page.goto(place.url)
            page.locator(".record").first.wait_for()
            pages.append(page)
        for number in range(2 * n_actions):
            if number in restarts:
                running.__exit__(None, None, None)
                act_offline(pages, chance)
                running = service(place)
                running.__enter__()
            act(chance.choice(pages), chance)
        check(place, settled(pages), traffic)
    finally:
        for context in contexts:
            context.close()
        running.__exit__(None, None, None)


def act_offline(pages: list[Page], chance: random.Random) -> None:
    """Decide while the service is away; such a decision arrives when it is back."""
    page = chance.choice(pages)
    page.locator("#grid").evaluate("grid => grid.focus()")
    page.keyboard.press("a")


def settled(pages: list[Page]) -> list[list[Any]]:
    """What the pages know once all are connected, have an answer to everything, and agree, or never do."""
    ends, last = time.monotonic() + SECONDS, None
    while True:
        found = [page.evaluate(STATE) for page in pages]
        known = [page_found["all"] for page_found in found]
        is_linked = all(page.locator("#link").inner_text() == "live" for page in pages)
        is_idle = is_linked and all(page_found["isIdle"] for page_found in found)
        is_late = time.monotonic() > ends
        if is_idle and (is_late or (known == last and known[0] == known[1])):
            return known
        assert not is_late, found
        last = known
        pages[0].wait_for_timeout(150)


def check(place: Place, known: list[list[Any]], traffic: Traffic) -> None:
    """Compare files, ledger, log and both pages with what the service has answered."""
    (log,) = (place.folder / "home").glob("decisions-*.jsonl")
    lines = log.read_text("utf-8").splitlines()
    steps = [json.loads(line) for line in lines]
    ended = Counter((step["id"], step["path"]) for step in steps if step["kind"] in ENDS)
    assert not [key for key, count in ended.items() if count > 1], "done twice"
    for key, result in traffic.answers.items():
        is_refused = bool(result.get("is_late") or result.get("fault"))
        assert is_refused or ended[key] == 1, (
            f"{traffic.sent[key]} was answered, and is not in the log: {result}"
        )
    assert not traffic.sent.keys() - traffic.answers.keys() - traffic.unread - ended.keys(), "lost"
    assert not ended.keys() - traffic.sent.keys(), "never asked for"
    assert known[0] == known[1], "the pages differ"
    stacks = replay(steps)
    heads = {step["path"]: step["id"] for step in steps if step["kind"] in ENDS}
    shown = {path: (head, labels, is_saved) for path, head, labels, is_saved in known[0]}
    assert shown.keys() == heads.keys()
    for path, stack in stacks.items():
        top = stack[-1] if stack else (None, False)
        assert shown[path] == (heads[path], *top), path
        saved = [labels for labels, is_saved in stack if is_saved]
        wanted = saved[-1] if saved else {"quality": None, "heat": None, "published": None}
        labels = decode_file((place.folder / "inbox" / path).read_bytes(), path).labels
        assert labels == Labels(**wanted), path
    check_ledger(place, stacks)


def replay(steps: list[dict[str, Any]]) -> dict[str, list[tuple[dict[str, Any], bool]]]:
    """Decisions of each record that can be undone, and whether each is saved: a second implementation."""
    stacks: dict[str, list[tuple[dict[str, Any], bool]]] = {}
    for step in steps:
        stack = stacks.setdefault(step["path"], [])
        if step["kind"] == "decided":
            stack.append((step["decided"]["labels"], False))
        elif step["kind"] == "saved":
            stack.append((stack[-1][0], True))
        elif step["kind"] == "undone":
            stack.pop()
    return stacks


def check_ledger(place: Place, stacks: dict[str, list[tuple[dict[str, Any], bool]]]) -> None:
    """The corrections in force are the values in the files that differ from the predictions."""
    holding = read_ledger(place.folder / "home" / "corrections.jsonl").holding()
    for correction in holding.values():
        saved = [labels for labels, is_saved in stacks[correction.path] if is_saved]
        assert saved, f"{correction.path}: a correction without a label"
        assert saved[-1][correction.field] == correction.value, correction


def prepare(folder: Path, model: str, records: Path) -> Place:
    """An inbox with the same records for each run, and an empty home."""
    shutil.copytree(records, folder / "inbox")
    return Place(folder, model, free_port())


def main() -> None:
    """Make the runs."""
    from scoring.settings import load_settings
    from scoring.training.config import TrainConfig
    from scoring.workflows.train import train

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first run")
    parser.add_argument("--actions", type=int, default=200, help="of each browser")
    parser.add_argument("--restarts", type=int, default=3, help="of the service, in each run")
    options = parser.parse_args()

    def stop(error: Exception) -> None:
        raise error

    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        folder = Path(scratch)
        write_sample(folder / "archive", n_records=300, seed=1)
        write_sample(folder / "records", n_records=25, seed=5, is_labelled=False)
        model = train(
            [str(folder / "archive")],
            config=TrainConfig(name="small", n_bootstrap=50),
            settings=load_settings(home=folder / "training", threads=1),
            now=datetime(2026, 3, 1, tzinfo=UTC),
            is_tracked=False,
            on_fault=stop,
        ).model
        for seed in range(options.first, options.first + options.runs):
            began_at = time.monotonic()
            (folder / str(seed)).mkdir()
            place = prepare(folder / str(seed), model, folder / "records")
            run(browser, place, seed, options.actions, options.restarts)
            print(f"seed {seed}: sound, {time.monotonic() - began_at:.0f} s", flush=True)


if __name__ == "__main__":
    main()
