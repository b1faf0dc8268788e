"""Say why YAML does not parse: in plain words, at the line of the cause, with the mend."""

from __future__ import annotations

import re
from typing import NamedTuple

import yaml

from scoring.records.forms.node import TOO_DEEP

QUOTE_IT = "text: put the value in quotes"
UNCLOSED_QUOTE = "a quote that does not close", "a closing quote"

_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SECOND_DOCUMENT = re.compile(r"^---(?=[ \t]|$)", re.MULTILINE)
_KEY_IN_QUOTE = re.compile(r"\n[ \t]*(?:- +)*[A-Za-z_][\w-]*:[ \t\r\n]")
_NO_BLANK = re.compile(r"[ \t]*(?:-[ \t]+)*[A-Za-z_][\w-]*:(?!//)[^ \t\r]")


class Cause(NamedTuple):
    """Why a text does not parse.

    ``line`` counts from 0; ``is_of_one_field`` means that the text may be read without that line's field.
    """

    line: int
    got: str
    expected: str
    is_of_one_field: bool = True


def explain(error: yaml.YAMLError, last: yaml.Event | None, text: str) -> Cause:
    """Find the cause of a parser's error.

    Parameters
    ----------
    error : YAMLError
        The error.
    last : Event or None
        Last event before it.
    text : str
        What was parsed.
    """
    mark: yaml.error.Mark | None = getattr(error, "problem_mark", None)
    problem: str | None = getattr(error, "problem", None)
    if mark is None or problem is None:
        odd = _UNPRINTABLE.search(text)
        line = text.count("\n", 0, odd.start()) if odd else 0
        return Cause(line, "a control character", "text", is_of_one_field=odd is not None)
    second = _SECOND_DOCUMENT.search(text)
    if second is not None and text.count("\n", 0, second.start()) <= mark.line:
        line = text.count("\n", 0, second.start())
        return Cause(line, "a second document", "one document", is_of_one_field=False)
    start: yaml.error.Mark = getattr(error, "context_mark", None) or mark
    if cause := _unclosed_quote(problem, error, mark, start, last, text):
        return cause
    return _by_problem(problem, mark, start, last, text)


def _unclosed_quote(
    problem: str,
    error: yaml.YAMLError,
    mark: yaml.error.Mark,
    start: yaml.error.Mark,
    last: yaml.Event | None,
    text: str,
) -> Cause | None:
    if "quoted scalar" in (getattr(error, "context", None) or "") and problem.startswith("found unexpected"):
        return Cause(start.line, *UNCLOSED_QUOTE)
    if not isinstance(last, yaml.ScalarEvent) or last.style not in ("'", '"'):
        return None
    first, end = last.start_mark, last.end_mark
    if first is None or end is None or end.line != mark.line:
        return None
    if _KEY_IN_QUOTE.search(text[first.index : end.index]):  # closed by the next quote, of another value
        return Cause(first.line, *UNCLOSED_QUOTE)
    if mark.index >= end.index and not text[end.index : mark.index].strip(" \t"):
        mend = "two quotes" if last.style == "'" else "a backslash and a quote"
        return Cause(mark.line, "text after a closing quote", f"the end of the value, or {mend} within it")
    return None


def _by_problem(
    problem: str, mark: yaml.error.Mark, start: yaml.error.Mark, last: yaml.Event | None, text: str
) -> Cause:
    character = text[mark.index : mark.index + 1]
    line = _line(text, mark.line)
    begins = f"a value that begins with '{text[start.index : start.index + 1]}'"
    if "nesting depth" in problem:  # libyaml's own limit
        return Cause(mark.line, *TOO_DEEP)
    if "tab character" in problem or ("cannot start any token" in problem and character == "\t"):
        return Cause(mark.line, "a tab in the indentation", "blanks")
    if problem.startswith("mapping values"):
        return _colon(mark, last, text)
    if problem.startswith("could not find expected ':'"):
        return _no_field(start, text)
    if "escape" in problem or "hexdecimal" in problem:
        if "Unicode" in problem:
            return Cause(mark.line, "half of a character", "text in Unicode")
        return Cause(mark.line, "a backslash in double quotes", "two backslashes, or single quotes")
    if "alphabetic or numeric" in problem or "tag" in problem or "'>'" in problem or "'!'" in problem:
        return Cause(start.line, begins, QUOTE_IT)
    if "cannot start any token" in problem or "not allowed in this context" in problem:
        return Cause(mark.line, f"a value that begins with '{character}'", QUOTE_IT)
    if "node content" in problem and isinstance(last, yaml.CollectionStartEvent) and last.start_mark:
        return Cause(last.start_mark.line, "a bracket that does not close", QUOTE_IT)
    if "node content" in problem:
        got = f"a value that begins with '{character}'" if character.strip() else "no value"
        return Cause(mark.line, got, QUOTE_IT)
    if "comment or line break" in problem or "indentation indicator" in problem:
        return Cause(start.line, begins, QUOTE_IT)
    if "',' or" in problem:
        return Cause(start.line, "a bracket that does not close", f"{problem[-3:]}, or {QUOTE_IT}")
    if "'-' indicator" in problem:
        return Cause(mark.line, "a line that is no list item", "'- '")
    if problem == "did not find expected key":
        if line[: mark.column].strip():
            return Cause(mark.line, "text after a closing bracket", QUOTE_IT)
        if line[mark.column :].startswith("-"):
            return Cause(mark.line, "a list item where a field is expected", "'name: value'")
        return Cause(mark.line, "an indentation that fits no field", "that of the line above or of its field")
    if "directive" in problem or "YAML document" in problem:
        return Cause(mark.line, "a line that begins with '%'", "'name: value'", is_of_one_field=False)
    if "<document start>" in problem:
        return Cause(mark.line, "a line after the end of the fields", "'name: value'", is_of_one_field=False)
    return Cause(mark.line, "YAML that does not parse", QUOTE_IT)


def _colon(mark: yaml.error.Mark, last: yaml.Event | None, text: str) -> Cause:
    first = last.start_mark if isinstance(last, yaml.ScalarEvent) else None
    if first is not None and first.line < mark.line:
        if _NO_BLANK.match(_line(text, first.line)) and first.column == 0:
            return Cause(first.line, "no blank after the colon", "'name: value'")
        got = "a field that is indented below a value"
        return Cause(mark.line, got, "the indentation of the line above, or the value in quotes")
    return Cause(mark.line, "a colon and a blank in an unquoted value", QUOTE_IT)


def _no_field(start: yaml.error.Mark, text: str) -> Cause:
    line = _line(text, start.line)
    if _NO_BLANK.match(line):
        return Cause(start.line, "no blank after the colon", "'name: value'")
    if len(line) > 1024 and ":" in line:
        return Cause(
            start.line, "a key of more than 1,024 characters", "a shorter one", is_of_one_field=False
        )
    return Cause(start.line, "a line that is no field", "'name: value', or the value above in quotes")


def _line(text: str, number: int) -> str:
    lines = text.split("\n", number + 1)
    return lines[number] if number < len(lines) else ""
