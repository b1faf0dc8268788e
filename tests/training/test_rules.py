"""The rules that a fitted model learned."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from scoring.training.rules import learned_rules
from tests.sites import LabelledSite


def test_a_length_that_first_adds_and_then_hardly_does_has_a_rule(first_site: LabelledSite) -> None:
    models = first_site.models
    hinges = {"title_chars": [(60.0, 2.0), (75.0, -1.9)]}  # beyond 75 characters: 0.1 for each from -225 on
    rubric = msgspec.structs.replace(models.quality.rubric, hinges_=hinges)
    (group,) = learned_rules(first_site.later, replace(models.quality, rubric=rubric), models.cascade)
    knots = [rule.value for rule in group.rules if rule.name == "title_chars from"]
    assert knots == [60.0]
