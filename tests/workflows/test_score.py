"""Scoring files, and writing scores back."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scoring.errors import ModelError, RecordError
from scoring.model.bundle import SavedModel
from scoring.model.results import Score
from scoring.model.scorer import BATCH
from scoring.records.corpus import read_documents
from scoring.records.sample import sample_json_lines, write_sample
from scoring.settings import Settings
from scoring.workflows.score import score, write_scores
from scoring.workflows.train import TrainOutcome


def stop(error: RecordError) -> None:
    raise error


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    write_sample(tmp_path / "inbox", n_records=10, seed=2)
    return tmp_path / "inbox"


def scores(
    training: TrainOutcome, settings: Settings, *paths: Path, as_of: datetime | None = None
) -> list[Score]:
    names = [str(path) for path in paths]
    return list(score(names, model=training.model, settings=settings, as_of=as_of, on_fault=stop))


def test_scores_are_those_of_the_model(
    training: TrainOutcome, saved: SavedModel, settings: Settings, inbox: Path
) -> None:
    as_of = datetime(2018, 6, 1, tzinfo=UTC)
    expected = list(saved.scorer.score(read_documents([str(inbox)], on_fault=stop), as_of))
    assert scores(training, settings, inbox, as_of=as_of) == expected
    assert len(expected) == 10
    assert scores(training, settings, inbox) != expected


def test_model_is_opened_at_once(settings: Settings, inbox: Path) -> None:
    with pytest.raises(ModelError, match="model: got 'nowhere'"):
        score([str(inbox)], model="nowhere", settings=settings, on_fault=stop)


class Feed(io.BytesIO):
    """Standard input that knows how much of it was read."""

    n_lines = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        self.n_lines += 1
        return super().readline(size)

    def __next__(self) -> bytes:
        self.n_lines += 1
        return super().__next__()


def test_first_scores_come_before_everything_is_read(training: TrainOutcome, settings: Settings) -> None:
    n_records = 3 * BATCH
    feed = Feed(b"".join(sample_json_lines(n_records=n_records, seed=2, is_labelled=False)))
    found = score(["-"], model=training.model, settings=settings, stdin=feed, on_fault=stop)
    next(found)
    assert feed.tell() < len(feed.getvalue()) * 0.7
    assert sum(1 for _ in found) == n_records - 1


def test_bad_record_is_told_and_the_others_are_scored(
    training: TrainOutcome, settings: Settings, inbox: Path
) -> None:
    (inbox / "bad.md").write_text("---\ntitle: [a]\n---\n")
    faults: list[RecordError] = []
    found = list(score([str(inbox)], model=training.model, settings=settings, on_fault=faults.append))
    assert (len(found), len(faults)) == (10, 1)


def plain(text: str) -> str:
    return re.sub(r"(?m)^(quality|heat|published): .*$", r"\1: *", text)


def test_three_values_are_written_and_nothing_else(
    training: TrainOutcome, settings: Settings, inbox: Path
) -> None:
    before = {file: file.read_text() for file in inbox.iterdir()}
    found = scores(training, settings, inbox)
    changes = list(write_scores(found, paths=[str(inbox)], is_dry_run=False, on_fault=stop))
    assert [change.path for change in changes] == [one.path for one in found]
    assert any(change.changed for change in changes)
    for file, text in before.items():
        assert plain(file.read_text()) == plain(text)
    by_path = {document.path: document.labels for document in read_documents([str(inbox)], on_fault=stop)}
    for one in found:
        labels = by_path[one.path]
        assert (labels.quality, labels.heat, labels.published) == (one.quality, one.heat, one.published)
    # What is written is no input: the scores are the same again, and nothing is left to change.
    again = scores(training, settings, inbox)
    assert again == found
    assert not any(
        change.changed for change in write_scores(again, paths=[str(inbox)], is_dry_run=False, on_fault=stop)
    )


def test_dry_run_writes_nothing(training: TrainOutcome, settings: Settings, inbox: Path) -> None:
    before = {file: file.read_bytes() for file in inbox.iterdir()}
    found = scores(training, settings, inbox)
    changes = list(write_scores(found, paths=[str(inbox)], is_dry_run=True, on_fault=stop))
    assert any(change.diff for change in changes)
    assert {file: file.read_bytes() for file in inbox.iterdir()} == before


def test_json_lines_are_not_written(
    training: TrainOutcome, settings: Settings, inbox: Path, tmp_path: Path
) -> None:
    lines = b"".join(sample_json_lines(n_records=2, seed=3))
    (tmp_path / "a.jsonl").write_bytes(lines)
    found = scores(training, settings, tmp_path / "a.jsonl", inbox)
    faults: list[RecordError] = []
    paths = [str(tmp_path / "a.jsonl"), str(inbox)]
    changes = list(write_scores(found, paths=paths, is_dry_run=False, on_fault=faults.append))
    assert (len(changes), len(faults)) == (10, 2)
    assert "expected one that can be written" in str(faults[0])
    assert (tmp_path / "a.jsonl").read_bytes() == lines


def test_link_that_leads_out_is_not_followed(
    training: TrainOutcome, settings: Settings, inbox: Path, tmp_path: Path
) -> None:
    write_sample(tmp_path / "outside", n_records=1, seed=5)
    (outside,) = (tmp_path / "outside").iterdir()
    before = outside.read_bytes()
    link = inbox / "link.md"
    link.symlink_to(outside)
    # A walk passes it over; named by a glob it is scored, but not written.
    assert len(scores(training, settings, inbox)) == 10
    found = list(score([f"{inbox}/l*.md"], model=training.model, settings=settings, on_fault=stop))
    faults: list[RecordError] = []
    assert list(write_scores(found, paths=[str(inbox)], is_dry_run=False, on_fault=faults.append)) == []
    assert "outside of the given folders" in str(faults[0])
    assert outside.read_bytes() == before


def test_file_that_went_away_is_told(training: TrainOutcome, settings: Settings, inbox: Path) -> None:
    found = scores(training, settings, inbox)
    Path(found[0].path).unlink()
    faults: list[RecordError] = []
    changes = list(write_scores(found, paths=[str(inbox)], is_dry_run=False, on_fault=faults.append))
    assert (len(changes), len(faults)) == (9, 1)
    assert found[0].path in str(faults[0])
