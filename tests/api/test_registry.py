"""Models of the registry in Python: the latest version, a run's id in part, loaded models to promote."""

from __future__ import annotations

import pickle

import pytest

import scoring
from tests.conftest import Registry


def test_the_latest_version_is_loaded(registry: Registry) -> None:
    settings = registry.settings
    assert scoring.load_model("models:/scoring/latest", settings=settings).address == "models:/scoring/1"
    scoring.promote(registry.small, settings=settings, reason="better")
    latest = scoring.load_model("models:/scoring/latest", settings=settings)
    assert (latest.address, latest.name) == (
        "models:/scoring/2",
        scoring.load_model(f"runs:/{registry.small}", settings=settings).name,
    )
    comparison = scoring.compare("models:/scoring/1", "models:/scoring/latest", settings=settings)
    assert comparison[0].second.name.startswith("small")
    with pytest.raises(scoring.TrackingError, match="models:/other/latest: there is no version of other"):
        scoring.load_model("models:/other/latest", settings=settings)


def test_a_run_is_named_by_the_beginning_of_its_id(registry: Registry) -> None:
    whole = scoring.load_model(registry.small, settings=registry.settings)
    short = scoring.load_model(f"runs:/{registry.small[:12]}", settings=registry.settings)
    assert short.address == whole.address == f"runs:/{registry.small}"
    with pytest.raises(scoring.TrackingError, match="0123456789ab"):
        scoring.load_model("runs:/0123456789ab", settings=registry.settings)


def test_a_loaded_model_is_promoted_if_it_is_from_a_run(registry: Registry) -> None:
    loaded = pickle.loads(pickle.dumps(scoring.load_model(registry.small, settings=registry.settings)))  # noqa: S301 -- its own
    outcome = scoring.promote(loaded, dry_run=True, settings=registry.settings)
    assert outcome.run_id == registry.small
    champion = scoring.load_model(settings=registry.settings)
    with pytest.raises(scoring.ModelError, match="already the champion"):
        scoring.promote(champion, settings=registry.settings)
    with pytest.raises(scoring.ModelError, match="which is not from a run: give its run, its version or its"):
        scoring.promote(scoring.load_model("shipped"), settings=registry.settings)
