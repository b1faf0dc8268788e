"""Marginalization against an explicit sum over the support."""

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
    # The support has duplicates in any order, the predicted quality and zero probabilities among them.
    support = quality[:, None] + rng.integers(-3, 4, (len(table), 6)) * 5.0
    probabilities = rng.dirichlet(np.ones(6), len(table))
    probabilities[:5] = [0.5, 0.5, 0, 0, 0, 0]
    models = saved.models
    now, settled = marginalize(
        models.cascade, models.forecast, table, QualityDistribution(quality, support, probabilities)
    )
    for rules, outlook in ((models.cascade, now), (models.forecast, settled)):
        lead = np.column_stack([rules.lead_probability(table, column) for column in support.T])
        heat = np.column_stack([rules.heat_if_lead(table, column) for column in support.T])
        published = np.column_stack(
            [
                share * models.cascade.published_probability(table, column, there)
                + (1 - share)
                * models.cascade.published_probability(table, column, np.full(len(table), NOT_LEADING))
                for column, share, there in zip(support.T, lead.T, heat.T, strict=True)
            ]
        )
        expected = lead * heat + (1 - lead) * NOT_LEADING
        np.testing.assert_allclose(outlook.lead_probability, (probabilities * lead).sum(axis=1), rtol=1e-12)
        np.testing.assert_allclose(outlook.heat_expected, (probabilities * expected).sum(axis=1), rtol=1e-12)
        np.testing.assert_allclose(
            outlook.published_probability, (probabilities * published).sum(axis=1), rtol=1e-12
        )
        assert outlook.heat_if_lead.tolist() == rules.heat_if_lead(table, quality).tolist()
    alone = marginalize_now(models.cascade, table, QualityDistribution(quality, support, probabilities))
    assert alone.published_probability.tolist() == now.published_probability.tolist()


def test_a_record_is_described_the_same_alone(saved: SavedModel, table: FeatureTable) -> None:
    quality = np.full(len(table), 50.0)
    support = quality[:, None] + np.array([-5.0, 0.0, 5.0])
    probabilities = np.full(support.shape, 1 / 3)
    parts = saved.models.cascade, saved.models.forecast
    _, whole = marginalize(*parts, table, QualityDistribution(quality, support, probabilities))
    for row in (0, 7, 29):
        row_slice = slice(row, row + 1)
        _, alone = marginalize(
            *parts,
            table.take(np.array([row])),
            QualityDistribution(quality[row_slice], support[row_slice], probabilities[row_slice]),
        )
        assert alone.heat_expected[0] == whole.heat_expected[row]
