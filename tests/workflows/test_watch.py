"""Watch: each record is scored once, and again if its content changes."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from scoring.artifact.saved_model import SavedModel, load_model, save_model
from scoring.deployment.open_model import open_model
from scoring.errors import HomeError, RecordError, ScoringError
from scoring.labels.write_results import WrittenScore
from scoring.labels.writer import LabelWriter, WriteOptions
from scoring.model.score import Score
from scoring.records.corpus import read_documents
from scoring.records.synthetic.generate import write_sample
from scoring.records.write_back import write_labels
from scoring.settings import Settings
from scoring.workflows import watch as workflow
from scoring.workflows.train import TrainOutcome
from scoring.workflows.watch import watch
from tests.conftest import Registry
from tests.workflows.test_train import Listener

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS = 30.0


class Watcher:
    """A watch in a thread, and its output so far."""

    def __init__(
        self, folder: str | Path, model: str | None, settings: Settings, *, is_written: bool = False
    ) -> None:
        self.scores: list[Score] = []
        self.faults: list[str] = []
        self.listener = Listener()
        self.stop = threading.Event()
        chosen = WriteOptions(settings.journal, lambda: NOW, command="watch")
        self.writer = LabelWriter(
            chosen,
            paths=[str(folder)],
            on_fault=lambda error: self.faults.append(str(error)),
            reporter=self.listener,
        )
        scores = watch(
            str(folder),
            model=model,
            writer=self.writer if is_written else None,
            settings=settings,
            now=NOW,
            stop=self.stop,
            on_fault=lambda error: self.faults.append(str(error)),
            reporter=self.listener,
        )
        self._thread = threading.Thread(target=self._take, args=(scores,), daemon=True)
        self._thread.start()

    def _take(self, scores: Iterator[Score]) -> None:
        for score in scores:
            self.scores.append(score)

    def wait(self, is_there: Callable[[], bool]) -> None:
        ends = time.monotonic() + SECONDS
        while not is_there():
            assert self._thread.is_alive()
            assert time.monotonic() < ends, (self.scores, self.faults)
            time.sleep(0.02)

    def end(self) -> None:
        self.stop.set()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    @property
    def names(self) -> list[str]:
        return [Path(score.path).name for score in self.scores]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_sample(tmp_path / "inbox", n_records=3, seed=5, is_labelled=False)
    return tmp_path / "inbox"


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("others") / "news"
    write_sample(folder, n_records=3, seed=9, is_labelled=False)
    return sorted(folder.iterdir())


@pytest.fixture
def start(training: TrainOutcome, settings: Settings, folder: Path) -> Iterator[Callable[..., Watcher]]:
    started: list[Watcher] = []

    def begin(
        watched: str | Path = folder, *, model: str = training.model, is_written: bool = False
    ) -> Watcher:
        started.append(Watcher(watched, model, settings, is_written=is_written))
        return started[-1]

    yield begin
    for watcher in started:
        watcher.end()


def settle(watcher: Watcher, others: list[Path], folder: Path) -> None:
    """Wait until a file added after all others is scored."""
    n_scores = len(watcher.scores)
    shutil.copy(others[2], folder / "last.md")
    watcher.wait(lambda: "last.md" in watcher.names[n_scores:])
    (folder / "last.md").unlink()


def test_what_is_there_and_what_arrives_is_scored_once_as_by_the_library(
    start: Callable[..., Watcher], folder: Path, others: list[Path], training: TrainOutcome
) -> None:
    watcher = start()
    watcher.wait(lambda: len(watcher.scores) == 3)
    (folder / "deep").mkdir()
    shutil.copy(others[0], folder / "deep" / "new.md")
    watcher.wait(lambda: len(watcher.scores) == 4)
    (folder / "README.md").write_text("# No record\n", "utf-8")
    (folder / ".hidden.md").write_text("---\n", "utf-8")
    settle(watcher, others, folder)
    documents = list(read_documents([str(folder)], on_fault=lambda error: None))
    expected = list(load_model(Path(training.model)).scorer.score(documents))
    assert sorted(watcher.scores[:4], key=lambda score: score.path) == expected
    assert len(watcher.scores) == 5
    assert watcher.faults == []


def test_a_change_is_scored_again_and_labels_are_none(
    start: Callable[..., Watcher], folder: Path, others: list[Path]
) -> None:
    first, second, _ = sorted(folder.iterdir())
    watcher = start()
    watcher.wait(lambda: len(watcher.scores) == 3)
    write_labels(str(first), {"quality": 5}, roots=[str(folder)])
    second.write_bytes(second.read_bytes().replace(b'\ntitle: "', b'\ntitle: "New ', 1))
    watcher.wait(lambda: len(watcher.scores) == 4)
    settle(watcher, others, folder)
    assert watcher.names[3:] == [second.name, "last.md"]


def test_its_own_writing_is_no_change(
    start: Callable[..., Watcher], folder: Path, others: list[Path]
) -> None:
    watcher = start(is_written=True)
    watcher.wait(lambda: len(watcher.scores) == 3)
    settle(watcher, others, folder)
    assert len(watcher.scores) == 4
    written = {document.path: document.labels for document in read_documents([str(folder)], on_fault=print)}
    assert {path: labels.quality for path, labels in written.items()} == {
        score.path: score.quality for score in watcher.scores[:3]
    }
    filled = dict.fromkeys(("quality", "heat", "published"), "filled")
    assert [score.labels for score in watcher.scores if isinstance(score, WrittenScore)] == [filled] * 4


def test_labels_of_people_are_left_alone_and_its_own_renewed(
    start: Callable[..., Watcher], folder: Path, others: list[Path]
) -> None:
    first, second, _ = sorted(folder.iterdir())
    write_labels(str(first), {"quality": 999}, roots=[str(folder)])
    watcher = start(is_written=True)
    watcher.wait(lambda: len(watcher.scores) == 3)
    assert b"\nquality: 999\n" in first.read_bytes()
    # The editor's word on the second, and then a change of what it says.
    write_labels(str(second), {"heat": 998}, roots=[str(folder)])
    second.write_bytes(second.read_bytes().replace(b'\ntitle: "', b'\ntitle: "Tessaril and ', 1))
    watcher.wait(lambda: len(watcher.scores) == 4)
    again = watcher.scores[-1]
    assert isinstance(again, WrittenScore)
    assert (again.labels["heat"], again.labels["quality"]) == ("left alone", "renewed")
    data = second.read_bytes()
    assert b"\nheat: 998\n" in data
    assert f"\nquality: {again.quality}\n".encode() in data
    assert watcher.faults == []


def test_a_record_of_which_nothing_is_known_is_refused(start: Callable[..., Watcher], folder: Path) -> None:
    watcher = start(is_written=True)
    watcher.wait(lambda: len(watcher.scores) == 3)
    (folder / "bare.md").write_text("---\ntitle: Rain\n---\n", "utf-8")
    watcher.wait(lambda: bool(watcher.faults))
    assert "bare.md: got neither a date nor a provider nor topics, expected" in watcher.faults[0]
    assert (folder / "bare.md").read_text("utf-8") == "---\ntitle: Rain\n---\n"


def test_started_again_it_scores_only_what_is_new(
    start: Callable[..., Watcher], folder: Path, others: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = start()
    watcher.wait(lambda: len(watcher.scores) == 3)
    watcher.end()
    shutil.copy(others[0], folder / "new.md")
    monkeypatch.chdir(folder.parent)
    again = start(folder.name)  # the same folder by another name
    again.wait(lambda: bool(again.scores))
    settle(again, others, folder)
    assert again.names == ["new.md", "last.md"]


def test_a_half_written_file_is_waited_for(
    start: Callable[..., Watcher], folder: Path, others: list[Path]
) -> None:
    watcher = start()
    watcher.wait(lambda: len(watcher.scores) == 3)
    content = others[0].read_bytes()
    for n_bytes in (0, 50, 200, len(content)):
        (folder / "slow.md").write_bytes(content[:n_bytes])
        time.sleep(0.4)
    watcher.wait(lambda: "slow.md" in watcher.names)
    assert (len(watcher.scores), watcher.faults) == (4, [])


def test_a_fault_is_reported_once_until_it_is_another(
    start: Callable[..., Watcher], folder: Path, others: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "SETTLE_SECONDS", 0.3)
    bad = folder / "bad.md"
    bad.write_text("---\ntitle: Rain\nimages: high\n---\n", "utf-8")
    watcher = start()
    watcher.wait(lambda: len(watcher.faults) == 1)
    bad.touch()
    settle(watcher, others, folder)
    time.sleep(0.8)
    assert watcher.faults == [f"{bad}:3: images: got 'high', expected a list"]
    watcher.end()
    again = start()
    settle(again, others, folder)
    time.sleep(0.8)
    assert again.faults == []
    bad.write_text("---\ntitle: Rain\ntopics: {a: b}\n---\n", "utf-8")
    again.wait(lambda: len(again.faults) == 1)
    bad.write_text("---\ntitle: Rain\n---\n", "utf-8")
    again.wait(lambda: "bad.md" in again.names)


def test_the_model_is_followed_and_one_that_cannot_be_used_is_not(
    start: Callable[..., Watcher],
    folder: Path,
    others: list[Path],
    training: TrainOutcome,
    saved: SavedModel,
    tmp_path: Path,
) -> None:
    model = shutil.copytree(training.model, tmp_path / "model")
    watcher = start(model=str(model))
    watcher.wait(lambda: len(watcher.scores) == 3)
    model.rename(tmp_path / "away")
    for n_scores, other in enumerate(others[:2], start=4):
        shutil.copy(other, folder / other.name)
        watcher.wait(lambda n_scores=n_scores: len(watcher.scores) == n_scores)  # type: ignore[misc]
    (tmp_path / "away").rename(model)
    shutil.copy(others[2], folder / "back.md")
    watcher.wait(lambda: len(watcher.scores) == 6)
    facts = msgspec.structs.replace(saved.manifest.training, name="other")
    newer = save_model(model, saved.models, facts)
    shutil.copy(others[2], folder / "newer.md")
    watcher.wait(lambda: len(watcher.scores) == 7)
    name = saved.name
    assert [score.model for score in watcher.scores] == [name] * 6 + [newer.name]
    assert watcher.listener.warnings == [
        f"still scoring with {name}: model: got '{model}', expected a folder or zip, runs:/ID, "
        "models:/NAME/VERSION (or latest), models:/NAME@ALIAS or shipped"
    ]
    assert watcher.listener.notes == [
        f"{name} is available again",
        f"scoring with {newer.name} from now on",
    ]


@pytest.mark.parametrize("is_written", [False, True])
def test_a_store_that_is_away_is_reported_once_and_the_model_stays(
    folder: Path, others: list[Path], registry: Registry, is_written: bool
) -> None:
    database = registry.settings.home / "mlflow.db"
    watcher = Watcher(folder, None, registry.settings, is_written=is_written)
    try:
        watcher.wait(lambda: len(watcher.scores) == 3)
        name = watcher.scores[0].model
        database.rename(database.with_name("away.db"))
        for n_scores, other in enumerate(others[:2], start=4):
            shutil.copy(other, folder / other.name)
            watcher.wait(lambda n_scores=n_scores: len(watcher.scores) == n_scores)  # type: ignore[misc]
        database.with_name("away.db").rename(database)
        shutil.copy(others[2], folder / "back.md")
        watcher.wait(lambda: len(watcher.scores) == 6)
    finally:
        watcher.end()
    assert {score.model for score in watcher.scores} == {name}
    assert name.startswith("weak@")
    (line,) = watcher.listener.warnings
    assert line.startswith(f"still scoring with {name}: no store at sqlite:///{database}")
    assert watcher.listener.notes == [f"{name} is available again"]
    if is_written:
        assert "\nquality: " in (folder / others[0].name).read_text("utf-8")


def test_a_start_without_the_store_goes_on_with_the_last_known_champion(
    folder: Path, others: list[Path], registry: Registry
) -> None:
    name = open_model(None, registry.settings).name
    (registry.settings.home / "mlflow.db").unlink()
    watcher = Watcher(folder, None, registry.settings, is_written=True)
    try:
        watcher.wait(lambda: len(watcher.scores) == 3)
        shutil.copy(others[0], folder / "new.md")
        watcher.wait(lambda: len(watcher.scores) == 4)
    finally:
        watcher.end()
    assert {score.model for score in watcher.scores} == {name}
    (line,) = watcher.listener.warnings
    assert f"using the last known champion of scoring: {name}" in line


def test_a_folder_is_watched_by_one_and_has_to_be_there(
    start: Callable[..., Watcher], folder: Path, settings: Settings, training: TrainOutcome
) -> None:
    watcher = start()
    watcher.wait(lambda: len(watcher.scores) == 3)
    stop = threading.Event()
    for watched, error, message in (
        (str(folder), ScoringError, "only one process may"),
        ("none", RecordError, "none: got no such folder, expected a folder to watch"),
    ):
        with pytest.raises(error, match=message):
            next(
                watch(
                    watched,
                    model=training.model,
                    settings=settings,
                    now=NOW,
                    stop=stop,
                    on_fault=print,
                )
            )


def test_what_a_newer_version_has_seen_is_refused(
    training: TrainOutcome, settings: Settings, folder: Path, start: Callable[..., Watcher]
) -> None:
    watcher = start()
    watcher.end()
    (seen,) = (settings.home / "watch").glob("*.db")
    made = [settings.home, *settings.home.rglob("*")]
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []
    with closing(sqlite3.connect(seen)) as store:
        assert store.execute("PRAGMA user_version").fetchone() == (1,)
        store.execute("PRAGMA user_version = 2")
    with pytest.raises(HomeError, match=rf"^{seen}: format 2 is newer than "):
        next(
            watch(
                str(folder),
                model=training.model,
                settings=settings,
                now=NOW,
                stop=threading.Event(),
                on_fault=lambda error: None,
            )
        )
