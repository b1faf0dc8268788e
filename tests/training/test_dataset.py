"""Labelled dataset: selection, order and cutoffs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from scoring.errors import RecordError
from scoring.progress import SILENT, Silent
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset, cutoffs_before, latest_moments
from scoring.training.read_dataset import read_dataset

FRONT = "---\ntitle: {title}\npublishedDateTime: {date}\n{labels}topics: [{topics}]\n{related}---\n"
LABELS = "quality: 20\nheat: 25\npublished: false\n"


def write(
    folder: Path, name: str, date: str, labels: str = LABELS, topics: str = "Sea", later: str = ""
) -> None:
    related = f"related:\n- title: Flood\n  publishedDateTime: {later}\n  quality: 3\n" if later else ""
    text = FRONT.format(title=name, date=date, labels=labels, topics=topics, related=related)
    (folder / f"{name}.md").write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "a", "2021-03-05T10:00:00Z")
    write(tmp_path, "b", "2021-03-04T23:30:00-08:00", later="2021-03-09T00:00:00Z")
    write(tmp_path, "c", "2021-03-01T10:00:00Z", topics="Land, Dunes")
    write(tmp_path, "d", "2021-03-01T10:00:00Z", labels="", topics="Land")
    write(tmp_path, "e", "2021-03-02T10:00:00Z", labels="quality: 0\n")
    return tmp_path


def read(folder: Path, faults: list[RecordError] | None = None) -> LabelledDataset:
    errors: list[RecordError] = [] if faults is None else faults
    return read_dataset([str(folder)], stdin=None, on_fault=errors.append, reporter=SILENT)


def test_records_with_a_quality_come_by_date(folder: Path) -> None:
    corpus = read(folder)
    assert [Path(document.path).stem for document in corpus.documents] == ["c", "e", "b", "a"]
    assert (corpus.n_faults, corpus.n_unlabelled) == (0, 1)
    assert corpus.sections == ["Land", "Sea", "Sea", "Sea"]
    assert corpus.moments[2] == np.datetime64("2021-03-05T07:30:00")


def test_digest_does_not_hang_on_names_and_places(folder: Path, tmp_path: Path) -> None:
    before = read(folder).data_sha256
    (folder / "a.md").rename(folder / "z.md")
    assert read(folder).data_sha256 == before
    # Skipped records do not count; used ones do, to the byte.
    (folder / "d.md").unlink()
    assert read(folder).data_sha256 == before
    with (folder / "z.md").open("a") as file:
        file.write("\n")
    assert read(folder).data_sha256 != before


def test_faults_are_counted_and_reported(folder: Path) -> None:
    (folder / "bad.md").write_text("---\ntitle: [a]\n---\n")
    faults: list[RecordError] = []
    corpus = read(folder, faults)
    assert corpus.n_faults == len(faults) == 1
    assert len(corpus.documents) == 4


def stop(error: RecordError) -> None:
    raise error


class Notes(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)

    def warn(self, text: str) -> None:
        self.texts.append(f"warning: {text}")


def test_labels_that_cannot_be_used_are_missing_and_counted(folder: Path) -> None:
    write(folder, "f", "2021-03-02T10:00:00Z", labels="quality: high\n")
    write(folder, "g", "2021-03-02T10:00:00Z", labels="quality: 5\npublished: 2016\n")
    notes = Notes()
    corpus = read_dataset([str(folder)], stdin=None, on_fault=stop, reporter=notes)
    assert (len(corpus.documents), corpus.n_faults, corpus.n_unlabelled) == (5, 0, 2)
    assert notes.texts == [
        "warning: 2 records have a label that cannot be used and is taken as missing: "
        '"scoring validate" names them',
        "2 records without a quality or a date are left out",
    ]


def test_labels_are_numbers_or_missing(folder: Path) -> None:
    training = read(folder).training_set(np.ones(4, dtype=bool))
    assert training.labels.quality.tolist() == [20, 0, 20, 20]
    assert np.isnan(training.labels.heat).tolist() == [False, True, False, False]
    assert np.isnan(training.labels.published).tolist() == [False, True, False, False]
    assert training.table.number("coverage_count").tolist() == [0, 0, 1, 0]
    assert training.sections == ["Land", "Sea", "Sea", "Sea"]


def test_what_came_after_the_moment_of_a_section_is_hidden(folder: Path) -> None:
    corpus = read(folder)
    moment = datetime(2021, 3, 8, tzinfo=UTC)
    training = corpus.training_set(np.array([True, False, True, True]), {"Sea": moment})
    assert training.table.number("coverage_count").tolist() == [0, 0, 0]
    # Its story goes on, so its heat and whether it was published are not what they were then.
    assert np.isnan(training.labels.heat).tolist() == [False, True, False]
    assert np.isnan(training.labels.published).tolist() == [False, True, False]
    assert training.labels.quality.tolist() == [20, 20, 20]
    age_hours = training.table.number("age_hours")
    assert np.isnan(age_hours[0])  # no moment is given for its section
    assert age_hours[2] == 62


def test_a_section_is_the_topic_that_its_records_share(folder: Path) -> None:
    assert read(folder).sections[0] == "Land"


def test_no_usable_record(tmp_path: Path) -> None:
    write(tmp_path, "d", "2021-03-01T10:00:00Z", labels="")
    corpus = read(tmp_path)
    assert corpus.documents == []
    assert corpus.n_unlabelled == 1


def everything(corpus: LabelledDataset) -> np.ndarray:
    return np.ones(len(corpus.documents), dtype=bool)


def test_gap_moves_the_cut_and_leaves_records_out(folder: Path) -> None:
    corpus = read(folder)
    is_held = np.array([False, False, False, True])
    begins = datetime(2021, 3, 5, 10, tzinfo=UTC)
    assert cutoffs_before(corpus, is_held)["Sea"] == begins - timedelta(microseconds=1)
    cuts = cutoffs_before(corpus, is_held, 24.0)
    assert cuts["Sea"] == begins - timedelta(hours=24, microseconds=1)
    config = TrainConfig()
    assert len(corpus.training_split(is_held, cutoffs_before(corpus, is_held), config).table) == 3
    # The record of 07:30 on the same day lies in the gap.
    training = corpus.training_split(is_held, cuts, config)
    assert training.moments.tolist() == corpus.moments[:2].tolist()


def test_copies_of_held_back_records_are_not_learned_from(folder: Path) -> None:
    write(folder, "copy of the long title a", "2021-03-01T12:00:00Z")
    write(folder, "another title", "2021-03-06T12:00:00Z")
    (folder / "again.md").write_text(
        FRONT.format(
            title="copy of the long title a",
            date="2021-03-07T12:00:00Z",
            labels=LABELS,
            topics="Sea",
            related="",
        )
    )
    corpus = read(folder)
    is_held = corpus.moments == np.datetime64("2021-03-07T12:00:00")
    assert is_held.sum() == 1
    training = corpus.training_split(is_held, cutoffs_before(corpus, is_held), TrainConfig())
    assert len(training.table) == len(corpus.documents) - 2
    assert ("copy", "of", "the", "long", "title", "a") not in training.table.title_words


def test_training_at_an_age_sees_no_later_coverage_and_settled_labels(folder: Path) -> None:
    corpus = read(folder)
    nothing = ~everything(corpus)
    cuts = latest_moments(corpus, ~nothing)
    counts = {}
    for as_of in ("", "published", "+96h"):
        training = corpus.training_split(nothing, cuts, TrainConfig(as_of=as_of))
        counts[as_of] = training.table.number("coverage_count").tolist()
        assert np.isnan(training.labels.heat).tolist() == [False, True, False, False]
        # The ages of the forecast do not depend on the age of the training.
        assert [table.number("coverage_count")[2] for table in training.early] == [0, 0, 0, 0, 0]
    assert counts == {"": [0, 0, 1, 0], "published": [0, 0, 0, 0], "+96h": [0, 0, 1, 0]}


def test_other_times_are_left_out(folder: Path) -> None:
    def read_between(since: datetime | None, until: datetime | None) -> list[str]:
        corpus = read_dataset(
            [str(folder)], stdin=None, on_fault=lambda _: None, reporter=SILENT, since=since, until=until
        )
        return [Path(document.path).stem for document in corpus.documents]

    second = datetime(2021, 3, 2, 10, tzinfo=UTC)
    assert read_between(second, None) == ["e", "b", "a"]
    assert read_between(None, second) == ["c", "e"]
    assert read_between(second, second) == ["e"]
