"""What anybody would set up in an hour: the figures of a model mean something only beside these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.booster import Booster

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
