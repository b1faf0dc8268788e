"""Card of a model for notebooks: what it learned from, how good it was, and its policy."""

from __future__ import annotations

from scoring.artifact.saved_model import SavedModel
from scoring.evaluation.metrics import MEANINGS
from scoring.explanation.policy import policy_lines
from scoring.model.targets import listed
from scoring.report.evaluation import HEADLINES
from scoring.report.pages import render

MAX_LINES = 12
"""Lines of the policy on the card."""


def model_card(saved: SavedModel) -> str:
    """Render the card of a model as HTML, without scripts and without styles of other elements.

    Parameters
    ----------
    saved : SavedModel
        The model.

    Returns
    -------
    str
        One ``div`` element.
    """
    training = saved.manifest.training
    rules = saved.models.rules
    lines = policy_lines(rules) if rules else []
    return render(
        "model_card.html.j2",
        name=saved.name,
        labels=listed(saved.scorer.targets),
        training=training,
        figures=[
            (name, training.metrics[name], MEANINGS.get(name, ""))
            for name in HEADLINES
            if name in training.metrics
        ],
        lines=lines[:MAX_LINES],
        n_more=max(len(lines) - MAX_LINES, 0),
    )
