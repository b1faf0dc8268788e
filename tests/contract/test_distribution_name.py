"""The distribution is `news-scoring`; on the Python index, `scoring` is another project."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import scoring

ROOT = Path(__file__).parents[2]
IMPORT, DISTRIBUTION = "scoring", "news-scoring"
MADE = {"build", "dist", "node_modules"}  # by make; what begins with a dot is not looked at but for .ci
# Where a name of its own begins and ends: in none of dist/NAME, NAME-0, news-NAME, NAME.cli.
ALONE = rf"(?<![\w./-]){IMPORT}(?![\w./-])"
INSTALLERS = r"pip3?|pipx|uv|uvx|poetry|pdm|conda|mamba"
WRONG = re.compile(
    rf"\b(?:{INSTALLERS})[ ]+(?:\w+[ ]+)*?(?:install|add|run|download|uninstall)\b[^\n;&|#`]*?[ '\"]{ALONE}"
    rf"|(?<![\w./-]){IMPORT}\\?\[[a-z]"  # an extra
    rf"|(?<![\w./-]){IMPORT} ?(?:==|>=|~=|@ (?:git|http|file))"  # a requirement
    rf"|\b(?:version|distribution|metadata|requires|from_name)\(['\"]{IMPORT}['\"]"  # importlib.metadata
    rf"|(?<!news[-_])\b{IMPORT}-(?:\d+\.|\*\.)[^\n]*?\.(?:whl|tar)"  # a file of the distribution
    rf"|docker [^\n]*-t {IMPORT}\b"
)
WRONG_FORMS = (
    "pip install {}",
    "run `pip install --upgrade {}` there",
    "{}[dask]",
    "pip install '{}[tune]'",
    r"match=r'{}\[tune\]'",
    "$ uv pip install {}",
    "pipx install {}==0.1.0",
    "{}>=0.1",
    'version("{}")',
    "metadata.distribution('{}')",
    "pip install dist/{}-0.1.0-py3-none-any.whl",
    "docker build -f deploy/Dockerfile -t {} .",
)
RIGHT_FORMS = (
    "import {0}",
    "python -m {0} serve",
    "pip install news-{0}",
    "pip install 'news-{0}[dask]'",
    "news-{0}[tune]",
    'version("news-{0}")',
    "/opt/{0}/bin/pip install news_{0}-0.1.0-py3-none-any.whl",
    "pip install s3fs; {0} score s3://bucket",
    "[tool.{0}]",
    'tools["{0}"]',
    'files("{0}")',
    "/opt/{0}/bin/pip install --no-cache-dir .",
    "useradd --system {0}",
)


def texts() -> Iterator[Path]:
    """Text files of the project that are not generated."""
    for base, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name == ".ci" or not name.startswith(".")]
        if Path(base) == ROOT:
            folders[:] = [name for name in folders if name not in MADE]
        yield from (Path(base, name) for name in names if not name.endswith((".pyc", ".png")))


def test_no_text_names_the_import_where_the_distribution_is_meant() -> None:
    places, n_files = [], 0
    for file in texts():
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        n_files += 1
        places += [
            f"{file.relative_to(ROOT)}:{text.count(chr(10), 0, wrong.start()) + 1}: {wrong[0]}"
            for wrong in WRONG.finditer(text)
        ]
    assert n_files > 300
    assert places == [], f"expected {DISTRIBUTION}"


@pytest.mark.parametrize("form", WRONG_FORMS)
def test_a_wrong_form_is_found(form: str) -> None:
    assert WRONG.search(form.format(IMPORT))
    assert not WRONG.search(form.format(DISTRIBUTION))


@pytest.mark.parametrize("form", RIGHT_FORMS)
def test_a_right_form_is_not(form: str) -> None:
    assert not WRONG.search(form.format(IMPORT))


def test_the_project_is_called_so_and_its_command_is_not() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == DISTRIBUTION
    assert project["scripts"] == {IMPORT: f"{IMPORT}.cli:main"}
    assert project["version"] == metadata.version(DISTRIBUTION) == scoring.__version__


def test_the_lock_is_of_it() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert lock.count(f"{DISTRIBUTION} (pyproject.toml)") == lock.count("(pyproject.toml)") > 30
