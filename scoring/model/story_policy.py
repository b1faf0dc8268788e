"""A section's own policy of heat and publication, as its difference from the shared policy."""

from __future__ import annotations

import msgspec


class StoryPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a section's rules of heat and publication differ from the shared ones.

    Parameters
    ----------
    bonus_ratio_ : float
        Heat that a related record adds, divided by the heat that it adds under the shared rule.
    bonus_shift_ : float
        Additional quality that a lead needs for that bonus; points.
    published_shift_ : float
        Additional heat that a record needs to be published; points.
    n_bonus_records_, n_published_records_ : int
        Labelled records that the differences are based on; 0 where there is no difference.
    """

    bonus_ratio_: float = 1.0
    bonus_shift_: float = 0.0
    published_shift_: float = 0.0
    n_bonus_records_: int = 0
    n_published_records_: int = 0
