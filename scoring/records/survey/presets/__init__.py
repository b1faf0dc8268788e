"""Field maps of the usual layouts of static site generators and note takers."""

from __future__ import annotations

from importlib.resources import files

PRESETS = {
    "astro": "Astro: content collections",
    "decap": "Decap CMS",
    "eleventy": "Eleventy",
    "hugo": "Hugo",
    "jekyll": "Jekyll",
    "obsidian": "Obsidian, Zettelkasten: notes on links",
    "scoring": "scoring's own layout",
}
"""Names of the presets, and what each is for."""


def preset_text(name: str) -> str:
    """Return the field map of a preset as YAML, with comments.

    Raises
    ------
    KeyError
        If there is no such preset.
    """
    if name not in PRESETS:
        raise KeyError(name)
    return files(__package__).joinpath(f"{name}.yaml").read_text("utf-8")
