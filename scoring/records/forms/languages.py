"""The languages of front matter behind one interface: values with their lines, and positions of labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scoring.records.forms.front_matter import Language
from scoring.records.forms.label_positions import LabelKeys, Layout, lay_out
from scoring.records.forms.node import Node
from scoring.records.forms.yaml_nodes import build_nodes, compose


class Form(NamedTuple):
    """One language of front matter; each function takes a text, its file for faults, and its first line.

    Parameters
    ----------
    parse : callable
        Returns the values of the text.
    parse_with_labels : callable
        Takes the keys of the labels too; returns the values with the positions of the labels.
    """

    parse: Callable[[str, str, int], Node]
    parse_with_labels: Callable[[str, str, int, LabelKeys], tuple[Node, Layout]]


def form_of(language: Language) -> Form:
    """Return the form of a language."""
    if language == "toml":
        from scoring.records.forms import toml_form

        return Form(toml_form.parse, toml_form.parse_with_labels)
    if language == "json":
        from scoring.records.forms import json_form

        return Form(json_form.parse, json_form.parse_with_labels)
    return Form(_parse_yaml, _parse_yaml_with_labels)


def _parse_yaml(text: str, path: str, line: int) -> Node:
    return build_nodes(compose(text, path, line=line), path, line=line)


def _parse_yaml_with_labels(text: str, path: str, line: int, keys: LabelKeys) -> tuple[Node, Layout]:
    composed = compose(text, path, line=line)
    return build_nodes(composed, path, line=line), lay_out(composed, text, path, keys)
