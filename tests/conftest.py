"""Fixtures of all tests: an empty folder and settings for each, and one small model for all."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Engine, event

from scoring.artifact.lightgbm_validation import MAX_TOTAL, check_text
from scoring.artifact.saved_model import SavedModel, load_model, save_model
from scoring.evaluation.results import Figure
from scoring.features.story import copies
from scoring.features.table import build_table
from scoring.records.record import Labels, Record
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings, load_settings
from scoring.storage.home import narrow, prepare_home
from scoring.tracking import EvaluationRun, Importance, Store, TrainingRun, log_evaluation, log_training
from scoring.tracking.store import _create_sqlite as create_sqlite
from scoring.tracking.store import opened
from scoring.training.cascade import CascadeLabels
from scoring.training.config import SectionConfig, TrainConfig
from scoring.training.splits import to_moment
from scoring.training.training_set import TrainingSet, as_floats
from scoring.workflows.train import TrainOutcome, train
from tests.listed import links  # noqa: F401 -- a fixture of all tests
from tests.made_once import made_once
from tests.object_store import bucket, object_store  # noqa: F401 -- fixtures of all tests
from tests.repository import repository  # noqa: F401 -- a fixture of all tests
from tests.sites import (  # noqa: F401 -- fixtures of all tests
    QUICK,
    deployed,
    first_site,
    other_site,
    two_scales,
)
from tests.warm_python import warm_python

# The same examples in each run, however slow the machine: `make fuzz` searches for new ones.
hypothesis_settings.register_profile("gate", deadline=None, derandomize=True)
hypothesis_settings.load_profile("gate")


@event.listens_for(Engine, "connect")
def do_not_wait_for_the_disk(connection: object, _: object) -> None:
    """Thousands of small transactions of MLflow's stores: no power is cut here."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF").close()


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in a job that a shell has put into the background: programs that the tests start would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Real records, where there are any beside the project, and how many of them the tests take.
_BESIDE = Path(__file__).resolve().parents[1].parent / "shared" / "corpus"
# Read at collection: the environment of a test is without settings.
_CORPUS = Path(os.environ.get("SCORING_CORPUS", _BESIDE))
_STEP = int(os.environ.get("SCORING_CORPUS_STEP", 20))  # 1: every file, which takes minutes

Labelled = Sequence[tuple[Record, Labels]]
Run = TypeVar("Run", bound=EvaluationRun)


@pytest.fixture(autouse=True)
def clean_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the settings of the person who runs the tests, and the folder they stand in, out of each test."""
    for name in _settings():
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.chdir(tmp_path)
    yield
    for name in _settings():  # MLflow's set_experiment leaves a variable
        del os.environ[name]


def _settings() -> list[str]:
    return [name for name in os.environ if name.startswith(("SCORING_", "MLFLOW_"))]


@pytest.fixture(autouse=True)
def clean_logging() -> Iterator[None]:
    """Take back what a command or a service set up for the log of its process, in a fixture or in a test."""
    _reset_levels()
    handlers = set(logging.root.handlers)
    yield
    for handler in set(logging.root.handlers) - handlers:
        logging.root.removeHandler(handler)
    _reset_levels()


def _reset_levels() -> None:
    for name, level in ((None, logging.WARNING), ("scoring", logging.NOTSET), ("uvicorn", logging.NOTSET)):
        logging.getLogger(name).setLevel(level)


@pytest.fixture(autouse=True, scope="session")
def known_texts() -> Iterator[None]:
    """Check the text of each booster once in a process, where it is valid: most of loading a model is that
    check, and the tests load the same few models a thousand times."""
    valid: set[tuple[str, float]] = set()

    def check(text: str, path: str, max_total: float = MAX_TOTAL) -> None:
        if (text, max_total) not in valid:
            check_text(text, path, max_total)
            valid.add((text, max_total))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scoring.artifact.saved_model.check_text", check)
        yield


@pytest.fixture(scope="module")
def undrawn_plots() -> Iterator[None]:
    """Write plots as files without a picture, for tests of something else: drawing takes nine tenths of the
    time in which a tiny model is trained and logged."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", _save_undrawn)
        yield


