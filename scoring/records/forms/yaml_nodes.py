"""Strict YAML parser: values with line numbers, resolved aliases and merge keys, limits on size and depth.

A value that cannot be read is a problem of its own field, and refuses a record only if that field is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import yaml

from scoring.errors import Fault, RecordError
from scoring.records.forms.node import MAX_DEPTH, MAX_VALUES, OPAQUE, TOO_DEEP, Node, Problem
from scoring.records.forms.surrogate_pairs import SurrogatePairs
from scoring.records.forms.yaml_entries import Entry, blank_out, entry_at, swallows_key
from scoring.records.forms.yaml_problems import UNCLOSED_QUOTE, Cause, explain

_MAX_RECOVERIES = 20
_MAX_PARSED_CHARS = 10_000_000  # of all attempts to read a text without what does not parse
_MAX_NAMED = 2  # faults of a text that is refused as a whole, beside the last one
_MAX_KEY_CHARS = 60  # of a key in a fault
_CORE_TAGS = ("tag:yaml.org,2002:", "!")


class ProblemNode(yaml.Node):
    """A node that cannot be read; its value is what was found and what was expected."""

    id = "problem"
    value: tuple[str, str]


class Composed(NamedTuple):
    """Nodes with character positions, and the top-level fields that are not YAML, which are left out."""

    root: yaml.Node | None
    problems: tuple[tuple[str, Problem], ...]


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
        The root; aliases share one node, so that the tree is no larger than the text. A top-level field that
        is not YAML is a node with a problem, if the other fields can be read without it.

    Raises
    ------
    RecordError
        If it is not YAML, has more than one document, or has too many values.
    """
    return build_nodes(compose(text, path, line=line), path, line=line)


def compose(text: str, path: str, *, line: int = 2) -> Composed:
    """Parse to PyYAML nodes, which have character positions; see :func:`parse_nodes`."""
    pairs = SurrogatePairs(text)
    remaining = pairs.masked
    problems: list[tuple[str, Problem]] = []
    n_recoveries = min(_MAX_RECOVERIES, _MAX_PARSED_CHARS // max(len(text), 1))
    n_parsed = 0
    while True:
        composer = _Composer(remaining, pairs)
        try:
            return Composed(composer.compose(), tuple(problems))
        except _UnparsableError as error:
            cause = error.cause
            problem = Problem(line + cause.line, cause.got, cause.expected)
            entry = entry_at(remaining, cause.line)
            if entry.key == OPAQUE:
                entry = entry._replace(inner_key="")
                problem = problem._replace(got="YAML that does not parse")
        except _TooManyValuesError as error:
            fault = Fault(path, line + error.line, "", "more values", f"at most {MAX_VALUES:,}")
            raise RecordError(fault) from None
        n_parsed += composer.n_values
        is_last = len(problems) >= n_recoveries or n_parsed > MAX_VALUES
        if is_last or not entry.key or not cause.is_of_one_field:
            field = entry.key if cause.is_of_one_field else ""
            named = [*problems[:_MAX_NAMED], (field, problem)][: _MAX_NAMED + 1]
            raise RecordError(*(Fault(path, *_placed(key, other)) for key, other in named))
        problems.append((entry.key, _with_inner_key(problem, entry)))
        remaining = blank_out(remaining, entry)


def _placed(key: str, problem: Problem) -> tuple[int, str, str, str]:
    return (
        problem.line,
        key if len(key) <= _MAX_KEY_CHARS else f"{key[:_MAX_KEY_CHARS]}…",
        problem.got,
        problem.expected,
    )


def _with_inner_key(problem: Problem, entry: Entry) -> Problem:
    """The problem with the key of its line, if that is a field within the entry."""
    return problem._replace(got=f"{problem.got} (in '{entry.inner_key}')") if entry.inner_key else problem


def build_nodes(composed: Composed, path: str, *, line: int = 2) -> Node:
    """Build nodes from the result of :func:`compose`; see :func:`parse_nodes`."""
    root = Node(line, {}) if composed.root is None else _Builder(line).build(composed.root)
    if not composed.problems:
        return root if composed.root is not None else Node(line, None)
    if not isinstance(root.value, dict):
        raise RecordError(*(Fault(path, *_placed(key, problem)) for key, problem in composed.problems))
    fields, repeated = dict(root.value), list(root.repeated)
    for key, problem in composed.problems:
        if key in fields:
            repeated.append((key, problem.line))
        elif key != OPAQUE:
            fields[key] = Node(problem.line, None, problem=problem)
    return Node(root.line, fields, repeated=tuple(repeated), problem=root.problem)


class _UnparsableError(Exception):
    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause


class _TooManyValuesError(Exception):
    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class _Composer:
    """Composes PyYAML nodes from libyaml's events; unlike PyYAML's own, it accepts repeated anchors."""

    def __init__(self, text: str, pairs: SurrogatePairs) -> None:
        self._text, self._pairs = text, pairs
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.CSafeLoader)
        self._last: yaml.Event | None = None
        self._anchors: dict[str, yaml.Node] = {}
        self.n_values = 0

    def compose(self) -> yaml.Node | None:
        self._next()  # start of the stream
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        root = self._node(self._next(), 1)
        self._next()  # end of the document
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            cause = Cause(_mark(event).line, "a second document", "one document", is_of_one_field=False)
            raise _UnparsableError(cause)
        return root

    def _next(self) -> yaml.Event:
        try:
            event = next(self._events)
        except yaml.YAMLError as error:
            raise _UnparsableError(explain(error, self._last, self._text)) from None
        self._last = event
        if isinstance(event, yaml.NodeEvent):
            self.n_values += 1
            if self.n_values > MAX_VALUES:
                raise _TooManyValuesError(_mark(event).line)
        return event

    def _node(self, event: yaml.Event, depth: int) -> yaml.Node:
        if isinstance(event, yaml.AliasEvent):
            known = self._anchors.get(event.anchor or "")
            expected = f"its anchor '&{event.anchor}' above, or the value in quotes"
            return known or self._problem(event, event, "an alias without an anchor", expected)
        if isinstance(event, yaml.ScalarEvent):
            return self._anchored(event, self._scalar(event))
        if depth > MAX_DEPTH:
            return self._problem(event, self._skip(), *TOO_DEEP)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[yaml.Node] = []
            sequence = yaml.SequenceNode(event.tag or "", items, _mark(event), None, event.flow_style)
            self._anchored(event, sequence)
            while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                items.append(self._node(event, depth + 1))
            sequence.end_mark = _end(event)
            return sequence
        assert isinstance(event, yaml.MappingStartEvent)  # noqa: S101 -- no other event begins a node
        return self._mapping(event, depth)

    def _mapping(self, event: yaml.MappingStartEvent, depth: int) -> yaml.Node:
        pairs: list[tuple[yaml.Node, yaml.Node]] = []
        mapping = yaml.MappingNode(event.tag or "", pairs, _mark(event), None, event.flow_style)
        self._anchored(event, mapping)
        while not isinstance(key_event := self._next(), yaml.MappingEndEvent):
            key = self._node(key_event, depth + 1)
            value_event = self._next()
            if isinstance(key, yaml.ScalarNode) and key.value == OPAQUE:
                is_collection = isinstance(value_event, yaml.CollectionStartEvent)
                end = self._skip() if is_collection else value_event
                pairs.append((key, self._problem(value_event, end, "an opaque value", "nothing")))
            else:
                pairs.append((key, self._node(value_event, depth + 1)))
        mapping.end_mark = _end(key_event)
        return mapping

    def _scalar(self, event: yaml.ScalarEvent) -> yaml.ScalarNode:
        start, end = _mark(event), _end(event)
        if event.style in ("'", '"') and start.line < end.line:
            source = self._text[start.index : end.index]
            if swallows_key(source):
                raise _UnparsableError(Cause(start.line, *UNCLOSED_QUOTE))
        value = self._pairs.restore(event.value, is_escape=event.style == '"')
        return yaml.ScalarNode(event.tag or "", value, start, end, event.style)

    def _anchored(self, event: yaml.NodeEvent, node: yaml.Node) -> yaml.Node:
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _skip(self) -> yaml.Event:
        """Skip the events of a collection up to its end, which is returned; its anchors are not known."""
        depth = 1
        while True:
            event = self._next()
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if not depth:
                return event

    @staticmethod
    def _problem(start: yaml.Event, end: yaml.Event, got: str, expected: str) -> yaml.Node:
        return ProblemNode("", (got, expected), _mark(start), _end(end))


