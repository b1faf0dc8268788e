"""Render Jinja2 templates; filters that format numbers and names."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from math import isnan
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from scoring.evaluation.paired_figures import Difference
from scoring.evaluation.results import Figure

ABSENT = "–"  # noqa: RUF001 -- an en dash for a missing value
_SPELLED = {"mae": "MAE", "r2": "R²", "ndcg": "NDCG", "f1": "F1", "spearman": "Spearman", "brier": "Brier"}
_MINUS = "−"  # noqa: RUF001 -- as wide as a plus, unlike a hyphen


def render(template: str, **values: object) -> str:
    """Render a template; all values are escaped, except plots.

    Parameters
    ----------
    template : str
        File name of a template of the package.
    **values
        Variables of the template; a missing variable is an error.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("scoring.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "percent": percent,
        "signed": signed,
        "interval": interval,
        "count": count,
        "day": day,
        "words": words,
        "heat": heat,
        "plot": Markup,  # SVG of scoring.plots, which escapes its texts
        "breakable": breakable,
    }
    return environment


def number(value: float | None, digits: int = 3) -> str:
    """Format a number with a fixed number of decimals; a missing one is a dash.

    Examples
    --------
    >>> number(2.46), number(-1.25, 1), number(float("nan"))
    ('2.460', '−1.2', '–')
    """  # noqa: RUF002 -- a minus sign and a dash
    return ABSENT if value is None or isnan(value) else f"{value:,.{digits}f}".replace("-", _MINUS)


def percent(probability: float) -> str:
    r"""Format a probability (0 to 1) as percent; an unknown one is a dash.

    Examples
    --------
    >>> percent(0.125), percent(float("nan"))
    ('12\xa0%', '–')
    """  # noqa: RUF002 -- a dash
    return ABSENT if isnan(probability) else f"{number(100 * probability, 0)}\N{NO-BREAK SPACE}%"


def heat(value: int) -> str:
    """Format a heat; a negative one is that of a record that does not lead its story.

    Examples
    --------
    >>> heat(120), heat(-1)
    ('120', 'no lead')
    """
    return "no lead" if value < 0 else f"{value:,}"


def signed(value: float, digits: int = 1) -> str:
    """Format a number with its sign.

    Examples
    --------
    >>> signed(2.0), signed(-0.04)
    ('+2.0', '−0.0')
    """  # noqa: RUF002 -- a minus sign
    return f"{value:+,.{digits}f}".replace("-", _MINUS)


def interval(figure: Figure | Difference, digits: int = 3) -> str:
    """Format an interval; a missing one is a dash.

    Examples
    --------
    >>> interval(Figure(2.0, 1.5, 2.5))
    '1.500 to 2.500'
    """
    if figure.low is None or figure.high is None:
        return ABSENT
    return f"{number(figure.low, digits)} to {number(figure.high, digits)}"


def count(value: int) -> str:
    """Format an integer with thousands separators."""
    return f"{value:,}"


def day(moment: datetime | None) -> str:
    """Format a date; a missing one is a dash."""
    return ABSENT if moment is None else f"{moment:%Y-%m-%d}"


def words(name: str) -> str:
    """Format the name of a metric or slice as words.

    Examples
    --------
    >>> words("quality_mae"), words("heat_ndcg_10")
    ('Quality MAE', 'Heat NDCG 10')
    """
    text = " ".join(_SPELLED.get(part, part) for part in name.split("_"))
    return text[:1].upper() + text[1:]


def breakable(text: Any) -> Markup:
    """Escape a text, and allow line breaks after slashes and underscores (long paths)."""
    return Markup(re.sub(r"([/_])", r"\1<wbr>", str(Markup.escape(text))))  # noqa: S704 -- escaped
