"""Metrics and relabelling on real records, if available: two sections of one site, on their latest months.

The records are not part of the project. They are read from the folder that ``SCORING_CORPUS`` names, or from
``shared/corpus`` beside the repository; without them these tests are skipped. `make test` trains on the small
section alone and relabels every twentieth file. The required metrics are those of experiments/RESULTS.md with
some margin.
"""

from __future__ import annotations

import os
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from scoring.evaluation.results import Slice
from scoring.records.decode import decode_file
from scoring.records.record import Labels
from scoring.records.write_back import write_labels
from scoring.settings import load_settings
from scoring.workflows.train import TrainOutcome, load_config, train

ROOT = Path(__file__).parents[2]
# Read here, since no test sees the settings of the person who runs it.
CORPUS = Path(os.environ.get("SCORING_CORPUS") or ROOT.parent / "shared" / "corpus")
FOLDERS = [CORPUS / "azure", CORPUS / "powerapps"]

pytestmark = pytest.mark.skipif(
    not all(folder.is_dir() for folder in FOLDERS), reason=f"no real records in {CORPUS}: set SCORING_CORPUS"
)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> TrainOutcome:
    return trained(FOLDERS, tmp_path_factory.mktemp("home"))


def trained(folders: list[Path], home: Path) -> TrainOutcome:
    """Train the default configuration on some folders."""

    def stop(error: Exception) -> None:
        raise error

    return train(
        [str(folder) for folder in folders],
        config=msgspec.structs.replace(load_config(ROOT / "experiments" / "default.yaml"), n_bootstrap=0),
        settings=load_settings(home=home, threads=1),
        now=datetime(2022, 1, 1, tzinfo=UTC),
        is_tracked=False,
        on_fault=stop,
    )


def section(outcome: TrainOutcome, name: str) -> Slice:
    (slice_metrics,) = (
        slice_ for slice_ in outcome.evaluation.slices if (slice_.family, slice_.name) == ("section", name)
    )
    return slice_metrics


LEAST = {
    "Azure": {
        "quality_r2": 0.978,
        "quality_within_1": 0.93,
        "quality_within_5": 0.95,
        "lead_accuracy": 0.97,
        "heat_within_5": 0.94,
        "heat_ndcg_10": 0.98,
        "published_f1": 0.88,
    },
    "Power Apps": {
        "quality_r2": 0.957,
        "quality_within_1": 0.9,
        "quality_within_5": 0.9,
        "lead_accuracy": 0.97,
        "heat_within_5": 0.9,
        "heat_ndcg_10": 0.98,
        "published_f1": 0.96,
    },
}


@pytest.mark.slow
def test_later_records_of_a_small_section_are_scored_well(tmp_path: Path) -> None:
    metrics = trained(FOLDERS[1:], tmp_path).metrics
    assert metrics["quality_mae"] < 1.5
    assert metrics["quality_within_1"] > 0.8
    assert metrics["lead_accuracy"] > 0.95
    assert metrics["published_f1"] > 0.9
    assert metrics["quality_interval_coverage"] > 0.86


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "n_records"), [("Azure", 497), ("Power Apps", 70)])
def test_later_records_are_scored_well(outcome: TrainOutcome, name: str, n_records: int) -> None:
    metrics = section(outcome, name)
    assert metrics.n_records == n_records
    missed = {
        figure: metrics.figures[figure]
        for figure, least in LEAST[name].items()
        if metrics.figures[figure] <= least
    }
    assert missed == {}
    assert metrics.figures["quality_mae"] < 1.2


@pytest.mark.exhaustive
def test_baselines_are_beaten(outcome: TrainOutcome) -> None:
    for name, figures in outcome.evaluation.baselines.items():
        assert outcome.metrics["quality_mae"] < figures["quality_mae"], name
        assert outcome.metrics["heat_within_5"] > figures["heat_within_5"], name
        assert outcome.metrics["published_f1"] > figures.get("published_f1", 0), name


@pytest.mark.exhaustive
def test_interval_holds_its_share(outcome: TrainOutcome) -> None:
    # The level is 0.9; most labels are exact to the point, so the interval holds rather more.
    assert 0.88 < outcome.metrics["quality_interval_coverage"] < 0.98


@pytest.mark.parametrize("step", [20, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_files_are_relabelled_and_come_back_to_the_byte(step: int, tmp_path: Path) -> None:
    originals = sorted(file for folder in FOLDERS for file in folder.glob("**/*.md"))
    assert len(originals) == 4974
    for original in originals[::step]:
        copy = tmp_path / original.relative_to(CORPUS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original, copy)
    files = sorted(tmp_path.glob("*/**/*.md"))
    n_entries = sum(1 for _ in tmp_path.rglob("*"))
    with ProcessPoolExecutor(2) as pool:
        lost = [name for name in pool.map(not_the_same, files, chunksize=50) if name]
    assert lost == []
    assert sum(1 for _ in tmp_path.rglob("*")) == n_entries


def not_the_same(file: Path) -> str:
    """Relabel a file and restore its labels; return its name if anything else changed."""
    os.fsync = lambda fd: None  # no power is cut here, and 20,000 of them take minutes
    before = file.read_bytes()
    old = decode_file(before, file.name).labels
    new, roots = Labels(999, 1234, not old.published), [str(file.parent)]
    write_labels(str(file), new, roots=roots)
    between = file.read_bytes()
    write_labels(str(file), old, roots=roots)
    is_same = sha256(file.read_bytes()).digest() == sha256(before).digest()
    is_same &= between != before and without_labels(between) == without_labels(before)
    is_same &= b"\nquality: 999\n" in between and b"\nheat: 1234\n" in between
    return "" if is_same else file.name


def without_labels(data: bytes) -> bytes:
    return re.sub(rb"(?m)^(quality|heat|published): \S+$", rb"\1:", data)
