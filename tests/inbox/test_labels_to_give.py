"""Labels to give next: the suggestions of the command, for the records of an inbox."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from scoring.artifact.saved_model import SavedModel, load_model
from scoring.inbox import labels_to_give as module
from scoring.inbox.decision_corrections import Decision
from scoring.inbox.decisions import Decisions
from scoring.inbox.inbox import Inbox
from scoring.inbox.labels_to_give import LabelsToGive, labels_to_give
from scoring.labels.journal import Journal
from scoring.records.corpus import read_documents
from scoring.records.record import Labels
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings
from scoring.workflows.suggest import suggest
from scoring.workflows.train import TrainOutcome
from tests.own_labels import write_own
from tests.sites import SIX_TIMES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def stop(error: Exception) -> None:
    raise error


@pytest.fixture(scope="module")
def two(two_scales: TrainOutcome) -> SavedModel:
    return load_model(Path(two_scales.model))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """40 records of two sections that the model knows, and 20 of one that it does not."""
    write_sample(tmp_path / "inbox" / "a", n_records=20, seed=5, is_labelled=False, section="Harbour")
    write_sample(
        tmp_path / "inbox" / "b", n_records=20, seed=6, is_labelled=False, section="Meadow", policy=SIX_TIMES
    )
    write_sample(tmp_path / "inbox" / "c", n_records=20, seed=7, is_labelled=False, section="Quay")
    return tmp_path / "inbox"


@pytest.fixture
def inbox(folder: Path, two: SavedModel, settings: Settings) -> Inbox:
    made = Inbox(folder, settings.home / "corrections.jsonl")
    made.refresh(two)
    return made


def found_in(inbox: Inbox, saved: SavedModel, settings: Settings) -> LabelsToGive:
    return labels_to_give(inbox, saved, Journal(settings.journal), settings.section)


def paths(found: LabelsToGive) -> list[str]:
    return [label.path for label in found.labels]


def decide(inbox: Inbox, path: str, settings: Settings) -> None:
    labels = Labels(quality=40, heat=40, published=False)
    decision = Decision(path, inbox.row(path).record_sha256, labels)
    Decisions(inbox, settings.journal).write(decision, by="", now=NOW)


def test_they_are_the_suggestions_of_the_command(
    inbox: Inbox, folder: Path, two: SavedModel, settings: Settings
) -> None:
    found = found_in(inbox, two, settings)
    outcome = suggest([str(folder)], count=module.N_LABELS, model=two, settings=settings, on_fault=stop)
    assert len(found.labels) > 20
    assert [(str(folder / label.path), label.reasons) for label in found.labels] == [
        (suggestion.path, suggestion.reasons) for suggestion in outcome.suggestions
    ]
    assert (found.n_unlabelled, found.n_left_out, found.n_undated) == (60, 0, 0)
    assert found.labels[0].reasons[0] == "section Quay is unknown to the model"


def test_a_label_that_a_person_gave_is_not_asked_for_again(
    inbox: Inbox, two: SavedModel, settings: Settings
) -> None:
    first, *_ = paths(found_in(inbox, two, settings))
    decide(inbox, first, settings)
    inbox.refresh(two)
    found = found_in(inbox, two, settings)
    assert first not in paths(found)
    assert found.n_unlabelled == 59


def test_labels_that_scoring_wrote_do_not_count(
    inbox: Inbox, folder: Path, two: SavedModel, settings: Settings
) -> None:
    before = found_in(inbox, two, settings)
    documents = read_documents([str(folder)], on_fault=stop)
    settings.home.mkdir(exist_ok=True)
    write_own(settings.journal, documents, lambda _: {"quality": 40, "heat": 40, "published": False})
    inbox.refresh(two)
    assert all(row.labels.quality is not None for row in inbox.since(0).rows)
    assert found_in(inbox, two, settings) == before


def test_only_the_newest_records_are_considered_and_the_others_counted(
    inbox: Inbox, two: SavedModel, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_RECORDS", 25)
    found = found_in(inbox, two, settings)
    assert (found.n_unlabelled, found.n_left_out) == (25, 35)
    moments = {row.path: row.published_at for row in inbox.since(0).rows if row.published_at}
    newest = sorted(moments, key=lambda path: moments[path])[-25:]
    assert set(paths(found)) <= set(newest)


def test_undated_unusable_and_vanished_files_are_left_out(
    inbox: Inbox, folder: Path, two: SavedModel, settings: Settings
) -> None:
    (folder / "undated.md").write_text("---\ntitle: Rain\ntopics: [Harbour]\n---\n", "utf-8")
    (folder / "bad.md").write_text("---\ntitle: [\n---\n", "utf-8")
    inbox.refresh(two)
    gone, *_ = paths(found_in(inbox, two, settings))
    (folder / gone).unlink()
    found = found_in(inbox, two, settings)
    assert not {gone, "undated.md", "bad.md"} & set(paths(found))
    assert (found.n_unlabelled, found.n_undated) == (59, 1)


def test_nothing_is_asked_for_where_everything_has_a_label(
    tmp_path: Path, two: SavedModel, settings: Settings
) -> None:
    write_sample(tmp_path / "done", n_records=5, seed=1, section="Harbour")
    inbox = Inbox(tmp_path / "done", settings.home / "corrections.jsonl")
    assert found_in(inbox, two, settings).labels == ()  # not read yet
    inbox.refresh(two)
    found = found_in(inbox, two, settings)
    assert (found.labels, found.n_unlabelled) == ((), 0)


def test_it_can_be_abandoned(inbox: Inbox, two: SavedModel, settings: Settings) -> None:
    class EndedError(Exception):
        pass

    def end() -> None:
        raise EndedError

    with pytest.raises(EndedError):
        labels_to_give(inbox, two, Journal(settings.journal), "topic", end)
