"""Labels written by scoring are never used for training or evaluation."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.errors import RecordError
from scoring.labels.corrections import open_corrections
from scoring.labels.own_scores import open_own_scores
from scoring.records.corpus import read_documents
from scoring.records.ledger import Correction, append_corrections, digests_of
from scoring.records.record import Document, Labels
from scoring.records.synthetic.generate import write_sample
from scoring.records.write_back import write_labels
from scoring.settings import Settings, load_settings
from scoring.tracking import Store, read_run
from scoring.training.dataset import LabelledDataset
from scoring.training.read_dataset import read_dataset
from scoring.workflows.reproduce import reproduce
from scoring.workflows.retrain import retrain
from scoring.workflows.train import TrainOutcome, train
from tests.own_labels import write_own
from tests.workflows.test_promote import GATE, stop
from tests.workflows.test_reproduce import CONFIG
from tests.workflows.test_train import Listener

pytestmark = pytest.mark.usefixtures("undrawn_plots")

NOW = datetime(2019, 12, 1, tzinfo=UTC)
BEGINS_AT = datetime(2019, 3, 1, tzinfo=UTC)  # later than all that the shared model knows
N_NEWS, N_INBOX = 150, 40
ALL = {"quality": 500, "heat": 500, "published": True}
NOT_USED = f"{N_NEWS} records; {3 * N_INBOX} labels written by scoring not used"


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    write_sample(folder / "news", n_records=N_NEWS, seed=3, begins_at=BEGINS_AT, days=90)
    write_sample(folder / "inbox", n_records=N_INBOX, seed=4, begins_at=BEGINS_AT, days=90, is_labelled=False)
    return folder


@pytest.fixture
def news(sampled: Path, tmp_path: Path) -> Path:
    shutil.copytree(sampled / "news", tmp_path / "news")
    return tmp_path / "news"


@pytest.fixture
def inbox(sampled: Path, tmp_path: Path) -> Path:
    shutil.copytree(sampled / "inbox", tmp_path / "inbox")
    return tmp_path / "inbox"


def documents_of(folder: Path) -> list[Document]:
    return list(read_documents([str(folder)], on_fault=stop))


def score(folder: Path, journal: Path, **labels: Any) -> None:
    """Write as `scoring score --write` does."""
    write_own(journal, documents_of(folder), lambda _: labels)


def remove_heat_and_published(document: Document) -> None:
    file = Path(document.path)
    file.write_bytes(re.sub(rb"^(heat|published):.*\n", b"", file.read_bytes(), flags=re.MULTILINE))


def read(
    folders: list[Path],
    settings: Settings,
    *,
    is_used: bool = False,
    ledger: Path | None = None,
    listener: Listener | None = None,
) -> LabelledDataset:
    listener = listener or Listener()
    return read_dataset(
        list(map(str, folders)),
        stdin=None,
        on_fault=stop,
        reporter=listener,
        corrections=open_corrections(ledger),
        own_scores=open_own_scores(settings, is_used=is_used, reporter=listener),
    )


def test_records_that_scoring_has_labelled_are_none_to_learn_from(
    news: Path, inbox: Path, settings: Settings
) -> None:
    before = read([news, inbox], settings)
    assert (len(before.documents), before.n_unlabelled, before.tags) == (N_NEWS, N_INBOX, {})
    score(inbox, settings.journal, **ALL)
    listener = Listener()
    after = read([news, inbox], settings, listener=listener)
    assert after.documents == before.documents
    assert after.data_sha256 == before.data_sha256
    assert (after.n_unlabelled, after.n_own_labels) == (0, 3 * N_INBOX)
    assert listener.notes == [NOT_USED]
    listener = Listener()
    used = read([news, inbox], settings, is_used=True, listener=listener)
    assert len(used.documents) == N_NEWS + N_INBOX
    assert listener.notes == [
        f"{N_NEWS + N_INBOX} records; {3 * N_INBOX} labels written by scoring used (--include-own-scores)"
    ]


def test_each_label_is_looked_at_by_itself(news: Path, settings: Settings) -> None:
    """The quality was given by a person; heat and published are filled in, and renewed."""
    for document in documents_of(news):
        remove_heat_and_published(document)
    before = read([news], settings)
    for heat in (70, 80):
        score(news, settings.journal, heat=heat, published=True)
        after = read([news], settings)
        assert [document.labels for document in after.documents] == [
            document.labels for document in before.documents
        ]
        assert {(document.labels.heat, document.labels.published) for document in after.documents} == {
            (None, None)
        }
        assert after.data_sha256 == before.data_sha256
        assert after.n_own_labels == 2 * N_NEWS
    used = read([news], settings, is_used=True)
    assert {document.labels.heat for document in used.documents} == {80}
    assert used.data_sha256 != before.data_sha256


def test_a_label_that_a_person_has_changed_since_is_a_label(inbox: Path, settings: Settings) -> None:
    score(inbox, settings.journal, **ALL)
    first, second, *_ = documents_of(inbox)
    write_labels(first.path, {"quality": 55}, roots=[str(inbox)])
    write_labels(second.path, {"heat": 55}, roots=[str(inbox)])  # its quality is still scoring's own
    corpus = read([inbox], settings)
    assert [(document.path, document.labels) for document in corpus.documents] == [
        (first.path, Labels(quality=55))
    ]
    assert corpus.n_own_labels == 3 * N_INBOX - 2
    write_own(settings.journal, [second], lambda _: {"quality": 500}, owner="people")  # the desk's accept
    corpus = read([inbox], settings)
    labels = {document.path: document.labels for document in corpus.documents}
    assert labels == {first.path: Labels(quality=55), second.path: Labels(quality=500, heat=55)}


def test_a_correction_is_a_label_whatever_scoring_writes(inbox: Path, settings: Settings) -> None:
    first = documents_of(inbox)[0]
    digests = digests_of(first.record)
    correction = Correction(
        at=NOW,
        path="a.md",
        record_sha256=digests.record,
        own_sha256=digests.own,
        field="quality",
        predicted=500,
        value=500,  # what scoring says as well
        model="small@01234567",
    )
    ledger = settings.home / "corrections.jsonl"
    append_corrections(ledger, [correction])
    before = read([inbox], settings, ledger=ledger)
    score(inbox, settings.journal, **ALL)
    after = read([inbox], settings, ledger=ledger)
    assert [(document.path, document.labels) for document in after.documents] == [
        (first.path, Labels(quality=500))
    ]
    assert after.data_sha256 == before.data_sha256


def test_records_that_were_moved_or_are_lines_of_json_are_known(inbox: Path, settings: Settings) -> None:
    score(inbox, settings.journal, **ALL)
    rows = [
        msgspec.json.encode(msgspec.to_builtins(document.record) | msgspec.to_builtins(document.labels))
        for document in documents_of(inbox)
    ]
    lines = inbox.parent / "inbox.jsonl"
    lines.write_bytes(b"\n".join(rows))
    inbox.rename(inbox.parent / "moved")
    for source in (lines, inbox.parent / "moved"):
        corpus = read([source], settings)
        assert (corpus.documents, corpus.n_own_labels) == ([], 3 * N_INBOX)


def test_records_of_other_times_are_not_counted(inbox: Path, settings: Settings) -> None:
    score(inbox, settings.journal, **ALL)
    moments = sorted(
        document.record.published_at for document in documents_of(inbox) if document.record.published_at
    )
    corpus = read_dataset(
        [str(inbox)],
        stdin=None,
        on_fault=stop,
        reporter=Listener(),
        since=moments[-5],
        own_scores=open_own_scores(settings, is_used=False, reporter=Listener()),
    )
    assert corpus.n_own_labels == 3 * sum(moment >= moments[-5] for moment in moments)


def test_a_journal_that_is_named_and_not_there_is_reported(news: Path, tmp_path: Path) -> None:
    listener = Listener()
    named = load_settings(home=tmp_path / "home", journal=tmp_path / "nowhere.jsonl")
    read([news], named, listener=listener)
    assert listener.notes == [
        f"{tmp_path}/nowhere.jsonl: no such journal: labels that scoring may have written cannot be excluded"
    ]
    listener = Listener()
    read([news], load_settings(home=tmp_path / "home"), listener=listener)
    assert listener.notes == []


def test_a_line_of_the_journal_that_is_skipped_is_reported(inbox: Path, settings: Settings) -> None:
    score(inbox, settings.journal, **ALL)
    with settings.journal.open("ab") as file:
        file.write(b'{"kind":"la')
    listener = Listener()
    read([inbox], settings, listener=listener)
    assert [note.startswith(f"{settings.journal}:{N_INBOX + 2}: skipped") for note in listener.notes] == [
        True,
        False,
    ]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="scoring")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    plain = msgspec.to_builtins(CONFIG)
    del plain["name"]
    file = tmp_path / "tiny.yaml"
    file.write_bytes(msgspec.yaml.encode(plain))
    return file


@pytest.fixture
def model(training: TrainOutcome) -> str:
    return training.model


Command = Callable[[Path, str], list[object]]
COMMANDS: dict[str, Command] = {
    "train": lambda config, _: ["train", "--config", config, "--output", "new", "--overwrite", "--no-track"],
    "evaluate": lambda _, model: ["evaluate", "--model", model, "--no-track"],
    "audit": lambda config, _: ["audit", "--config", config],
    "drift": lambda _, model: ["drift", "--model", model, "--no-track"],
    "backtest": lambda config, _: ["backtest", "--config", config, "--since", "2019-05", "--no-track"],
    "compare": lambda _, model: ["compare", model, "twin", "--no-track"],
    "promote": lambda _, model: ["promote", model, "--dry-run"],
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.exhaustive] if name in ("train", "audit", "backtest") else [])
        for name in COMMANDS
    ],
)
def test_every_command_that_reads_labels_leaves_out_scorings_own(
    name: str, news: Path, inbox: Path, config: Path, model: str, tmp_path: Path
) -> None:
    shutil.copytree(model, tmp_path / "twin")
    words = COMMANDS[name](config, model)
    on = ["--on"] if name == "promote" else []
    command = [*words, *on, news, *on, inbox, "--json"]
    before = run(*command)
    assert before.exit_code in (0, 3), before.output
    score(inbox, tmp_path / ".scoring" / "journal.jsonl", **ALL)
    after = run(*command)
    counted = N_NEWS if name not in ("drift", "compare") else N_NEWS + N_INBOX
    assert f"{counted} records; {3 * N_INBOX} labels written by scoring not used\n" in after.stderr
    assert after.exit_code == before.exit_code
    output_after, output_before = (without_counts(done.stdout) for done in (after, before))
    assert output_after == output_before
    used = run(*command, "--include-own-scores")
    assert f"{3 * N_INBOX} labels written by scoring used (--include-own-scores)\n" in used.stderr
    assert without_counts(used.stdout) != output_before
    (tmp_path / ".scoring" / "journal.jsonl").rename(tmp_path / "elsewhere.jsonl")
    shutil.copy(tmp_path / "elsewhere.jsonl", tmp_path / "beside.jsonl")
    named = run(*command, "--journal", "beside.jsonl")
    assert without_counts(named.stdout) == output_before


def without_counts(printed: str) -> list[Any]:
    rows = [msgspec.json.decode(line) for line in printed.splitlines()]
    for row in rows:
        row.pop("n_own_labels", None)
    return rows


def test_tune_leaves_out_scorings_own(news: Path, inbox: Path, config: Path, tmp_path: Path) -> None:
    command = ["tune", news, inbox, "--config", config, "--trials", "1", "--no-track", "--json"]
    before = run(*command)
    assert before.exit_code == 0, before.output
    score(inbox, tmp_path / ".scoring" / "journal.jsonl", **ALL)
    after = run(*command)  # the same study: it is of the same records
    assert (after.exit_code, after.stdout) == (0, before.stdout)
    assert NOT_USED in after.stderr
    used = run(*command, "--include-own-scores")
    assert (used.exit_code, "got other records than it was begun with" in used.stderr) == (2, True)


@pytest.fixture
def home(template: Path, settings: Settings) -> Settings:
    settings.home.mkdir()
    shutil.copy(template, settings.home)
    return settings


@pytest.mark.exhaustive
def test_a_training_is_made_again_whatever_scoring_has_written_since(
    news: Path, inbox: Path, home: Settings, tmp_path: Path
) -> None:
    for document in documents_of(news)[:50]:
        remove_heat_and_published(document)
    options: dict[str, Any] = {"config": CONFIG, "settings": home, "now": NOW, "on_fault": stop}
    paths = [str(news), str(inbox)]
    first = train(paths, **options)
    score(inbox, home.journal, **ALL)
    for document in documents_of(news):
        if document.labels.heat is None:
            write_own(home.journal, [document], lambda _: {"heat": 7, "published": False})
    second = train(paths, **options)
    assert (second.data_sha256, second.n_records) == (first.data_sha256, first.n_records)
    assert second.metrics == first.metrics
    assert second.n_own_labels == 3 * N_INBOX + 2 * 50
    for outcome in (first, second):
        assert reproduce(str(outcome.run_id), settings=home, on_fault=stop).is_same
    tags = read_run(Store(home.tracking_uri, home.home), str(second.run_id)).tags
    assert (tags["own_labels"], tags["own_labels_are"]) == ("220", "not used")
    assert tags["journal_path"] == str(home.journal)
    assert len(tags["journal_sha256"]) == 64

    used = train(paths, has_own_scores=True, **options)
    assert used.n_records == N_NEWS + N_INBOX
    assert reproduce(str(used.run_id), settings=home, on_fault=stop).is_same

    moved = home.journal.rename(tmp_path / "moved.jsonl")
    listener = Listener()
    other = reproduce(str(second.run_id), settings=home, on_fault=stop, reporter=listener)
    assert not other.is_trained
    assert f"{home.journal}: the run's journal is missing: name it with --journal FILE" in listener.notes
    named = msgspec.structs.replace(home, journal=moved)
    assert reproduce(str(second.run_id), settings=named, on_fault=stop).is_same


@pytest.mark.slow
def test_the_journal_of_a_run_is_taken_by_what_makes_it_again(
    news: Path, inbox: Path, home: Settings, tmp_path: Path
) -> None:
    named = msgspec.structs.replace(home, journal=tmp_path / "beside.jsonl")
    score(inbox, named.journal, **ALL)
    options: dict[str, Any] = {"config": CONFIG, "now": NOW, "on_fault": stop}
    trained = train([str(news), str(inbox)], settings=named, **options)
    assert trained.n_records == N_NEWS
    assert reproduce(str(trained.run_id), settings=home, on_fault=stop).is_same


@pytest.mark.exhaustive
def test_retraining_does_not_learn_what_the_champion_has_written(
    news: Path, home: Settings, tmp_path: Path
) -> None:
    inbox = tmp_path / "later"
    write_sample(
        inbox, n_records=60, seed=6, begins_at=datetime(2019, 8, 1, tzinfo=UTC), days=40, is_labelled=False
    )
    options: dict[str, Any] = {"settings": home, "now": NOW, "on_fault": stop, "gate": GATE}
    paths = [str(news), str(inbox)]
    first = retrain(paths, config=CONFIG, **options)
    assert first.is_promoted, first.verdict.reasons
    score(inbox, home.journal, **ALL)
    listener = Listener()
    again = retrain(paths, reporter=listener, **options)
    assert (again.run_id, again.is_promoted) == (None, False)
    assert again.verdict.reasons[0].startswith("no new data to evaluate on since")
    assert listener.notes[0] == f"{N_NEWS} records; 180 labels written by scoring not used"
    used = retrain(paths, has_own_scores=True, **options)
    assert used.run_id is not None


def test_a_journal_that_cannot_be_used_ends_a_training_before_it_begins(
    news: Path, settings: Settings
) -> None:
    settings.home.mkdir()
    settings.journal.write_text('{"kind":"labels","format":99}\n')
    with pytest.raises(RecordError, match=r"journal\.jsonl:1: format: got 99"):
        train([str(news)], config=CONFIG, settings=settings, now=NOW, on_fault=stop)


@pytest.mark.exhaustive
def test_a_training_after_the_scores_were_written_is_on_the_same_data(
    news: Path, inbox: Path, config: Path, model: str
) -> None:
    """Train, score --write, train again; then change one label by hand."""
    command = ["train", news, inbox, "--config", config, "--no-track", "--json"]
    before = run(*command)
    assert before.exit_code == 0, before.output
    assert run("score", inbox, "--model", model, "--write").exit_code == 0
    assert all(None not in msgspec.structs.astuple(document.labels) for document in documents_of(inbox))
    after = run(*command)
    assert NOT_USED in after.stderr
    assert without_counts(after.stdout) == without_counts(before.stdout)
    assert msgspec.json.decode(after.stdout)["n_own_labels"] == 3 * N_INBOX
    changed = documents_of(inbox)[0]
    write_labels(changed.path, {"quality": (changed.labels.quality or 0) + 7}, roots=[str(inbox)])
    assert run("score", inbox, "--model", model, "--write").exit_code == 0  # leaves that one alone
    corrected = run(*command)
    assert f"{N_NEWS + 1} records; {3 * N_INBOX - 1} labels written by scoring not used" in corrected.stderr
    assert msgspec.json.decode(corrected.stdout)["n_records"] == N_NEWS + 1
