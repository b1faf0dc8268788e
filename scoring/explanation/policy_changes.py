"""Changes of a policy in words."""

from __future__ import annotations

from scoring.explanation.rule_texts import condition_of, meaning_of, shown, signed
from scoring.model.policy_change import ChangedEffect, PolicyChange

MAX_EFFECTS = 4  # in a sentence


def change_sentence(change: PolicyChange) -> str:
    """A change in one line.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> since, effects = datetime(2021, 5, 1, tzinfo=UTC), (ChangedEffect("has_image", 20.0, 8.0),)
    >>> print(change_sentence(PolicyChange("", "quality", since, 300, 40, effects)).partition(": ")[0])
    quality follows other rules since 2021-05-01 00:00 UTC (40 labels; 300 before)
    """
    texts = [effect_text(effect) for effect in change.effects[:MAX_EFFECTS]]
    if len(change.effects) > MAX_EFFECTS:
        texts.append(f"{len(change.effects) - MAX_EFFECTS} more")
    counts = f"{change.n_since:,} labels; {change.n_before:,} before"
    what = "; ".join(texts) or "many small effects"
    place = f"section {change.section}: " if change.section else ""
    return f"{place}{change.target} follows other rules since {moment_of(change)} ({counts}): {what}"


def moment_of(change: PolicyChange) -> str:
    """When the first record that follows the new rules was published."""
    return f"{change.since:%Y-%m-%d %H:%M} UTC"


def effect_text(effect: ChangedEffect) -> str:
    """A changed effect in words.

    Examples
    --------
    >>> effect_text(ChangedEffect("has_image", 20.0, 7.98))
    '+7.98, not +20, where the record has an image'
    >>> effect_text(ChangedEffect("scale", 1.0, 0.8))
    'all points are 0.8 times what they were'
    """
    before, since = shown(effect.before), shown(effect.since)
    kind, _, name = effect.name.partition(" ")
    if effect.name == "scale":
        return f"all points are {since} times what they were"
    if effect.name == "shift":
        return f"{signed(effect.since - effect.before)} everywhere"
    if effect.name == "bonus":
        return f"each related record adds {since}, not {before}, to the heat of a lead"
    if effect.name == "bonus from":
        return f"it does where the quality of the lead is {since} or more, not {before}"
    if effect.name == "published from":
        return f"published from a heat of {since}, not {before}"
    if name == "from":
        first, other = shown(effect.since + 1), shown(effect.before + 1)
        return f"{meaning_of(kind)}: counts from character {first} on, not {other}"
    values = f"{signed(effect.since)}, not {signed(effect.before)},"
    if kind in ("provider", "topic"):
        return f"{values} for the {kind} {name}"
    return f"{values} {condition_of(effect.name)}"
