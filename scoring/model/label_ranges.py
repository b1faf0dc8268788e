"""Ranges of the labels of training, as LightGBM notes them in its texts.

Quality and heat are features of the booster of publication, whose text has the range of each feature. Where a
section has a threshold of its own, they are on the scale of the shared rule.
"""

from __future__ import annotations

import re

from scoring.model.booster import Booster
from scoring.model.cascade import NOT_LEADING
from scoring.model.components import FittedComponents

_HEADER = re.compile(r"\nfeature_names=(.*)\n(?:monotone_constraints=.*\n)?feature_infos=(.*)\n")
_RANGE = re.compile(r"\[(.+):(.+)\]")

LabelRanges = dict[str, tuple[float, float]]
"""Lowest and highest label of training by name; points."""


def label_ranges(models: FittedComponents) -> dict[str, LabelRanges]:
    """Find the ranges of quality and heat in training.

    Parameters
    ----------
    models : FittedComponents
        The model.

    Returns
    -------
    dict of str to dict
        Ranges by section; the empty name is that of all sections without a scale of their own. A label is
        missing if the model has not learned it, if all its values were the same, or if it is no feature: heat
        of a model that knows heat and publication, but no quality.
    """
    ranges = _feature_ranges(models.cascade.published)
    shared: LabelRanges = {
        name: ranges[name] for name in ("quality", "heat") if name in ranges and name in models.targets
    }
    sections = {section: policy.published_shift_ for section, policy in models.cascade.policies.items()}
    return {section: _shifted(shared, shift) for section, shift in {"": 0.0, **sections}.items()}


def _shifted(ranges: LabelRanges, shift: float) -> LabelRanges:
    """Ranges in the points of a section; a heat that does not lead is the same everywhere."""
    return {
        name: (low if name == "heat" and low == NOT_LEADING else low + shift, high + shift)
        for name, (low, high) in ranges.items()
    }


def _feature_ranges(booster: Booster) -> LabelRanges:
    """Ranges of the numeric features of a booster that have more than one value."""
    header = _HEADER.search(booster.text)
    if header is None:
        return {}
    pairs = zip(header[1].split(" "), header[2].split(" "), strict=True)
    matches = {name: _RANGE.fullmatch(info) for name, info in pairs}
    return {name: (float(match[1]), float(match[2])) for name, match in matches.items() if match is not None}
