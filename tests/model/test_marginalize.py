"""Averages over what the quality may be: by hand, record by record and quality by quality."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.features.table import FeatureTable, assemble, extract
from scoring.model.cascade import NOT_LEADING
from scoring.model.marginalize import QualityDistribution, marginalize, marginalize_now
from scoring.records.synthetic.generate import sample_documents


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    return assemble([extract(record) for record, _ in sample_documents(n_records=30, seed=3)])


def test_it_is_the_sum_over_atoms(saved: SavedModel, table: FeatureTable) -> None:
    rng = np.random.default_rng(0)
    quality = rng.integers(20, 90, len(table)).astype(float)
    # Some qualities stand twice, in any order: the likeliest among them, and what has no weight.
    atoms = quality[:, None] + rng.integers(-3, 4, (len(table), 6)) * 5.0
    weights = rng.dirichlet(np.ones(6), len(table))
    weights[:5] = [0.5, 0.5, 0, 0, 0, 0]
    models = saved.models
    now, settled = marginalize(
        models.cascade, models.forecast, table, QualityDistribution(quality, atoms, weights)
    )
    for rules, found in ((models.cascade, now), (models.forecast, settled)):
        lead = np.column_stack([rules.lead_probability(table, column) for column in atoms.T])
        heat = np.column_stack([rules.heat_if_lead(table, column) for column in atoms.T])
        shown = np.column_stack(
            [
                share * models.cascade.published_probability(table, column, there)
                + (1 - share)
                * models.cascade.published_probability(table, column, np.full(len(table), NOT_LEADING))
                for column, share, there in zip(atoms.T, lead.T, heat.T, strict=True)
            ]
        )
        expected = lead * heat + (1 - lead) * NOT_LEADING
        np.testing.assert_allclose(found.lead_probability, (weights * lead).sum(axis=1), rtol=1e-12)
        np.testing.assert_allclose(found.heat_expected, (weights * expected).sum(axis=1), rtol=1e-12)
        np.testing.assert_allclose(found.published_probability, (weights * shown).sum(axis=1), rtol=1e-12)
        assert found.heat_if_lead.tolist() == rules.heat_if_lead(table, quality).tolist()
    alone = marginalize_now(models.cascade, table, QualityDistribution(quality, atoms, weights))
    assert alone.published_probability.tolist() == now.published_probability.tolist()


def test_a_record_is_told_the_same_alone(saved: SavedModel, table: FeatureTable) -> None:
    quality = np.full(len(table), 50.0)
    atoms = quality[:, None] + np.array([-5.0, 0.0, 5.0])
    weights = np.full(atoms.shape, 1 / 3)
    parts = saved.models.cascade, saved.models.forecast
    _, whole = marginalize(*parts, table, QualityDistribution(quality, atoms, weights))
    for row in (0, 7, 29):
        one = slice(row, row + 1)
        _, alone = marginalize(
            *parts, table.take(np.array([row])), QualityDistribution(quality[one], atoms[one], weights[one])
        )
        assert alone.heat_expected[0] == whole.heat_expected[row]
