"""Sections of rows: name, whether the model knows it, and its scale of points."""

from __future__ import annotations

from sys import intern
from typing import NamedTuple

from scoring.artifact.saved_model import SavedModel
from scoring.features.table import FeatureTable


class RowSection(NamedTuple):
    """Section of a record, by the model's own rule.

    Parameters
    ----------
    name : str
        The section; empty if the rule names none.
    is_known : bool
        Whether the model has learned from records of it.
    scale : str
        Name of the scale of quality and heat: the section if it has a policy of its own, else empty. Points
        on different scales cannot be compared.
    """

    name: str
    is_known: bool
    scale: str


def sections_of(saved: SavedModel, table: FeatureTable) -> list[RowSection]:
    """Section of each record.

    Parameters
    ----------
    saved : SavedModel
        The model.
    table : FeatureTable
        Features of `n_records` records, extracted by the model's rule of sections.

    Returns
    -------
    list of RowSection
        One for each record.
    """
    models = saved.models
    own = {*models.quality.policies, *models.cascade.policies}
    is_unseen = models.quality.is_of_unseen_section(table).tolist()
    return [
        RowSection(intern(name), not is_unknown, intern(name) if name in own else "")
        for name, is_unknown in zip(table.text("topic_section").tolist(), is_unseen, strict=True)
    ]
