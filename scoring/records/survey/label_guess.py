"""Guess the rules of labels from the values of their keys: ratings, grades, drafts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from scoring.records.field_maps.field_map import LabelRule
from scoring.records.survey.archive_survey import KeySummary

CERTAIN_RATIO = 0.9
"""Share of the values of a key that must be of the expected kind."""

_MAX_CHOICES = 12
_CONTAINERS = frozenset({"taxonomies", "extra", "params", "meta", "data", "custom"})
# Names of keys, the likeliest first, in lower case without separators.
_RATINGS = (
    "quality",
    "rating",
    "myrating",
    "score",
    "stars",
    "grade",
    "points",
    "weight",
    "priority",
    "rank",
)
_HEATS = ("heat",)
_SHOWN = ("published", "publish", "public", "visible", "featured", "status", "state")
_HIDDEN = ("draft", "hidden", "private", "unlisted", "archived", "unpublished")
_SHOWN_TEXTS = frozenset({"published", "publish", "public", "live", "yes", "true", "visible"})


def normal_name(key: str) -> str:
    """Key in lower case without separators and without the name of a container, as in the tables above."""
    container, _, name = key.rpartition(".")
    return re.sub(r"[^a-z]", "", (name if container.lower() in _CONTAINERS else key).lower())


def numbers_of(summary: KeySummary) -> list[float]:
    numbers = []
    for text in summary.values:
        try:
            numbers.append(float(text))
        except ValueError:
            continue
    return [number for number in numbers if math.isfinite(number)]


def _rating(summary: KeySummary) -> LabelRule | None:
    """Rule of a rating: the largest value, rounded up to 5, 10 or 100, is worth 100 points."""
    if summary.kind == "number" and summary.share_of("number") >= CERTAIN_RATIO:
        numbers = numbers_of(summary)
        if len(numbers) < 2:
            return None
        top = next((top for top in (1, 5, 10, 100) if max(numbers) <= top), None)
        if top is None or min(numbers) < 0 or summary.key.rpartition(".")[2] == "quality":
            return LabelRule(key=summary.key, step=_step(numbers))
        return LabelRule(
            key=summary.key,
            scale=100 / top,
            step=_step(numbers),
            min=min(min(numbers), 1.0 if top > 1 else 0.0),
            max=float(top),
        )
    if summary.kind == "text" and 2 <= len(summary.values) <= _MAX_CHOICES:
        return _ordered(summary)
    return None


def _ordered(summary: KeySummary) -> LabelRule | None:
    """Rule of grades from A on, or of texts of one character, such as stars: five of them are 100 points."""
    texts = sorted(summary.values)
    if all(re.fullmatch(r"[A-Fa-f][+-]?", text) for text in texts):
        ranked = sorted(texts, key=lambda text: (text[0].upper(), {"+": 0, "": 1, "-": 2}[text[1:]]))
        n_steps = max(len(ranked) - 1, 1)
        points = {text: round(100 - 100 * place / n_steps) for place, text in enumerate(ranked)}
    elif len(set("".join(texts))) == 1:
        longest = max(5, *map(len, texts))
        points = {text: round(100 * len(text) / longest) for text in sorted(texts, key=len, reverse=True)}
    else:
        return None
    return LabelRule(key=summary.key, choices=dict(points))


def _step(numbers: Sequence[float]) -> float:
    """Largest of 1, 1/2, 1/4 and 1/10 that all numbers are a multiple of; 1/100 otherwise."""
    for step in (1.0, 0.5, 0.25, 0.1):
        if all(Fraction(str(number)) % Fraction(str(step)) == 0 for number in numbers):
            return step
    return 0.01


def _plain_number(summary: KeySummary) -> LabelRule | None:
    return LabelRule(key=summary.key) if summary.share_of("number") >= CERTAIN_RATIO else None


def _shown(summary: KeySummary) -> LabelRule | None:
    name = normal_name(summary.key)
    if summary.share_of("boolean") >= CERTAIN_RATIO:
        is_constant = len({text.lower() for text in summary.values}) < 2  # nothing can be learned from it
        return None if is_constant else LabelRule(key=summary.key, invert=name in _HIDDEN)
    if name in ("status", "state") and 2 <= len(summary.values) <= _MAX_CHOICES:
        shown = {text: text.lower() in _SHOWN_TEXTS for text in summary.values}
        return LabelRule(key=summary.key, choices=dict(shown)) if any(shown.values()) else None
    return None


LABEL_NAMES: Mapping[str, tuple[Sequence[str], Callable[[KeySummary], LabelRule | None]]] = {
    "quality": (_RATINGS, _rating),
    "heat": (_HEATS, _plain_number),
    "published": ((*_SHOWN, *_HIDDEN), _shown),
}
"""Names of keys that may hold each label, and what returns its rule: None if the values are none."""
