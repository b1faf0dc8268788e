"""Explanation results: reasons, counterfactual changes and scores."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import msgspec

from scoring.extras import MissingExtraError, naming_extras
from scoring.model.score import Score

if TYPE_CHECKING:
    import pandas as pd


class Reason(msgspec.Struct, frozen=True):
    """Contribution of a feature to a score.

    Parameters
    ----------
    feature : str
        Name of the column.
    text : str
        The feature and its value, in words.
    contribution : float
        Points for quality and heat, log-odds for lead and published.
    """

    feature: str
    text: str
    contribution: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A counterfactual edit of a record, and the scores after it.

    Parameters
    ----------
    kind : str
        Kind of edit: ``drop topic``, ``add topic``, ``name section``, ``name topic``, ``shorten title``,
        ``add excerpt``, ``add image``, ``add coverage``.
    text : str
        The edit, in words.
    effort : int
        Cost of the edit, from 1 (a topic) to 5 (depends on others).
    decisions : tuple of str
        Decisions of ``lead`` and ``published`` that would change.
    quality, heat, published, published_probability
        As in :class:`Score`, after the edit.
    expected_heat : float or None
        As in :class:`Explanation`, after the edit.
    """

    kind: str
    text: str
    effort: int
    decisions: tuple[str, ...]
    quality: int | None
    heat: int | None
    expected_heat: float | None
    published: bool | None
    published_probability: float | None


class Explanation(msgspec.Struct, frozen=True):
    """A score with its reasons by target (``quality``, ``lead``, ``heat``, ``published``) that the model has.

    Parameters
    ----------
    score : Score
        The score.
    expected_heat : float or None
        Mean heat over the predicted distribution, not rounded; points. None for a model without heat.
    base : dict of str to float
        By target, the value that the contributions are added to.
    reasons : dict of str to tuple of Reason
        By target, the largest contribution first.
    changes : tuple of Change
        Single edits that would change a decision or, if none would, raise the score most; the cheapest first.
    """

    score: Score
    expected_heat: float | None
    base: dict[str, float]
    reasons: dict[str, tuple[Reason, ...]]
    changes: tuple[Change, ...] = ()

    def __repr__(self) -> str:
        reasons = ", ".join(f"{len(reasons)} of {target}" for target, reasons in self.reasons.items())
        return f"<Explanation of {self.score}, with reasons: {reasons}>"

    @naming_extras("frames")
    def to_frame(self) -> pd.DataFrame:
        """Return the contributions, one per row; for each target they add up to the score.

        Returns
        -------
        DataFrame of shape (n_contributions, 4)
            ``target``, ``feature``, ``text`` and ``contribution``, as :meth:`scoring.Model.explain` gives
            them for a frame.
        """
        import pandas as pd

        from scoring.explanation.frames import reasons_of

        rows = [cells[1:-1] for cells in reasons_of(self)]
        return pd.DataFrame(rows, columns=["target", "feature", "text", "contribution"])

    def _repr_html_(self) -> str:
        """The contributions as a table."""
        try:
            table = self.to_frame()
        except MissingExtraError as error:
            return f"<pre>{escape(repr(self))}</pre><p>{escape(str(error))}</p>"
        html: str = table.to_html(index=False, float_format="{:.2f}".format)
        return html
