"""Scores of one record, as every interface prints them."""

from __future__ import annotations

import msgspec

from scoring.model.targets import TARGETS, Targets


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of one record; those of labels that the model has not learned are None.

    Parameters
    ----------
    path : str
        File of the record, or name of its row in a frame; ``-`` for standard input, or a row without a name.
    quality : int or None
        Quality of the record, in the points of the site's labels.
    quality_low, quality_high : float or None
        90 % interval of the quality.
    heat : int or None
        Quality plus the contribution of the story's other coverage; -1 if another record leads the story.
    heat_expected : float or None
        Mean of the distribution of the current heat; records are ranked by it.
    heat_settled : float or None
        Forecast mean heat once the story's coverage is complete.
    lead_probability : float or None
        Probability that the record leads its story; 0 to 1.
    published : bool or None
        Whether the site would publish it.
    published_probability : float or None
        Probability of being published; 0 to 1.
    lead_settled_probability, published_settled_probability : float or None
        Forecast probabilities once the story's coverage is complete; 0 to 1. That of publication needs all
        three labels.
    model : str
        Name and version of the model.
    warnings : tuple of str
        Inputs that the model did not know or had to assume.
    """

    path: str
    quality: int | None
    quality_low: float | None
    quality_high: float | None
    heat: int | None
    heat_expected: float | None
    heat_settled: float | None
    lead_probability: float | None
    published: bool | None
    published_probability: float | None
    lead_settled_probability: float | None
    published_settled_probability: float | None
    model: str
    warnings: tuple[str, ...] = ()


#: Labels that each score is about; a model without one of them does not give that score.
TARGETS_OF: dict[str, Targets] = {
    "quality": ("quality",),
    "quality_low": ("quality",),
    "quality_high": ("quality",),
    "heat": ("heat",),
    "heat_expected": ("heat",),
    "heat_settled": ("heat",),
    "lead_probability": ("heat",),
    "published": ("published",),
    "published_probability": ("published",),
    "lead_settled_probability": ("heat",),
    "published_settled_probability": TARGETS,
}


def score_fields(targets: Targets) -> tuple[str, ...]:
    """Fields of a score that a model of these labels has, in order."""
    return tuple(name for name in Score.__struct_fields__ if set(TARGETS_OF.get(name, ())) <= set(targets))


def kind_of(field: str) -> str:
    """Type of a field of a score, if it is present: ``str``, ``int``, ``float``, ``bool`` or another.

    Examples
    --------
    >>> kind_of("heat"), kind_of("path")
    ('int', 'str')
    """
    kind: str = Score.__annotations__[field]
    return kind.removesuffix(" | None")


def targets_of(score: Score) -> Targets:
    """Labels that a score has."""
    return tuple(name for name in TARGETS if getattr(score, name) is not None)
