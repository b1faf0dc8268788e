"""The labels that a model learns and predicts."""

from __future__ import annotations

from typing import Literal

Target = Literal["quality", "heat", "published"]
Targets = tuple[Target, ...]

TARGETS: Targets = ("quality", "heat", "published")
"""Every label, in their order in files."""


_TEXTS: dict[Target, str] = {
    "quality": "a quality",
    "heat": "a heat",
    "published": "a published label",
}


def needed_label(targets: Targets) -> str:
    """Text of the label that every record needs to be learned from: the first of the targets.

    Examples
    --------
    >>> needed_label(("quality", "heat")), needed_label(("published",))
    ('a quality', 'a published label')
    """
    return _TEXTS[targets[0]]


def listed(targets: Targets) -> str:
    """Names of labels as text.

    Examples
    --------
    >>> listed(("quality", "heat", "published")), listed(("heat",))
    ('quality, heat and published', 'heat')
    """
    *first, last = targets
    return f"{', '.join(first)} and {last}" if first else last
