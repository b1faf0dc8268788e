"""What the models say, and how well they said it: plain values that every interface prints."""

from __future__ import annotations

import msgspec


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of one record.

    Parameters
    ----------
    path : str
        Where the record was found; ``-`` is standard input.
    quality : int
        The record's own value, in the points of the site's labels.
    quality_low, quality_high : float
        90 % interval of the quality.
    heat : int
        The quality plus what the story's other coverage adds; -1 where another record leads the story.
    heat_expected : float
        Mean of the current heat's distribution; records are ordered by it.
    heat_settled : float
        Forecast mean heat once the story's coverage is complete.
    lead_probability : float
        Probability that the record leads its story; 0 to 1.
    published : bool
        Whether the site would publish it.
    published_probability : float
        Probability of that; 0 to 1.
    lead_settled_probability, published_settled_probability : float
        The same, once the story's coverage is complete.
    model : str
        Name and version of the model that scored.
    warnings : tuple of str
        What the model did not know or had to assume.
    """

    path: str
    quality: int
    quality_low: float
    quality_high: float
    heat: int
    heat_expected: float
    heat_settled: float
    lead_probability: float
    published: bool
    published_probability: float
    lead_settled_probability: float
    published_settled_probability: float
    model: str
    warnings: tuple[str, ...] = ()
