"""Corrections replace labels in training, reproduction and audit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scoring.errors import RecordError
from scoring.labels.corrections import open_corrections
from scoring.records.corpus import read_documents
from scoring.records.ledger import Correction, append_corrections, digests_of
from scoring.records.record import Document
from scoring.records.synthetic.generate import write_sample
from scoring.records.write_back import write_labels
from scoring.settings import Settings, load_settings
from scoring.tracking import Store, read_run
from scoring.training.dataset import LabelledDataset
from scoring.training.read_dataset import read_dataset
from scoring.workflows.audit import audit
from scoring.workflows.reproduce import reproduce
from scoring.workflows.retrain import retrain
from scoring.workflows.train import train
from tests.workflows.test_promote import GATE, stop
from tests.workflows.test_reproduce import CONFIG
from tests.workflows.test_train import Listener

pytestmark = pytest.mark.usefixtures("undrawn_plots")

NOW = datetime(2019, 1, 1, tzinfo=UTC)
Correct = Callable[..., None]


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corrected") / "news"
    write_sample(folder, n_records=120, seed=3, days=60)
    return folder


@pytest.fixture(scope="module")
def documents(news: Path) -> list[Document]:
    return list(read_documents([str(news)], on_fault=stop))


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "corrections.jsonl"


@pytest.fixture
def correct(ledger: Path) -> Correct:
    """Add a correction of a document's field, each one hour after the previous one."""
    moments = iter(NOW + timedelta(hours=hours) for hours in range(100))

    def add(document: Document, field: Any, value: int | bool | None, **values: Any) -> None:
        label = getattr(document.labels, field)
        common: dict[str, Any] = {"path": Path(document.path).name, "model": "small@01234567"}
        digests = digests_of(document.record)
        names = {"record_sha256": digests.record, "own_sha256": digests.own}
        given = {"at": next(moments), "predicted": label, **names, **common, **values}
        append_corrections(ledger, [Correction(field=field, value=value, **given)])

    return add


def read(news: Path, ledger: Path | None, listener: Listener | None = None) -> LabelledDataset:
    return read_dataset(
        [str(news)],
        stdin=None,
        on_fault=stop,
        reporter=listener or Listener(),
        corrections=open_corrections(ledger),
    )


def test_corrected_labels_stand_in_the_place_of_the_files(
    news: Path, documents: list[Document], ledger: Path, correct: Correct
) -> None:
    first, second = documents[:2]
    correct(first, "quality", 5)
    correct(first, "published", not first.labels.published)
    correct(first, "quality", 7)
    correct(second, "quality", second.labels.quality)  # what its file says already
    plain, listener = read(news, None), Listener()
    corpus = read(news, ledger, listener)
    labels = {document.path: document.labels for document in corpus.documents}
    expected = {document.path: document.labels for document in plain.documents}
    expected[first.path] = msgspec.structs.replace(
        first.labels, quality=7, published=not first.labels.published
    )
    assert labels == expected
    assert corpus.data_sha256 != plain.data_sha256
    assert listener.notes == [f"{ledger}: changed the labels of 1 of 120 records"]


def test_data_are_the_same_where_no_label_changes(
    news: Path, documents: list[Document], ledger: Path, correct: Correct
) -> None:
    plain = read(news, None)
    correct(documents[0], "quality", documents[0].labels.quality)
    assert read(news, ledger).data_sha256 == plain.data_sha256
    correct(documents[0], "quality", 5)
    correct(documents[0], "quality", None)
    assert read(news, ledger).data_sha256 == plain.data_sha256


def test_a_correction_follows_its_record_and_one_without_a_record_is_reported(
    news: Path, documents: list[Document], ledger: Path, correct: Correct, tmp_path: Path
) -> None:
    correct(documents[0], "quality", 5)
    moved = tmp_path / "moved" / "elsewhere.md"
    moved.parent.mkdir()
    shutil.copy(documents[0].path, moved)
    write_labels(str(moved), {"quality": 99}, roots=[str(moved.parent)])
    assert [document.labels.quality for document in read(moved.parent, ledger).documents] == [5]
    other, listener = documents[1], Listener()
    shutil.copy(other.path, moved)
    assert [document.labels for document in read(moved.parent, ledger, listener).documents] == [other.labels]
    assert listener.notes == [
        f"{ledger}: changed the labels of 0 of 1 records",
        f"{ledger}: 1 corrected records were not read: {Path(documents[0].path).name}",
    ]


def test_an_unlabelled_record_is_labelled_by_its_correction(
    ledger: Path, correct: Correct, tmp_path: Path
) -> None:
    write_sample(tmp_path / "inbox", n_records=2, seed=3, is_labelled=False)
    (first, _) = read_documents([str(tmp_path / "inbox")], on_fault=stop)
    correct(first, "quality", 5, predicted=8)
    corpus = read(tmp_path / "inbox", ledger)
    assert [(document.path, document.labels.quality) for document in corpus.documents] == [(first.path, 5)]
    assert corpus.n_unlabelled == 1


def test_a_ledger_that_is_not_there_is_reported(news: Path, ledger: Path) -> None:
    with pytest.raises(RecordError, match=r"corrections\.jsonl: got no such file, expected a ledger"):
        read(news, ledger)


