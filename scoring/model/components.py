"""Every fitted part, as one value."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from scoring.model.baselines import Baselines
from scoring.model.cascade import Cascade
from scoring.model.forecast import Forecast
from scoring.model.quality import QualityModel


class Thresholds(msgspec.Struct, frozen=True):
    """Probabilities from which a record is said to lead, and to be published; learned from later records."""

    lead: float = 0.5
    published: float = 0.5


@dataclass(frozen=True, slots=True)
class FittedComponents:
    """Every fitted part."""

    quality: QualityModel
    cascade: Cascade
    forecast: Forecast
    thresholds: Thresholds
    baselines: Baselines
