"""Archives that have some of the labels: scoring, LightGBM and a constant on the same records.

    python experiments/benchmarks/labels.py ARCHIVE...
    python experiments/benchmarks/labels.py --smoke

Of the labels of each archive some are left: published; heat and published; quality and published; heat; and
the quality as a rating, in five steps of 20 points. Related records keep their quality only beside that of
the records. LightGBM has the columns of scoring and its own defaults; its threshold on the probability is
chosen on the validation block, as that of scoring is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from blocks import Blocks, add_arguments, cut, load, markdown
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from timing import machine

from scoring.evaluation.metrics import mean_absolute_error, precision_recall_f1, within
from scoring.features.table import Floats
from scoring.model.cascade import NOT_LEADING
from scoring.model.scorer import Predictions, Scorer
from scoring.model.targets import Targets, listed
from scoring.records.record import Document
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset, cutoffs_before
from scoring.training.fit import fit_models, validation_mask
from scoring.training.lightgbm_trainer import train_booster
from scoring.training.thresholds import best_threshold
from scoring.training.training_set import TrainingSet
from scoring.workflows.train import load_config

CASES: tuple[Targets, ...] = (("published",), ("heat", "published"), ("quality", "published"), ("heat",))
STEP = 20  # points between ratings
SHARES = (0.1, 0.35, 0.7, 0.9)  # of the training records below the second, third, ... rating

Rows = NDArray[np.bool_]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_arguments(parser)
    options = parser.parse_args(arguments)
    if options.smoke:
        blocks, config = load(options, parser)
        archives = {"sample": blocks}
    else:
        config = load_config(options.config)
        archives = {Path(path).name: cut([path], config) for path in options.archives}
    print(f"{machine()}.\n")
    tables: dict[str, tuple[list[str], list[list[str]]]] = {}
    for name, blocks in archives.items():
        for title, head, rows in _compared(blocks, config, options.threads):
            _, rows_of = tables.setdefault(title, (["archive", "training, test records", *head], []))
            count = f"{len(blocks.earlier.table):,}, {len(blocks.later.table):,}"
            rows_of += [[name, count, *row] for row in rows]
    for title, (head, rows) in tables.items():
        print(f"### {title}\n\n{markdown(head, rows)}\n")
    return 0


def _compared(
    blocks: Blocks, config: TrainConfig, threads: int
) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, head and rows of each table of one archive."""
    results = []
    bare = replace(blocks.corpus, documents=[_without_related_quality(d) for d in blocks.corpus.documents])
    for targets in CASES:
        corpus = blocks.corpus if "quality" in targets else bare
        case = _Case.of(corpus, targets, blocks.is_test, config)
        predictions, title = case.predictions(config, threads), f"Labels of {listed(targets)}"
        compared = case.published(predictions, config) if "published" in targets else case.heat(predictions)
        results.append((title, *compared))
    case = _Case.of(bare, ("quality",), blocks.is_test, config).rated()
    results.append(("Ratings alone", *case.ratings(case.predictions(config, threads))))
    return results


def _without_related_quality(document: Document) -> Document:
    related = tuple(msgspec.structs.replace(entry, quality=None) for entry in document.record.related)
    record = msgspec.structs.replace(document.record, related=related)
    return msgspec.structs.replace(document, record=record)


