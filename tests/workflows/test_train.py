"""Training from files to a model folder."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm.engine
import msgspec
import pytest

from scoring.artifact.saved_model import load_model
from scoring.errors import ModelError, RecordError, SettingsError
from scoring.records.synthetic.generate import write_sample
from scoring.records.synthetic.policy import DEFAULT_POLICY
from scoring.settings import Settings, load_settings
from scoring.training import lightgbm_trainer
from scoring.training.config import BoosterConfig, ModelConfig, SectionConfig, SplitConfig, TrainConfig
from scoring.training.folder_policies import FolderConflict
from scoring.workflows.train import TrainOutcome, load_config, train
from scoring.workflows.training_notes import folder_warnings

NOW = datetime(2019, 1, 1, tzinfo=UTC)
FULL = ModelConfig()
QUICK = TrainConfig(
    name="quick",
    n_bootstrap=0,
    model=ModelConfig(
        quality=BoosterConfig(5, FULL.quality.params),
        spread=BoosterConfig(5, FULL.spread.params),
        sections=SectionConfig(design="shared"),
        n_folds=2,
    ),
)
BY_SECTION = msgspec.structs.replace(
    QUICK, model=msgspec.structs.replace(QUICK.model, sections=SectionConfig())
)
"""Sections may have policies of their own, and policies may change."""


class Listener:
    """Reporter that records its messages."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int | None]] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def step(self, name: str, done: int, total: int | None) -> None:
        self.steps.append((name, done, total))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def stop(error: RecordError) -> None:
    raise error


@pytest.fixture
def news(tmp_path: Path) -> Path:
    write_sample(tmp_path / "news", n_records=60, seed=2)
    return tmp_path / "news"


def test_training_beats_the_baselines(training: TrainOutcome) -> None:
    figures, baselines = training.metrics, training.evaluation.baselines
    assert training.evaluation.n_records == 60  # 15 % of 400
    for baseline in ("global median", "provider median"):
        assert figures["quality_mae"] < 0.5 * baselines[baseline]["quality_mae"]
    assert figures["quality_mae"] < baselines["plain LightGBM"]["quality_mae"]
    assert figures["lead_accuracy"] > 0.9
    assert figures["quality_r2"] > 0.8


def test_training_reports_what_it_did(training: TrainOutcome) -> None:
    assert (training.n_records, training.n_faults) == (400, 0)
    assert (training.run_id, training.model_uri) == (None, None)
    assert Path(training.model).name == "small"
    assert load_model(Path(training.model)).manifest.training.data_sha256 == training.data_sha256


def test_test_block_is_the_latest(training: TrainOutcome) -> None:
    predictions = training.evaluation.predictions
    saved = load_model(Path(training.model)).manifest.training
    assert training.evaluation.begins_at is not None
    assert training.evaluation.begins_at > saved.begins_at
    assert training.evaluation.ends_at == saved.ends_at
    assert len(predictions["path"]) == 60
    assert (predictions["published_at"][1:] >= predictions["published_at"][:-1]).all()


def test_evaluation_has_its_slices(training: TrainOutcome) -> None:
    by_family: dict[str, int] = {}
    for slice_ in training.evaluation.slices:
        assert slice_.n_records >= 10
        by_family[slice_.family] = by_family.get(slice_.family, 0) + slice_.n_records
    assert by_family["section"] == 60
    assert by_family["coverage"] <= 60
    assert {"provider", "month", "image"} <= set(by_family)


def test_same_records_give_the_same_bytes(news: Path, settings: Settings, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(news, moved)
    folders = tmp_path / "one", tmp_path / "two"
    train(
        [str(news)],
        config=QUICK,
        settings=settings,
        now=NOW,
        output=folders[0],
        is_tracked=False,
        on_fault=stop,
    )
    later = datetime(2020, 5, 5, tzinfo=UTC)
    train(
        [str(moved)],
        config=QUICK,
        settings=settings,
        now=later,
        output=folders[1],
        is_tracked=False,
        on_fault=stop,
    )
    first, second = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders)
    assert first == second
    assert not settings.home.exists()  # nothing is tracked, nothing is left at home


