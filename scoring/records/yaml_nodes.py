"""Strict YAML parser: values with line numbers, resolved aliases and merge keys, limits on size and depth."""

from __future__ import annotations

import yaml

from scoring.errors import Fault, RecordError
from scoring.records.node import MAX_DEPTH, MAX_VALUES, OPAQUE, Node


def parse_nodes(text: str, path: str, *, line: int = 2) -> Node:
    """Parse YAML to nodes.

    Parameters
    ----------
    text : str
        The YAML between the ``---`` lines.
    path : str
        File, for faults.
    line : int
        Line in the file where the text begins, from 1.

    Returns
    -------
    Node
        The root; aliases share one node, so that the tree is no larger than the text.

    Raises
    ------
    RecordError
        If it is not YAML, has more than one document, nests too deeply, or has too many values.
    """
    return build_nodes(compose(text, path, line=line), path, line=line)


def compose(text: str, path: str, *, line: int = 2) -> yaml.Node | None:
    """Parse to PyYAML nodes, which have character positions; see :func:`parse_nodes`."""
    try:
        _check_size(text, path, line)
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise RecordError(_describe(error, path, line)) from None
    return root


def build_nodes(root: yaml.Node | None, path: str, *, line: int = 2) -> Node:
    """Build nodes from the result of :func:`compose`; see :func:`parse_nodes`."""
    return Node(line, None) if root is None else _Builder(path, line).build(root)


def _check_size(text: str, path: str, line: int) -> None:
    depth = n_values = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            continue
        n_values += isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if depth > MAX_DEPTH:
            raise RecordError(_too_deep(path, _line_of(event, line)))
        if n_values > MAX_VALUES:
            fault = Fault(path, _line_of(event, line), "", "more values", f"at most {MAX_VALUES:,}")
            raise RecordError(fault)


def _describe(error: yaml.YAMLError, path: str, line: int) -> Fault:
    # The message comes from the parser; it never quotes the text.
    mark: yaml.error.Mark | None = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "a character that YAML does not allow"
    error_line = line + mark.line if mark is not None else 0
    if "nesting depth" in problem:  # libyaml has its own limit and reads ahead of its events
        return _too_deep(path, error_line)
    return Fault(path, error_line, "", f"YAML that does not parse ({problem})", "YAML")


def _too_deep(path: str, line: int) -> Fault:
    return Fault(path, line, "", "deeper nesting", f"at most {MAX_DEPTH} levels")


def _line_of(source: yaml.Node | yaml.Event, first: int) -> int:
    mark = source.start_mark
    return first + mark.line if mark is not None else first


class _Builder:
    """Converts PyYAML nodes, each once however many aliases point to it."""

    def __init__(self, path: str, line: int) -> None:
        self._path = path
        self._line = line
        self._done: dict[yaml.Node, Node | None] = {}
        self._n_merged = 0

    def build(self, source: yaml.Node) -> Node:
        if source in self._done:
            node = self._done[source]
            if node is None:
                raise self._fault(source, "an alias inside its own anchor", "a value")
            return node
        self._done[source] = None
        node = self._done[source] = self._build(source)
        return node

    def _build(self, source: yaml.Node) -> Node:
        line = _line_of(source, self._line)
        if not source.tag.startswith("tag:yaml.org,2002:"):
            raise self._fault(source, "a custom tag", "a plain value")
        if isinstance(source, yaml.ScalarNode):
            return Node(line, source.value, is_plain=not source.style)
        if isinstance(source, yaml.SequenceNode):
            return Node(line, [self.build(item) for item in source.value])
        fields: dict[str, Node] = {}
        repeated: list[tuple[str, int]] = []
        merged: list[Node] = []
        for key, value in source.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._fault(key, "a key that is not text", "text")
            if key.value == OPAQUE:
                continue
            if key.value == "<<" and not key.style:
                merged += self._merge(value)
            elif key.value in fields:
                repeated.append((key.value, _line_of(key, self._line)))
            else:
                fields[key.value] = self.build(value)
        for node in merged:  # explicit keys override merged ones
            fields = {**(node.value if isinstance(node.value, dict) else {}), **fields}
        return Node(line, fields, repeated=tuple(repeated))

    def _merge(self, source: yaml.Node) -> list[Node]:
        node = self.build(source)
        nodes = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(item.value, dict) for item in nodes):
            raise self._fault(source, "a merge key without a mapping", "a mapping")
        self._n_merged += sum(len(item.value or ()) for item in nodes)
        if self._n_merged > MAX_VALUES:
            raise self._fault(
                source, "too many values after alias expansion", f"at most {MAX_VALUES:,} values"
            )
        return nodes

    def _fault(self, source: yaml.Node, got: str, expected: str) -> RecordError:
        return RecordError(Fault(self._path, _line_of(source, self._line), "", got, expected))
