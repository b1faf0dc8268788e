"""Progress reporting, independent of the interface that shows it."""

from __future__ import annotations

import logging
from typing import Protocol


class Reporter(Protocol):
    """Receives progress; implemented by the interfaces and by tests."""

    def step(self, name: str, done: int, total: int | None) -> None:
        """Report the progress of a task.

        Parameters
        ----------
        name : str
            Name of the task: ``reading``, ``training quality``.
        done : int
            Number of units done; >= 0.
        total : int or None
            Total number of units; None if not known yet.
        """

    def note(self, text: str) -> None:
        """Report a message that is not an error."""

    def warn(self, text: str) -> None:
        """Report a warning, which is always shown."""


class Silent:
    """A reporter that only logs warnings.

    Examples
    --------
    >>> Silent().step("reading", 3, 10)
    """

    def step(self, name: str, done: int, total: int | None) -> None:
        """Drop the step."""

    def note(self, text: str) -> None:
        """Drop the note."""

    def warn(self, text: str) -> None:
        """Log the warning, which Python prints if logging is not configured."""
        logging.getLogger("scoring").warning(text)


SILENT: Reporter = Silent()
