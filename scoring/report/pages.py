"""Pages from templates: how numbers are shown, and the one place that knows Jinja2."""

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

ABSENT = "–"  # noqa: RUF001 -- a dash, as tables show what is not there
_SPELLED = {"mae": "MAE", "r2": "R²", "ndcg": "NDCG", "f1": "F1", "spearman": "Spearman", "brier": "Brier"}
_MINUS = "−"  # noqa: RUF001 -- as wide as a plus, unlike a hyphen


def render(template: str, **values: object) -> str:
    """A template as a page; every value is escaped, but for plots.

    Parameters
    ----------
    template : str
        File name among the package's templates.
    **values
        What the template names; a name that it lacks is an error.
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
        "plot": Markup,  # made by scoring.plots, which escapes what it draws
        "breakable": breakable,
    }
    return environment


def number(value: float | None, digits: int = 3) -> str:
    """A number with a fixed count of decimals; a dash where there is none.

    Examples
    --------
    >>> number(2.46), number(-1.25, 1), number(float("nan"))
    ('2.460', '−1.2', '–')
    """  # noqa: RUF002 -- a minus sign and a dash
    return ABSENT if value is None or isnan(value) else f"{value:,.{digits}f}".replace("-", _MINUS)


def percent(probability: float) -> str:
    r"""A probability from 0 to 1 as percent; a dash where it is not known.

    Examples
    --------
    >>> percent(0.125), percent(float("nan"))
    ('12\xa0%', '–')
    """  # noqa: RUF002 -- a dash
    return ABSENT if isnan(probability) else f"{number(100 * probability, 0)}\N{NO-BREAK SPACE}%"


def signed(value: float, digits: int = 1) -> str:
    """A number that always bears its sign.

    Examples
    --------
    >>> signed(2.0), signed(-0.04)
    ('+2.0', '−0.0')
    """  # noqa: RUF002 -- a minus sign
    return f"{value:+,.{digits}f}".replace("-", _MINUS)


def interval(figure: Figure | Difference, digits: int = 3) -> str:
    """The ends of an interval, or a dash.

    Examples
    --------
    >>> interval(Figure(2.0, 1.5, 2.5))
    '1.500 to 2.500'
    """
    if figure.low is None or figure.high is None:
        return ABSENT
    return f"{number(figure.low, digits)} to {number(figure.high, digits)}"


def count(value: int) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,}"


def day(moment: datetime | None) -> str:
    """The date of a moment, or a dash."""
    return ABSENT if moment is None else f"{moment:%Y-%m-%d}"


def words(name: str) -> str:
    """The name of a figure or of a part as words.

    Examples
    --------
    >>> words("quality_mae"), words("heat_ndcg_10")
    ('Quality MAE', 'Heat NDCG 10')
    """
    spoken = " ".join(_SPELLED.get(part, part) for part in name.split("_"))
    return spoken[:1].upper() + spoken[1:]


def breakable(text: Any) -> Markup:
    """Escaped text that may break after a slash or an underscore, as long paths must."""
    return Markup(re.sub(r"([/_])", r"\1<wbr>", str(Markup.escape(text))))  # noqa: S704 -- escaped
