"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

import logging
from typing import Protocol


class Reporter(Protocol):
    """Hears of progress; the interfaces show it, tests collect it."""

    def step(self, name: str, done: int, total: int | None) -> None:
        """Tell that of one kind of work so much is done.

        Parameters
        ----------
        name : str
            The work, in a few words: ``reading``, ``training quality``.
        done : int
            Units done so far; >= 0.
        total : int or None
            Units in all; None where that is not known yet.
        """

    def note(self, text: str) -> None:
        """Tell one thing that a person may want to know and that is not an error."""

    def warn(self, text: str) -> None:
        """Tell one thing that a person has to know, whatever else they do not want to hear."""


class Silent:
    """A reporter that tells nobody, but for warnings, which go to the log.

    Examples
    --------
    >>> Silent().step("reading", 3, 10)
    """

    def step(self, name: str, done: int, total: int | None) -> None:
        """Drop the step."""

    def note(self, text: str) -> None:
        """Drop the note."""

    def warn(self, text: str) -> None:
        """Log the warning: Python prints it where the program has not set up its log."""
        logging.getLogger("scoring").warning(text)


SILENT: Reporter = Silent()
