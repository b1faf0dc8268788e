"""Steps of labels that are ratings: a few qualities, all multiples of a number of points."""

from __future__ import annotations

import msgspec
import numpy as np

from scoring.features.table import Floats


class LabelSteps(msgspec.Struct, frozen=True):
    """Steps of the quality labels.

    Parameters
    ----------
    step_ : int
        Points between neighbouring ratings; 2 or more.
    lowest_, highest_ : int
        Lowest and highest rating; points, multiples of the step.
    """

    step_: int
    lowest_: int
    highest_: int

    def nearest(self, quality: Floats) -> Floats:
        """The nearest rating of each quality, shape (n_records,); points."""
        return self._within(np.round(quality / self.step_))

    def inside(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Lowest and highest rating within each interval, shapes (n_records,); crossed if it has none."""
        return self._within(np.ceil(low / self.step_)), self._within(np.floor(high / self.step_))

    def _within(self, n_steps: Floats) -> Floats:
        return np.clip(n_steps * self.step_, self.lowest_, self.highest_)
