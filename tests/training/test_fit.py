"""Fits of all components, on two sites with different constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from scoring.errors import ModelError
from scoring.evaluation.metrics import mean_absolute_error, precision_recall_f1
from scoring.features.table import Floats
from scoring.model.cascade import Cascade
from scoring.model.components import FittedComponents, Thresholds
from scoring.model.conformal import ResidualDistribution
from scoring.model.marginalize import QualityDistribution, marginalize_now
from scoring.model.quality import QualityModel
from scoring.model.rubric import Rubric
from scoring.model.scorer import Scorer
from scoring.records.record import Labels
from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.policy import DEFAULT_POLICY
from scoring.training import fit
from scoring.training.cascade import CascadeLabels
from scoring.training.config import BoosterConfig, ModelConfig, SplitConfig, TrainConfig
from scoring.training.fit import fit_models
from scoring.training.quality import QualityFit
from scoring.training.section_plan import SectionPlan
from scoring.training.training_set import TrainingSet
from tests.model.doubles import booster_of, table_of

LABELLED = list(sample_documents(n_records=120, seed=1))
FULL = ModelConfig()
SMALL = TrainConfig(
    model=ModelConfig(
        quality=BoosterConfig(10, FULL.quality.params),
        spread=BoosterConfig(10, FULL.spread.params),
        lead=BoosterConfig(10, FULL.lead.params),
        heat=BoosterConfig(10, FULL.heat.params),
        published=BoosterConfig(10, FULL.published.params),
    )
)
Make = Callable[[Any], TrainingSet]


@pytest.fixture(params=["first_site", "other_site"])
def site(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_rules_are_learned_where_the_quality_is_known(site: Any) -> None:
    labels, table = site.later.labels, site.later.table
    sure = QualityDistribution(labels.quality, labels.quality[:, None], np.ones((len(table), 1)))
    certain = marginalize_now(site.models.cascade, table, sure)
    is_lead, is_shown = labels.heat > -1, labels.published == 1
    assert np.mean((certain.lead_probability >= 0.5) == is_lead) > 0.985
    precision, recall, _ = precision_recall_f1(is_shown, certain.published_probability >= 0.5)
    assert min(precision, recall) > 0.97
    off = np.abs(certain.heat_if_lead - labels.heat)[is_lead]
    assert np.mean(off < 1.5) > 0.95


def test_later_records_are_scored_well(site: Any) -> None:
    labels, predictions = site.later.labels, site.predictions
    spread = float(np.std(labels.quality))
    assert mean_absolute_error(labels.quality, predictions.quality) < 0.12 * spread
    assert np.mean(predictions.is_lead == (labels.heat > -1)) > 0.97
    assert precision_recall_f1(labels.published == 1, predictions.published)[2] > 0.93


def test_other_constants_are_learned_as_well(first_site: Any, other_site: Any) -> None:
    def figures(site: Any) -> tuple[float, float, float]:
        labels, predictions = site.later.labels, site.predictions
        return (
            mean_absolute_error(labels.quality, predictions.quality) / float(np.std(labels.quality)),
            float(np.mean(predictions.is_lead == (labels.heat > -1))),
            precision_recall_f1(labels.published == 1, predictions.published)[2],
        )

    (error, lead, published), (other_error, other_lead, other_published) = map(
        figures, (first_site, other_site)
    )
    assert other_error == pytest.approx(error, rel=0.25)
    assert other_lead == pytest.approx(lead, abs=0.02)
    assert other_published == pytest.approx(published, abs=0.03)


def test_interval_holds_its_share(site: Any) -> None:
    labels, predictions = site.later.labels, site.predictions
    holds = (predictions.quality_low <= labels.quality) & (labels.quality <= predictions.quality_high)
    assert 0.85 < holds.mean() < 0.985
    assert np.median(predictions.quality_high - predictions.quality_low) < np.std(labels.quality)


def test_scores_keep_their_ranges(site: Any) -> None:
    predictions = site.predictions
    assert (predictions.quality_low <= predictions.quality).all()
    assert (predictions.quality <= predictions.quality_high).all()
    assert (predictions.quality >= site.models.quality.rubric.floor_).all()
    for probability in (predictions.lead_probability, predictions.published_probability):
        assert (probability >= 0).all()
        assert (probability <= 1 + 1e-9).all()
    assert ((predictions.heat == -1) == ~predictions.is_lead).all()
    assert (predictions.heat_expected >= -1 - 1e-9).all()


def texts(models: FittedComponents) -> dict[str, str]:
    parts = {"lead": models.cascade.lead, "heat": models.cascade.heat, "published": models.cascade.published}
    parts |= {"quality": models.quality.booster, "spread": models.quality.spread} | dict(
        models.baselines.boosters
    )
    rest = (models.quality.encoder, models.quality.rubric, models.quality.errors, models.thresholds)
    rest_of_it = msgspec.json.encode((*rest, models.baselines.medians)).decode()
    return {name: booster.text for name, booster in parts.items()} | {"rest": rest_of_it}


def test_models_are_the_same_for_any_number_of_threads(make_training: Make) -> None:
    # Few records: LightGBM's threads are slow on a busy machine.
    training = make_training(LABELLED[:60])
    with_one_thread, with_two_threads = (
        texts(fit_models(training, SMALL, num_threads=threads)) for threads in (1, 2)
    )
    assert with_one_thread == with_two_threads


def test_seed_is_used(make_training: Make) -> None:
    training = make_training(LABELLED)
    first, other = (
        texts(fit_models(training, msgspec.structs.replace(SMALL, seed=seed), num_threads=1))
        for seed in (0, 1)
    )
    assert first["quality"] != other["quality"]


def test_steps_are_reported(make_training: Make) -> None:
    steps: list[str] = []
    fit_models(make_training(LABELLED), SMALL, num_threads=1, on_step=steps.append)
    assert steps == ["quality", "lead, heat and published", "baselines"]


def changed(**values: Any) -> list[tuple[Any, Labels]]:
    return [(record, msgspec.structs.replace(labels, **values)) for record, labels in LABELLED]


@pytest.mark.parametrize(
    ("labelled", "message"),
    [
        (LABELLED[:14], "got 14 with a quality and a date, expected 15 or more"),
        (changed(heat=None), "got none with a usable heat"),
        (changed(heat=-1), "got none with a usable heat"),
        (changed(published=None), "got none with both a usable heat and whether it was published"),
    ],
    ids=["few", "no heat", "no lead", "no published"],
)
def test_labels_that_do_not_suffice_are_named(make_training: Make, labelled: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        fit_models(make_training(labelled), SMALL, num_threads=1)


def predicted(make_training: Make, labelled: Any) -> Floats:
    training = make_training(labelled)
    predictions = Scorer("x", fit_models(training, SMALL, num_threads=1)).predict(training.table)
    assert np.isfinite(
        [predictions.quality, predictions.heat, predictions.heat_expected, predictions.published_probability]
    ).all()
    return predictions.quality


def test_sites_of_one_kind_are_learned(make_training: Make) -> None:
    def predict(labelled: Any) -> Any:
        training = make_training(labelled)
        return Scorer("x", fit_models(training, SMALL, num_threads=1)).predict(training.table)

    assert predict(
        [(record, msgspec.structs.replace(labels, heat=labels.quality)) for record, labels in LABELLED]
    ).is_lead.all()
    assert not predict(changed(published=False)).published.any()
    assert predict(changed(published=True)).published.all()
    assert set(predict(changed(quality=5)).quality) == {5}


@pytest.mark.parametrize("known", [slice(0, 90), slice(90, 120)], ids=["early", "late"])
def test_heat_known_of_some_records_suffices(make_training: Make, known: slice) -> None:
    has_heat = set(range(120)[known])
    labelled = [
        (record, labels if index in has_heat else msgspec.structs.replace(labels, heat=None, published=None))
        for index, (record, labels) in enumerate(LABELLED)
    ]
    quality = make_training(LABELLED).labels.quality
    assert mean_absolute_error(quality, predicted(make_training, labelled)) < 8


@pytest.mark.parametrize(
    "change",
    [
        {"topics": ("Sea", "C#", "C+")},
        {"topics": ("Sea", 'the "best" {of}: [all], 日本')},
        {"topics": ()},
        {"title": ""},
        {"related": ()},
        {"images": (), "excerpt": ""},
    ],
    ids=["twin names", "odd names", "no topics", "no titles", "no coverage", "no content"],
)
def test_records_that_lack_something_are_learned(make_training: Make, change: dict[str, Any]) -> None:
    labelled = [(msgspec.structs.replace(record, **change), labels) for record, labels in LABELLED]
    quality = make_training(LABELLED).labels.quality
    assert mean_absolute_error(quality, predicted(make_training, labelled)) < np.std(quality)


def test_negative_qualities_are_learned(make_training: Make) -> None:
    shifted = [
        (record, msgspec.structs.replace(labels, quality=(labels.quality or 0) - 200))
        for record, labels in LABELLED
    ]
    quality = make_training(shifted).labels.quality
    predictions = predicted(make_training, shifted)
    assert mean_absolute_error(quality, predictions) < 8
    assert predictions.max() < 0


@pytest.mark.parametrize("ratio", [0.0, 0.01, 1.0])
def test_validation_block_is_never_empty_nor_everything(make_training: Make, ratio: float) -> None:
    config = msgspec.structs.replace(SMALL, split=SplitConfig(validation_ratio=ratio))
    models = fit_models(make_training(LABELLED), config, num_threads=1)
    assert models.quality.errors.half_width_ > 0


def test_parameter_that_lightgbm_refuses_is_named(
    make_training: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    model = msgspec.structs.replace(SMALL.model, lead=BoosterConfig(5, {"objective": "nonsense"}))
    with pytest.raises(ModelError, match="nonsense"):
        fit_models(make_training(LABELLED), msgspec.structs.replace(SMALL, model=model), num_threads=1)
    capfd.readouterr()  # LightGBM prints to the terminal too


def test_twenty_records_suffice(make_training: Make) -> None:
    assert fit_models(make_training(LABELLED[:20]), SMALL, num_threads=1).cascade.lead.num_trees == 10


def test_one_record_less_than_the_fewest_is_refused(make_training: Make) -> None:
    assert fit.counted(make_training(LABELLED[: fit.MIN_RECORDS])) == fit.MIN_RECORDS
    with pytest.raises(ModelError, match=f"got {fit.MIN_RECORDS - 1} .*, expected {fit.MIN_RECORDS} or more"):
        fit.counted(make_training(LABELLED[: fit.MIN_RECORDS - 1]))


class EnoughError(Exception):
    """Ends a fit after the part that a test checks."""


@pytest.mark.parametrize(("ratio", "n_later"), [(0.0, 24), (0.01, 24), (0.2, None), (1.0, 24)])
def test_validation_block_is_the_latest_records_and_the_draft_is_fitted_on_the_rest(
    make_training: Make, monkeypatch: pytest.MonkeyPatch, ratio: float, n_later: int | None
) -> None:
    masks, drafts = [], []

    def stop(*arguments: Any, **_: Any) -> None:
        masks.append(arguments[3])
        raise EnoughError

    monkeypatch.setattr(fit, "_draft_cascade", lambda earlier, *_, **__: drafts.append(earlier))
    monkeypatch.setattr(fit, "_fit_cascade_and_forecast", lambda *_, **__: None)
    monkeypatch.setattr(fit, "start_quality", stop)
    training = make_training(LABELLED[::-1])
    config = msgspec.structs.replace(SMALL, split=SplitConfig(validation_ratio=ratio))
    with pytest.raises(EnoughError):
        fit_models(training, config, num_threads=1)
    (mask,), (draft,) = masks, drafts
    assert draft.moments.tolist() == training.moments[~mask].tolist()
    if n_later is None:  # of each section
        assert 5 <= mask.sum() <= 24
    else:
        assert mask.sum() == n_later
        assert training.moments[mask].min() >= training.moments[~mask].max()


def choose_thresholds(quality: Floats, heat: Floats, published: Floats) -> Thresholds:
    """Thresholds of a draft whose probability of leading is quality / 20, and of publishing 0.1 less.

    Qualities are off by 5 points, as often above as below, and at least 10.
    """
    n_records = len(quality)
    draft = Cascade(
        booster_of(lambda columns: columns[0] / 20),  # the margin to coverage of quality 0
        booster_of(lambda columns: 0.0),
        booster_of(lambda columns: columns[1] / 20 - 0.1),
    )
    errors = ResidualDistribution([], [[-5.0, 5.0]], [[0.5, 0.5]], 1.0)
    rubric = Rubric(0.0, {}, {}, {}, {}, 10.0)
    model = QualityModel(cast(Any, None), rubric, draft.lead, draft.lead, errors)
    validation = TrainingSet(
        table_of(n_records, coverage_quality_max=0.0),
        CascadeLabels(quality, heat, published),
        np.zeros(n_records, dtype="datetime64[us]"),
        [""] * n_records,
        np.arange(n_records),
    )
    plan = SectionPlan(np.array(validation.sections), np.ones(n_records, dtype=bool), quality, {}, ())
    quality_fit = QualityFit(model, quality, np.ones(n_records), plan, frozenset())
    return fit._choose_thresholds(draft, draft, validation, quality_fit, 1)


def test_thresholds_lie_between_the_known_records_of_either_kind() -> None:
    # Mean qualities of 12 and 10 are 13.5 and 12.5, since none is below 10; those of 11 have no heat.
    quality = np.repeat([12.0, 10.0, 11.0], 20)
    heat = np.repeat([40.0, -1.0, np.nan], 20)
    published = np.repeat([1.0, 0.0, 0.0], 20)
    thresholds = choose_thresholds(quality, heat, published)
    assert thresholds.lead == pytest.approx(13 / 20)
    assert thresholds.published == pytest.approx(13 / 20 - 0.1)


def test_thresholds_are_a_half_where_nothing_is_known() -> None:
    unknown = np.full(5, np.nan)
    assert choose_thresholds(np.full(5, 12.0), unknown, np.ones(5)) == Thresholds(0.5, 0.5)


def test_baselines_take_the_columns_of_a_model_with_a_section_of_few_labels(make_training: Make) -> None:
    """A section that takes no part in the shared fit may have topics that the others lack."""
    policy = replace(DEFAULT_POLICY, scale=0.5)
    few = sample_documents(n_records=20, seed=9, section="Mill", policy=policy)
    named = [
        (msgspec.structs.replace(record, topics=(*record.topics, "Grain")), labels) for record, labels in few
    ]
    training = make_training([*LABELLED, *named])
    models = fit_models(training, SMALL, num_threads=1)
    assert "Mill" in models.quality.policies
    X = models.quality.encoder.transform(training.table)
    assert all(len(booster.predict(X)) == 140 for booster in models.baselines.boosters.values())
