"""Accuracy of scoring and of common libraries, on the same records, columns and split.

    python experiments/benchmarks/accuracy.py ARCHIVE...
    python experiments/benchmarks/accuracy.py --smoke

The libraries come with the extra ``benchmarks``; a missing one is skipped with a message.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from blocks import Blocks, add_arguments, describe, load, markdown
from competitors import COMPETITORS
from contest import Outcome, compete

from scoring.evaluation.metrics import compute, days_of
from scoring.features.table import Floats
from scoring.model.cascade import NOT_LEADING
from scoring.model.scorer import Scorer
from scoring.training.config import TrainConfig
from scoring.training.fit import fit_models

# Time budget of a search, as a ratio of our own training time; at least a minute.
BUDGET_RATIO, MIN_BUDGET_SECONDS = 2.0, 60.0
N_DRAWS = 5000
FIGURES = {
    "quality_mae": "quality MAE",
    "quality_within_1": "within 1",
    "quality_r2": "R2",
    "lead_accuracy": "lead accuracy",
    "heat_within_5": "heat within 5",
    "heat_ndcg_10": "NDCG@10 a day",
    "published_f1": "published F1",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_arguments(parser)
    parser.add_argument("--only", nargs="+", choices=COMPETITORS, metavar="NAME", help="some competitors")
    options = parser.parse_args(arguments)
    blocks, config = load(options, parser)
    print(f"{describe(blocks, options.threads)}\n", flush=True)
    outcomes = {"scoring": _fit_scoring(blocks, config, options.threads)}
    budget = max(BUDGET_RATIO * outcomes["scoring"].seconds, 0.0 if options.smoke else MIN_BUDGET_SECONDS)
    for name, (module, competitor) in COMPETITORS.items():
        if options.only and name not in options.only:
            continue
        if find_spec(module) is None:
            print(f"{name}: left out, {module} is not installed\n")
            continue
        outcomes[name] = compete(competitor, blocks, config, threads=options.threads, budget_seconds=budget)
        mae = _errors(blocks, outcomes[name]).mean()
        print(f"{name}: {outcomes[name].seconds:.0f} seconds, MAE {mae:.2f}", file=sys.stderr, flush=True)
    print(tables(blocks, outcomes))
    return 0


def _fit_scoring(blocks: Blocks, config: TrainConfig, threads: int) -> Outcome:
    """Fit and predict with scoring, as `scoring train` does for its metrics."""
    begins = time.perf_counter(), time.process_time()
    models = fit_models(blocks.earlier, config, num_threads=threads)
    seconds, cpu_seconds = time.perf_counter() - begins[0], time.process_time() - begins[1]
    predictions = Scorer("scoring", models).predict(blocks.later.table, threads)
    return Outcome(
        predictions.quality,
        predictions.heat,
        predictions.heat_expected,
        predictions.is_lead,
        predictions.published,
        seconds,
        cpu_seconds,
    )


def tables(blocks: Blocks, outcomes: dict[str, Outcome]) -> str:
    """One table of all test records, and one per section."""
    sections = np.asarray(blocks.later.sections, dtype=object)
    names = sorted(set(blocks.later.sections))
    masks = {"all": np.ones(len(sections), dtype=bool)}
    if len(names) > 1:
        masks |= {section: sections == section for section in names}
    header = [
        "set up",
        *FIGURES.values(),
        "MAE less that of scoring (95 %)",
        "fit seconds (CPU)",
    ]
    parts = []
    for title, mask in masks.items():
        scoring_errors = _errors(blocks, outcomes["scoring"])[mask]
        rows = []
        for name, outcome in outcomes.items():
            figures = compute({key: column[mask] for key, column in _columns(blocks, outcome).items()})
            rows.append(
                [
                    name,
                    *(_digits(key, figures.get(key)) for key in FIGURES),
                    "-"
                    if name == "scoring"
                    else difference(
                        _errors(blocks, outcome)[mask] - scoring_errors, blocks.later.moments[mask]
                    ),
                    f"{outcome.seconds:.0f} ({outcome.cpu_seconds:.0f})",
                ]
            )
        parts.append(f"{title}, {int(mask.sum())} records\n\n{markdown(header, rows)}\n")
    return "\n".join(parts)


def _columns(blocks: Blocks, outcome: Outcome) -> dict[str, np.ndarray]:
    labels = blocks.later.labels
    return {
        "published_at": blocks.later.moments,
        "quality": labels.quality,
        "heat": labels.heat,
        "lead": labels.heat > NOT_LEADING,
        "published": labels.published == 1,
        "quality_predicted": outcome.quality,
        "heat_predicted": outcome.heat,
        "heat_expected": outcome.heat_expected,
        "lead_predicted": outcome.is_lead,
        "published_predicted": outcome.published,
    }


def _errors(blocks: Blocks, outcome: Outcome) -> Floats:
    errors: Floats = np.abs(outcome.quality - blocks.later.labels.quality)
    return errors


def difference(extra: Floats, moments: np.ndarray, *, seed: int = 0) -> str:
    """Mean of paired differences with the 95 % interval of a bootstrap over days.

    Parameters
    ----------
    extra : ndarray of shape (n_records,)
        Difference of the absolute errors of two set-ups, per record; points.
    moments : ndarray of datetime64, shape (n_records,)
        Dates of publication; records of one day are drawn together.
    seed : int
        Seed of the bootstrap.

    Examples
    --------
    >>> difference(np.array([2.0, 2.0]), np.array(["2021-01-01", "2021-01-02"], dtype="datetime64[us]"))
    '+2.00 (+2.00 to +2.00)'
    """
    day = days_of(moments)
    sums, counts = np.bincount(day, extra), np.bincount(day)
    drawn = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), N_DRAWS)
    low, high = np.quantile(drawn @ sums / (drawn @ counts), [0.025, 0.975])
    return f"{extra.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def _digits(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if name == "quality_mae" else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
