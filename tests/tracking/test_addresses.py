"""A store whose home was moved or copied: its artifacts are found in the current home."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from scoring.errors import TrackingError
from scoring.tracking import (
    Store,
    TrainingRun,
    add_page,
    log_evaluation,
    log_training,
    read_config,
    read_evaluation,
    read_run,
    register_run,
    repair_addresses,
    resolve_model,
    stored_artifacts,
    sync_runs,
)
from scoring.tracking.addresses import is_former, todays_path
from scoring.tracking.store import opened

Make = Callable[..., TrainingRun]
RUN = "0123456789abcdef" * 2


def moved(store: Store, home: Path) -> Store:
    home.parent.mkdir(exist_ok=True)
    shutil.move(store.home, home)
    return Store(f"sqlite:///{home}/mlflow.db", home)


def copied(store: Store, home: Path) -> Store:
    shutil.copytree(store.home, home)
    return Store(f"sqlite:///{home}/mlflow.db", home)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def dump(store: Store) -> list[str]:
    with closing(sqlite3.connect(str(store.database))) as db:
        return list(db.iterdump())


def check_reading(store: Store, run_id: str) -> None:
    """Read everything of a run, and check that the store does not change."""
    before = dump(store)
    record = read_run(store, run_id)
    assert {"config.json", "evaluation.json", "plots"} <= set(record.files)
    assert read_config(store, record)["quality"]["num_leaves"] == 31
    assert list(read_evaluation(store, record).predictions["quality"]) == [52, 67]
    for spec in (f"runs:/{run_id}", "models:/scoring/1"):
        assert resolve_model(store, spec).is_relative_to(store.home)
    assert dump(store) == before


def test_a_moved_home_is_read_and_written_where_it_is(
    store: Store, make_run: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "scoring")
    run_id = log_training(store, make_run(register="scoring")).run_id
    today = moved(store, tmp_path / "new place" / "home")
    check_reading(today, run_id)
    assert (
        add_page(today, run_id, "pages/compared.html", "<p>other</p>")
        == f"runs:/{run_id}/pages/compared.html"
    )
    assert (today.home / "artifacts" / run_id / "artifacts" / "pages" / "compared.html").is_file()
    assert caplog.messages == []
    second = log_training(today, make_run(run_name="second", register="scoring"))
    assert caplog.messages == [
        f"{today}: experiment 'news' kept its files in {store.home}/artifacts, before this home was moved or "
        f"copied; new ones go to {today.home}/artifacts"
    ]
    assert resolve_model(today, f"runs:/{second.run_id}").is_relative_to(today.home)
    # Its address is right in the store itself, so that other programs find it too.
    with opened(today, "read", writes=False) as client:
        assert client.get_run(second.run_id).info.artifact_uri.startswith(f"{today.home.as_uri()}/artifacts/")
    assert {item.state for item in stored_artifacts(today) if second.run_id in item.address} == {"here"}
    log_training(today, make_run(run_name="third"))
    assert len(caplog.messages) == 1  # said once
    assert not store.home.exists()


def test_a_model_of_before_the_move_is_registered_after_it(
    store: Store, make_run: Make, tmp_path: Path
) -> None:
    run_id = log_training(store, make_run()).run_id
    today = moved(store, tmp_path / "elsewhere")
    assert register_run(today, "scoring", run_id, description="", tags={}) == "models:/scoring/1"
    assert resolve_model(today, "models:/scoring/1").is_relative_to(today.home)
    assert not store.home.exists()


def test_a_copy_uses_its_own_files_while_the_original_is_there(
    store: Store, make_run: Make, tmp_path: Path
) -> None:
    run_id = log_training(store, make_run(register="scoring")).run_id
    copy = copied(store, tmp_path / "copy")
    check_reading(copy, run_id)
    (resolve_model(copy, f"runs:/{run_id}") / "manifest.json").write_text('{"name": "the copy"}')
    before = contents(store.home)
    log_training(copy, make_run(run_name="second"))
    add_page(copy, run_id, "page.html", "<p>of the copy</p>")
    assert contents(store.home) == before
    assert '"default"' in (resolve_model(store, "models:/scoring/1") / "manifest.json").read_text()
    assert '"the copy"' in (resolve_model(copy, "models:/scoring/1") / "manifest.json").read_text()
    check_reading(store, run_id)


def test_two_homes_with_one_store_leave_each_other_alone(
    store: Store, make_run: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "scoring")
    first = log_training(store, make_run(register="scoring")).run_id
    other = replace(store, home=tmp_path / "other")
    second = log_evaluation(other, make_run(run_name="second"))
    assert caplog.messages == []
    for home_store in (store, other):
        for run_id in (first, second):
            assert read_config(home_store, read_run(home_store, run_id))["quality"]["num_leaves"] == 31
    assert (store.home / "artifacts" / second).is_dir()
    assert not (other.home / "artifacts").exists()


def test_a_home_behind_a_link_has_not_moved(store: Store, make_run: Make, tmp_path: Path) -> None:
    run_id = log_training(store, make_run(register="scoring")).run_id
    link = tmp_path / "link"
    link.symlink_to(store.home)
    linked = Store(f"sqlite:///{link}/mlflow.db", link)
    check_reading(linked, run_id)
    assert {item.state for item in stored_artifacts(linked) if item.kind != "experiment"} == {"here"}
    assert not is_former(linked, store.home / "artifacts")
    assert repair_addresses(linked, tmp_path / "backup.db") == 0


def test_files_that_somebody_keeps_elsewhere_stay_there(store: Store, tmp_path: Path) -> None:
    (tmp_path / "data" / "artifacts").mkdir(parents=True)
    for path in (
        tmp_path / "data" / "artifacts" / RUN / "artifacts",  # of no home
        tmp_path / "mlruns" / "0" / RUN / "artifacts",
        store.home / "artifacts" / RUN / "artifacts",
    ):
        assert todays_path(store, path) == path
    gone = tmp_path / "gone" / "artifacts" / "models" / f"m-{RUN}" / "artifacts" / "data"
    expected = store.home / "artifacts" / "models" / f"m-{RUN}" / "artifacts" / "data"
    assert todays_path(store, gone) == expected


def test_a_run_that_waited_is_uploaded_after_the_move(store: Store, make_run: Make, tmp_path: Path) -> None:
    locked = replace(store, timeout_seconds=0.05)
    with closing(sqlite3.connect(str(store.database))) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError, match="database is locked"):
            log_training(locked, make_run(register="scoring"))
    today = moved(store, tmp_path / "elsewhere")
    (synced,) = sync_runs(today)
    assert (synced.error, synced.version) == (None, 1)
    assert not store.home.exists()


def test_files_of_new_runs_are_their_owners(store: Store, make_run: Make) -> None:
    before = os.umask(0)
    try:
        log_training(store, make_run())
    finally:
        os.umask(before)
    made = list((store.home / "artifacts").rglob("*"))
    assert len(made) > 10
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_file()} == {0o600}


@pytest.mark.usefixtures("new_stores")
def test_a_new_store_and_a_pending_run_are_their_owners(make_run: Make, tmp_path: Path) -> None:
    new = Store(f"sqlite:///{tmp_path}/new/mlflow.db", tmp_path / "new", timeout_seconds=0.05)
    before = os.umask(0)
    try:
        with opened(new, "create", writes=True):
            pass
        with closing(sqlite3.connect(str(new.database))) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            with pytest.raises(TrackingError, match="database is locked"):
                log_training(new, make_run())
    finally:
        os.umask(before)
    made = [new.home, *new.home.rglob("*")]
    assert any(path.name == "run.json" for path in made)
    wide = {str(path): oct(path.stat().st_mode) for path in made if path.stat().st_mode & 0o077}
    assert wide == {}


def test_addresses_are_repaired_in_one_step_after_a_copy(
    store: Store, make_run: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = log_training(store, make_run(register="scoring")).run_id
    with opened(store, "log", writes=True) as client:
        client.create_run("0")  # without files, in a place of MLflow's own
    today = moved(store, tmp_path / "elsewhere")
    assert {item.state for item in stored_artifacts(today) if item.kind != "experiment"} == {"moved"}
    before, backup = dump(today), tmp_path / "backup.db"
    # Experiment, run, model and version; the version's source is its model.
    assert repair_addresses(today, backup) == 4
    with closing(sqlite3.connect(backup)) as db:
        assert list(db.iterdump()) == before
    assert stat.S_IMODE(backup.stat().st_mode) & 0o077 == stat.S_IMODE(tmp_path.stat().st_mode) & 0o066
    assert {item.state for item in stored_artifacts(today) if item.kind != "experiment"} == {"here"}
    assert not [line for line in dump(today) if store.home.as_uri() in line]
    check_reading(today, run_id)
    assert repair_addresses(today, tmp_path / "none.db") == 0
    assert not (tmp_path / "none.db").exists()
    caplog.set_level(logging.WARNING, "scoring")
    log_training(today, make_run(run_name="second"))
    assert caplog.messages == []


def test_a_repair_is_refused_while_another_writes(store: Store, make_run: Make, tmp_path: Path) -> None:
    from filelock import FileLock

    log_training(store, make_run())
    today = replace(moved(store, tmp_path / "elsewhere"), timeout_seconds=0.05)
    before = dump(today)
    with closing(sqlite3.connect(str(today.database))) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(TrackingError, match=r": cannot repair its addresses: database is locked$"):
            repair_addresses(today, tmp_path / "backup.db")
    with (
        FileLock(today.home / "pending" / ".20190101-run.lock"),
        pytest.raises(TrackingError, match=r"another process is writing to it .*try again when it is done$"),
    ):
        repair_addresses(today, tmp_path / "backup.db")
    assert dump(today) == before
    assert not (tmp_path / "backup.db").exists()


def test_a_repair_leaves_alone_what_is_away_for_a_while(store: Store, make_run: Make, tmp_path: Path) -> None:
    log_training(store, make_run())
    disk = tmp_path / "disk"
    shutil.move(store.home / "artifacts", disk)
    before = dump(store)
    with closing(sqlite3.connect(str(store.database))) as db, db:
        for table, column in (("runs", "artifact_uri"), ("logged_models", "artifact_location")):
            db.execute(f"UPDATE {table} SET {column} = replace({column}, 'a%20home', 'unmounted')")  # noqa: S608 -- of above
    before = dump(store)
    assert repair_addresses(store, tmp_path / "backup.db") == 0
    assert dump(store) == before
    assert {item.state for item in stored_artifacts(store) if item.kind != "experiment"} == {"missing"}
