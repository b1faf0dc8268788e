"""Wording of the rules of a policy."""

from __future__ import annotations

from scoring.features.encoding import ALL_COLUMNS
from scoring.model.rules import Rule

_MEANINGS = {column.name: column.meaning for column in ALL_COLUMNS}
_COUNTED = {column.name for column in ALL_COLUMNS if column.type == "count"}
_TEXTS = {"title_chars": "title", "excerpt_chars": "excerpt"}
CLASSES = ("providers", "topics", "words")


def text_of(rule: Rule) -> str:
    """A rule in words.

    Examples
    --------
    >>> text_of(Rule("quality", "has_image", 20.0, 19.5, 20.5, 900))
    '+20 where the record has an image'
    >>> text_of(Rule("quality", "title_chars from", 70.0, 69.0, 71.0, 300))
    'length of the title: counts from character 71 on'
    """
    value = shown(rule.value)
    if rule.name == "floor":
        return f"never below {value}"
    if rule.name == "best leads":
        return "a record leads its story where no related record has a higher quality"
    if rule.name == "bonus":
        return f"each related record adds {value} to the heat of a lead"
    if rule.name == "bonus from":
        return f"related records add heat only to a lead with a quality of {value} or more"
    if rule.name == "published from":
        return f"published from a heat of {value}"
    column, _, detail = rule.name.partition(" ")
    if detail == "from":
        return f"{meaning_of(column)}: counts from character {shown(rule.value + 1)} on"
    if column in CLASSES:
        return f"{signed(rule.value)} for {_names_of(column, rule)}"
    return f"{points_of(column, rule.value)} {condition_of(column)}"


def points_of(column: str, value: float) -> str:
    """Points of a column with their sign; points per character are small, so that they have two digits.

    Examples
    --------
    >>> points_of("has_image", 20.004), points_of("excerpt_chars", 0.00418), points_of("title_chars", -0.5)
    ('+20', '+0.0042', '-0.5')
    """
    return f"{value:+.2g}" if column in _TEXTS and 0 < abs(value) < 0.1 else signed(value)


def _names_of(kind: str, rule: Rule) -> str:
    """Names of the most frequent providers, topics or words of a rule, and the number of all."""
    if not rule.names:  # models of an earlier version
        return f"some {kind}"
    if rule.n_names == 1:
        return f"the {kind.removesuffix('s')} {rule.names[0]}"
    group = "title words, with their topics" if kind == "words" else kind
    n_more = rule.n_names - len(rule.names)
    return f"each of {rule.n_names} {group}: {', '.join(rule.names)}{f' and {n_more} more' if n_more else ''}"


def meaning_of(column: str) -> str:
    """Meaning of a column, as in the catalogue of features."""
    return _MEANINGS.get(column, column)


def condition_of(column: str) -> str:
    """The condition under which a column gives points.

    Examples
    --------
    >>> condition_of("has_image")
    'where the record has an image'
    >>> condition_of("title_chars")
    'for each character of the title that counts'
    """
    if column in _TEXTS:
        return f"for each character of the {_TEXTS[column]} that counts"
    meaning = meaning_of(column)
    return f"for each of: {meaning}" if column in _COUNTED else f"where {meaning}"


def signed(value: float) -> str:
    """A number with its sign.

    Examples
    --------
    >>> signed(20.004), signed(-0.5)
    ('+20', '-0.5')
    """
    return f"{'+' if value >= 0 else ''}{shown(value)}"


def interval_of(rule: Rule) -> str:
    """The 95 % interval of a rule's value; empty if it has none."""
    return "" if rule.low == rule.high else f"{shown(rule.low)} to {shown(rule.high)}"


def shown(value: float) -> str:
    """A number with at most two decimals, without trailing zeros.

    Examples
    --------
    >>> shown(20.004), shown(-0.5), shown(8.91)
    ('20', '-0.5', '8.91')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.005 else "0"
