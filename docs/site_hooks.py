"""Hooks of MkDocs: pages outside of docs/ are part of the site, and links between both lead there."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"),
    *("models/MODEL_CARD.md", "experiments/RESULTS.md"),
)
"""Files of the project that are part of the site as well; a link to another file there becomes text."""

_LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^)#\s]*)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand outside of docs/."""
    for name in OUTSIDE:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Page, files: Files, **_: Any) -> str:
    """Point the links of a page to the places that their targets have in the site."""
    name = page.file.src_uri
    source = name if name in OUTSIDE else f"docs/{name}"

    def relinked(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        if not target or "://" in target or target.startswith("mailto:"):
            return link[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        in_site = path.removeprefix("docs/")
        if path not in OUTSIDE and not path.startswith("docs/"):
            if not (ROOT / path).exists():
                raise FileNotFoundError(f"{source}: {target}: no such file")
            return (
                text.lstrip("!") if text.startswith("!") else text[1:-1]
            )  # a file that the site does not have
        return f"{text}({posixpath.relpath(in_site, posixpath.dirname(name) or '.')}{anchor})"

    return _LINK.sub(relinked, markdown)
