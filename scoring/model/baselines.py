"""What anybody would set up in an hour: the figures of a model mean something only beside these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.encoding import Encoder
from scoring.features.table import FeatureTable, Floats
from scoring.model.boosters import train_booster
from scoring.model.cascade import NOT_LEADING, CascadeLabels, best_threshold
from scoring.model.trees import Booster

TARGETS = ("quality", "heat", "published")


class Medians(msgspec.Struct, frozen=True):
    """Medians of each target over all training records and over those of each provider.

    ``cuts_`` holds the predicted heat from which a record is said to lead, and the predicted
    ``published`` from which it is said to be shown: those that fit the training records best.
    """

    of_all_: dict[str, float]
    of_provider_: dict[str, dict[str, float]]
    cuts_: dict[str, float]


@dataclass(frozen=True, slots=True)
class Baselines:
    """Medians, and one plain LightGBM regressor (its defaults, 100 trees) on each label as a number."""

    medians: Medians
    boosters: Mapping[str, Booster]

    def decide(self, predicted: dict[str, Floats]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Who leads and what is published, by predictions that are numbers; shapes (n_records,)."""
        cuts = self.medians.cuts_
        return predicted["heat"] >= cuts["heat"], predicted["published"] >= cuts["published"]

    def predict(self, table: FeatureTable, X: Floats) -> dict[str, dict[str, Floats]]:
        """Predictions of each baseline by its name and target, each of shape (n_records,).

        Parameters
        ----------
        table : FeatureTable
            Features of `n_records` records.
        X : ndarray of shape (n_records, n_features)
            The same as the encoder's matrix.
        """
        domains = table.text("provider_domain")
        of_all, of_provider = self.medians.of_all_, self.medians.of_provider_
        return {
            "global median": {target: np.full(len(table), of_all[target]) for target in TARGETS},
            "provider median": {
                target: np.array(
                    [of_provider[target].get(domain, of_all[target]) for domain in domains], dtype=np.float64
                )
                for target in TARGETS
            },
            "plain LightGBM": {target: self.boosters[target].predict(X) for target in TARGETS},
        }


def fit_baselines(table: FeatureTable, labels: CascadeLabels, *, num_threads: int, seed: int) -> Baselines:
    """Fit the baselines on the same records as the models.

    Parameters
    ----------
    table : FeatureTable
        Training records.
    labels : CascadeLabels
        Labels; NaN where unknown.
    num_threads, seed : int
        Threads, and the seed of LightGBM.
    """
    encoder = Encoder.fit(table, labels.quality)
    X, domains = encoder.transform(table), table.text("provider_domain")
    known_heat, known_shown = ~np.isnan(labels.heat), ~np.isnan(labels.published)
    of_all, of_provider, boosters = {}, {}, {}
    for target in TARGETS:
        values: Floats = getattr(labels, target)
        known = ~np.isnan(values)
        of_all[target] = float(np.median(values[known])) if known.any() else 0.0
        names, code, counts = np.unique(domains[known], return_inverse=True, return_counts=True)
        groups = np.split(values[known][np.argsort(code)], np.cumsum(counts))  # one more than names, empty
        of_provider[target] = {
            name: float(np.median(group)) for name, group in zip(names, groups, strict=False)
        }
        boosters[target] = train_booster(
            X[known],
            values[known],
            names=encoder.names,
            categories=encoder.categories,
            params={"objective": "regression"},
            num_iterations=100,
            num_threads=num_threads,
            seed=seed,
        )
    cuts = {
        "heat": best_threshold(
            boosters["heat"].predict(X[known_heat]), labels.heat[known_heat] > NOT_LEADING
        ),
        "published": best_threshold(
            boosters["published"].predict(X[known_shown]), labels.published[known_shown] > 0.5
        ),
    }
    return Baselines(Medians(of_all, of_provider, cuts), boosters)
