"""Changes of policy in time: the share that is found, the error of the date, and false alarms.

    python experiments/benchmarks/policy_changes.py ARCHIVE...
    python experiments/benchmarks/policy_changes.py --smoke

False alarms are counted in archives whose policy does not change: parts of the given archives between the
changes that are found in them, under each policy of :mod:`policies`, and synthetic archives, some with noise.
Then a change is applied to the labels of each given archive from a date on. The table has the error of the
date that is found, and the error of quality on the later block, whose labels follow the new policy: with the
change, without it, and if all labels followed the new policy. ``--block test`` uses the test block. Prints
numbers only, no records.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from blocks import CONFIG, Blocks, add_arguments, cut, describe, markdown
from policies import CHANGES, Change, changed, figures

from scoring.features.table import Floats
from scoring.model.cascade import NOT_LEADING
from scoring.model.policy_change import PolicyChange
from scoring.records.synthetic.generate import write_sample
from scoring.records.synthetic.policy import DEFAULT_POLICY
from scoring.training.cascade import CascadeLabels
from scoring.training.config import TrainConfig
from scoring.training.fit import fit_quality
from scoring.training.policy_changes import with_changes
from scoring.training.splits import latest_mask
from scoring.training.story_policy import fit_threshold
from scoring.training.training_set import TrainingSet
from scoring.workflows.train import load_config

SIZES = (150, 300, 600, 1200)
POLICIES = {
    "default": DEFAULT_POLICY,
    "noise of 15 points in a tenth": replace(DEFAULT_POLICY, noise_ratio=0.1, noise_points=15),
    "0.6 q + 10": replace(DEFAULT_POLICY, scale=0.6, shift=10),
    "other points, bonus and threshold": replace(
        DEFAULT_POLICY, image_points=-5, topic_points=3, heat_bonus=5, published_from_heat=50
    ),
}
SINCE_COUNTS = (30, 60, 120, 0.25, 0.5)  # labels since the change: a number, or a share
TABLES = ("alarms", "dates", "errors")
UNCHANGED = "as it is"
LOWER_THRESHOLD = 12.0  # points of heat below that of the archive


def unchanged_parts(training: TrainingSet, config: TrainConfig) -> Iterator[tuple[str, TrainingSet]]:
    """Records of each section between two of its changes, in order of date."""
    changes = with_changes(training, config.model).changes
    sections = np.array(training.sections, dtype=object)
    for section in sorted(set(training.sections)):
        rows = np.flatnonzero(sections == section)
        part = training.take(rows[np.argsort(training.moments[rows], kind="stable")])
        moments = [change.since for change in changes if change.section == section]
        edges = [np.datetime64(moment.replace(tzinfo=None)) for moment in sorted(set(moments))]
        regime = np.searchsorted(np.array(edges, dtype="datetime64[us]"), part.moments, side="right")
        for number in range(len(edges) + 1):
            yield f"{section} {number + 1} of {len(edges) + 1}", part.take(np.flatnonzero(regime == number))


def relabelled(training: TrainingSet, change: Change, start: int) -> TrainingSet:
    """The records with the qualities of another policy from a row on; heat and publication follow them."""
    labels, rows = training.labels, np.arange(len(training.table)) >= start
    quality = change.labels(training, rows)
    heat = np.where(labels.heat > NOT_LEADING, labels.heat + quality - labels.quality, labels.heat)
    published = np.where(rows, decisions(heat, threshold_of(labels)), labels.published)
    return replace(training, labels=CascadeLabels(quality, heat, published))


def threshold_of(labels: CascadeLabels) -> float:
    """Heat from which records are published."""
    is_known = np.isfinite(labels.heat) & np.isfinite(labels.published)
    return fit_threshold(labels.heat[is_known], labels.published[is_known] > 0.5)


def decisions(heat: Floats, threshold: float) -> Floats:
    """Whether records are published, 0 or 1; NaN where the heat is unknown."""
    return np.where(np.isfinite(heat), (heat >= threshold).astype(np.float64), np.nan)


def with_story_rule(training: TrainingSet, target: str, start: int) -> TrainingSet:
    """The records with another bonus, or another threshold of publication, from a row on."""
    labels, rows = training.labels, np.arange(len(training.table)) >= start
    if target == "published":
        lower = decisions(labels.heat, threshold_of(labels) - LOWER_THRESHOLD)
        published = np.where(rows, lower, labels.published)
        return replace(training, labels=replace(labels, published=published))
    n_related = np.nan_to_num(training.table.number("coverage_count"))
    heat = labels.quality + 6 * n_related * (labels.quality >= 40)
    changed = np.where(rows & (labels.heat > NOT_LEADING), heat, labels.heat)
    return replace(training, labels=replace(labels, heat=changed))


def false_alarms(
    parts: list[tuple[str, TrainingSet]],
    samples: list[tuple[str, TrainingSet]],
    config: TrainConfig,
    names: Sequence[str],
) -> list[list[str]]:
    """For each kind of archive without a change: number of archives, and number with a false alarm."""
    rows = []
    for name, part in parts:
        variants = [relabelled(part, CHANGES[change], 0) for change in names]
        rows.append((f"{name}, {len(part.table)} records, {len(variants)} policies", variants))
    for policy in POLICIES:
        variants = [sample for name, sample in samples if name == policy]
        rows.append((f"synthetic, {policy}", variants))
    counted = []
    for name, variants in rows:
        n_alarms = sum(bool(with_changes(variant, config.model).changes) for variant in variants)
        counted.append([name, str(len(variants)), str(n_alarms)])
        print("\t".join(counted[-1]), flush=True)
    return counted


def found_changes(
    name: str, part: TrainingSet, config: TrainConfig, counts: Sequence[float], names: Sequence[str]
) -> Iterator[list[str]]:
    """For each number of labels since a change: the share of changes found, and the error of their dates."""
    n_records = len(part.table)
    for count in counts:
        n_since = int(count * n_records) if count < 1 else int(count)
        if n_since > n_records / 2:
            continue
        start = n_records - n_since
        cases: dict[str, list[TrainingSet]] = {
            "quality": [relabelled(part, CHANGES[change], start) for change in names if change != UNCHANGED],
            "published": [with_story_rule(part, "published", start)],
        }
        if np.any(part.table.number("coverage_count") > 0):
            cases["heat"] = [with_story_rule(part, "heat", start)]
        for target, archives in cases.items():
            distances, n_others = [], 0
            for archive in archives:
                changes = with_changes(archive, config.model).changes
                near = [distance(part, change, start) for change in changes if change.target == target]
                if near:
                    distances.append(min(near))
                n_others += len(changes) - bool(near)
            median = f"{np.median(distances):.0f}" if distances else "-"
            row = [name, target, str(n_since), f"{len(distances)} of {len(archives)}", median, str(n_others)]
            print("\t".join(row), flush=True)
            yield row


def later_errors(blocks: Blocks, config: TrainConfig, options: argparse.Namespace) -> Iterator[list[str]]:
    """For each section, policy and number of labels since the change: the errors on the later block."""
    earlier, later = blocks.earlier, blocks.later
    if options.block == "validation":
        is_later = latest_mask(earlier.moments, earlier.sections, config.split.validation_ratio)
        earlier, later = earlier.take(~is_later), earlier.take(is_later)
    shared = load_config(CONFIG.with_name("sections-shared.yaml")).model
    one_policy = msgspec.structs.replace(config, model=shared)
    for section in sorted(set(later.sections)):
        rows, tested = (np.array(block.sections) == section for block in (earlier, later))
        moments = np.sort(earlier.moments[rows])
        for name in options.changes:
            if name == UNCHANGED:
                continue
            test = changed(later, CHANGES[name], section)
            whole = changed(earlier, CHANGES[name], section)
            for n_since in (int(count) for count in options.counts if 1 <= count < len(moments) / 2):
                is_since = rows & (earlier.moments >= moments[-n_since])
                quality = np.where(is_since, whole.labels.quality, earlier.labels.quality)
                part = replace(earlier, labels=replace(earlier.labels, quality=quality))
                cells = []
                for training, used in ((part, config), (part, one_policy), (whole, config)):
                    model = fit_quality(training, used, num_threads=options.threads).model
                    error, within, coverage, width = figures(model, test, tested)
                    cells += [f"{error:.2f} / {within:.3f}", f"{coverage:.2f} / {width:.1f}"]
                print("\t".join([section, name, str(n_since), *cells]), flush=True)
                yield [section, name, str(n_since), *cells]


def distance(part: TrainingSet, change: PolicyChange, start: int) -> int:
    """Number of records between a change that is found and the true change."""
    since = np.datetime64(change.since.replace(tzinfo=None))
    return abs(int(np.count_nonzero(part.moments < since)) - start)


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--samples", type=int, default=64, help="synthetic archives without a change")
    parser.add_argument(
        "--tables", nargs="+", choices=TABLES, default=TABLES, help="tables to print; default: all"
    )
    parser.add_argument("--block", choices=("validation", "test"), default="validation")
    parser.add_argument(
        "--changes", nargs="+", choices=tuple(CHANGES), default=tuple(CHANGES), help="policies"
    )
    parser.add_argument("--counts", nargs="+", type=float, default=SINCE_COUNTS, help="labels since a change")
    options = parser.parse_args()
    config = load_config(options.config if options.archives else None)
    if not options.archives and not options.smoke:
        parser.error("archives: got none, expected folders of records (or --smoke)")
    with tempfile.TemporaryDirectory() as folder:
        if options.smoke:
            options.samples, options.counts = 1, (60,)
            write_sample(Path(folder) / "archive", n_records=options.sample_records, seed=1)
        blocks = cut(options.archives or [f"{folder}/archive"], config)
        samples = []
        for seed in range(options.samples):
            name = list(POLICIES)[seed // len(SIZES) % len(POLICIES)]
            path = Path(folder) / f"sample-{seed}"
            write_sample(path, n_records=SIZES[seed % len(SIZES)], seed=seed, policy=POLICIES[name])
            samples.append((name, cut([str(path)], load_config(None)).earlier))
    print(f"{describe(blocks, options.threads)}\n")
    if "errors" in options.tables:
        errors = list(later_errors(blocks, config, options))
        kinds = ("change found", "one policy", "all labels by the new policy")
        header = ["section", "policy since the change", "labels since"]
        header += [f"{kind}: {what}" for kind in kinds for what in ("MAE / within 1", "coverage / width")]
        print("\n" + markdown(header, errors) + "\n")
    if {"alarms", "dates"}.isdisjoint(options.tables):
        return
    parts = list(unchanged_parts(blocks.earlier, config))
    if "alarms" in options.tables:
        alarms = false_alarms(parts, samples, config, options.changes)
        header = ["archive without a change", "archives", "with a change found"]
        print("\n" + markdown(header, alarms) + "\n")
    if "dates" in options.tables:
        found = [
            row
            for name, part in parts
            for row in found_changes(name, part, config, options.counts, options.changes)
        ]
        header = [
            "archive",
            "rules of",
            "labels since",
            "found",
            "records off, median",
            "other changes found",
        ]
        print("\n" + markdown(header, found))


if __name__ == "__main__":
    main()
