"""Labels by the rules of a field map: from the values of a file to labels, and back."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal

import msgspec

from scoring.records.field_maps.field_map import LABELS, FieldMap, LabelRule
from scoring.records.forms.label_positions import OWN_KEYS, LabelKeys
from scoring.records.forms.node import Node, at_key
from scoring.records.reading_warnings import unusable_label
from scoring.records.record import MAX_INTEGER, Labels

Label = int | bool

NOT_LEADING = -1
"""Heat of a record whose story another record leads."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})")
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read_labels(root: Node, field_map: FieldMap) -> tuple[dict[str, Label], tuple[str, ...]]:
    """Read the labels of a record.

    Returns
    -------
    tuple of dict of str to int or bool and tuple of str
        The labels that the record has, and a warning for each value that cannot be used.
    """
    labels: dict[str, Label] = {}
    warnings = []
    for name in LABELS:  # published may follow from the others
        rule = field_map.labels.get(name)
        if rule is None:
            continue
        if rule.label:
            value: Label | None = labels.get(rule.label)
            if value is not None:
                labels[name] = value >= (rule.at_least or 0)
            continue
        node = at_key(root, rule.key)
        if node is None or node.is_null or node.value == "":
            continue
        value = _label(name, node, rule)
        if value is None:
            warnings.append(unusable_label(rule.key, node.describe(), _expected(name, rule)))
        else:
            labels[name] = value
    return labels, tuple(warnings)


def label_texts(root: Node, field_map: FieldMap) -> dict[str, tuple[str, str]]:
    """Return the key and the text of each label that has one, usable or not.

    A label that follows from another one has the key and text of that.
    """
    texts: dict[str, tuple[str, str]] = {}
    for name, rule in field_map.labels.items():
        source = field_map.labels.get(rule.label, rule) if rule.label else rule
        node = at_key(root, source.key) if source.key else None
        if node is not None and isinstance(node.value, str) and not node.is_null:
            texts[name] = (source.key, node.value)
    return texts


def read_text(name: str, text: str, rule: LabelRule) -> Label | None:
    """Read a label from its text in a file; None if it cannot be used."""
    return _label(name, Node(1, text, is_plain=True), rule)


def _label(name: str, node: Node, rule: LabelRule) -> Label | None:
    if not isinstance(node.value, str):
        return None
    if rule.choices:
        return rule.choices.get(node.value)
    if name == "published" and rule.at_least is None:
        truth = _TRUTHS.get(node.value.lower())
        return None if truth is None else truth != rule.invert
    if not _NUMBER.fullmatch(node.value):
        return None
    number = float(node.value)
    if name == "published":
        return (number >= (rule.at_least or 0)) != rule.invert
    is_not_leading = name == "heat" and rule.is_in_points and number == NOT_LEADING
    if not is_not_leading and not _lowest(rule) <= number <= _highest(rule):
        return None
    exact = number * rule.scale + rule.offset
    if not abs(exact) <= MAX_INTEGER:  # nor a number, by the map of a damaged model or journal
        return None
    points = math.floor(exact + 0.5)
    return points if name != "heat" or points >= NOT_LEADING else None


def _expected(name: str, rule: LabelRule) -> str:
    if rule.choices:
        return f"one of {', '.join(rule.choices)}"
    if name == "published" and rule.at_least is None:
        return "true or false"
    limits = [f"from {rule.min:g}"] if rule.min is not None else []
    limits += [f"to {rule.max:g}"] if rule.max is not None else []
    return " ".join(["a number", *limits])


def _lowest(rule: LabelRule) -> float:
    return -math.inf if rule.min is None else rule.min


def _highest(rule: LabelRule) -> float:
    return math.inf if rule.max is None else rule.max


def spell_label(name: str, value: Label, rule: LabelRule) -> str | None:
    """Return the value of a label in the file's unit, as plain text; None if it cannot be written back.

    Parameters
    ----------
    name : str
        The label.
    value : int or bool
        Points, or whether the record is published.
    rule : LabelRule
        Its rule.

    Examples
    --------
    >>> spell_label("quality", 87, LabelRule(key="rating", scale=20, step=0.5, min=1, max=5))
    '4.5'
    >>> spell_label("published", True, LabelRule(key="draft", invert=True))
    'false'
    """
    if not rule.is_written or (name == "heat" and value == NOT_LEADING and not rule.is_in_points):
        return None  # in another unit, that another record leads would be read as a heat
    if rule.choices:
        return min(rule.choices, key=lambda text: (abs(rule.choices[text] - value), -rule.choices[text]))
    if name == "published":
        return str(bool(value) != rule.invert).lower()
    step = Decimal(repr(rule.step))
    number = round((value - rule.offset) / rule.scale / rule.step) * step
    if rule.min is not None:
        number = max(number, Decimal(repr(rule.min)))
    if rule.max is not None:
        number = min(number, Decimal(repr(rule.max)))
    return f"{number.normalize():f}"


def spell_in(name: str, value: Label, field_map: FieldMap) -> str:
    """Return the source text of a label in a file; a text is in double quotes, as all forms allow.

    Raises
    ------
    ValueError
        If the map does not write this label.
    """
    rule = field_map.labels.get(name)
    text = spell_label(name, value, rule) if rule is not None else None
    if rule is None or text is None:
        raise ValueError(f"the field map does not write {name}")
    return json.dumps(text, ensure_ascii=False) if rule.choices else text


def label_keys(field_map: FieldMap | None) -> LabelKeys:
    """Return the key of each label that can be written."""
    if field_map is None:
        return OWN_KEYS
    return {name: rule.key for name, rule in field_map.labels.items() if rule.is_written}


def as_written(labels: Labels, field_map: FieldMap | None) -> Labels:
    """Return labels as they are read back once written; None for a label that the map does not write.

    Examples
    --------
    >>> rating = FieldMap({}, {"quality": LabelRule(key="rating", scale=20, max=5)})
    >>> as_written(Labels(quality=87, heat=120), rating)
    Labels(quality=80, heat=None, published=None)
    """
    if field_map is None:
        return labels
    values: dict[str, Label | None] = {}
    for name, rule in field_map.labels.items():
        value = getattr(labels, name)
        text = None if value is None else spell_label(name, value, rule)
        values[name] = None if text is None else read_text(name, text, rule)
    return msgspec.convert(values, Labels)