class _Case:
    """Training and test records with some of the labels."""

    def __init__(self, earlier: TrainingSet, later: TrainingSet) -> None:
        self.earlier, self.later = earlier, later

    @classmethod
    def of(cls, corpus: LabelledDataset, targets: Targets, is_test: Rows, config: TrainConfig) -> _Case:
        """Split an archive of which only these labels are known."""
        some = replace(corpus, targets=targets)
        cuts = cutoffs_before(some, is_test, config.split.gap_hours)
        return cls(some.training_split(is_test, cuts, config), some.training_set(is_test))

    def rated(self) -> _Case:
        """The same records with ratings instead of qualities."""
        edges = np.quantile(self.earlier.labels.quality, SHARES)

        def rate(records: TrainingSet) -> TrainingSet:
            n_steps = 1 + np.searchsorted(edges, records.labels.quality, side="right")
            ratings: Floats = (STEP * n_steps).astype(np.float64)
            return replace(records, labels=replace(records.labels, quality=ratings))

        return _Case(rate(self.earlier), rate(self.later))

    def predictions(self, config: TrainConfig, threads: int) -> Predictions:
        """Predictions of scoring for the test records."""
        models = fit_models(self.earlier, config, num_threads=threads)
        self.encoder, self.threads, self.seed = models.quality.encoder, threads, config.seed
        return Scorer("scoring", models).predict(self.later.table, threads)

    def _plain(self, y: Floats, rows: Rows, objective: str) -> Floats:
        """Predictions of LightGBM, fitted on some rows, for all training and then all test records."""
        X = self.encoder.transform(self.earlier.table)
        booster = train_booster(
            X[rows],
            y[rows],
            names=self.encoder.names,
            categories=self.encoder.categories,
            params={"objective": objective},
            num_iterations=100,
            num_threads=self.threads,
            seed=self.seed,
        )
        later = self.encoder.transform(self.later.table)
        return booster.predict(np.vstack([X, later]), self.threads)

    def published(self, ours: Predictions, config: TrainConfig) -> tuple[list[str], list[list[str]]]:
        """PR-AUC, Brier score and F1 of publication."""
        y, truth = self.earlier.labels.published, self.later.labels.published == 1
        n_earlier, is_known = len(y), np.isfinite(y)
        is_later = validation_mask(self.earlier.moments, self.earlier.sections, config.split) & is_known
        draft = self._plain(y, is_known & ~is_later, "binary")[:n_earlier]
        threshold = best_threshold(draft[is_later], y[is_later] > 0.5)
        plain = self._plain(y, is_known, "binary")[n_earlier:]
        share = np.full(len(truth), y[is_known].mean())
        rows = []
        for name, probability, decided in (
            ("scoring", ours.published_probability, ours.published),
            ("plain LightGBM", plain, plain >= threshold),
            ("their share", share, share >= 0.5),
        ):
            f1 = precision_recall_f1(truth, np.asarray(decided, dtype=np.bool_))[2]
            brier = float(np.mean((probability - truth) ** 2))
            rows.append(
                [name, _shown(average_precision_score(truth, probability)), _shown(brier), _shown(f1)]
            )
        return ["model", "PR-AUC", "Brier score", "F1"], rows

    def heat(self, ours: Predictions) -> tuple[list[str], list[list[str]]]:
        """Leads and heat."""
        y, truth = self.earlier.labels.heat, self.later.labels.heat
        n_earlier, is_known = len(y), np.isfinite(y)
        is_lead = is_known & (y > NOT_LEADING)
        probability = self._plain((y > NOT_LEADING).astype(float), is_known, "binary")[n_earlier:]
        points = self._plain(y, is_lead, "regression")[n_earlier:]
        plain = np.where(probability >= 0.5, np.round(points), NOT_LEADING)
        median = np.full(len(truth), np.median(y[is_known]))
        rows = [
            [
                name,
                _shown(float(np.mean((heat > NOT_LEADING) == (truth > NOT_LEADING)))),
                f"{mean_absolute_error(truth, heat):.1f}",
                _shown(within(truth, heat, 5)),
            ]
            for name, heat in (("scoring", ours.heat), ("plain LightGBM", plain), ("the median", median))
        ]
        return ["model", "lead accuracy", "heat MAE", "heat within 5"], rows

    def ratings(self, ours: Predictions) -> tuple[list[str], list[list[str]]]:
        """Error and interval of ratings."""
        y, truth = self.earlier.labels.quality, self.later.labels.quality
        plain = self._plain(y, np.ones(len(y), dtype=bool), "regression")[len(y) :]
        nearest = np.clip(STEP * np.round(plain / STEP), y.min(), y.max())
        covered = np.mean((truth >= ours.quality_low) & (truth <= ours.quality_high))
        width = float(np.mean(ours.quality_high - ours.quality_low))
        rows = []
        for name, quality, interval in (
            ("scoring", ours.quality, f"{covered:.3f}, {width:.1f}"),
            ("plain LightGBM", plain, "-"),
            ("plain LightGBM, to the nearest rating", nearest, "-"),
            ("the median", np.full(len(truth), np.median(y)), "-"),
        ):
            error = mean_absolute_error(truth, quality)
            rows.append([name, f"{error:.2f}", _shown(float(np.mean(quality == truth))), interval])
        return ["model", "MAE", "right", "90 % interval: coverage, width"], rows


def _shown(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


if __name__ == "__main__":
    raise SystemExit(main())
