"""The demo: its files, its desk, and what it leaves alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.cli import demo as command
from scoring.service import server
from scoring.service.options import ServiceOptions
from scoring.storage.lock import only_one
from scoring.workflows import demo as workflow
from scoring.workflows.train import TrainOutcome

URL = "http://127.0.0.1:8080/"


class Demo(NamedTuple):
    """Runs the demo; ``served`` are the services that it started."""

    run: Callable[..., Result]
    served: list[ServiceOptions]


@pytest.fixture
def demo(training: TrainOutcome, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """A demo with a model that is trained already, whose service is interrupted at once."""
    served: list[ServiceOptions] = []

    def train(_: list[str], *, output: Path, **__: Any) -> SimpleNamespace:
        shutil.copytree(training.model, output)
        return SimpleNamespace(run_id="0")

    def serve(options: ServiceOptions, *, host: str, port: int, on_listening: Any, **_: Any) -> None:
        assert (host, port) == ("127.0.0.1", 0)
        served.append(options)
        on_listening(URL)
        raise KeyboardInterrupt

    def run(*options: str) -> Result:
        return CliRunner().invoke(app, ["demo", *options], prog_name="scoring")

    monkeypatch.setattr(workflow, "train", train)
    monkeypatch.setattr(workflow, "read_run", lambda *_: None)
    monkeypatch.setattr(workflow, "read_report", lambda *_: b"a report")
    monkeypatch.setattr(server, "run", serve)
    return Demo(run, served)


def test_all_files_are_in_one_folder_and_the_end_says_what_is_next(demo: Demo) -> None:
    done = demo.run("--no-browser")
    assert done.exit_code == 130
    assert [path.name for path in Path().iterdir()] == ["scoring-demo"]
    folder = Path("scoring-demo")
    names = {path.name for path in folder.iterdir()}
    assert names == {"archive", "inbox", "model", "report.html", "demo.lock", workflow.MARK}
    n_files = [len(list((folder / name).glob("*.md"))) for name in ("archive", "archive/new", "inbox")]
    assert n_files == [workflow.N_ARCHIVE, workflow.N_NEW, workflow.N_INBOX]
    assert f"the desk: {URL} " in done.output
    assert "no desktop" not in done.output
    assert "scoring score scoring-demo/inbox --model scoring-demo/model" in done.output
    (options,) = demo.served
    assert (options.inbox, options.model) == (folder / "inbox", "scoring-demo/model")
    assert options.archive == ("scoring-demo/archive", "scoring-demo/inbox")
    assert options.settings.home == folder.absolute() / "home"
    assert options.settings.tracking_uri == f"sqlite:///{folder.absolute()}/home/mlflow.db"


def test_a_second_demo_continues_the_first(demo: Demo) -> None:
    demo.run("--no-browser", "--output", "a b")
    decided = Path("a b/inbox/decided.md")
    decided.write_text("kept")
    done = demo.run("--no-browser", "--output", "a b")
    assert "a b: from an earlier demo; delete the folder for a new one" in done.output
    assert "scoring demo --output 'a b'" in done.output
    assert decided.read_text() == "kept"


def test_an_interrupted_demo_is_made_again(demo: Demo) -> None:
    demo.run("--no-browser")
    Path("scoring-demo/report.html").unlink()
    left_over = Path("scoring-demo/archive/left-over.md")
    left_over.write_text("")
    assert "earlier demo" not in demo.run("--no-browser").output
    assert not left_over.exists()


def test_one_that_is_being_made_is_left_alone(demo: Demo) -> None:
    demo.run("--no-browser")
    Path("scoring-demo/report.html").unlink()
    kept = Path("scoring-demo/archive/kept.md")
    kept.write_text("")
    with only_one(Path("scoring-demo"), "demo", now=datetime(2026, 1, 1, tzinfo=UTC)):
        done = demo.run("--no-browser")
    assert done.exit_code == 2
    assert "only one process may demo" in done.output
    assert kept.exists()


@pytest.mark.parametrize("is_file", [False, True])
def test_a_folder_that_no_demo_made_is_left_unchanged(demo: Demo, is_file: bool) -> None:
    file = Path("news") if is_file else Path("news/archive")
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    done = demo.run("--output", "news")
    assert done.exit_code == 2
    assert done.output.startswith("error: news: got a folder or file that no demo made")
    assert "name a new folder with --output" in done.output
    assert file.read_text() == "mine"
    assert demo.served == []


def test_a_remote_folder_is_refused(demo: Demo) -> None:
    done = demo.run("--output", "s3://bucket/demo")
    assert done.exit_code == 2
    assert "the demo needs a local path" in done.output


@pytest.mark.parametrize("is_desktop", [False, True])
def test_browser_of_a_desktop_is_opened(
    demo: Demo, is_desktop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def thread(*, target: Any, args: tuple[str], daemon: bool) -> SimpleNamespace:
        return SimpleNamespace(start=lambda: target(*args))

    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    if is_desktop:
        monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(command, "sys", SimpleNamespace(platform="linux"))
    monkeypatch.setattr(command, "threading", SimpleNamespace(Thread=thread))
    monkeypatch.setattr(command, "webbrowser", SimpleNamespace(open=opened.append))
    done = demo.run()
    assert opened == ([URL] if is_desktop else [])
    assert ("no desktop found: open this address" in done.output) is not is_desktop


@pytest.mark.exhaustive
def test_a_complete_demo_has_a_model_that_can_be_served(monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(options: ServiceOptions, **_: Any) -> None:
        server._check(options)
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "run", serve)
    done = CliRunner().invoke(app, ["demo", "--no-browser"], prog_name="scoring")
    assert done.exit_code == 130
    assert b"<!DOCTYPE html>" in Path("scoring-demo/report.html").read_bytes()
