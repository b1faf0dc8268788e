"""Decisions of several people and tabs: who is late, undo of a record's own steps, restarts and crashes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.errors import HomeError
from scoring.inbox import decisions as decisions_module
from scoring.inbox.decision_actions import Action, ActionConflictError, Outcome, Target
from scoring.inbox.decision_history import DecisionState
from scoring.inbox.decision_log import Decided, DecisionLog, Step
from scoring.inbox.decision_store import DecisionStore
from scoring.inbox.decisions import Decisions
from scoring.inbox.inbox import Inbox
from scoring.records.decode import decode_file
from scoring.records.ledger import append_corrections, read_ledger
from scoring.records.record import Labels
from scoring.records.synthetic.generate import write_sample

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = count(10_000_000)


class Desk:
    """A store on an inbox, which can be started again."""

    def __init__(self, folder: Path, saved: SavedModel) -> None:
        self.folder = folder
        self.inbox = Inbox(folder / "inbox", folder / "home" / "corrections.jsonl")
        self.inbox.refresh(saved)
        self.paths = sorted(row.path for row in self.inbox.since(0).rows)
        self.log = folder / "home" / "decisions.jsonl"
        self.store = self.start()

    def start(self) -> DecisionStore:
        """A store as another process has it."""
        store = DecisionStore(
            DecisionLog(self.log), Decisions(self.inbox, self.folder / "home" / "journal.jsonl")
        )
        store.recover(NOW)
        return store

    def restart(self, saved: SavedModel) -> None:
        self.inbox.refresh(saved)
        self.store = self.start()

    def bytes_of(self, path: str) -> bytes:
        return (self.folder / "inbox" / path).read_bytes()

    def state(self, path: str) -> DecisionState:
        (state,) = self.store.of([path])
        return state

    def base(self, path: str) -> str:
        states = self.store.of([path])
        return states[0].head.id if states and states[0].head else ""

    def decide(self, path: str, quality: int, *, by: str = "ann", base: str | None = None) -> Outcome:
        row = self.inbox.row(path)
        decided = Decided(
            record_sha256=row.record_sha256, labels=Labels(quality, -1, False), before=row.labels
        )
        target = Target(path, self.base(path) if base is None else base)
        return self.store.decide(action(by), [(target, decided)])[0]

    def change(self, kind: str, *paths: str, by: str = "ann") -> list[Outcome]:
        targets = [Target(path, self.base(path)) for path in paths]
        return getattr(self.store, kind)(action(by), targets)  # type: ignore[no-any-return]


def action(by: str = "ann") -> Action:
    return Action(str(next(IDS)), by, "browser", NOW)


@pytest.fixture
def desk(tmp_path: Path, saved: SavedModel) -> Desk:
    write_sample(tmp_path / "inbox", n_records=3, seed=5, is_labelled=False)
    return Desk(tmp_path, saved)


def quality_in(desk: Desk, path: str) -> int | None:
    return decode_file(desk.bytes_of(path), "a").labels.quality


def test_undo_takes_back_the_steps_of_a_record_one_by_one_after_a_restart_too(
    desk: Desk, saved: SavedModel
) -> None:
    first, second, _ = desk.paths
    before = {path: desk.bytes_of(path) for path in (first, second)}
    desk.decide(first, 5)
    desk.decide(first, 6)
    desk.decide(second, 7)
    assert desk.change("save", first, second) == [Outcome(first), Outcome(second)]
    desk.restart(saved)
    assert (quality_in(desk, first), desk.state(first).is_saved) == (6, True)
    assert desk.change("undo", first) == [Outcome(first)]
    assert desk.bytes_of(first) == before[first]
    assert quality_in(desk, second) == 7
    desk.restart(saved)
    for quality in (6, 5):
        decided = desk.state(first).decided
        assert decided is not None
        assert (decided.labels.quality, desk.state(first).is_saved) == (quality, False)
        assert desk.change("undo", first) == [Outcome(first)]
    assert desk.state(first).decided is None
    (outcome,) = desk.change("undo", first)
    assert "no decision" in outcome.fault


def test_the_later_one_is_told_and_changes_nothing(desk: Desk) -> None:
    path = desk.paths[0]
    desk.decide(path, 5, by="ann")
    assert desk.decide(path, 6, by="bob", base="") == Outcome(path, is_late=True)
    state = desk.state(path)
    assert state.decided is not None
    assert state.decided_in is not None
    assert (state.decided.labels.quality, state.decided_in.by) == (5, "ann")
    desk.decide(path, 6, by="bob")  # having seen it
    target = [Target(path, "something-else")]
    assert (
        desk.store.undo(action(), target)
        == desk.store.save(action(), target)
        == [Outcome(path, is_late=True)]
    )


def test_an_action_that_arrives_again_is_not_done_again(desk: Desk, saved: SavedModel) -> None:
    path = desk.paths[0]
    row = desk.inbox.row(path)
    decided = Decided(record_sha256=row.record_sha256, labels=Labels(5, -1, False))
    given, saving = action(), action()
    targets = [Target(path, given.id)]
    for _ in range(2):
        assert desk.store.decide(given, [(Target(path), decided)]) == [Outcome(path)]
    for _ in range(2):
        assert desk.store.save(saving, targets) == [Outcome(path)]
        desk.restart(saved)
    n_corrections = len(read_ledger(desk.inbox.ledger).corrections)
    undoing = action()
    for _ in range(2):
        assert desk.store.undo(undoing, [Target(path, saving.id)]) == [Outcome(path)]
    assert not desk.state(path).is_saved
    assert desk.state(path).decided == decided
    assert len(read_ledger(desk.inbox.ledger).corrections) == 2 * n_corrections > 0


def test_people_without_a_name_keep_their_order(desk: Desk, saved: SavedModel) -> None:
    decided = Decided(record_sha256=desk.inbox.row(desk.paths[0]).record_sha256, labels=Labels(5, -1, False))
    for path, by, client in zip(desk.paths, ("", "ann", ""), ("late", "named", "early"), strict=True):
        given = action(by)._replace(client=client)
        desk.store.decide(given, [(Target(path), decided)])
    assert desk.store.unnamed == ["late", "early"]
    desk.restart(saved)
    assert desk.store.unnamed == ["late", "early"]


def test_an_id_that_arrives_again_with_something_else_is_refused(desk: Desk, saved: SavedModel) -> None:
    first, second, _ = desk.paths
    given = action()
    decided = Decided(record_sha256=desk.inbox.row(first).record_sha256, labels=Labels(5, -1, False))
    other = msgspec.structs.replace(decided, labels=Labels(6, -1, False))
    desk.store.decide(given, [(Target(first), decided)])
    desk.restart(saved)
    attempts: list[Callable[[], object]] = [
        lambda: desk.store.decide(given, [(Target(second), decided), (Target(first), other)]),
        lambda: desk.store.save(given, [Target(first, given.id)]),
        lambda: desk.store.undo(given, [Target(first, given.id)]),
    ]
    for attempt in attempts:
        with pytest.raises(
            ActionConflictError,
            match=f"id: got '{given.id}', the id of an earlier, different action on {first}",
        ):
            attempt()
    assert desk.state(first).decided == decided
    assert desk.store.of([second]) == []
    assert desk.store.decide(given, [(Target(second), decided)]) == [Outcome(second)]  # a further part


def moved(desk: Desk, saved: SavedModel, path: str, to: str) -> bool:
    """Move a file, and let its decision follow; whether it did."""
    (desk.folder / "inbox" / path).rename(desk.folder / "inbox" / to)
    desk.inbox.refresh(saved)
    return desk.store.follow({row.path: row for row in desk.inbox.since(0).rows}, NOW)


def test_a_decision_follows_its_file_to_another_path(desk: Desk, saved: SavedModel) -> None:
    first, second, _ = desk.paths
    before = desk.bytes_of(first)
    desk.decide(first, 5)
    desk.decide(second, 6)
    desk.change("save", first)
    version = desk.store.since(0).version
    assert moved(desk, saved, first, "moved.md")
    assert {state.path for state in desk.store.since(version).states} == {first, "moved.md"}
    desk.restart(saved)
    assert desk.state(first).decided is None
    state = desk.state("moved.md")
    assert (state.kind, state.is_saved, state.decided_in and state.decided_in.by) == ("saved", True, "ann")
    assert desk.change("undo", "moved.md") == [Outcome("moved.md")]
    assert desk.bytes_of("moved.md") == before
    assert moved(desk, saved, second, "sub.md")
    assert moved(desk, saved, "sub.md", second)  # and back
    assert desk.change("save", second) == [Outcome(second)]


def test_a_decision_stays_where_its_file_was_if_the_new_path_is_not_certain(
    desk: Desk, saved: SavedModel
) -> None:
    first, second, third = desk.paths
    desk.decide(first, 5)
    desk.decide(second, 6)
    for path in (first, second):
        (desk.folder / "inbox" / f"copy-{path}").write_bytes(desk.bytes_of(path))
    desk.inbox.refresh(saved)
    desk.decide(f"copy-{second}", 7)
    assert not moved(desk, saved, first, "twice.md")  # as is its copy
    (desk.folder / "inbox" / second).unlink()  # its copy has a decision of its own
    assert not moved(desk, saved, third, "third.md")
    for path, quality in ((first, 5), (f"copy-{second}", 7)):
        decided = desk.state(path).decided
        assert decided is not None
        assert decided.labels.quality == quality
    assert desk.change("undo", first) == [Outcome(first)]  # of a file that is gone


@pytest.mark.parametrize("is_swapped", [False, True])
def test_a_decision_is_not_written_into_another_record(
    desk: Desk, saved: SavedModel, is_swapped: bool
) -> None:
    first, second, third = desk.paths
    desk.decide(first, 5)
    desk.decide(second, 6)
    contents = {path: desk.bytes_of(path) for path in (first, second)}
    (desk.folder / "inbox" / second).write_bytes(contents[first])
    if is_swapped:
        (desk.folder / "inbox" / first).write_bytes(contents[second])
    else:
        (desk.folder / "inbox" / first).unlink()
    before = desk.bytes_of(second)
    desk.inbox.refresh(saved)
    (outcome,) = desk.change("save", second)
    assert (
        outcome.fault
        == f"{second}: got another record under this name, expected the decided one: undo the decision"
    )
    assert desk.bytes_of(second) == before
    assert desk.change("undo", second) == [Outcome(second)]

    desk.decide(third, 7)  # an edit leaves the record what it is
    edited = desk.bytes_of(third).replace(b"excerpt:", b"excerpt: edited #", 1)
    (desk.folder / "inbox" / third).write_bytes(edited)
    desk.inbox.refresh(saved)
    assert desk.change("save", third) == [Outcome(third)]


def test_labels_of_another_record_are_not_taken_back(desk: Desk, saved: SavedModel) -> None:
    first, second, _ = desk.paths
    for path in (first, second):
        desk.decide(path, 5)
        assert desk.change("save", path) == [Outcome(path)]
    (desk.folder / "inbox" / first).write_bytes(desk.bytes_of(second))
    desk.inbox.refresh(saved)
    before = desk.bytes_of(first)
    (outcome,) = desk.change("undo", first)
    assert outcome.fault.endswith(
        "another record under this name, expected the decided one: decide this one again"
    )
    assert desk.bytes_of(first) == before


class KilledError(BaseException):
    """The process ends."""


def killing(after: Callable[..., object]) -> Callable[..., None]:
    def kill(*arguments: object, **options: object) -> None:
        after(*arguments, **options)
        raise KilledError

    return kill


@pytest.mark.parametrize("kind", ["save", "undo"])
@pytest.mark.parametrize("where", ["before the file", "after the file", "after the ledger"])
def test_what_a_killed_process_had_begun_is_finished_or_was_never_begun(
    desk: Desk, saved: SavedModel, monkeypatch: pytest.MonkeyPatch, kind: str, where: str
) -> None:
    path = desk.paths[0]
    before = desk.bytes_of(path)
    desk.decide(path, 5)
    if kind == "undo":
        desk.change("save", path)
    name = {"save": "write_labels", "undo": "put_back"}[kind]
    with monkeypatch.context() as patch:
        if where == "before the file":
            patch.setattr(decisions_module, name, killing(lambda *_, **__: None))
        elif where == "after the file":
            patch.setattr(decisions_module, name, killing(getattr(decisions_module, name)))
        else:
            patch.setattr(decisions_module, "append_corrections", killing(append_corrections))
        with pytest.raises(KilledError):
            desk.change(kind, path)
    desk.restart(saved)
    is_done = where != "before the file"
    is_saved = is_done == (kind == "save")
    assert desk.state(path).is_saved == is_saved
    assert (desk.bytes_of(path) == before) == (not is_saved)
    holding = read_ledger(desk.inbox.ledger).holding()
    assert bool(holding) == is_saved
    assert desk.state(path).decided is not None  # never lost
    desk.change("undo" if is_saved else "save", path)
    assert (desk.bytes_of(path) == before) == is_saved


def test_another_process_is_heard_and_another_log_is_read_from_the_beginning(desk: Desk) -> None:
    other = desk.start()
    first, second, _ = desk.paths
    desk.decide(first, 5)
    assert other.is_behind
    other.catch_up()
    assert [state.path for state in other.since(0).states] == [first]
    version = other.since(0).version
    desk.log.unlink()
    assert other.is_behind
    other.catch_up()
    (state,) = other.since(version).states
    assert (state.path, state.decided, state.head) == (first, None, None)
    desk.decide(second, 5)
    other.catch_up()
    assert {state.path for state in other.since(version).states} == {first, second}


def test_a_line_that_was_cut_off_is_skipped_and_reported(desk: Desk, saved: SavedModel) -> None:
    first, second, _ = desk.paths
    desk.decide(first, 5)
    with desk.log.open("ab") as file:
        file.write(b'{"at": "2026-03')
    desk.decide(second, 6)
    desk.restart(saved)
    assert desk.store.torn == (
        f"{desk.log}:2: got a line that is not JSON (cut off?), expected a decision; the line is skipped",
    )
    assert {state.path for state in desk.store.since(0).states} == {first, second}


def test_a_newer_log_is_refused(desk: Desk) -> None:
    desk.decide(desk.paths[0], 5)
    (line,) = desk.log.read_bytes().splitlines()
    newer = msgspec.json.encode(msgspec.json.decode(line) | {"format": 2, "more": 1})
    desk.log.write_bytes(newer + b"\n")
    with pytest.raises(HomeError, match=r"decisions\.jsonl:1"):
        desk.start()


def test_a_log_that_cannot_be_written_decides_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.log.parent.mkdir(exist_ok=True)
    desk.log.mkdir()
    outcome = desk.decide(desk.paths[0], 5)
    assert "decisions.jsonl: got Is a directory" in outcome.fault
    assert desk.store.since(0).states == []


def test_a_save_that_the_full_disk_cut_off_is_finished_by_the_next_action(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = desk.paths[0]
    before = desk.bytes_of(path)
    desk.decide(path, 5)
    append = DecisionLog.append

    def append_until_full(log: DecisionLog, steps: list[Step], **options: Any) -> None:
        if steps[0].kind == "saved":
            raise OSError(28, "No space left on device")
        append(log, steps, **options)

    with monkeypatch.context() as patch:
        patch.setattr(DecisionLog, "append", append_until_full)
        (outcome,) = desk.change("save", path)
    assert "No space left" in outcome.fault
    assert (quality_in(desk, path), desk.state(path).is_saved) == (5, False)
    (late,) = desk.change("undo", path)  # what the page knew was before the save
    assert late.is_late
    assert desk.state(path).is_saved
    assert desk.change("undo", path) == [Outcome(path)]
    assert desk.bytes_of(path) == before


def test_a_line_that_is_no_step_is_skipped_and_reported(desk: Desk) -> None:
    path = desk.paths[0]
    desk.decide(path, 5)
    with desk.log.open("ab") as log:
        log.write(b'{"format":1}\n')
    assert desk.decide(path, 6).fault == ""
    assert any("a step of a decision; the line is skipped" in text for text in desk.store.torn)