def _save_undrawn(_: object, file: Path | BytesIO, **__: object) -> None:
    if isinstance(file, BytesIO):
        file.write(b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>')
    else:
        file.write_bytes(b"a plot")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose home is the test's own."""
    return load_settings(home=tmp_path / "home", threads=1)


def training_set_of(labelled: Labelled) -> TrainingSet:
    """Training set of records with their labels."""
    return TrainingSet(
        build_table([record for record, _ in labelled]),
        CascadeLabels(
            as_floats([labels.quality for _, labels in labelled]),
            as_floats([labels.heat for _, labels in labelled]),
            as_floats([labels.published for _, labels in labelled]),
        ),
        np.array([to_moment(record.published_at) for record, _ in labelled], dtype="datetime64[us]"),
        [record.topics[0] if record.topics else "" for record, _ in labelled],
        copies([record for record, _ in labelled]),
    )


@pytest.fixture(scope="session")
def make_training() -> Callable[[Labelled], TrainingSet]:
    """Makes a training set of records with their labels."""
    return training_set_of


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder for :func:`tests.made_once.made_once`, which all processes of this test run see."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "shared"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def archive(shared_folder: Path) -> Path:
    """A folder with 400 labelled records as files; tests read it only."""

    def make(folder: Path) -> Path:
        write_sample(folder / "news", n_records=400, seed=1)
        return folder / "news"

    return made_once(shared_folder, "archive", make)


@pytest.fixture(scope="session")
def training(archive: Path, shared_folder: Path) -> TrainOutcome:
    """The one training of a small model that most tests share; it is not tracked."""

    def stop(error: Exception) -> None:
        raise error

    def make(home: Path) -> TrainOutcome:
        return train(
            [str(archive)],
            config=TrainConfig(name="small", n_bootstrap=50),
            settings=load_settings(home=home, threads=1),
            now=datetime(2019, 1, 1, tzinfo=UTC),
            is_tracked=False,
            on_fault=stop,
        )

    return made_once(shared_folder, "training", make)


@pytest.fixture(scope="session")
def saved(training: TrainOutcome) -> SavedModel:
    """The small model, loaded."""
    return load_model(Path(training.model))


@pytest.fixture(scope="session")
def bare_store(shared_folder: Path) -> Path:
    """An MLflow database as it is made, which takes seconds."""

    def make(folder: Path) -> Path:
        create_sqlite(folder / "mlflow.db")
        return folder / "mlflow.db"

    return made_once(shared_folder, "bare_store", make)


@pytest.fixture(scope="session")
def template(bare_store: Path, shared_folder: Path) -> Path:
    """An MLflow database without runs, which was opened before; tests copy it."""

    def make(folder: Path) -> Path:
        database = folder / "mlflow.db"
        shutil.copy(bare_store, database)
        narrow(database)
        with opened(Store(f"sqlite:///{database}", folder), "create", writes=True):
            return database

    return made_once(shared_folder, "template", make)


@pytest.fixture(autouse=True, scope="session")
def copied_stores(request: pytest.FixtureRequest) -> Iterator[None]:
    """Make new stores as copies of one that MLflow made."""

    def copy(path: Path) -> None:
        shutil.copyfile(request.getfixturevalue("bare_store"), path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scoring.tracking.store._create_sqlite", copy)
        yield


@pytest.fixture
def new_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """New stores are made by MLflow, for tests of just that."""
    monkeypatch.setattr("scoring.tracking.store._create_sqlite", create_sqlite)


@pytest.fixture(scope="session")
def warm(bare_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The path of a Python that has already imported everything, for many short programs."""
    with warm_python(tmp_path_factory.mktemp("warm"), bare_store) as program:
        yield program


class KeptRuns(NamedTuple):
    """A store with the runs of experiment ``demo``, by their ids, the oldest first; tests only read it."""

    settings: Settings
    fewer: str  # evaluates the last 40 of the others' records
    trained: str  # version 1 of the registered model "scoring", its champion
    judged: str  # perfect, except for one wrong decision to publish; another configuration
    failed: str  # its status is FAILED


@pytest.fixture(scope="session")
def kept_runs(training: TrainOutcome, saved: SavedModel, template: Path, shared_folder: Path) -> KeptRuns:
    """The small model's training, and evaluations beside it."""
    return made_once(shared_folder, "kept", lambda home: log_kept_runs(home, training, saved, template))


def log_kept_runs(home: Path, training: TrainOutcome, saved: SavedModel, template: Path) -> KeptRuns:
    settings = load_settings(home=home, threads=1)
    shutil.copy(template, settings.home)
    store = Store(settings.tracking_uri, settings.home)
    config = msgspec.to_builtins(saved.manifest.training.config)
    whole = training.evaluation

    def run(kind: type[Run], day: int, **values: Any) -> Run:
        common: dict[str, Any] = {
            "experiment": "demo",
            "model": saved.name,
            "config": config,
            "data_path": "archive",
            "data_sha256": training.data_sha256,
            "counts": {},
            "evaluation": whole,
            "plots": {},
            "started_at": datetime(2019, 1, day, tzinfo=UTC),
        }
        return kind(**common | values)

    last = {name: column[-40:] for name, column in whole.predictions.items()}
    fewer = msgspec.structs.replace(whole, predictions=last, figures={}, n_records=40)
    perfect = whole.predictions | {
        "quality_predicted": whole.predictions["quality"],
        "published_predicted": whole.predictions["published"].copy(),
        "published_probability": whole.predictions["published_probability"].copy(),
    }
    wrong = int(np.flatnonzero(whole.predictions["published_predicted"] == perfect["published"])[-1])
    perfect["published_predicted"][wrong] ^= True
    perfect["published_probability"][wrong] = 0.5
    other = msgspec.structs.replace(whole, predictions=perfect, figures={"quality_mae": Figure(0.0)})
    tags = {"git_commit": "0123456789", "git_dirty": "true"}
    kept = KeptRuns(
        settings,
        log_evaluation(store, run(EvaluationRun, 1, run_name="fewer", evaluation=fewer)),
        log_training(
            store,
            run(
                TrainingRun,
                2,
                run_name="small",
                counts={"train": 340, "test": 60},
                model_folder=Path(training.model),
                importances=(Importance("title_chars", "quality", 12.5, 3),),
                register="scoring",
            ),
        ).run_id,
        log_evaluation(
            store,
            run(
                EvaluationRun,
                3,
                run_name="other",
                model="other@1",
                config=config | {"name": "other", "seed": 7},
                evaluation=other,
                tags=tags,
            ),
        ),
        log_evaluation(store, run(EvaluationRun, 4, run_name="broken", evaluation=fewer)),
    )
    with opened(store, "prepare", writes=True) as client:
        client.set_registered_model_alias("scoring", "champion", "1")
        client.set_terminated(kept.failed, "FAILED")
    return kept


class Registry(NamedTuple):
    """A store of the test's own, with the runs of three trainings on the archive."""

    settings: Settings
    weak: str  # 20 points off; version 1 of the registered model "scoring", its champion
    small: str  # the small model
    worse: str  # 40 points off


@pytest.fixture(scope="session")
def registry_template(
    training: TrainOutcome, saved: SavedModel, template: Path, shared_folder: Path
) -> Registry:
    """The store that tests get copies of."""
    return made_once(shared_folder, "registry", lambda home: log_registry(home, training, saved, template))


def log_registry(home: Path, training: TrainOutcome, saved: SavedModel, template: Path) -> Registry:
    settings = load_settings(home=home, threads=1)
    prepare_home(home)
    shutil.copy(template, home)
    # What retrainings train, without a search for changes of policy.
    model = msgspec.structs.replace(QUICK, sections=SectionConfig(design="shared"))
    config = msgspec.structs.replace(saved.manifest.training.config, model=model)
    store = Store(settings.tracking_uri, settings.home)

    def log(name: str, off: float, day: int, register: str | None = None) -> str:
        quality = saved.models.quality
        rubric = msgspec.structs.replace(quality.rubric, intercept_=quality.rubric.intercept_ + off)
        facts = msgspec.structs.replace(saved.manifest.training, name=name, config=config)
        models = replace(saved.models, quality=replace(quality, rubric=rubric))
        made = save_model(home / "models" / name, models, facts)
        predictions = training.evaluation.predictions
        columns = ("quality_predicted", "quality_low", "quality_high")
        shifted = {column: predictions[column] + off for column in columns}
        run = TrainingRun(
            experiment="scoring",
            run_name=name,
            model=made.name,
            config=msgspec.to_builtins(facts.config),
            data_path="archive",
            data_sha256=training.data_sha256,
            counts={},
            evaluation=msgspec.structs.replace(training.evaluation, predictions=predictions | shifted),
            plots={},
            started_at=datetime(2019, 1, day, tzinfo=UTC),
            model_folder=home / "models" / name,
            register=register,
        )
        return log_training(store, run).run_id

    made = Registry(settings, log("weak", 20, 1, "scoring"), log("small", 0, 2), log("worse", 40, 3))
    with opened(store, "prepare", writes=True) as client:
        client.set_registered_model_alias("scoring", "champion", "1")
    return made


@pytest.fixture
def registry(registry_template: Registry, settings: Settings) -> Registry:
    """A copy; the files of the runs stay where they are, and are only read."""
    prepare_home(settings.home)
    shutil.copy(registry_template.settings.home / "mlflow.db", settings.home)
    return registry_template._replace(settings=settings)


@pytest.fixture(scope="session")
def later(tmp_path_factory: pytest.TempPathFactory) -> str:
    """60 labelled records of 2019, which are newer than the archive; tests read them only."""
    folder = tmp_path_factory.mktemp("records") / "later"
    write_sample(folder, n_records=60, seed=1, begins_at=datetime(2019, 3, 1, tzinfo=UTC), days=60)
    return str(folder)


@pytest.fixture
def real_files() -> list[Path]:
    """Every 20th file of the real corpora, or as the variable says."""
    files = sorted(_CORPUS.glob("*/*.md"))[::_STEP]
    if not files:
        pytest.skip("no real corpora here: set SCORING_CORPUS to their folder")
    return files
