"""Plot of drift, checked by the drawn values."""

from __future__ import annotations

from io import BytesIO

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from scoring.drift.detect import Drift, FamilyDrift, Shift, UnseenDrift
from scoring.plots import drift_figure
from scoring.plots.drawing import BLUE, ORANGE

DRIFT = Drift(
    model="small@1",
    n_records=1200,
    families=(
        FamilyDrift("provider", 1.0, 2.0, {"provider_domain": 1.5}),
        FamilyDrift("content", 20.0, 2.0, {"has_image": 30.0}),
    ),
    unseen=(
        UnseenDrift("provider", 0.3, 0.1, 0.2, {"a.example": 360}),
        UnseenDrift("topic", 0.0, 0.0, 0.0, {}),
    ),
    shifts=(
        Shift("expected_error", 1.0, 0.25, 0.25, 0.5),
        Shift("quality", 50.0, 35.0, 2.0, 10.0),
        Shift("lead_probability", 0.5, 0.6, 0.1, 0.2),
    ),
    error_ratio=0.25,
    n_labelled=0,
    label_error=None,
    reasons=("unseen provider: 30.0% of records, limit 20.0%",),
    rule="",
)


def test_bars_are_in_times_their_limits() -> None:
    figure = drift_figure(DRIFT)
    assert figure.get_suptitle() == "Drift from small@1: 1,200 records, refused"
    panels = [
        [
            (bar.get_width(), to_hex(bar.get_facecolor()).upper())
            for bar in axes.patches
            if isinstance(bar, Rectangle)
        ]
        for axes in figure.axes
    ]
    assert panels[0] == [(0.5, BLUE), (4.0, ORANGE)]  # what is farther ends there, with an arrow
    assert panels[1] == [(pytest.approx(1.5), ORANGE), (0.0, BLUE)]
    # An error that is smaller than before is no harm.
    assert panels[2] == [(-1.5, BLUE), (-1.5, ORANGE), (pytest.approx(0.5), BLUE)]
    assert [len(axes.get_lines()) for axes in figure.axes] == [3, 2, 3]
    labels = [label.get_text() for label in figure.axes[2].get_yticklabels()]
    assert labels == ["expected error", "quality", "lead probability"]
    assert [text.get_text() for text in figure.axes[1].texts] == ["30.0%", "0.0%"]
    png = BytesIO()
    figure.savefig(png, format="png", dpi=40)
    assert png.getvalue().startswith(b"\x89PNG")
