"""Reference profile of the training records."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from scoring.drift.reference_profile import (
    MIN_HELD,
    MIN_TRAINING,
    Profile,
    expected_errors,
    feature_values,
    fit_profile,
    rubric_points,
    unseen,
)
from scoring.drift.reference_windows import time_blocks
from scoring.features.table import NUMBER_NAMES, TEXT_NAMES
from tests.sites import N_EARLIER, N_TRAINING, Deployed


def test_every_column_but_age_is_kept(deployed: Deployed) -> None:
    columns = deployed.profile.columns_
    assert set(columns) == {*NUMBER_NAMES, *TEXT_NAMES, "topics"} - {"age_hours"}
    for name, bins in columns.items():
        n_values = sum(map(len, deployed.training.table.topics)) if name == "topics" else N_TRAINING
        assert sum(bins.counts_) == n_values
    assert set(deployed.profile.distances_.usual_) == set(columns)
    families = {"provider", "topic", "recency", "coverage", "content"}
    assert set(deployed.profile.distances_.limits_) == families


def test_limits_are_of_the_later_half_and_of_the_held_back_records(deployed: Deployed) -> None:
    profile = deployed.profile
    assert (
        profile.distances_.sizes_
        == profile.unseen_.sizes_
        == profile.points_.shifts_.sizes_
        == [10, 20, 40, 80]
    )
    assert profile.scores_.shifts_.sizes_ == [10, 20]
    for limits in profile.distances_.limits_.values():
        assert limits == sorted(limits)
        assert limits[0] > 1
    for usual in profile.distances_.usual_.values():
        assert all(0 < distance < 1 for distance in usual)


def test_unseen_is_what_was_new_in_its_window(deployed: Deployed) -> None:
    training = deployed.training
    blocks = time_blocks(training.moments, training.sections)
    domains = training.table.text("provider_domain")
    shares = []
    for begin in range(35, 70):
        before, window = set(domains[blocks < begin]), domains[blocks == begin]
        shares.append(np.mean([domain not in before for domain in window]))
    assert deployed.profile.unseen_.usual_["provider"][0] == pytest.approx(np.mean(shares))
    assert 0.05 < np.mean(shares) < 0.5


def test_points_add_up_to_the_rubric(deployed: Deployed) -> None:
    table, rubric = deployed.training.table, deployed.scorer.models.quality.rubric
    total = rubric.intercept_ + sum(rubric_points(deployed.scorer.models, table).values())
    assert np.maximum(total, rubric.floor_) == pytest.approx(rubric.predict(table))


def test_held_back_error_is_that_of_the_earlier_model(deployed: Deployed) -> None:
    errors = deployed.profile.errors_
    assert sum(map(sum, errors.counts_)) == N_TRAINING - N_EARLIER
    mean = np.average(np.array(errors.errors_), weights=np.array(errors.counts_))
    assert deployed.profile.scores_.means_["expected_error"] == pytest.approx(mean)
    # A model knows its training records better than any that it has not seen.
    predicted = deployed.scorer.predict(deployed.training.table).quality
    assert mean > np.abs(predicted - deployed.training.labels.quality).mean()


def test_unknown_sections_are_to_be_far_off(deployed: Deployed) -> None:
    model, table = deployed.scorer.models.quality, deployed.training.table
    elsewhere = replace(table, texts=np.where(table.texts == "Tessaril", "Elsewhere", table.texts))
    known, foreign = (
        expected_errors(deployed.profile.errors_, model, features, 1) for features in (table, elsewhere)
    )
    atoms, weights = model.errors.atoms_[-1], model.errors.weights_[-1]
    assert foreign == pytest.approx(np.full(len(table), np.dot(np.abs(atoms), weights)))
    assert foreign.mean() > 2 * known.mean()


def test_unseen_names(deployed: Deployed) -> None:
    encoder, table = deployed.scorer.models.quality.encoder, deployed.training.table.take(np.arange(2))
    assert unseen(encoder, table) == {"provider": [(), ()], "topic": [(), ()]}
    table.text("provider_domain")[:] = ["nobody.example", ""]
    table = replace(table, topics=(("Tessaril",), ("Nowhere", "Tessaril", "Nothing")))
    values = unseen(encoder, table)
    assert values == {"provider": [("nobody.example",), ()], "topic": [(), ("Nowhere", "Nothing")]}


def test_too_few_records_have_no_profile(deployed: Deployed) -> None:
    training, scorer = deployed.training, deployed.scorer
    enough, held = training.take(np.arange(N_TRAINING) < MIN_TRAINING), np.arange(N_TRAINING) < MIN_HELD
    assert fit_profile(enough, training.take(held), scorer, scorer.models) is not None
    fewer = enough.take(np.arange(MIN_TRAINING) > 0)
    assert fit_profile(fewer, training.take(held), scorer, scorer.models) is None
    held[0] = False
    assert fit_profile(enough, training.take(held), scorer, scorer.models) is None


def test_a_profile_survives_json(deployed: Deployed) -> None:
    written = msgspec.json.encode(deployed.profile)
    assert msgspec.json.decode(written, type=Profile) == deployed.profile
    assert len(written) < 30_000


def test_age_is_no_feature_of_a_profile(deployed: Deployed) -> None:
    table = deployed.training.table.take(np.arange(5))
    table.number("age_hours")[:] = 1e6
    assert not any(
        np.any(np.asarray(values) == 1e6)
        for values in feature_values(table).values()
        if isinstance(values, np.ndarray)
    )