@pytest.mark.exhaustive
def test_five_runs_on_one_two_and_four_threads_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sample(tmp_path / "few", n_records=90, seed=2)
    monkeypatch.setattr(lightgbm_trainer, "_MIN_RECORDS_PER_THREAD", 30)  # so that two threads are used
    few = {name: BoosterConfig(5, getattr(FULL, name).params) for name in ("lead", "heat", "published")}
    config = msgspec.structs.replace(QUICK, model=msgspec.structs.replace(QUICK.model, **few))
    saved, used = set(), set()
    train_trees = lightgbm.engine.train

    def spied(settings: dict[str, Any], *given: Any, **named: Any) -> Any:
        used.add((threading.current_thread().name, settings["num_threads"]))
        return train_trees(settings, *given, **named)

    monkeypatch.setattr(lightgbm.engine, "train", spied)
    for number, threads in enumerate((1, 1, 1, 2, 4)):
        used.clear()
        outcome = train(
            [str(tmp_path / "few")],
            config=config,
            settings=load_settings(home=tmp_path / str(number), threads=threads),
            now=NOW,
            is_tracked=False,
            on_fault=stop,
        )
        files = sorted(Path(outcome.model).iterdir())
        saved.add(tuple((file.name, file.read_bytes()) for file in files))
        # One booster at a time; two on a thread each; one again, of records enough for more threads.
        n_lanes = len({name for name, _ in used})
        assert (n_lanes, max(count for _, count in used)) == {1: (1, 1), 2: (2, 1), 4: (1, 4)}[threads]
    assert len(saved) == 1


def test_faulty_record_is_reported_and_the_rest_is_used(news: Path, settings: Settings) -> None:
    (news / "bad.md").write_text("---\ntitle: [a]\n---\n")
    faults: list[RecordError] = []
    listener = Listener()
    outcome = train(
        [str(news)],
        config=QUICK,
        settings=settings,
        now=NOW,
        is_tracked=False,
        on_fault=faults.append,
        reporter=listener,
    )
    assert (outcome.n_records, outcome.n_faults) == (60, 1)
    (fault,) = faults
    assert str(fault).startswith(f"{news}/bad.md:2: title: got ")
    assert Path(outcome.model) == settings.home / "models" / "quick"
    assert ("reading", 61, 61) in listener.steps
    assert [done for name, done, _ in listener.steps if name == "training on all records"] == [0, 1, 2, 3]


def test_record_without_a_quality_is_left_out(news: Path, settings: Settings) -> None:
    write_sample(news / "new", n_records=7, seed=3, is_labelled=False)
    listener = Listener()
    outcome = train(
        [str(news)],
        config=QUICK,
        settings=settings,
        now=NOW,
        is_tracked=False,
        on_fault=stop,
        reporter=listener,
    )
    assert outcome.n_records == 60
    assert listener.notes == [
        "7 records without a quality or a date are left out",
        "labels: quality (60 records), heat (60 records), published (60 records)",
        "sections: Tessaril (60 labels)",
    ]


def test_archives_that_become_one_section_are_named_and_their_conflicts_warned_of(
    tmp_path: Path, settings: Settings
) -> None:
    other = replace(DEFAULT_POLICY, image_points=8, topic_points=29, published_from_heat=50)
    write_sample(tmp_path / "old", n_records=150, seed=1, section="Harbour")
    write_sample(tmp_path / "new", n_records=120, seed=2, section="Harbour", policy=other)
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    options: dict[str, Any] = {"config": BY_SECTION, "now": NOW, "on_fault": stop, "is_tracked": False}
    one = Listener()
    train([old, new], settings=settings, reporter=one, **options)
    merged = f"the labels of several paths are learned as one section: {old}/ (150), {new}/ (120)"
    assert f"section Harbour: {merged}" in one.notes
    assert one.warnings == [
        f"section Harbour: the labels in {new} follow other rules of quality and published than those in "
        f"{old}, and one policy was learned for both: train with --section folder to give each folder its own"
    ]
    by_folder = Listener()
    own = msgspec.structs.replace(settings, section="folder")
    train([old, new], settings=own, reporter=by_folder, output=tmp_path / "model", **options)
    assert by_folder.warnings == []
    assert "section new: a policy of its own for quality and heat or publication" in by_folder.notes


def test_folders_of_one_name_need_other_names_first() -> None:
    conflicts = [FolderConflict("", "a/news", "b/news", "heat")]
    assert folder_warnings(conflicts) == [
        "the labels in b/news follow other rules of heat than those in a/news, and one policy was learned "
        "for both: give the folders different names and train with --section folder to give each folder its "
        "own"
    ]