def _mark(source: yaml.Node | yaml.Event) -> yaml.error.Mark:
    return cast("yaml.error.Mark", source.start_mark)  # libyaml always sets it


def _end(event: yaml.Event) -> yaml.error.Mark:
    return cast("yaml.error.Mark", event.end_mark)


class _Builder:
    """Converts PyYAML nodes, each once however many aliases point to it."""

    def __init__(self, line: int) -> None:
        self._line = line
        self._done: dict[yaml.Node, Node | None] = {}
        self._n_merged = 0

    def build(self, source: yaml.Node) -> Node:
        if source in self._done:
            node = self._done[source]
            return node or self._problem(source, "an alias inside its own anchor", "a value")
        self._done[source] = None
        node = self._done[source] = self._build(source)
        return node

    def _build(self, source: yaml.Node) -> Node:
        line = self._line + _mark(source).line
        if isinstance(source, ProblemNode):
            return self._problem(source, *source.value)
        if source.tag and not source.tag.startswith(_CORE_TAGS[0]) and source.tag != _CORE_TAGS[1]:
            return self._problem(source, "a custom tag", "a plain value")
        if isinstance(source, yaml.ScalarNode):
            return Node(line, source.value, is_plain=not source.style)
        if isinstance(source, yaml.SequenceNode):
            return Node(line, [self.build(item) for item in source.value])
        fields: dict[str, Node] = {}
        repeated: list[tuple[str, int]] = []
        merged: list[Node] = []
        problem: Problem | None = None
        for key, value in source.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # no field has such a key
            if key.value == OPAQUE:
                continue
            if key.value == "<<" and not key.style:
                nodes = self._merge(value)
                merged += [node for node in nodes if isinstance(node.value, dict)]
                problem = next((node.problem for node in nodes if node.problem is not None), problem)
            elif key.value in fields:
                repeated.append((key.value, self._line + _mark(key).line))
            else:
                fields[key.value] = self.build(value)
        for node in merged:  # explicit keys override merged ones
            fields = {**(node.value if isinstance(node.value, dict) else {}), **fields}
        if source.value and not any(isinstance(key, yaml.ScalarNode) for key, _ in source.value):
            return self._problem(source, "a key that is not text", "text: put the value in quotes")
        return Node(line, fields, repeated=tuple(repeated), problem=problem)

    def _merge(self, source: yaml.Node) -> list[Node]:
        node = self.build(source)
        nodes = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(item.value, dict) for item in nodes):
            return [self._problem(source, "a merge key without a mapping", "a mapping")]
        self._n_merged += sum(len(item.value or ()) for item in nodes)
        if self._n_merged > MAX_VALUES:
            expected = f"at most {MAX_VALUES:,} values"
            return [self._problem(source, "too many values after alias expansion", expected)]
        return nodes

    def _problem(self, source: yaml.Node, got: str, expected: str) -> Node:
        line = self._line + _mark(source).line
        return Node(line, None, problem=Problem(line, got, expected))
