"""Fit of the baselines: medians, and thresholds on the predictions of regressors."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.features.encoding import Encoder
from scoring.features.table import build_table
from scoring.model.baselines import Baselines
from scoring.records.record import Provider, Record
from scoring.training.baselines import fit_baselines
from scoring.training.cascade import CascadeLabels

N_RECORDS = 120
DOMAINS = np.array(["b.example", "a.example", "c.example"])[np.arange(N_RECORDS) % 3]
TABLE = build_table([Record(title="Kite", provider=Provider("", domain)) for domain in DOMAINS])
#: Records of a.example lead, the others do not; a third of the records have no heat.
HEAT = np.where(np.arange(N_RECORDS) % 9 < 3, np.nan, np.where(DOMAINS == "a.example", 40.0, -1.0))
LABELS = CascadeLabels(np.arange(float(N_RECORDS)) ** 2, HEAT, np.where(DOMAINS == "c.example", 1.0, 0.0))


@pytest.fixture(scope="module")
def baselines() -> Baselines:
    return fit_baselines(TABLE, LABELS, Encoder.fit(TABLE, LABELS.quality), num_threads=1, seed=0)


def test_medians_are_those_of_known_labels(baselines: Baselines) -> None:
    labels = {"quality": LABELS.quality, "heat": LABELS.heat, "published": LABELS.published}
    for target, values in labels.items():
        is_known = ~np.isnan(values)
        assert baselines.medians.of_all_[target] == np.median(values[is_known])
        assert baselines.medians.of_provider_[target] == {
            domain: np.median(values[is_known & (domain == DOMAINS)]) for domain in set(DOMAINS.tolist())
        }


def test_thresholds_tell_leads_and_published_records_apart(baselines: Baselines) -> None:
    X = Encoder.fit(TABLE, LABELS.quality).transform(TABLE)
    leads, published = baselines.decide(baselines.predict(TABLE, X)["plain LightGBM"])
    assert leads.tolist() == (DOMAINS == "a.example").tolist()
    assert published.tolist() == (DOMAINS == "c.example").tolist()
