"""Name the arguments of Python in messages, which the workflows word with the options of the command line.

The workflows have one text for each message. The command line prints it as it is; the public functions
translate the options in errors, notes and warnings by :data:`ARGUMENTS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import ParamSpec, TypeVar

from scoring.errors import FieldMapError, RecordError, ScoringError

_P = ParamSpec("_P")
_R = TypeVar("_R")

ARGUMENTS = {
    "--by labels": 'by="labels"',
    "--by month": 'by="month"',
    "--corrections": "the setting corrections",
    "--coverage derive, or the setting": 'the setting coverage: "derive"',
    "--fields": "fields",
    "--include-own-scores": "include-own-scores of the command",
    "--journal FILE": "the setting journal",
    "--model shipped": 'model="shipped"',
    "--model": "model",
    "--on": "on",
    "--output DIR": "output",
    "--output": "output",
    "--overwrite": "overwrite=True",
    "--section": "the setting section",
    "--since": "since",
}
"""Options that messages of the public functions name, and what they are in Python."""

_COMMANDS = {
    "scoring backtest --by labels": 'scoring.backtest(..., by="labels")',
    'run "scoring promote RUN"': "run scoring.promote(run)",
    '"scoring retrain PATH" trains one on your records': "scoring.train(path) trains one on your records",
}
_WORDS = ARGUMENTS | _COMMANDS
_OPTION = re.compile(
    "|".join(rf"{re.escape(word)}(?![\w-])" for word in sorted(_WORDS, key=len, reverse=True))
)


def in_python(text: str) -> str:
    """Return a message with the arguments of Python in place of options.

    Examples
    --------
    >>> in_python("model: already holds small@12345678: --overwrite replaces it")
    'model: already holds small@12345678: overwrite=True replaces it'
    """
    return _OPTION.sub(lambda match: _WORDS[match[0]], text)


def naming_arguments(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate a public function: its errors name arguments of Python."""

    @wraps(function)
    def translated(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except ScoringError as error:
            _translate(error)
            raise

    return translated


def _translate(error: ScoringError) -> None:
    """Replace the message of an error, and the faults that it has."""
    if isinstance(error, RecordError | FieldMapError):
        error.faults = tuple(replace(fault, expected=in_python(fault.expected)) for fault in error.faults)
    error.args = tuple(in_python(part) if isinstance(part, str) else part for part in error.args)
