"""Scores of one record, as every interface prints them."""

from __future__ import annotations

import msgspec


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of one record.

    Parameters
    ----------
    path : str
        Where the record was found; ``-`` is standard input.
    quality : int
        Quality of the record, in the points of the site's labels.
    quality_low, quality_high : float
        90 % interval of the quality.
    heat : int
        Quality plus the contribution of the story's other coverage; -1 if another record leads the story.
    heat_expected : float
        Mean of the distribution of the current heat; records are ranked by it.
    heat_settled : float
        Forecast mean heat once the story's coverage is complete.
    lead_probability : float
        Probability that the record leads its story; 0 to 1.
    published : bool
        Whether the site would publish it.
    published_probability : float
        Probability of being published; 0 to 1.
    lead_settled_probability, published_settled_probability : float
        Forecast probabilities once the story's coverage is complete; 0 to 1.
    model : str
        Name and version of the model.
    warnings : tuple of str
        Inputs that the model did not know or had to assume.
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
