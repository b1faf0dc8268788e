"""Training on extracted features, compared with fitting the same boosters one after the other.

python experiments/benchmarks/train.py ARCHIVE...
python experiments/benchmarks/train.py --smoke
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightgbm as lgb
from blocks import cut
from timing import Figure, arguments, machine, publish, ratio, records, table, take_turns

from scoring.training.config import TrainConfig
from scoring.training.fit import fit_models
from scoring.training.training_set import TrainingSet
from scoring.workflows.train import load_config

Call = tuple[tuple[Any, ...], dict[str, Any]]


@contextmanager
def recorded(calls: list[tuple[lgb.Dataset, dict[str, Any]]]) -> Iterator[None]:
    """Record the calls of LightGBM's training: data and parameters."""
    train, dataset = lgb.train, lgb.Dataset
    given: dict[int, Call] = {}

    def make(*arguments: Any, **named: Any) -> lgb.Dataset:
        made = dataset(*arguments, **named)
        given[id(made)] = (arguments, named)
        kept.append(made)
        return made

    def listen(params: dict[str, Any], data: lgb.Dataset, **named: Any) -> lgb.Booster:
        booster = train(params, data, **named)
        # An early-stopped fit is repeated with the number of trees that it reached.
        calls.append((given[id(data)], {"params": params, "num_boost_round": booster.current_iteration()}))
        return booster

    kept: list[lgb.Dataset] = []
    lgb.train, lgb.Dataset = listen, make
    try:
        yield
    finally:
        lgb.train, lgb.Dataset = train, dataset


def fit_bare(calls: list[tuple[Call, dict[str, Any]]]) -> None:
    """Fit the same boosters only."""
    for (arguments_, named), how in calls:
        lgb.train(train_set=lgb.Dataset(*arguments_, **named), **how)


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=3)
    parser.set_defaults(sample_records=300)
    options = parser.parse_args()
    config: TrainConfig = load_config(None)
    with records(options, parser) as folders:
        training: TrainingSet = cut(folders, config).earlier
    calls: list[Any] = []
    with recorded(calls):
        fit_models(training, config, num_threads=options.threads)
    seconds = take_turns(
        {
            "training": lambda: fit_models(training, config, num_threads=options.threads),
            "its boosters alone": lambda: fit_bare(calls),
        },
        options.runs,
    )
    n_trees = sum(how["num_boost_round"] for _, how in calls)
    figure = Figure("training against its boosters", ratio(seconds, "training", "its boosters alone"), 1.3)
    publish(
        "train",
        [
            f"{len(training.table):,} records whose features are ready, {len(calls)} boosters of "
            f"{n_trees:,} trees, {options.threads} threads. {machine()}.",
            table(seconds, "its boosters alone"),
            figure,
        ],
        options,
    )


if __name__ == "__main__":
    main()
