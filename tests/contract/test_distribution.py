"""What a release contains, and that its version is told the same everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from docs import check_distribution
from docs.check_distribution import NEEDED_IN_SOURCE, NEEDED_IN_WHEEL, faults_of_source, faults_of_wheel

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
WHEEL = [name.replace("*.dist-info", "news_scoring-1.0.0.dist-info") for name in NEEDED_IN_WHEEL]
SOURCE = [f"news_scoring-1.0.0/{name}" for name in NEEDED_IN_SOURCE]


def test_what_is_needed_is_in_the_project() -> None:
    names = [name for name in (*NEEDED_IN_WHEEL, *NEEDED_IN_SOURCE) if "*" not in name and name != "PKG-INFO"]
    assert [name for name in names if not (ROOT / name.replace("scoring/_models/", "models/")).exists()] == []


def test_contents_are_checked() -> None:
    assert faults_of_wheel(WHEEL) == []
    assert faults_of_source(SOURCE) == []
    assert faults_of_wheel(WHEEL[1:]) == ["scoring/__init__.py is missing"]
    for strange in ("tests/conftest.py", "scoring/__pycache__/api.cpython-311.pyc", "docs/api.md"):
        assert faults_of_wheel([*WHEEL, strange]) == [f"{strange} does not belong there"]
    for strange in (".venv/bin/python", "mlruns/0/meta.yaml", ".scoring/mlflow.db"):
        assert faults_of_source([*SOURCE, f"news_scoring-1.0.0/{strange}"]) == [
            f"{strange} does not belong there"
        ]


def test_make_builds_and_checks_both() -> None:
    rule = re.search(r"^build: .*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert rule is not None
    for step in ("build --quiet", "twine check --strict", Path(check_distribution.__file__).name):
        assert step in rule[1]


def test_changelog_has_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert versions[0] == PROJECT["version"]
    wheels = re.findall(r"news_scoring-([\d.]+)-py3", (ROOT / "docs" / "install.md").read_text("utf-8"))
    assert wheels == [PROJECT["version"]]
