"""Convert a plot to inline SVG in the page's colours."""

from __future__ import annotations

import re
from io import BytesIO
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.figure import Figure

from scoring.plots.drawing import BLUE, GREY, ORANGE

#: CSS variable of each colour used in plots.
VARIABLES = {
    BLUE.lower(): "var(--blue)",
    ORANGE.lower(): "var(--orange)",
    GREY.lower(): "var(--grey)",
    "#000000": "var(--ink)",
    "#ffffff": "var(--paper)",
    "#b0b0b0": "var(--line)",
}
_WIDTH_INCHES = 5.6  # keeps text readable on a narrow (phone) page
_DPI = 160  # of rasterized points, which bound the file size
_COLOUR = re.compile("|".join(VARIABLES))
_DECIMALS = re.compile(r"(\.\d\d)\d+")
_REFERENCE = re.compile(r"#([\w.-]+)")


def to_svg(figure: Figure, *, name: str, label: str) -> str:
    """Convert a figure to an ``svg`` element of an HTML page.

    Text stays text, points are rasterized, and colours are CSS variables (:data:`VARIABLES`), so that the
    plot works in light and dark mode. The result is deterministic for a figure that was not drawn before.

    Parameters
    ----------
    figure : Figure
        Figure to convert; it is resized to the width of a page's column.
    name : str
        Prefix of all ids, so that they are unique in a page with several plots.
    label : str
        Text alternative.

    Returns
    -------
    str
        The element, with ``role="img"`` and the label.
    """
    buffer = BytesIO()
    width, height = figure.get_size_inches()
    figure.set_size_inches(_WIDTH_INCHES, height * _WIDTH_INCHES / width)
    no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "scoring", "font.sans-serif": ["DejaVu Sans"]}):
        figure.savefig(buffer, format="svg", dpi=_DPI, metadata=no_metadata)
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 -- just drawn here
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag.endswith("}style")]:
            parent.remove(child)  # its rules would apply to the whole page
    used_ids = {id_ for element in root.iter() for id_ in _references(element)}
    for element in root.iter():
        _rewrite(element, name, used_ids)
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": label,
    }
    return ElementTree.tostring(root, encoding="unicode")


def _references(element: ElementTree.Element) -> list[str]:
    """Ids referenced by an element."""
    values = (value for key, value in element.attrib.items() if key.endswith(("href", "clip-path")))
    return [id_ for value in values if not value.startswith("data:") for id_ in _REFERENCE.findall(value)]


def _rewrite(element: ElementTree.Element, name: str, used: set[str]) -> None:
    """Strip namespaces, prefix ids, replace colours by variables, and shorten paths."""
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
        attributes["style"] = _COLOUR.sub(lambda match: VARIABLES[match[0]], attributes["style"])
    if "d" in attributes:
        attributes["d"] = _DECIMALS.sub(r"\1", attributes["d"])
        attributes["d"] = " ".join(attributes["d"].split())
    element.attrib = attributes
    if not (element.text or "").strip():
        element.text = None
    if not (element.tail or "").strip():
        element.tail = None
