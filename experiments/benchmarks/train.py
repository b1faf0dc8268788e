"""Training on extracted features, compared with fitting the same boosters one after the other.

python experiments/benchmarks/train.py ARCHIVE...
python experiments/benchmarks/train.py --smoke
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import lightgbm as lgb
from blocks import cut
from lightgbm import engine
from timing import Figure, arguments, machine, publish, ratio, records, table, take_turns

from scoring.training.config import TrainConfig
from scoring.training.fit import fit_models
from scoring.training.training_set import TrainingSet
from scoring.workflows.train import load_config


class Fit(NamedTuple):
    """One fit of a booster: arguments of its data set, and parameters of its training."""

    data_arguments: tuple[Any, ...]
    data_options: dict[str, Any]
    options: dict[str, Any]


@contextmanager
def recorded(fits: list[Fit]) -> Iterator[None]:
    """Record the calls of LightGBM's training: data and parameters."""
    train, dataset = engine.train, lgb.Dataset
    given: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] = {}
    kept: list[lgb.Dataset] = []  # so that no id is used twice

    def record_dataset(*arguments: Any, **options: Any) -> lgb.Dataset:
        made = dataset(*arguments, **options)
        given[id(made)] = (arguments, options)
        kept.append(made)
        return made

    def record_training(params: dict[str, Any], data: lgb.Dataset, **options: Any) -> lgb.Booster:
        booster = train(params, data, **options)
        # An early-stopped fit is repeated with the number of trees that it reached.
        fits.append(Fit(*given[id(data)], {"params": params, "num_boost_round": booster.current_iteration()}))
        return booster

    with patch.object(engine, "train", record_training), patch.object(lgb, "Dataset", record_dataset):
        yield


def fit_bare(fits: list[Fit]) -> None:
    """Fit the same boosters only."""
    for fit in fits:
        lgb.train(train_set=lgb.Dataset(*fit.data_arguments, **fit.data_options), **fit.options)


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=3)
    parser.set_defaults(sample_records=300)
    options = parser.parse_args()
    config: TrainConfig = load_config(None)
    with records(options, parser) as folders:
        training: TrainingSet = cut(folders, config).earlier
    fits: list[Fit] = []
    with recorded(fits):
        fit_models(training, config, num_threads=options.threads)
    if not fits:
        raise SystemExit("no call of LightGBM's training was recorded")
    seconds = take_turns(
        {
            "training": lambda: fit_models(training, config, num_threads=options.threads),
            "its boosters alone": lambda: fit_bare(fits),
        },
        options.runs,
    )
    n_trees = sum(fit.options["num_boost_round"] for fit in fits)
    figure = Figure("training against its boosters", ratio(seconds, "training", "its boosters alone"), 1.3)
    publish(
        "train",
        [
            f"{len(training.table):,} records whose features are ready, {len(fits)} boosters of "
            f"{n_trees:,} trees, {options.threads} threads. {machine()}.",
            table(seconds, "its boosters alone"),
            figure,
        ],
        options,
    )


if __name__ == "__main__":
    main()
