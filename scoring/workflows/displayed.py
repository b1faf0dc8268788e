"""Display of results in a console and in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from scoring.evaluation.results import Figure
from scoring.extras import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

MAX_METRICS = 4
"""Maximum number of metrics in the line of a result."""


class Displayed:
    """A result that is one line in a console, and a table in a notebook."""

    def to_frame(self) -> pd.DataFrame:
        """Return the table."""
        raise NotImplementedError

    def _summary(self) -> str:
        """The line, without the name of the class."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._summary()}>"

    def _repr_html_(self) -> str:
        """The line and the table."""
        line = f"{type(self).__name__} {self._summary()}"
        try:
            table = self.to_frame()
        except MissingExtraError as error:
            return f"<p>{escape(line)}</p><p>{escape(str(error))}</p>"
        html: str = table.to_html(float_format="{:.3f}".format, max_rows=60, na_rep="")
        return f"<p>{escape(line)}</p>{html}"


def metrics_line(figures: dict[str, Figure]) -> str:
    """The first metrics in one line.

    Examples
    --------
    >>> metrics_line({"quality_mae": Figure(4.25)})
    'quality_mae 4.25'
    """
    shown = [f"{name} {figure.value:.3g}" for name, figure in [*figures.items()][:MAX_METRICS]]
    return ", ".join(shown + ["..."] * (len(figures) > MAX_METRICS))
