"""Wording of the changes of a policy."""

from __future__ import annotations

from scoring.explanation.rule_texts import condition_of, meaning_of, points_of, shown, signed
from scoring.model.policy_change import ChangedEffect, PolicyChange

MAX_EFFECTS = 4  # listed in a sentence


def change_sentence(change: PolicyChange) -> str:
    """A change in one line.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> since, effects = datetime(2021, 5, 1, tzinfo=UTC), (ChangedEffect("has_image", 20.0, 8.0),)
    >>> print(change_sentence(PolicyChange("", "quality", since, 300, 40, effects)).partition(": ")[0])
    quality has followed different rules since 2021-05-01 00:00 UTC (40 labels since then, 300 before)
    """
    texts = [effect_text(effect) for effect in change.effects[:MAX_EFFECTS]]
    if len(change.effects) > MAX_EFFECTS:
        texts.append(f"{len(change.effects) - MAX_EFFECTS} more")
    counts = f"{change.n_since:,} labels since then, {change.n_before:,} before"
    effects = "; ".join(texts) or "many small effects"
    section = f"section {change.section}: " if change.section else ""
    since = moment_of(change)
    return f"{section}{change.target} has followed different rules since {since} ({counts}): {effects}"


def moment_of(change: PolicyChange) -> str:
    """Time of publication of the first record that follows the new rules."""
    return f"{change.since:%Y-%m-%d %H:%M} UTC"


def effect_text(effect: ChangedEffect) -> str:
    """A changed effect in words.

    Examples
    --------
    >>> effect_text(ChangedEffect("has_image", 20.0, 7.98))
    '+7.98 instead of +20 where the record has an image'
    >>> effect_text(ChangedEffect("scale", 1.0, 0.8))
    'all points multiplied by 0.8'
    """
    before, since = shown(effect.before), shown(effect.since)
    kind, _, name = effect.name.partition(" ")
    if effect.name == "scale":
        return f"all points multiplied by {since}"
    if effect.name == "shift":
        return f"{signed(effect.since - effect.before)} for every record"
    if effect.name == "bonus":
        return f"each related record adds {since} instead of {before} to the heat of a lead"
    if effect.name == "bonus from":
        return (
            f"related records add heat only to a lead with a quality of {since} or more instead of {before}"
        )
    if effect.name == "published from":
        return f"published from a heat of {since} instead of {before}"
    if name == "from":
        start, earlier_start = shown(effect.since + 1), shown(effect.before + 1)
        return f"{meaning_of(kind)}: counts from character {start} on instead of {earlier_start}"
    values = f"{points_of(kind, effect.since)} instead of {points_of(kind, effect.before)}"
    if kind in ("provider", "topic"):
        return f"{values} for the {kind} {name}"
    return f"{values} {condition_of(effect.name)}"
