"""Shared by the benchmarks: training and test records, and a description of the machine.

The split is that of an experiment (``experiments/default.yaml``), applied as by ``scoring train``.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoring.errors import RecordError
from scoring.progress import SILENT
from scoring.records.record import Document
from scoring.records.synthetic.generate import write_sample
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset, cutoffs_before
from scoring.training.read_dataset import read_dataset
from scoring.training.splits import test_mask
from scoring.training.training_set import TrainingSet
from scoring.workflows.train import load_config

CONFIG = Path(__file__).resolve().parents[1] / "default.yaml"
LIBRARIES = ("news-scoring", "lightgbm", "scikit-learn", "catboost", "xgboost", "flaml", "interpret-core")


@dataclass(frozen=True, slots=True)
class Blocks:
    """`n_records` labelled records, split into training and test records.

    Parameters
    ----------
    corpus : LabelledDataset
        All records, by date.
    is_test : ndarray of bool, shape (n_records,)
        Test records.
    is_earlier : ndarray of bool, shape (n_records,)
        Training records: they precede the test block by the gap, without near-duplicates of test records.
    earlier : TrainingSet
        Training records as of the cutoff: without later coverage or labels.
    later : TrainingSet
        Test records.
    """

    corpus: LabelledDataset
    is_test: NDArray[np.bool_]
    is_earlier: NDArray[np.bool_]
    earlier: TrainingSet
    later: TrainingSet

    def documents(self, mask: NDArray[np.bool_]) -> list[Document]:
        """Documents selected by a mask."""
        return [
            document for document, is_selected in zip(self.corpus.documents, mask, strict=True) if is_selected
        ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments shared by the benchmarks on records."""
    parser.add_argument("archives", nargs="*", metavar="ARCHIVE", help="folders of labelled records")
    parser.add_argument("--config", type=Path, default=CONFIG, help="experiment whose split is used")
    parser.add_argument(
        "--smoke", action="store_true", help="synthetic records instead of archives: a dry run"
    )
    parser.add_argument("--sample-records", type=int, default=600, help="synthetic records of a dry run")
    parser.add_argument("--threads", type=int, default=2, help="threads of each model")


def load(options: argparse.Namespace, parser: argparse.ArgumentParser) -> tuple[Blocks, TrainConfig]:
    """Read the archives, or synthetic records in a dry run, and split them."""
    missing = [path for path in options.archives if not Path(path).exists()]
    if missing or not options.archives:
        if not options.smoke:
            parser.error(f"archives: got {missing or 'none'}, expected folders of records (or --smoke)")
        with tempfile.TemporaryDirectory() as folder:
            write_sample(Path(folder) / "sample", n_records=options.sample_records, seed=1)
            return cut([f"{folder}/sample"], load_config(None)), load_config(None)
    config = load_config(options.config)
    return cut(options.archives, config), config


def cut(paths: Sequence[str], config: TrainConfig) -> Blocks:
    """Read labelled records and split them as a training with this configuration does."""
    faults: list[RecordError] = []
    corpus = read_dataset(paths, stdin=None, on_fault=faults.append, reporter=SILENT)
    if faults:
        print(f"{len(faults)} records cannot be used and are left out", file=sys.stderr)
    is_test = test_mask(corpus.moments, corpus.sections, config.split)
    cuts = cutoffs_before(corpus, is_test, config.split.gap_hours)
    earlier = corpus.training_split(is_test, cuts, config)
    is_earlier = corpus.mask_apart(is_test, cuts, config.split.apart)
    return Blocks(corpus, is_test, is_earlier, earlier, corpus.training_set(is_test))


def describe(blocks: Blocks, threads: int) -> str:
    """Describe machine, versions, records and their digest in one Markdown paragraph."""
    versions = []
    for library in LIBRARIES:
        try:
            versions.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            versions.append(f"{library} absent")
    counts = f"{len(blocks.earlier.table)} records before the cut, {len(blocks.later.table)} after it"
    return (
        f"{platform.machine()}, {_processor()}, {threads} threads; Python {platform.python_version()}, "
        f"{', '.join(versions)}; {counts}; data {blocks.corpus.data_sha256[:16]}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "processor unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table.

    Examples
    --------
    >>> print(markdown(["a", "b"], [["1", "2"]]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    return "\n".join([_line(header), "|" + "---|" * len(header), *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
