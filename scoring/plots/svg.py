"""A plot as SVG to stand within a page, in the page's colours."""

from __future__ import annotations

import re
from io import BytesIO
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.figure import Figure

from scoring.plots.drawing import BLUE, GREY, ORANGE

#: The style sheet's variable of each colour that plots are drawn with.
VARIABLES = {
    BLUE.lower(): "var(--blue)",
    ORANGE.lower(): "var(--orange)",
    GREY.lower(): "var(--grey)",
    "#000000": "var(--ink)",
    "#ffffff": "var(--paper)",
    "#b0b0b0": "var(--line)",
}
_WIDTH_INCHES = 5.6  # so that text can be read where the page is as narrow as a phone
_DPI = 160  # of the points, which are a picture within the drawing, so that its size is bounded
_COLOUR = re.compile("|".join(VARIABLES))
_DECIMALS = re.compile(r"(\.\d\d)\d+")
_REFERENCE = re.compile(r"#([\w.-]+)")


def to_svg(figure: Figure, *, name: str, label: str) -> str:
    """Draw a figure as an ``svg`` element of an HTML page.

    Text stays text, points are a picture, and colours are variables of the page's style sheet
    (:data:`VARIABLES`), so that light and dark readers see the same plot. A figure that was never drawn
    gives the same text each time.

    Parameters
    ----------
    figure : Figure
        What to draw; it is given the width of a page's column.
    name : str
        Begins every id, so that ids are unique in a page whose plots have names of their own.
    label : str
        What the plot shows, for those who do not see it.

    Returns
    -------
    str
        The element, with ``role="img"`` and the label.
    """
    buffer = BytesIO()
    width, height = figure.get_size_inches()
    figure.set_size_inches(_WIDTH_INCHES, height * _WIDTH_INCHES / width)
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "scoring", "font.sans-serif": ["DejaVu Sans"]}):
        figure.savefig(buffer, format="svg", dpi=_DPI, metadata=nothing)
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 -- drawn here a moment ago
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag.endswith("}style")]:
            parent.remove(child)  # its rules would hold for the whole page
    used = {id_ for element in root.iter() for id_ in _references(element)}
    for element in root.iter():
        _rewrite(element, name, used)
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": label,
    }
    return ElementTree.tostring(root, encoding="unicode")


def _references(element: ElementTree.Element) -> list[str]:
    """Ids that an element refers to."""
    values = (value for key, value in element.attrib.items() if key.endswith(("href", "clip-path")))
    return [id_ for value in values if not value.startswith("data:") for id_ in _REFERENCE.findall(value)]


def _rewrite(element: ElementTree.Element, name: str, used: set[str]) -> None:
    """Names without XML's namespaces, ids of this plot alone, variables for colours, shorter paths."""
    element.tag = element.tag.rpartition("}")[2]
    attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    if attributes.get("id") in used:
        attributes["id"] = f"{name}-{attributes['id']}"
    else:
        attributes.pop("id", None)
    for key in ("href", "clip-path"):
        if not attributes.get(key, "data:").startswith("data:"):
            attributes[key] = attributes[key].replace("#", f"#{name}-")
    if "style" in attributes:
        attributes["style"] = _COLOUR.sub(lambda found: VARIABLES[found[0]], attributes["style"])
    if "d" in attributes:
        attributes["d"] = _DECIMALS.sub(r"\1", attributes["d"])
        attributes["d"] = " ".join(attributes["d"].split())
    element.attrib = attributes
    if not (element.text or "").strip():
        element.text = None
    if not (element.tail or "").strip():
        element.tail = None
