"""Write docs/api.md, the reference of the Python API, from the docstrings; run by ``make docs``.

Griffe reads the source without importing it; numpydoc parses the docstrings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import griffe
from numpydoc.docscrape import NumpyDocString, Parameter

ROOT = Path(__file__).resolve().parents[1]

INTRODUCTION = """\
# Python API

Written by `make docs` from the docstrings; a test checks that the two agree. [python.md](python.md) shows the
functions in use, and the notebooks [train-and-explain](notebooks/train-and-explain.ipynb) and
[compare-and-promote](notebooks/compare-and-promote.ipynb) show whole sessions.
"""

GROUPS: dict[str, tuple[str, ...]] = {
    "Read": ("read_records", "read_frame", "validate", "FieldMap"),
    "Score and explain": ("load_model", "score", "explain", "extract_features", "Model"),
    "Related records": ("relate", "derive_coverage", "RelatedRecord", "Relations"),
    "Train and evaluate": ("train", "evaluate", "compare", "backtest", "measure_drift", "suggest"),
    "Deploy": ("promote", "RecordModel"),
    "Settings": ("load_settings", "Settings"),
    "Records": ("Document", "Record", "Provider", "Image", "Coverage", "Labels"),
    "Results": ("Score", "Explanation", "Reason", "Evaluation", "Figure", "Slice", "Comparison"),
    "Errors": (
        *("ScoringError", "RecordError", "Fault", "FeatureError", "FieldMapError", "HomeError", "ModelError"),
        *("SettingsError", "TrackingError"),
    ),
}
"""Names of the package by heading; ``__version__`` is a text and needs no entry."""

RETURNED = {
    "scoring.workflows.train": ("TrainOutcome",),
    "scoring.workflows.evaluate": ("EvaluateOutcome",),
    "scoring.workflows.backtest": ("BacktestOutcome",),
    "scoring.workflows.results": ("Comparisons",),
    "scoring.workflows.drift": ("DriftOutcome",),
    "scoring.workflows.suggest": ("SuggestOutcome", "Suggestion"),
    "scoring.workflows.promote": ("PromoteOutcome",),
    "scoring.workflows.validate": ("Validation",),
    "scoring.explanation.policy": ("PolicyLine",),
    "scoring.explanation.contribution_table": ("ContributionTable",),
    "scoring.training.config": ("TrainConfig",),
}
"""Classes that functions take or return, by their module."""

_ROLE = re.compile(r":(func|class|meth|mod|data|attr|exc):`~?([\w.]+)`")
_CLASS = re.compile(r"(?<!matplotlib )\b[A-Z]\w+")
_LITERAL = re.compile(r"``(.+?)``")
_LISTS = ("Parameters", "Attributes", "Returns", "Yields", "Raises")
_TEXTS = ("Summary", "Extended Summary", "Notes", "References", "Examples", "signature", "index")


def reference() -> str:
    """The whole page."""
    package = _loaded()
    return _Page(package).text()


def _loaded() -> griffe.Module:
    loader = griffe.GriffeLoader(search_paths=[ROOT])
    package = loader.load("scoring")
    assert isinstance(package, griffe.Module)  # noqa: S101 -- the name is that of a package
    loader.resolve_aliases()
    return package


class _Page:
    """The names to document, their headings and their text."""

    def __init__(self, package: griffe.Module) -> None:
        self._groups: dict[str, list[tuple[str, griffe.Object]]] = {
            heading: [(f"scoring.{name}", _target(package[name])) for name in names]
            for heading, names in GROUPS.items()
        }
        self._groups["Types that functions take and return"] = [
            (f"{module}.{name}", _target(package[f"{module}.{name}".removeprefix("scoring.")]))
            for module, names in RETURNED.items()
            for name in names
        ]
        estimators = package["sklearn"]
        self._groups["Estimators"] = [
            (f"scoring.sklearn.{name}", _target(estimators[name])) for name in _exports(estimators)
        ]
        named = {name for names in GROUPS.values() for name in names}
        if missing := set(_exports(package)) - named - {"__version__"}:
            raise ValueError(f"docs/write_api.py: GROUPS has no entry for {', '.join(sorted(missing))}")
        self._links = dict(self._anchors())

    def text(self) -> str:
        """The page."""
        parts = [INTRODUCTION, "\n".join(self._contents())]
        for heading, entries in self._groups.items():
            parts.append(f"## {heading}")
            for name, value in entries:
                parts += self._entry(name, value)
        return "\n\n".join(part.strip("\n") for part in parts) + "\n"

    def _contents(self) -> Iterator[str]:
        for heading, entries in self._groups.items():
            links = (
                f"[`{name.rpartition('.')[2]}`](#{_slug(_title(name, value))})" for name, value in entries
            )
            yield f"- **{heading}**: {', '.join(links)}"

    def _anchors(self) -> Iterator[tuple[str, str]]:
        """Anchor of each name, as docstrings may spell it."""
        for entries in self._groups.values():
            for name, value in entries:
                short = name.rpartition(".")[2]
                anchor = _slug(_title(name, value))
                yield from ((spelled, anchor) for spelled in (name, short, value.path))
                for method in _methods(value):
                    title = f"{short}.{method.name}"
                    yield from (
                        (prefix + title, _slug(title)) for prefix in ("", "scoring.", "scoring.sklearn.")
                    )

    def _entry(self, name: str, value: griffe.Object) -> Iterator[str]:
        yield f"### {_title(name, value)}"
        short = name.rpartition(".")[2]
        if isinstance(value, griffe.Function):
            yield _code(_signature(name, value))
        elif (
            isinstance(init := value.members.get("__init__"), griffe.Function)
            and "dataclass" not in value.labels
        ):
            yield _code(_signature(name, init))  # only functions make data classes, which are results
        yield from self._docstring(value, short)
        for method in _methods(value):
            yield f"#### {short}.{method.name}"
            if isinstance(method, griffe.Function):
                yield _code(_signature(f"{_variable(short)}.{method.name}", method))
            yield from self._docstring(method, short)

    def _docstring(self, value: griffe.Object, owner: str) -> Iterator[str]:
        if value.docstring is None:
            raise ValueError(f"{value.path}: no docstring")
        document = NumpyDocString(value.docstring.value)
        if others := [name for name in document if document[name] and name not in (*_LISTS, *_TEXTS)]:
            raise ValueError(f"{value.path}: sections that are not rendered: {', '.join(others)}")
        for name in ("Summary", "Extended Summary"):
            if document[name]:
                yield self._markdown("\n".join(document[name]), owner)
        for name in _LISTS:
            if document[name]:
                yield f"**{name}**"
                yield "\n".join(self._item(item, owner) for item in document[name])
        for name in ("Notes", "References"):
            if document[name]:
                yield f"**{name}**"
                yield self._markdown("\n".join(document[name]), owner)
        if document["Examples"]:
            yield "**Examples**"
            yield _code("\n".join(document["Examples"]).strip())

    def _item(self, item: Parameter, owner: str) -> str:
        name = ", ".join(f"`{part.strip()}`" for part in item.name.split(",")) if item.name else ""
        kind = _CLASS.sub(self._class, item.type)
        start = f"{name} ({kind})" if name and kind else name or kind
        text = self._markdown("\n".join(item.desc), owner).replace("\n", "\n  ")
        return f"- {start}: {text}" if text else f"- {start}"

    def _class(self, match: re.Match[str]) -> str:
        anchor = self._links.get(match[0], "")
        return f"[{match[0]}](#{anchor})" if anchor.startswith("class-") else match[0]

    def _markdown(self, text: str, owner: str) -> str:
        """Text of a docstring as Markdown, on one line a paragraph, with links to the names of this page."""

        def linked(match: re.Match[str]) -> str:
            role, name = match.groups()
            own = self._links.get(f"{owner}.{name}") if role == "meth" else None
            anchor = own or self._links.get(name)
            return f"[`{_short(name)}`](#{anchor})" if anchor else f"`{name}`"

        paragraphs = re.split(r"\n\s*\n", _LITERAL.sub(r"`\1`", _ROLE.sub(linked, text)).strip())
        return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _target(value: griffe.Object | griffe.Alias) -> griffe.Object:
    return value.final_target if isinstance(value, griffe.Alias) else value


def _exports(module: griffe.Object | griffe.Alias) -> list[str]:
    return [str(name) for name in module.exports or ()]


def _title(name: str, value: griffe.Object) -> str:
    return f"class {name}" if isinstance(value, griffe.Class) else name


def _short(name: str) -> str:
    """A name without its modules.

    Examples
    --------
    >>> _short("scoring.settings.Settings"), _short("scoring.Model.explain")
    ('Settings', 'Model.explain')
    """
    *_, owner, last = ["", *name.split(".")]
    return f"{owner}.{last}" if owner[:1].isupper() else last


def _slug(title: str) -> str:
    """Anchor of a heading, as GitHub and Python-Markdown make it."""
    return re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-")


def _variable(name: str) -> str:
    """Name of an instance in the signature of a method.

    Examples
    --------
    >>> _variable("TrainOutcome")
    'outcome'
    """
    words: list[str] = re.findall(r"[A-Z]?[a-z]+", name)
    return words[-1].lower()


def _methods(value: griffe.Object) -> list[griffe.Object]:
    """Public methods and properties with a docstring, inherited ones last."""
    if not isinstance(value, griffe.Class):
        return []
    members = {**value.members, **value.inherited_members}
    found = [_target(member) for name, member in members.items() if not name.startswith("_")]
    return [member for member in found if member.docstring and (member.is_function or _is_property(member))]


def _is_property(member: griffe.Object) -> bool:
    return "property" in member.labels


def _signature(name: str, function: griffe.Function) -> str:
    """A call with names and defaults; the types are in the list of parameters."""
    parts: list[str] = []
    was_keyword = False
    for parameter in function.parameters:
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is griffe.ParameterKind.keyword_only and not was_keyword:
            was_keyword = True
            if not any(part.startswith("*") for part in parts):
                parts.append("*")
        if parameter.kind is griffe.ParameterKind.var_positional:
            parts.append(f"*{parameter.name}")
        elif parameter.kind is griffe.ParameterKind.var_keyword:
            parts.append(f"**{parameter.name}")
        else:
            default = "" if parameter.default is None else f"={parameter.default}"
            parts.append(parameter.name + default.replace("'", '"'))
    call = f"{name}({', '.join(parts)})"
    return call if len(call) <= 100 else f"{name}(\n    " + ",\n    ".join(parts) + ",\n)"


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


if __name__ == "__main__":
    Path(__file__).with_name("api.md").write_text(reference(), "utf-8")
