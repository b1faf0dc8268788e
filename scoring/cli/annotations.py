"""GitHub's workflow commands: faults, warnings and summaries as annotations of a pull request.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
from typing import Literal

from scoring.errors import Fault
from scoring.storage.urls import is_remote

Level = Literal["error", "warning", "notice"]
_OF_VALUES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_OF_PROPERTIES = _OF_VALUES | {":": "%3A", ",": "%2C"}


def annotation(level: Level, text: str, *, path: str = "-", line: int = 0, title: str = "") -> str:
    """One workflow command.

    Parameters
    ----------
    level : str
        ``error``, ``warning`` or ``notice``.
    text : str
        The message.
    path : str
        The file, relative to the working folder or absolute; ``-`` for none.
    line : int
        Line in that file, from 1; 0 for none.
    title : str
        Heading; empty for none.

    Examples
    --------
    >>> annotation("error", "got 100 %, expected a number", path="./a,b.md", line=9, title="quality")
    '::error file=a%2Cb.md,line=9,title=quality::got 100 %25, expected a number'
    >>> annotation("notice", "2 records can be used")
    '::notice::2 records can be used'
    """
    properties = {
        "file": "" if path == "-" else _from_checkout(path),
        "line": str(line) if line and path != "-" else "",
        "title": title,
    }
    given = ",".join(
        f"{name}={_escaped(value, _OF_PROPERTIES)}" for name, value in properties.items() if value
    )
    return f"::{level}{' ' if given else ''}{given}::{_escaped(text, _OF_VALUES)}"


def fault_annotation(fault: Fault) -> str:
    """The command of a fault.

    Examples
    --------
    >>> fault_annotation(Fault("inbox/a.md", 9, "quality", "'high'", "an integer"))
    "::error file=inbox/a.md,line=9,title=quality::got 'high', expected an integer"
    """
    text = f"got {fault.got}, expected {fault.expected}"
    return annotation("error", text, path=fault.path, line=fault.line, title=fault.field or "record")


def _from_checkout(path: str) -> str:
    """The path as GitHub finds it: relative to the checkout, wherever the command runs."""
    if is_remote(path):
        return path
    checkout = os.environ.get("GITHUB_WORKSPACE")
    if checkout:
        whole = os.path.abspath(path)
        if os.path.commonpath([whole, os.path.abspath(checkout)]) == os.path.abspath(checkout):
            return os.path.relpath(whole, checkout)
    return os.path.normpath(path)


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)
