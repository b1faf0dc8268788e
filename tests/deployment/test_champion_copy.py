"""Copy of the last known champion: found by store and name, checked, renewed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from scoring.artifact.model_folder import FILES, ModelFiles, read_files
from scoring.artifact.saved_model import SavedModel
from scoring.deployment.champion_copy import (
    FACTS,
    ChampionFacts,
    copy_folder,
    find_copy,
    keep_copy,
    known_champions,
)
from scoring.errors import ModelError
from scoring.settings import Settings, load_settings
from scoring.workflows.train import TrainOutcome
from tests.deployment.conftest import save_variant


@pytest.fixture(scope="module")
def models(saved: SavedModel, tmp_path_factory: pytest.TempPathFactory) -> list[ModelFiles]:
    folder = tmp_path_factory.mktemp("models")
    for name in ("one", "two"):
        save_variant(folder / name, saved, name=name, points=len(name))
    return [read_files(folder / name) for name in ("one", "two")]


def facts_of(
    files: ModelFiles, *, name: str = "scoring", address: str = "models:/scoring/1"
) -> ChampionFacts:
    return ChampionFacts(
        store="sqlite:///x",
        name="scoring",
        address="models:/scoring/1",
        model=f"model@{files.sha256[:8]}",
        sha256=files.sha256,
        trained_at=datetime(2019, 1, 1, tzinfo=UTC),
    )


def test_what_is_kept_is_found_by_store_and_name_alone(settings: Settings, models: list[ModelFiles]) -> None:
    assert find_copy(settings, "scoring") is None
    assert not settings.home.exists()
    keep_copy(settings, facts_of(models[0]), models[0])
    champion_copy = find_copy(settings, "scoring")
    assert champion_copy is not None
    assert (champion_copy.facts, champion_copy.files.contents) == (facts_of(models[0]), models[0].contents)
    assert abs((champion_copy.seen_at - datetime.now(UTC)).total_seconds()) < 3600
    assert find_copy(settings, "sports") is None
    other = msgspec.structs.replace(settings, tracking_uri=f"sqlite:///{settings.home}/other.db")
    assert find_copy(other, "scoring") is None
    assert known_champions(settings.home) == ["scoring in sqlite:///x"]


def test_a_home_that_was_moved_finds_its_copies(settings: Settings, models: list[ModelFiles]) -> None:
    keep_copy(settings, facts_of(models[0]), models[0])
    moved = settings.home.rename(settings.home.with_name("moved"))
    assert find_copy(load_settings(home=moved), "scoring") is not None


@pytest.mark.parametrize("uri", ["https://me:one@host/x", "https://you:two@host/x/", "https://host/x"])
def test_credentials_make_no_other_store(settings: Settings, uri: str) -> None:
    plain = msgspec.structs.replace(settings, tracking_uri="https://host/x")
    assert copy_folder(msgspec.structs.replace(settings, tracking_uri=uri), "a") == copy_folder(plain, "a")


def test_the_same_champion_is_not_written_again_and_another_is(
    settings: Settings, models: list[ModelFiles]
) -> None:
    folder = copy_folder(settings, "scoring")

    def keep(files: ModelFiles) -> int:
        keep_copy(settings, facts_of(files), files)
        return folder.stat().st_ino

    first = keep(models[0])
    assert keep(models[0]) == first
    second = keep(models[1])
    assert second != first
    for damage in (
        lambda: (folder / "quality.txt").write_bytes(b""),
        lambda: (folder / "growth.txt").unlink(),
        lambda: (folder / FACTS).write_bytes(b"{}"),
    ):
        damage()
        keep(models[1])
        champion_copy = find_copy(settings, "scoring")
        assert champion_copy is not None
        assert champion_copy.files.contents == models[1].contents
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "nothing is left beside it"


def test_a_fifo_in_a_copy_is_not_waited_for_and_goes_with_the_next_copy(
    settings: Settings, models: list[ModelFiles]
) -> None:
    keep_copy(settings, facts_of(models[0]), models[0])
    file = copy_folder(settings, "scoring") / FACTS
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(ModelError, match="cannot read it: a FIFO"):
        find_copy(settings, "scoring")
    assert known_champions(settings.home) == [str(file.parent)]
    keep_copy(settings, facts_of(models[0]), models[0])
    assert find_copy(settings, "scoring") is not None


@pytest.mark.parametrize("name", [*FILES, FACTS])
def test_a_copy_of_which_a_file_is_damaged_is_refused(
    settings: Settings, models: list[ModelFiles], name: str
) -> None:
    keep_copy(settings, facts_of(models[0]), models[0])
    file = copy_folder(settings, "scoring") / name
    content = file.read_bytes()
    other = content.replace(b"scoring", b"sports") if name == FACTS else content.replace(b"1", b"2", 1)
    for damaged in (content[: len(content) // 2], other, b""):
        file.write_bytes(damaged)
        with pytest.raises(ModelError):
            find_copy(settings, "scoring")
    file.unlink()
    with pytest.raises(ModelError):
        find_copy(settings, "scoring")


def test_a_copy_of_a_later_format_is_refused(settings: Settings, models: list[ModelFiles]) -> None:
    keep_copy(settings, facts_of(models[0]), models[0])
    later = msgspec.structs.replace(facts_of(models[0]), format_version=2)
    (copy_folder(settings, "scoring") / FACTS).write_bytes(msgspec.json.encode(later))
    with pytest.raises(ModelError, match="got format version 2, expected 1"):
        find_copy(settings, "scoring")


def test_readers_meet_writers_and_find_a_whole_copy(settings: Settings, models: list[ModelFiles]) -> None:
    keep_copy(settings, facts_of(models[0]), models[0])
    faults: list[BaseException] = []
    is_done = threading.Event()

    def write(files: ModelFiles) -> None:
        for _ in range(10):
            keep_copy(settings, facts_of(files), files)

    def read() -> None:
        while not is_done.is_set():
            champion_copy = find_copy(settings, "scoring")
            assert champion_copy is not None
            assert champion_copy.files.sha256 == champion_copy.facts.sha256

    def guarded(work: Callable[..., None], *given: ModelFiles) -> None:
        try:
            work(*given)
        except BaseException as error:
            faults.append(error)

    writers = [threading.Thread(target=guarded, args=(write, files)) for files in models]
    reader = threading.Thread(target=guarded, args=(read,))
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    is_done.set()
    reader.join()
    assert faults == []


def test_a_model_folder_is_all_that_a_copy_is(
    settings: Settings, training: TrainOutcome, models: list[ModelFiles]
) -> None:
    """A copy can be named with --model, exported, or copied elsewhere."""
    keep_copy(settings, facts_of(models[0]), models[0])
    assert read_files(copy_folder(settings, "scoring")).sha256 == models[0].sha256
    assert read_files(Path(training.model)).sha256 != models[0].sha256
