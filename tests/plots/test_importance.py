"""Plots of feature importances, checked by the drawn values; no global state changes."""

from __future__ import annotations

import subprocess
import sys

from scoring.plots import importance_figure


def test_importance_orders_features_by_their_share_of_the_gain() -> None:
    rows = [
        ("title_chars", "quality", 1.0, 4),
        ("age_hours", "quality", 3.0, 2),
        ("age_hours", "lead", 0.0, 0),
    ]
    quality, lead = importance_figure(rows).axes
    assert [label.get_text() for label in quality.get_yticklabels()] == ["age_hours", "title_chars"]
    assert [bar.get_width() for bar in quality.containers[0]] == [75.0, 25.0]
    assert lead.get_title() == "lead: 1 of 1 features"


def test_importance_of_no_model_says_so() -> None:
    assert importance_figure([]).axes[0].texts[0].get_text() == "no data"


def test_pyplot_is_never_imported() -> None:
    code = (
        "import sys, numpy; import scoring.plots as p; p.importance_figure([('a', 'b', 1.0, 1)]).savefig("
        "__import__('io').BytesIO()); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
