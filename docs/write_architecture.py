"""Draw docs/architecture.svg from the import contracts and the docstrings; run by ``make docs``."""

from __future__ import annotations

import ast
import textwrap
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTH, ROW, GAP, MARGIN = 1080, 58, 10, 16  # px


def layers() -> list[list[str]]:
    """Packages and modules of each layer, the topmost first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (contract,) = (contract for contract in contracts if contract["type"] == "layers")
    return [layer.split(" | ") for layer in contract["layers"]]


def summary(name: str) -> str:
    """First sentence of a package's docstring."""
    folder = ROOT / "scoring" / name
    source = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(source.read_text("utf-8"))) or ""
    return docstring.partition("\n")[0].replace("``", "").replace(":mod:", "").replace("`", "")


def picture() -> str:
    """The picture: a row for each layer; each imports only from rows below it."""
    rows = layers()
    height = 2 * MARGIN + len(rows) * (ROW + GAP) - GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif">',
        "<title>The packages of scoring, each importing only from the rows below it</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for row, names in enumerate(rows):
        width = (WIDTH - 2 * MARGIN - GAP * (len(names) - 1)) / len(names)
        for column, name in enumerate(names):
            x, y = MARGIN + column * (width + GAP), MARGIN + row * (ROW + GAP)
            parts.append(_box(x, y, width, name))
    return "\n".join([*parts, "</svg>\n"])


def _box(x: float, y: float, width: float, name: str) -> str:
    lines = textwrap.wrap(summary(name), max(20, int(width / 6.6)))[:2]
    text = f'<text x="{x + 12:g}"'
    texts = "".join(
        f'{text} y="{y + 36 + 14 * number:g}" font-size="11.5" fill="#334155">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{ROW}" rx="6" fill="#f1f5f9" stroke="#64748b"/>'
        f'{text} y="{y + 20:g}" font-size="14" font-weight="600" fill="#0f172a">{escape(name)}</text>{texts}'
    )


if __name__ == "__main__":
    Path(__file__).with_name("architecture.svg").write_text(picture(), "utf-8")
