"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

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


class Silent:
    """A reporter that tells nobody.

    Examples
    --------
    >>> Silent().step("reading", 3, 10)
    """

    def step(self, name: str, done: int, total: int | None) -> None:
        """Drop the step."""

    def note(self, text: str) -> None:
        """Drop the note."""


SILENT: Reporter = Silent()
