"""Scoring files, and writing scores back."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scoring.artifact.saved_model import SavedModel, save_model
from scoring.errors import ModelError, RecordError
from scoring.features.story import listed_pairs
from scoring.model.components import Thresholds
from scoring.model.score import Score
from scoring.model.scorer import BATCH
from scoring.records.corpus import read_documents
from scoring.records.synthetic.generate import sample_json_lines, write_sample
from scoring.settings import Settings
from scoring.workflows.score import score
from scoring.workflows.train import TrainOutcome
from tests.known import known


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
    """Standard input that counts the lines read."""

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
    iterator = score(["-"], model=training.model, settings=settings, stdin=feed, on_fault=stop)
    next(iterator)
    assert feed.tell() < len(feed.getvalue()) * 0.7
    assert sum(1 for _ in iterator) == n_records - 1


def test_bad_record_is_reported_and_the_others_are_scored(
    training: TrainOutcome, settings: Settings, inbox: Path
) -> None:
    (inbox / "bad.md").write_text("---\ntitle: [a]\n---\n")
    faults: list[RecordError] = []
    scored = list(score([str(inbox)], model=training.model, settings=settings, on_fault=faults.append))
    assert (len(scored), len(faults)) == (10, 1)


def test_records_that_list_each_other_have_one_leader(
    saved: SavedModel, settings: Settings, archive: Path, tmp_path: Path
) -> None:
    leaders = saved.models.leaders
    assert leaders is not None
    assert leaders.is_rule
    eager = replace(saved.models, thresholds=Thresholds(lead=0.0))  # everything leads by itself
    save_model(tmp_path / "eager", eager, saved.manifest.training)
    save_model(tmp_path / "single", replace(eager, leaders=None), saved.manifest.training)
    names = [str(archive)]
    by_itself, together = (
        list(score(names, model=str(tmp_path / name), settings=settings, on_fault=stop))
        for name in ("single", "eager")
    )
    documents = list(read_documents(names, on_fault=stop))
    pairs = listed_pairs([document.record for document in documents])
    assert all(known(result.heat) >= 0 for result in by_itself)
    assert len(pairs) > 100
    assert not any(
        known(together[first].heat) >= 0 and known(together[second].heat) >= 0 for first, second in pairs
    )
    listing = {row for pair in pairs for row in pair}
    for row, (first, second) in enumerate(zip(by_itself, together, strict=True)):
        assert first.lead_probability == second.lead_probability
        if row not in listing:
            assert first.heat == second.heat
    changed = [result for result in together if known(result.heat) < 0]
    assert all("lists it and is more likely to lead" in result.warnings[-1] for result in changed)
    stream = io.BytesIO(b"\n".join(sample_json_lines(n_records=20, seed=1)))
    alone = score(["-"], model=str(tmp_path / "eager"), settings=settings, stdin=stream, on_fault=stop)
    assert all(known(result.heat) >= 0 for result in alone)