def test_training_tells_of_few_labels_and_of_a_change_of_policy(tmp_path: Path, settings: Settings) -> None:
    write_sample(tmp_path / "few", n_records=24, seed=1)
    listener = Listener()
    options: dict[str, Any] = {"config": BY_SECTION, "settings": settings, "now": NOW, "on_fault": stop}
    outcome = train([str(tmp_path / "few")], is_tracked=False, reporter=listener, **options)
    assert outcome.n_records == 24
    assert any(note.startswith("only 24 labels: ") for note in listener.notes)
    other = replace(DEFAULT_POLICY, scale=0.5, shift=25.0)
    write_sample(tmp_path / "old", n_records=150, seed=1)
    write_sample(
        tmp_path / "new", n_records=150, seed=2, policy=other, begins_at=datetime(2019, 1, 1, tzinfo=UTC)
    )
    listener = Listener()
    train([str(tmp_path / "old"), str(tmp_path / "new")], is_tracked=False, reporter=listener, **options)
    (change,) = [note for note in listener.notes if "quality has followed different rules since" in note]
    assert "since 2019-01-0" in change
    assert change.endswith("earlier labels are used only for rules that did not change")


@pytest.mark.parametrize("count", [1, 15])
def test_too_few_records(tmp_path: Path, settings: Settings, count: int) -> None:
    write_sample(tmp_path / "few", n_records=count, seed=1)
    with pytest.raises(ModelError, match="expected"):
        train(
            [str(tmp_path / "few")], config=QUICK, settings=settings, now=NOW, is_tracked=False, on_fault=stop
        )
    assert not settings.home.exists()


def test_no_labelled_record(tmp_path: Path, settings: Settings) -> None:
    write_sample(tmp_path / "new", n_records=30, seed=1, is_labelled=False)
    with pytest.raises(ModelError, match="no records with a date and a label"):
        train(
            [str(tmp_path / "new")], config=QUICK, settings=settings, now=NOW, is_tracked=False, on_fault=stop
        )


def test_no_test_block(news: Path, settings: Settings) -> None:
    config = msgspec.structs.replace(QUICK, split=SplitConfig(test_ratio=0.0))
    with pytest.raises(ModelError, match="got no record in the test block"):
        train([str(news)], config=config, settings=settings, now=NOW, is_tracked=False, on_fault=stop)


def test_place_that_holds_something_else(news: Path, settings: Settings) -> None:
    with pytest.raises(ModelError, match="not a model"):
        train(
            [str(news)],
            config=QUICK,
            settings=settings,
            now=NOW,
            output=news,
            is_tracked=False,
            on_fault=stop,
        )
    assert len(list(news.iterdir())) == 60


def test_configuration_is_read(tmp_path: Path) -> None:
    file = tmp_path / "wide.yaml"
    file.write_text(
        "description: Why?\n"
        "split:\n  test_from: {Sea: 2021-05-15T00:00:00Z}\n"
        "model:\n  rubric: {n_passes: 4}\n  n_folds: 5\n"
    )
    config = load_config(file)
    assert (config.name, config.description) == ("wide", "Why?")
    assert config.split.test_from == {"Sea": datetime(2021, 5, 15, tzinfo=UTC)}
    assert (config.model.rubric.n_passes, config.model.n_folds) == (4, 5)
    assert config.model.quality == ModelConfig().quality
    file.write_text("")
    assert load_config(file) == msgspec.structs.replace(TrainConfig(), name="wide")
    assert load_config(None) == TrainConfig()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("n_boots: 3\n", "n_boots"),
        ("model: {n_fold: 3}\n", "n_fold"),
        ("model: {rubric: {passes: 3}}\n", "passes"),
        ("split: {test_ratio: 1.5}\n", "test_ratio"),
        ("split: {test_ratio: -0.1}\n", "test_ratio"),
        ("split: {validation_ratio: much}\n", "validation_ratio"),
        ("split: {test_from: {Sea: tomorrow}}\n", "test_from"),
        ("model: {n_folds: 0}\n", "n_folds"),
        ("model: {lead: {num_iterations: 5}}\n", "objective"),
        ("model: {lead: {num_iterations: 0, params: {objective: binary}}}\n", "num_iterations"),
        ("seed: [1]\n", "seed"),
        ("- a\n- b\n", ""),
        ("just words\n", ""),
        ("a: [\n", ""),
        ("\x00", ""),
    ],
)
def test_configuration_that_cannot_be_used_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_config(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert named in str(caught.value)


def test_configuration_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the configuration"):
        load_config(tmp_path / "nowhere.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SettingsError, match=r"bytes\.yaml"):
        load_config(tmp_path / "bytes.yaml")
