"""The manifest of a saved model: its fitted parts but the boosters, and the facts of its training."""

from __future__ import annotations

from datetime import datetime

import msgspec

from scoring.drift.reference_profile import Profile
from scoring.evaluation.results import Figure
from scoring.features.encoding import Encoder
from scoring.model.baselines import Medians
from scoring.model.components import Thresholds
from scoring.model.conformal import ResidualDistribution
from scoring.model.rubric import Rubric
from scoring.training.config import TrainConfig


class TrainingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a model was made of.

    Parameters
    ----------
    name : str
        The configuration's name.
    data_sha256 : str
        Hex digest of the records' content, whatever their order and place.
    n_records : int
        Records that the model was fitted on.
    begins_at, ends_at : datetime
        First and last date of publication among them, aware UTC.
    sections : dict of str to int
        Records of each section.
    section_ends_at : dict of str to datetime
        By section: the last moment that the training knew of, coverage included, aware UTC.
    config : TrainConfig
        The resolved configuration.
    versions : dict of str to str
        Of Python and of the libraries that decide on the bytes.
    metrics : dict of str to Figure
        Figures on the block that was held back before the last fit.
    baselines : dict of str to dict of str to float
        The same of the baselines.
    """

    name: str
    data_sha256: str
    n_records: int
    begins_at: datetime
    ends_at: datetime
    sections: dict[str, int]
    section_ends_at: dict[str, datetime]
    config: TrainConfig
    versions: dict[str, str]
    metrics: dict[str, Figure]
    baselines: dict[str, dict[str, float]]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything of a model but its trees; see the fitted parts for what each field holds."""

    training: TrainingFacts
    feature_names: list[str]
    cascade_names: dict[str, list[str]]
    encoder: Encoder
    rubric: Rubric
    errors: ResidualDistribution
    thresholds: Thresholds
    medians: Medians
    files: dict[str, str]
    profile: Profile | None = None
