"""Check what the wheel and the source archive of a release contain; run by ``make build``."""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

NEEDED_IN_WHEEL = (
    *(
        "scoring/__init__.py",
        "scoring/py.typed",
        "scoring/cli/app.py",
        "scoring/service/desk/page/index.html",
    ),
    *("scoring/_models/default/manifest.json", "scoring/_models/links.json"),
    *("*.dist-info/METADATA", "*.dist-info/entry_points.txt", "*.dist-info/licenses/LICENSE"),
)
NEEDED_IN_SOURCE = (
    *(
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "Makefile",
        "requirements.lock",
        "mkdocs.yml",
    ),
    *("scoring/__init__.py", "models/default/manifest.json", "models/links.json"),
    *("tests/conftest.py", "docs/tutorial.md", "docs/desk.png", "experiments/default.yaml", "PKG-INFO"),
)
_STRANGE = re.compile(
    r"(^|/)(\.venv|\.scoring|mlruns|build|dist|__pycache__|\.git)(/|$)|\.pyc$|mlflow\.db|\.py[od]$"
)
_ONLY_IN_WHEEL = re.compile(r"^(scoring/|news_scoring-[^/]+\.dist-info/)")


def faults_of_wheel(names: Iterable[str]) -> list[str]:
    """What is missing in a wheel, and what does not belong there.

    Examples
    --------
    >>> faults_of_wheel(["tests/a.py"])[-1]
    'tests/a.py does not belong there'
    """
    present = {re.sub(r"^news_scoring-[^/]+\.dist-info/", "*.dist-info/", name): name for name in names}
    missing = [f"{name} is missing" for name in NEEDED_IN_WHEEL if name not in present]
    return missing + [
        f"{name} does not belong there"
        for name in present.values()
        if _STRANGE.search(name) or not _ONLY_IN_WHEEL.match(name)
    ]


def faults_of_source(names: Iterable[str]) -> list[str]:
    """What is missing in a source archive, and what does not belong there; its folder is not looked at.

    Examples
    --------
    >>> faults_of_source(["news_scoring-1.0.0/.venv/bin/python"])[-1]
    '.venv/bin/python does not belong there'
    """
    present = {name.partition("/")[2] for name in names}
    missing = [f"{name} is missing" for name in NEEDED_IN_SOURCE if name not in present]
    return missing + [f"{name} does not belong there" for name in sorted(present) if _STRANGE.search(name)]


def main(folder: Path) -> int:
    """Check the wheel and the source archive of a folder; the number of faults."""
    (wheel,) = folder.glob("news_scoring-*.whl")
    (source,) = folder.glob("news_scoring-*.tar.gz")
    with zipfile.ZipFile(wheel) as file:
        faults = [f"{wheel.name}: {fault}" for fault in faults_of_wheel(file.namelist())]
    with tarfile.open(source) as archive:
        members = [member.name for member in archive.getmembers() if member.isfile()]
    faults += [f"{source.name}: {fault}" for fault in faults_of_source(members)]
    for fault in faults:
        print(fault, file=sys.stderr)
    return len(faults)


if __name__ == "__main__":
    sys.exit(min(main(Path(sys.argv[1])), 1))
