"""Write a guessed field map as YAML with a comment for each guess and each key that is not used."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from scoring.errors import shown
from scoring.records.field_maps.field_map import FieldSource, LabelRule
from scoring.records.survey.archive_survey import KeySummary, Survey
from scoring.records.survey.field_guess import Guess, GuessedMap

_PLAIN = re.compile(r"[A-Za-z_][\w./-]*(?: [\w./-]+)*")
_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_MAX_UNUSED = 40
_MAX_COMMENT = 100


def guessed_text(guessed: GuessedMap, survey: Survey) -> str:
    """Return the file of a guessed map.

    Parameters
    ----------
    guessed : GuessedMap
        Its guesses.
    survey : Survey
        What they are based on.
    """
    return "\n".join(_lines(guessed, survey)) + "\n"


def _lines(guessed: GuessedMap, survey: Survey) -> Iterator[str]:
    yield f"# Which keys hold the fields and labels of a record, guessed from {survey.n_read:,} of"
    yield f"# {survey.n_files:,} files. Check each line; docs/archives.md describes all entries."
    yield "fields:"
    yield from _entries(guessed.fields)
    yield ""
    yield "labels:" if guessed.labels else "labels: {}  # none found: name the key of a rating, as in"
    if not guessed.labels:
        yield "#  quality: {key: rating, scale: 20}  # 1 to 5 becomes 20 to 100 points"
    yield from _entries(guessed.labels)
    if guessed.unused:
        yield ""
        yield "# Keys that no field uses:"
        for summary in guessed.unused[:_MAX_UNUSED]:
            yield _comment(
                f"  {summary.key}: in {_percent(summary, survey)}, {summary.kind}", summary.example
            )
        if len(guessed.unused) > _MAX_UNUSED:
            yield f"# and {len(guessed.unused) - _MAX_UNUSED} more"


def _entries(guesses: tuple[Guess, ...]) -> Iterator[str]:
    for guess in guesses:
        yield _comment(f"  {guess.reason}")
        yield f"  {guess.name}: {entry_text(guess.value)}"


def _comment(text: str, example: str = "") -> str:
    line = shown(f"#{text}, such as {example}" if example else f"#{text}")
    return line if len(line) <= _MAX_COMMENT else f"{line[: _MAX_COMMENT - 1]}…"


def _percent(summary: KeySummary, survey: Survey) -> str:
    return f"{100 * summary.n_files / max(survey.n_read, 1):.0f} %"


def entry_text(value: tuple[FieldSource, ...] | LabelRule) -> str:
    """Return an entry of a field map as YAML on one line.

    Examples
    --------
    >>> entry_text((FieldSource(name="summary"), FieldSource("body", "first paragraph")))
    '[summary, {body: first paragraph}]'
    >>> entry_text(LabelRule(key="rating", scale=20))
    '{key: rating, scale: 20}'
    """
    if isinstance(value, LabelRule):
        options = _options(value)
        return _scalar(value.key) if list(options) == ["key"] else _mapping(options)
    sources = [_source_text(source) for source in value]
    return sources[0] if len(sources) == 1 else f"[{', '.join(sources)}]"


def _source_text(source: FieldSource) -> str:
    options = _options(source)
    kind, name = options.pop("kind", "key"), options.pop("name", "")
    return _scalar(name) if kind == "key" and not options else _mapping({kind: name, **options})


def _options(value: FieldSource | LabelRule) -> dict[str, Any]:
    """The options that differ from their defaults."""
    default, options = type(value)(), msgspec.structs.asdict(value)
    return {name: option for name, option in options.items() if option != getattr(default, name)}


def _mapping(values: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{_scalar(name)}: {_value(value)}" for name, value in values.items()) + "}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return _mapping(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else _scalar(value)


def _scalar(text: str) -> str:
    """A text, in quotes unless YAML reads it back as the same text."""
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=False)
