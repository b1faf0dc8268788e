"""Manifest of a saved model: fitted components except boosters, and training metadata."""

from __future__ import annotations

from datetime import datetime

import msgspec

from scoring.drift.reference_profile import Profile
from scoring.evaluation.results import Figure
from scoring.features.encoding import Encoder
from scoring.model.baselines import Medians
from scoring.model.components import Thresholds
from scoring.model.conformal import ResidualDistribution
from scoring.model.label_steps import LabelSteps
from scoring.model.leaders import Leaders
from scoring.model.policy_change import PolicyChange
from scoring.model.rubric import Rubric
from scoring.model.rules import SectionRules
from scoring.model.section_policy import SectionPolicy
from scoring.model.story_policy import StoryPolicy
from scoring.model.targets import TARGETS, Targets
from scoring.records.field_maps.field_map import FieldMap
from scoring.stories.derivation import DerivedCoverage
from scoring.training.config import TrainConfig


class TrainingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Training metadata of a model.

    Parameters
    ----------
    name : str
        Name of the configuration.
    data_sha256 : str
        Hex digest of the content of the records, independent of order and path.
    n_records : int
        Number of training records.
    begins_at, ends_at : datetime
        First and last date of publication among them, aware UTC.
    sections : dict of str to int
        Number of records of each section.
    section_ends_at : dict of str to datetime
        Last moment that the training data know of, coverage included, by section; aware UTC.
    config : TrainConfig
        The resolved configuration.
    versions : dict of str to str
        Versions of Python and of the libraries that determine the bytes.
    metrics : dict of str to Figure
        Metrics on the test block, before the final fit.
    baselines : dict of str to dict of str to float
        Metrics of the baselines.
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


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything of a model except its trees; the fields are documented in their classes."""

    training: TrainingFacts
    feature_names: list[str]
    cascade_names: dict[str, list[str]]
    encoder: Encoder
    rubric: Rubric
    errors: ResidualDistribution
    policies: dict[str, SectionPolicy] = {}
    story_policies: dict[str, StoryPolicy] = {}
    rules: tuple[SectionRules, ...] = ()
    policy_changes: tuple[PolicyChange, ...] = ()
    field_map: FieldMap | None = None
    targets: Targets = TARGETS
    label_steps: LabelSteps | None = None
    thresholds: Thresholds
    medians: Medians
    files: dict[str, str]
    profile: Profile | None = None
    derived_coverage: DerivedCoverage | None = None
    leaders: Leaders | None = None