def test_a_torn_line_is_reported_and_training_and_audit_go_on(
    news: Path, documents: list[Document], ledger: Path, correct: Correct, settings: Settings
) -> None:
    correct(documents[0], "quality", 5)
    with ledger.open("ab") as file:
        file.write(b'{"at": "2026-03-01T12:0')  # where the power went
    correct(documents[1], "quality", 6)
    message = (
        f"{ledger}:2: got a line that is not JSON (cut off?), expected a correction; the line is skipped"
    )
    options: dict[str, Any] = {"config": CONFIG, "corrections": ledger, "settings": settings}
    faults: list[str] = []

    def on_fault(error: RecordError) -> None:
        faults.append(str(error))

    trained = train([str(news)], now=NOW, on_fault=on_fault, is_tracked=False, **options)
    assert (faults, trained.n_faults) == ([message], 0)
    audited = audit([str(news)], limit=5, on_fault=on_fault, **options)
    assert (faults, audited.n_records) == ([message, message], len(documents))
    corpus = read_dataset(
        [str(news)], stdin=None, on_fault=on_fault, reporter=Listener(), corrections=open_corrections(ledger)
    )
    labels = {document.path: document.labels.quality for document in corpus.documents}
    assert [labels[document.path] for document in documents[:2]] == [5, 6]


@pytest.fixture
def home(template: Path, settings: Settings) -> Settings:
    settings.home.mkdir()
    shutil.copy(template, settings.home)
    return settings


@pytest.mark.exhaustive
def test_a_training_on_corrections_is_made_again_with_them(
    news: Path, documents: list[Document], home: Settings, ledger: Path, correct: Correct, tmp_path: Path
) -> None:
    for document in documents[:30]:
        correct(document, "quality", (document.labels.quality or 0) + 20)
    options: dict[str, Any] = {"config": CONFIG, "settings": home, "now": NOW, "on_fault": stop}
    trained = train([str(news)], corrections=ledger, register="scoring", **options)
    assert trained.data_sha256 == read(news, ledger).data_sha256 != read(news, None).data_sha256
    assert trained.run_id is not None
    tags = read_run(Store(home.tracking_uri, home.home), trained.run_id).tags
    assert (tags["corrections_path"], tags["data_sha256"]) == (str(ledger), trained.data_sha256)

    moved = ledger.rename(tmp_path / "moved.jsonl")
    with pytest.raises(RecordError, match="expected a ledger of corrections"):
        reproduce(trained.run_id, settings=home, on_fault=stop)
    again = reproduce(trained.run_id, corrections=moved, settings=home, on_fault=stop)
    assert (again.is_same, again.data) == (True, ())
    moved.rename(ledger)
    correct(documents[40], "quality", 3)
    grown = reproduce(trained.run_id, settings=home, on_fault=stop)
    assert [(difference.name, difference.first) for difference in grown.data] == [
        ("sha256", trained.data_sha256)
    ]
    assert not grown.is_trained


@pytest.mark.slow
def test_retrain_takes_the_ledger_of_the_champion(
    news: Path, documents: list[Document], home: Settings, ledger: Path, correct: Correct
) -> None:
    correct(documents[0], "quality", 5)
    options: dict[str, Any] = {"settings": home, "now": NOW, "on_fault": stop, "gate": GATE}
    first = retrain([str(news)], config=CONFIG, corrections=ledger, **options)
    assert first.is_promoted, first.verdict.reasons
    listener = Listener()
    retrain([str(news)], reporter=listener, **options)
    assert listener.notes[0] == f"{ledger}: changed the labels of 1 of 120 records"


def test_an_audit_reports_what_was_corrected_and_what_is_disputed(
    news: Path, documents: list[Document], ledger: Path, correct: Correct, tmp_path: Path
) -> None:
    odd, disputed, settled = documents[3], documents[10], documents[11]
    correct(odd, "quality", 180, by="ann")
    correct(disputed, "quality", (disputed.labels.quality or 0) + 1, by="ann")
    correct(disputed, "quality", disputed.labels.quality, by="bob")
    for value in (30, None, settled.labels.quality):
        correct(settled, "quality", value)
    settings = load_settings(home=tmp_path / "home", threads=1)
    result = audit(
        [str(news)], config=CONFIG, corrections=ledger, settings=settings, limit=500, on_fault=stop
    )
    worst = next(finding for finding in result.findings if finding.kind == "quality")
    assert (worst.path, worst.label) == (odd.path, 180)
    was = odd.labels.quality
    assert worst.correction == f"corrected from {was} to 180 on 2019-01-01 00:00 by ann"
    marked = {finding.path for finding in result.findings if finding.correction}
    assert marked <= {odd.path, disputed.path, settled.path}
    (correction,) = [finding for finding in result.findings if finding.kind == "correction"]
    quality = disputed.labels.quality or 0
    assert (correction.path, correction.field, correction.label, correction.expected) == (
        disputed.path,
        "quality",
        quality,
        quality + 1,
    )
    assert correction.reason == (
        f"corrected to {quality + 1} on 2019-01-01 01:00 by ann, "
        f"then to {quality} on 2019-01-01 02:00 by bob, which is used"
    )
    assert result.counts["correction"] == 1
    plain = audit([str(news)], config=CONFIG, settings=settings, limit=0, on_fault=stop)
    assert "correction" not in plain.counts
