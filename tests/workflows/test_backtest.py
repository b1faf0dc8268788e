"""Backtest: each model is trained on the data before its month, and evaluated on that month."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.errors import ModelError
from scoring.evaluation.backtest import HEADLINES, month_folds, section_folds
from scoring.evaluation.metrics import compute
from scoring.progress import SILENT
from scoring.records.record import Coverage, Labels
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings, load_settings
from scoring.training.config import (
    BoosterConfig,
    ModelConfig,
    RubricConfig,
    SectionConfig,
    SplitConfig,
    TrainConfig,
)
from scoring.training.dataset import LabelledDataset
from scoring.training.read_dataset import read_dataset
from scoring.workflows.backtest import BacktestOutcome, _training_set, backtest

NOW = datetime(2019, 1, 1, tzinfo=UTC)
TINY = BoosterConfig(8, {"objective": "regression", "num_leaves": 4, "min_data_in_leaf": 5})
TINY_BINARY = BoosterConfig(8, {"objective": "binary", "num_leaves": 4, "min_data_in_leaf": 5})
MODEL = ModelConfig(
    rubric=RubricConfig(n_passes=3, n_term_rounds=1),
    quality=TINY,
    spread=TINY,
    lead=TINY_BINARY,
    heat=TINY,
    published=TINY_BINARY,
    sections=SectionConfig(design="shared"),
    n_folds=2,
)
CONFIG = TrainConfig(name="tiny", n_bootstrap=10, model=MODEL)


def stop(error: Exception) -> None:
    raise error


def run(paths: list[str], settings: Settings, **options: Any) -> BacktestOutcome:
    values: dict[str, Any] = {
        "config": CONFIG,
        "settings": settings,
        "now": NOW,
        "on_fault": stop,
        "is_tracked": False,
    }
    return backtest(paths, **(values | options))


@pytest.fixture(scope="module")
def two_sections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sections")
    write_sample(folder / "tea", n_records=220, seed=3, days=90, section="Tea")
    write_sample(folder / "rain", n_records=90, seed=4, days=90, section="Rain")
    return folder


@pytest.fixture(scope="module")
def corpus(two_sections: Path) -> LabelledDataset:
    return read_dataset([str(two_sections)], stdin=None, on_fault=stop, reporter=SILENT)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def by_month(two_sections: Path, home: Path) -> BacktestOutcome:
    return run([str(two_sections)], load_settings(home=home, threads=1), output=home / "found")


def test_each_month_is_judged_by_what_precedes_it(
    by_month: BacktestOutcome, corpus: LabelledDataset, home: Path
) -> None:
    months = corpus.moments.astype("datetime64[M]").astype(str)
    assert [fold.name for fold in by_month.folds] == ["2018-02", "2018-03"]
    for fold in by_month.folds:
        assert fold.n_training == (months < fold.name).sum()
        assert fold.n_records == (months == fold.name).sum() > 50
        assert set(HEADLINES) <= fold.figures.keys()
        assert fold.baselines["plain LightGBM"]["quality_mae"] > 0
    predictions = by_month.evaluation.predictions
    for fold in by_month.folds:
        own = {name: column[predictions["fold"] == fold.name] for name, column in predictions.items()}
        figures = compute(own)
        assert {name: figure.value for name, figure in fold.figures.items()} == figures
    pooled = by_month.evaluation
    assert pooled.n_records == sum(fold.n_records for fold in by_month.folds) == len(predictions["path"])
    assert pooled.figures["quality_mae"].value == compute(predictions)["quality_mae"]
    low, high = pooled.figures["quality_mae"].low, pooled.figures["quality_mae"].high
    assert low is not None
    assert high is not None
    assert low < pooled.figures["quality_mae"].value < high

    with (home / "found" / "folds.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["fold"] for row in rows] == ["2018-02", "2018-03"]
    assert float(rows[1]["quality_mae"]) == by_month.folds[1].figures["quality_mae"].value
    assert (home / "found" / "plots" / "backtest.png").read_bytes().startswith(b"\x89PNG")
    summary = json.loads((home / "found" / "evaluation.json").read_text())
    assert summary["n_records"] == pooled.n_records


def test_later_months_change_no_earlier_one(
    by_month: BacktestOutcome, corpus: LabelledDataset, settings: Settings
) -> None:
    until_march = [
        document.path for document in corpus.documents if str(document.record.published_at) < "2018-03"
    ]
    assert 100 < len(until_march) < len(corpus.documents)
    (february,) = run(until_march, settings, first="2018-02").folds
    assert february == by_month.folds[0]


def test_a_training_sees_nothing_from_its_month_on(corpus: LabelledDataset) -> None:
    begin = datetime(2018, 3, 1, tzinfo=UTC)
    changed = []
    n_stories_that_go_on = 0
    for document in corpus.documents:
        record, labels = document.record, document.labels
        assert record.published_at is not None
        if record.published_at >= begin:
            record = msgspec.structs.replace(record, images=(), excerpt="Other")
            labels = Labels(quality=1, heat=999, published=True)
        elif any(entry.published_at is not None and entry.published_at >= begin for entry in record.related):
            n_stories_that_go_on += 1
            related = [
                msgspec.structs.replace(entry, quality=777)
                if entry.published_at is not None and entry.published_at >= begin
                else entry
                for entry in record.related
            ]
            related.append(Coverage("New", published_at=begin + timedelta(hours=1), quality=5))
            record = msgspec.structs.replace(record, related=tuple(related))
            labels = msgspec.structs.replace(labels, heat=-1, published=not labels.published)
        changed.append(msgspec.structs.replace(document, record=record, labels=labels))
    assert n_stories_that_go_on > 0, "no story goes on over the cut: the test would prove nothing"
    fold = month_folds(corpus.moments, "2018-03")[0]
    no_gap = msgspec.structs.replace(CONFIG, split=SplitConfig(gap_hours=0))
    before = _training_set(corpus, fold, no_gap)
    after = _training_set(LabelledDataset(changed, 0, 0, "0" * 64), fold, no_gap)
    assert np.array_equal(before.table.numbers, after.table.numbers, equal_nan=True)
    assert np.array_equal(before.labels.heat, after.labels.heat, equal_nan=True)
    assert np.array_equal(before.labels.published, after.labels.published, equal_nan=True)
    assert np.array_equal(before.labels.quality, after.labels.quality)
    assert np.isnan(before.labels.heat).sum() == n_stories_that_go_on
    assert before.moments.max() < np.datetime64("2018-03-01")
    assert _training_set(corpus, fold, CONFIG).moments.max() < np.datetime64("2018-02-27")


def test_each_section_is_judged_by_the_others(
    two_sections: Path, settings: Settings, corpus: LabelledDataset
) -> None:
    outcome = run([str(two_sections)], settings, by="section")
    assert [(fold.name, fold.n_training, fold.n_records) for fold in outcome.folds] == [
        ("Rain", 220, 90),
        ("Tea", 90, 220),
    ]
    assert outcome.evaluation.n_records == 310
    assert sorted(outcome.evaluation.predictions["path"]) == sorted(
        document.path for document in corpus.documents
    )
    sections = outcome.evaluation.predictions["section"]
    assert (sections == outcome.evaluation.predictions["fold"]).all()


def test_first_month_comes_from_the_history() -> None:
    days = np.arange("2020-01-01", "2022-01-01", dtype="datetime64[D]").astype("datetime64[us]")
    # A fifth of 731 days ends in May, so June is the first month with enough before it.
    assert month_folds(days)[0].name == "2020-06"
    assert len(month_folds(days)) == 19
    # Of many records, 200 are enough: they are there in February.
    many = np.repeat(days, 20)
    assert month_folds(many)[0].name == "2020-02"
    assert month_folds(days, "2021-12")[0].is_training.sum() == 700
    assert month_folds(days, "2021-12")[0].as_of == datetime(2021, 12, 1, tzinfo=UTC) - timedelta(
        microseconds=1
    )


def test_what_cannot_be_folded_is_named() -> None:
    days = np.arange("2020-01-12", "2020-02-03", dtype="datetime64[D]").astype("datetime64[us]")
    with pytest.raises(ModelError, match="got no month from 2021-01 on, expected records to evaluate on"):
        month_folds(days, "2021-01")
    with pytest.raises(ModelError, match="got 0 records before 2020-01, expected 15 or more to learn from"):
        month_folds(days, "2019-01")
    with pytest.raises(ModelError, match="got no month with 15 records before it"):
        month_folds(days[:14])
    with pytest.raises(ModelError, match="got 1 section, expected two or more"):
        section_folds(["Tea", "Tea"])


def test_a_training_that_fails_names_its_month(settings: Settings, tmp_path: Path) -> None:
    write_sample(tmp_path / "new", n_records=60, seed=2, days=60)
    for file in (tmp_path / "new").glob("2018-01-*.md"):
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join("heat: -1\n" if line.startswith("heat:") else line for line in lines))
    with pytest.raises(ModelError, match=r"^2018-02: training records: got none with a usable heat"):
        run([str(tmp_path / "new")], settings)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="scoring")


def test_command_prints_a_row_for_each_month(two_sections: Path, tmp_path: Path) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(msgspec.yaml.encode(msgspec.to_builtins(CONFIG)).decode())
    arguments = ["backtest", two_sections, "--config", config, "--since", "2018-03", "--no-track"]
    done = invoke(*arguments)
    assert done.exit_code == 0, done.output
    row = next(line.split() for line in done.stdout.splitlines() if line.startswith("2018-03"))
    output = json.loads(invoke(*arguments, "--json", "--quiet").stdout)
    (fold,) = output["folds"]
    assert row[1:3] == [str(fold["n_training"]), str(fold["n_records"])]
    assert row[3] == f"{fold['figures']['quality_mae']['value']:.3f}"
    assert output["evaluation"]["n_records"] == fold["n_records"]
    assert output["run_id"] is None


def test_command_refuses_what_makes_no_sense(two_sections: Path) -> None:
    done = invoke("backtest", two_sections, "--since", "2018-13")
    assert done.exit_code == 2
    assert "got '2018-13', expected a month such as 2021-01" in " ".join(done.stderr.split())
    done = invoke("backtest", two_sections, "--by", "section", "--since", "2018-03")
    assert done.exit_code == 2
    assert "--since requires --by month" in done.stderr
