"""Labels that a new section needs: records chosen by ``scoring suggest``, and at random.

    python experiments/benchmarks/suggest.py SHARED --hidden FOLDER... --since TIME
    python experiments/benchmarks/suggest.py --smoke

The model of the shared archive is fitted once, on records before the cut. Of the other section, some of the
records before the cut are drawn as the pool, all unlabelled. Some of these are chosen and labelled, a policy
is fitted on them, and its quality is compared with the labels after the cut. Several folders are the same
section under several policies.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from blocks import CONFIG, markdown
from numpy.typing import NDArray
from timing import machine

from scoring.features.table import Floats
from scoring.model.quality import QualityModel
from scoring.progress import SILENT
from scoring.records.synthetic.generate import write_sample
from scoring.records.synthetic.policy import DEFAULT_POLICY
from scoring.training.config import TrainConfig
from scoring.training.label_suggestions import suggest_labels
from scoring.training.parallel import fit_pool
from scoring.training.quality import start_quality
from scoring.training.read_dataset import read_dataset
from scoring.training.section_difference import fit_difference
from scoring.training.section_policy import policy_of
from scoring.training.splits import latest_mask, to_moment
from scoring.training.training_set import TrainingSet
from scoring.workflows.train import load_config

COUNTS = (10, 20, 30, 50, 80, 120)
POOL_RATIO = 0.75
TARGET_MAE = 1.0  # points
MAX_RATIO = 0.7  # of the labels that a random choice needs

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Hidden:
    """The section whose labels are hidden: records, stories, rows before the cut and after it."""

    records: TrainingSet
    stories: Rows
    pool: Rows
    later: Rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("shared", nargs="?", metavar="SHARED", help="folder of the labelled section")
    parser.add_argument("--hidden", nargs="+", metavar="FOLDER", help="the other section, by policy")
    parser.add_argument("--since", type=datetime.fromisoformat, metavar="TIME", help="the cut")
    parser.add_argument("--until", type=datetime.fromisoformat, metavar="TIME", help="end of later records")
    parser.add_argument("--draws", type=int, default=10, help="draws of the pool")
    parser.add_argument("--smoke", action="store_true", help="a dry run on synthetic records")
    parser.add_argument("--sample-records", type=int, default=300, help="synthetic records of a dry run")
    parser.add_argument("--threads", type=int, default=2, help="threads of the model")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if options.smoke:
            shared_policy = DEFAULT_POLICY.without_noise()
            policy = replace(shared_policy, image_points=12, topic_points=29)
            for name, policy_of_name in (("Harbour", shared_policy), ("Meadow", policy)):
                write_sample(
                    Path(folder) / name,
                    n_records=options.sample_records,
                    seed=len(name),
                    policy=policy_of_name,
                    section=name,
                )
            options.shared, options.hidden = f"{folder}/Harbour", [f"{folder}/Meadow"]
            options.since = datetime.fromisoformat("2018-08-01T00:00Z")
        missing = [
            path for path in (options.shared, *(options.hidden or ())) if not path or not Path(path).exists()
        ]
        if missing or not options.hidden or options.since is None:
            parser.error("expected folders SHARED and --hidden FOLDER..., and --since TIME (or --smoke)")
        run(options, load_config(None if options.smoke else CONFIG))
    return 0


def run(options: argparse.Namespace, config: TrainConfig) -> None:
    """Compare the two choices for each policy, and print tables."""
    print(f"{machine()}, {options.threads} threads; {options.draws} draws\n", flush=True)
    model: QualityModel | None = None
    errors: dict[str, list[Floats]] = {"random": [], "suggest": []}
    rows: list[list[str]] = []
    for path in options.hidden:
        shared, hidden = read(options.shared, path, options.since, options.until)
        deviation = float(shared.labels.quality.std())
        model = model or fit_shared(shared, config, options.threads)
        if not rows:
            print(
                f"{len(shared.table)} records of the shared section, {len(hidden.pool)} of the other before "
                f"the cut, of which {POOL_RATIO:.0%} are drawn, and {len(hidden.later)} after it\n"
            )
        for way, by_draw in errors_of(model, hidden, config, deviation, options.draws).items():
            errors[way].append(by_draw.mean(axis=0))
            rows.append([Path(path).name, way, *_cells(by_draw.mean(axis=0)), f"{by_draw.max():.1f}"])
    for way, means in errors.items():
        rows.append(["all", way, *_cells(np.mean(means, axis=0)), ""])
    header = ["policy", "choice", *(f"MAE, {count} labels" for count in COUNTS)]
    print(markdown([*header, f"labels for MAE {TARGET_MAE}", "largest MAE"], rows), end="\n\n")
    random, suggested = (np.mean(errors[way], axis=0) for way in ("random", "suggest"))
    n_random, n_suggested = labels_needed(random), labels_needed(suggested)
    ratio = n_suggested / n_random if n_random and n_suggested else None
    verdict = _verdict(ratio, MAX_RATIO)
    print(f"- labels needed, of those of random: {_share(ratio)} (at most {MAX_RATIO}: {verdict})")
    at_20 = float(suggested[1] / random[1])
    print(f"- MAE at {COUNTS[1]} labels, of that of random: {at_20:.2f} (at most 1: {_verdict(at_20, 1.0)})")


def read(shared: str, path: str, since: datetime, until: datetime | None) -> tuple[TrainingSet, Hidden]:
    """Records of the shared section before the cut, and of the hidden one."""
    dataset = read_dataset([shared, path], stdin=None, on_fault=print, reporter=SILENT)
    records = dataset.training_set(np.ones(len(dataset.documents), dtype=bool))
    is_hidden = np.array([document.path.startswith(path) for document in dataset.documents])
    is_earlier = records.moments < to_moment(since)
    is_later = ~is_earlier & (True if until is None else records.moments < to_moment(until))
    own = records.take(is_hidden)
    hidden = Hidden(
        own,
        dataset.stories[is_hidden],
        np.flatnonzero(is_earlier[is_hidden]),
        np.flatnonzero(is_later[is_hidden]),
    )
    return records.take(~is_hidden & is_earlier), hidden


def fit_shared(records: TrainingSet, config: TrainConfig, threads: int) -> QualityModel:
    """Model of quality of the shared section."""
    is_validation = latest_mask(records.moments, records.sections, config.split.validation_ratio)
    with fit_pool(1, len(records.table), threads) as pool:
        finish = start_quality(
            records.table,
            records.labels.quality,
            records.copies,
            is_validation,
            config.model,
            pool=pool,
            seed=0,
        )
        return finish().model


def errors_of(
    model: QualityModel, hidden: Hidden, config: TrainConfig, deviation: float, n_draws: int
) -> dict[str, Floats]:
    """Quality MAE after the cut by each way to choose, shape (n_draws, len(COUNTS)); points."""
    table, y = hidden.records.table, hidden.records.labels.quality
    quality = model.predict(model.matrix(table))
    errors = {way: np.empty((n_draws, len(COUNTS))) for way in ("random", "suggest")}
    for draw in range(n_draws):
        rng = np.random.default_rng(draw)
        pool = np.sort(rng.permutation(hidden.pool)[: int(POOL_RATIO * len(hidden.pool))])
        suggestions = suggest_labels(
            model,
            table.take(pool),
            np.zeros(len(pool), dtype=bool),
            hidden.stories[pool],
            max(COUNTS),
            config.model.sections,
        )
        orders = {"random": rng.permutation(pool), "suggest": pool[[each.row for each in suggestions]]}
        for way, order in orders.items():
            for index, count in enumerate(COUNTS):
                rows = np.sort(order[:count])
                known = table.take(rows)
                # As fit_policy does, which finds the interval too.
                difference = fit_difference(
                    model.rubric, known, quality[rows], y[rows], config.model.sections, deviation, {}
                )
                policy = policy_of(difference, model.rubric, known, {})
                predicted = policy.predict(table.take(hidden.later), quality[hidden.later])
                errors[way][draw, index] = np.abs(y[hidden.later] - np.round(predicted)).mean()
    return errors


def labels_needed(errors: Floats) -> float | None:
    """Labels with which the MAE reaches the target, between two counts by interpolation; None if never.

    Examples
    --------
    >>> labels_needed(np.array([3.0, 2.0, 0.0, 0.0, 0.0, 0.0])), labels_needed(np.full(6, 2.0))
    (25.0, None)
    """
    reached = np.flatnonzero(errors <= TARGET_MAE)
    if not len(reached):
        return None
    index = int(reached[0])
    if index == 0:
        return float(COUNTS[0])
    before, after = float(errors[index - 1]), float(errors[index])
    step = (before - TARGET_MAE) / (before - after)
    return COUNTS[index - 1] + step * (COUNTS[index] - COUNTS[index - 1])


def _cells(errors: Floats) -> list[str]:
    needed = labels_needed(errors)
    return [*(f"{error:.2f}" for error in errors), "never" if needed is None else f"{needed:.0f}"]


def _share(ratio: float | None) -> str:
    return "unknown" if ratio is None else f"{ratio:.2f}"


def _verdict(ratio: float | None, most: float) -> str:
    return "reached" if ratio is not None and ratio <= most else "**not reached**"


if __name__ == "__main__":
    sys.exit(main())
