"""Baseline models to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.booster import Booster
from scoring.model.targets import TARGETS


class Medians(msgspec.Struct, frozen=True):
    """Medians of each target over all training records and over those of each provider.

    ``cuts_`` holds the thresholds on the predicted heat (the record leads) and on the predicted
    ``published``, chosen on the training records.
    """

    of_all_: dict[str, float]
    of_provider_: dict[str, dict[str, float]]
    cuts_: dict[str, float]


@dataclass(frozen=True, slots=True)
class Baselines:
    """Medians, and one LightGBM regressor of each label with default parameters and 100 trees."""

    medians: Medians
    boosters: Mapping[str, Booster]

    def decide(self, predicted: dict[str, Floats]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Decisions to lead and to be published by numeric predictions; shapes (n_records,)."""
        thresholds = self.medians.cuts_
        return predicted["heat"] >= thresholds["heat"], predicted["published"] >= thresholds["published"]

    def predict(self, table: FeatureTable, X: Floats) -> dict[str, dict[str, Floats]]:
        """Predictions of each baseline by its name and target, each of shape (n_records,).

        Parameters
        ----------
        table : FeatureTable
            Features of `n_records` records.
        X : ndarray of shape (n_records, n_features)
            Matrix of the encoder.
        """
        domains = table.text("provider_domain")
        global_medians, provider_medians = self.medians.of_all_, self.medians.of_provider_
        return {
            "global median": {target: np.full(len(table), global_medians[target]) for target in TARGETS},
            "provider median": {
                target: np.array(
                    [provider_medians[target].get(domain, global_medians[target]) for domain in domains],
                    dtype=np.float64,
                )
                for target in TARGETS
            },
            "plain LightGBM": {target: self.boosters[target].predict(X) for target in TARGETS},
        }
