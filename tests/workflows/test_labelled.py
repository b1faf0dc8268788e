"""Labelled records: which are used, in which order, and what is hidden of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from scoring.errors import RecordError
from scoring.progress import SILENT
from scoring.workflows.labelled import Corpus, read_corpus, section_of

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
    write(tmp_path, "d", "2021-03-01T10:00:00Z", labels="")
    write(tmp_path, "e", "2021-03-02T10:00:00Z", labels="quality: 0\n")
    return tmp_path


def read(folder: Path, faults: list[RecordError] | None = None) -> Corpus:
    told: list[RecordError] = [] if faults is None else faults
    return read_corpus([str(folder)], stdin=None, on_fault=told.append, reporter=SILENT)


def test_records_with_a_quality_come_by_date(folder: Path) -> None:
    corpus = read(folder)
    assert [Path(one.path).stem for one in corpus.documents] == ["c", "e", "b", "a"]
    assert (corpus.n_faults, corpus.n_unlabelled) == (0, 1)
    assert corpus.sections == ["Land", "Sea", "Sea", "Sea"]
    assert corpus.moments[2] == np.datetime64("2021-03-05T07:30:00")


def test_digest_does_not_hang_on_names_and_places(folder: Path, tmp_path: Path) -> None:
    before = read(folder).data_sha256
    (folder / "a.md").rename(folder / "z.md")
    assert read(folder).data_sha256 == before
    # A record that is left out does not count; one that is used does, to the byte.
    (folder / "d.md").unlink()
    assert read(folder).data_sha256 == before
    with (folder / "z.md").open("a") as file:
        file.write("\n")
    assert read(folder).data_sha256 != before


def test_faults_are_counted_and_told(folder: Path) -> None:
    (folder / "bad.md").write_text("---\ntitle: [a]\n---\n")
    faults: list[RecordError] = []
    corpus = read(folder, faults)
    assert corpus.n_faults == len(faults) == 1
    assert len(corpus.documents) == 4


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


def test_section_is_the_first_topic(folder: Path) -> None:
    assert section_of(read(folder).documents[0].record) == "Land"


def test_no_usable_record(tmp_path: Path) -> None:
    write(tmp_path, "d", "2021-03-01T10:00:00Z", labels="")
    corpus = read(tmp_path)
    assert corpus.documents == []
    assert corpus.n_unlabelled == 1
