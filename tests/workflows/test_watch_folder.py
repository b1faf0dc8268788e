"""Watch: removed, replaced and unmounted folders, and unusual file names."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchfiles import Change

from scoring.errors import Fault, RecordError
from scoring.inbox import folder_watch, watch_state
from scoring.inbox.folder_watch import looks
from scoring.inbox.watch_state import Seen
from scoring.records.corpus import read_bytes, read_documents
from scoring.records.file_names import name_of
from scoring.settings import Settings
from scoring.workflows import watch as workflow
from scoring.workflows.train import TrainOutcome
from scoring.workflows.watch import watch
from tests.workflows.test_watch import NOW, Watcher, folder, others, settle, start

__all__ = ["folder", "others", "start"]  # fixtures

Start = Callable[..., Watcher]
AWAY = "got No such file or directory, expected the watched folder; it is polled until it exists"


def started_again(start: Start, folder: Path, others: list[Path], **options: bool) -> Watcher:
    """A watch that has scored everything in its folder."""
    again = start(folder, **options)
    shutil.copy(others[1], folder / "again.md")
    again.wait(lambda: "again.md" in again.names)
    return again


def moved_away(folder: Path) -> Callable[[], None]:
    """Move a folder away; returns a callable that moves it back."""
    aside = folder.with_name(f"{folder.name} aside")
    folder.rename(aside)

    def back() -> None:
        aside.rename(folder)

    return back


def unmounted(folder: Path) -> Callable[[], None]:
    """Replace the folder by an empty one, as if a disk were not mounted."""
    back = moved_away(folder)
    folder.mkdir()

    def mount() -> None:
        folder.rmdir()
        back()

    return mount


def switched(folder: Path) -> Callable[[], None]:
    """Point the same link to another, empty folder."""
    empty = folder.with_name("empty")
    empty.mkdir()
    target = Path(os.readlink(folder))
    folder.unlink()
    folder.symlink_to(empty)

    def switch() -> None:
        folder.unlink()
        folder.symlink_to(target)

    return switch


@pytest.mark.parametrize("lose", [moved_away, unmounted, switched], ids=lambda lose: lose.__name__)
def test_it_goes_on_when_its_folder_is_back_and_scores_nothing_again(
    start: Start, folder: Path, others: list[Path], lose: Callable[[Path], Callable[[], None]]
) -> None:
    if lose is switched:
        target = folder.rename(folder.with_name("target"))
        folder.symlink_to(target)
    watcher = start()
    watcher.wait(lambda: len(watcher.scores) == 3)
    for round_ in range(2):
        notes = len(watcher.listener.notes)
        find = lose(folder)
        if lose is moved_away:
            watcher.wait(lambda: len(watcher.faults) == 1 + round_)  # noqa: B023 -- called at once
            time.sleep(0.5)
        else:
            watcher.wait(lambda: len(watcher.listener.notes) > notes)  # noqa: B023
        find()
        if lose is switched:
            folder.with_name("empty").rmdir()
        shutil.copy(others[round_], folder / f"new {round_}.md")
        watcher.wait(lambda: len(watcher.scores) == 4 + round_)  # noqa: B023
    settle(watcher, others, folder)
    assert watcher.names[3:] == ["new 0.md", "new 1.md", "last.md"]
    assert watcher.faults == ([f"{folder}: {AWAY}"] * 2 if lose is moved_away else [])
    watcher.end()
    assert started_again(start, folder, others).names == ["again.md"]


def test_another_folder_in_its_place_is_watched(start: Start, folder: Path, others: list[Path]) -> None:
    watcher = start()
    watcher.wait(lambda: len(watcher.scores) == 3)
    shutil.rmtree(folder)
    folder.mkdir()
    shutil.copy(others[0], folder / "new.md")
    watcher.wait(lambda: "new.md" in watcher.names)
    (folder / "deep").mkdir()
    shutil.copy(others[1], folder / "deep" / "second.md")
    watcher.wait(lambda: "second.md" in watcher.names)
    assert len(watcher.scores) == 5


def arrive(watcher: Watcher, file: Path, folder: Path, name: str) -> None:
    """Add a file after all others, and wait until it is scored."""
    shutil.copy(file, folder / name)
    watcher.wait(lambda: name in watcher.names)


def test_a_folder_within_it_that_goes_and_comes_is_not_scored_again(
    start: Start, folder: Path, others: list[Path]
) -> None:
    (folder / "part").mkdir()
    for file in others[:2]:
        shutil.copy(file, folder / "part" / file.name)
    watcher = start()
    watcher.wait(lambda: len(watcher.scores) == 5)
    (folder / "part").rename(folder.parent / "part")
    arrive(watcher, others[0], folder, "first.md")
    shutil.move(folder.parent / "part", folder / "part")
    arrive(watcher, others[0], folder, "second.md")
    assert watcher.names[5:] == ["first.md", "second.md"]


def test_a_file_that_is_removed_and_comes_back_is_scored_again(
    start: Start, folder: Path, others: list[Path]
) -> None:
    watcher = start()
    watcher.wait(lambda: len(watcher.scores) == 3)
    file = min(folder.iterdir())
    content = file.read_bytes()
    file.unlink()
    arrive(watcher, others[0], folder, "first.md")
    file.write_bytes(content)
    arrive(watcher, others[0], folder, "second.md")
    watcher.wait(lambda: len(watcher.scores) == 6)
    assert sorted(watcher.names[3:]) == sorted([file.name, "first.md", "second.md"])


def test_what_is_missing_for_long_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_state, "KEEP_MISSING_DAYS", 2.0)
    day = 86_400.0
    seen = Seen(tmp_path / "seen.db")
    for name in ("stays.md", "gone.md", "back.md", "removed.md"):
        seen.put(name, "x")
    seen.keep({"stays.md"}, {"removed.md"}, now=0.0)
    assert [seen.get(name) for name in ("gone.md", "removed.md")] == ["x", None]
    seen.keep({"stays.md", "back.md"}, set(), now=1.5 * day)
    seen.close()
    seen = Seen(tmp_path / "seen.db")
    seen.keep({"stays.md"}, set(), now=2.5 * day)
    assert [seen.get(name) for name in ("stays.md", "gone.md", "back.md")] == ["x", None, "x"]
    seen.close()


ODD_NAMES = [
    os.fsdecode(b"caf\xe9.md"),
    "caf\\xe9.md",  # as the first is spelled
    "line\nbreak.md",
    "bell\x07.md",
    "right\u202eto left.md",
    "back\\slash.md",
    "next\x85line.md",
    os.fsdecode(b"next\x85line.md"),
]


def test_names_of_any_bytes_are_scored_once_written_and_reported(
    start: Start, folder: Path, others: list[Path]
) -> None:
    content = others[0].read_bytes()
    watcher = start(is_written=True)
    watcher.wait(lambda: len(watcher.scores) == 3)
    for name in ODD_NAMES:
        (folder / name).write_bytes(content)
    watcher.wait(lambda: len(watcher.scores) == 3 + len(ODD_NAMES))
    settle(watcher, others, folder)
    assert watcher.faults == []
    assert all(b"\nquality: " in (folder / name).read_bytes() for name in ODD_NAMES)
    assert all(score.path.isprintable() for score in watcher.scores)
    watcher.end()
    (folder / ODD_NAMES[0]).write_bytes(content.replace(b'\ntitle: "', b'\ntitle: "New ', 1))
    again = started_again(start, folder, others, is_written=True)
    again.wait(lambda: len(again.names) == 2)
    assert sorted(again.names) == ["again.md", r"caf\xe9.md"]
    (folder / ODD_NAMES[0]).write_bytes(b"---\ntitle: [\n---\n")
    again.wait(lambda: len(again.faults) == 1)
    assert r"caf\xe9.md:" in again.faults[0]


def test_a_folder_of_any_name_is_watched(start: Start, folder: Path, others: list[Path]) -> None:
    odd = folder.rename(folder.with_name(os.fsdecode(b"in\xe9\nbox")))
    watcher = start(odd)
    watcher.wait(lambda: len(watcher.scores) == 3)
    watcher.end()
    assert started_again(start, odd, others).names == ["again.md"]


def test_what_could_not_be_read_is_tried_again(
    start: Start, folder: Path, others: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "SETTLE_SECONDS", 0.2)
    monkeypatch.setattr(workflow, "RETRY_SECONDS", 0.4)
    is_broken = threading.Event()
    is_broken.set()

    def read(file: str) -> bytes:
        if is_broken.is_set() and file.endswith("bad.md"):
            raise RecordError(Fault(file, 0, "", "Input/output error", "a file that can be read"))
        return read_bytes(file)

    monkeypatch.setattr(workflow, "read_bytes", read)
    shutil.copy(others[0], folder / "bad.md")
    (folder / "nothing.md").symlink_to("later")
    watcher = start()
    watcher.wait(lambda: len(watcher.faults) == 2)
    settle(watcher, others, folder)
    time.sleep(1.0)
    assert sorted(fault.partition(": ")[2] for fault in watcher.faults) == [
        "got Input/output error, expected a file that can be read",
        "got No such file or directory, expected a file that can be read",
    ]
    is_broken.clear()  # and nothing tells of it
    watcher.wait(lambda: "bad.md" in watcher.names)
    shutil.copy(others[1], folder / "later")
    watcher.wait(lambda: "nothing.md" in watcher.names)
    assert len(watcher.faults) == 2


def test_a_folder_that_the_system_cannot_watch_is_reported_and_looked_into(
    start: Start, folder: Path, others: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "OS file watch limit reached")

    monkeypatch.setattr(folder_watch, "_changes", fail)
    monkeypatch.setattr(folder_watch, "UNWATCHED_SECONDS", 0.1)
    watcher = start()
    watcher.wait(lambda: len(watcher.scores) == 3)
    settle(watcher, others, folder)
    (message,) = watcher.faults
    assert "a folder without file events ([Errno 28] OS file watch limit reached)" in message


def test_a_stop_is_heard_between_any_two_files(
    training: TrainOutcome, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    n_read = [0]

    def read(file: str) -> bytes:
        n_read[0] += 1
        stop.set()
        return read_bytes(file)

    monkeypatch.setattr(workflow, "read_bytes", read)
    options = {"model": training.model, "settings": settings, "now": NOW, "stop": stop, "on_fault": print}
    assert list(watch(str(folder), **options)) == []  # type: ignore[arg-type]
    assert n_read == [1]
    n_listed = [0]

    def listed(path: str | Path) -> tuple[int, int, int, int]:
        n_listed[0] += 1
        stop.set()
        return (0, 0, 0, 0)

    stop.clear()
    monkeypatch.setattr(workflow, "state_of", listed)
    assert list(watch(str(folder), **options)) == []  # type: ignore[arg-type]
    assert n_listed == [1]


def test_an_event_lists_no_other_file(
    start: Start, folder: Path, others: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = started_again(start, folder, others)
    monkeypatch.setattr(workflow, "files_within", lambda *_: pytest.fail("the folder was listed"))
    arrive(watcher, others[0], folder, "new.md")
    (folder / "new.md").unlink()
    arrive(watcher, others[2], folder, "newer.md")


def test_a_sweep_finds_what_no_event_announced(
    start: Start, folder: Path, others: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(folder: str, stop: threading.Event) -> Iterator[set[tuple[Change, str]]]:
        while not stop.wait(0.02):
            yield set()

    monkeypatch.setattr(folder_watch, "_changes", silent)
    monkeypatch.setattr(workflow, "SWEEP_SECONDS", 0.1)
    watcher = started_again(start, folder, others)
    arrive(watcher, others[0], folder, "new.md")


def test_what_is_hidden_is_no_reason_to_look(folder: Path) -> None:
    stop = threading.Event()
    seen = looks(str(folder), stop)
    assert next(seen).is_due
    (folder / ".git").mkdir()
    (folder / ".git" / "index").write_text("x", "utf-8")
    (folder / ".a.md.tmp").write_text("x", "utf-8")
    assert not any(next(seen).is_due for _ in range(4))
    (folder / "a.md").write_text("x", "utf-8")
    assert any(next(seen).is_due for _ in range(20))
    stop.set()
    assert [look.is_due for look in seen] == []


def test_changes_of_names_that_are_no_text_are_no_trouble(folder: Path) -> None:
    stop, odd = threading.Event(), folder / os.fsdecode(b"caf\xe9.md")
    seen = looks(str(folder), stop)
    n_due = 0
    for index in range(20):
        odd.write_text(str(index), "utf-8")
        look = next(seen)
        n_due += look.is_due
        assert look.trouble == ""
    assert n_due > 5
    stop.set()


def test_each_name_is_its_own() -> None:
    assert len({name_of(name) for name in ODD_NAMES}) == len(ODD_NAMES)
    assert all(name_of(name).isprintable() for name in ODD_NAMES)


def test_the_watched_records_are_those_of_the_library(folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.md")).write_bytes(b"---\ntitle: Rain\n---\n")
    assert len(list(read_documents([str(folder)], on_fault=print))) == 4
