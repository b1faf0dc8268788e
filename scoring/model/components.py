"""All fitted components of a model."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from scoring.model.baselines import Baselines
from scoring.model.cascade import Cascade
from scoring.model.forecast import Forecast
from scoring.model.leaders import Leaders
from scoring.model.policy_change import PolicyChange
from scoring.model.quality import QualityModel
from scoring.model.rules import SectionRules
from scoring.model.targets import TARGETS, Targets
from scoring.records.field_maps.field_map import FieldMap


class Thresholds(msgspec.Struct, frozen=True):
    """Thresholds on the probabilities of leading and being published, chosen on the validation block."""

    lead: float = 0.5
    published: float = 0.5


@dataclass(frozen=True, slots=True)
class FittedComponents:
    """All fitted components of a model, and the field map of its training records if they had one.

    ``targets`` are the labels that it has learned; the others are stand-ins, which nothing shows.
    """

    quality: QualityModel
    cascade: Cascade
    forecast: Forecast
    thresholds: Thresholds
    baselines: Baselines
    rules: tuple[SectionRules, ...] = ()
    changes: tuple[PolicyChange, ...] = ()
    field_map: FieldMap | None = None
    leaders: Leaders | None = None
    targets: Targets = TARGETS
