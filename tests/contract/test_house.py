"""Repository setup: make targets, CI, and the rules of import-linter."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = {
    name: needs.split() for name, needs in re.findall(r"^([a-z-]+):([^=#\n]*)##", MAKEFILE, re.MULTILINE)
}
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
    "importlinter"
]["contracts"]
ROOMS = {
    path.stem
    for path in (ROOT / "scoring").iterdir()
    if path.suffix == ".py" or (path / "__init__.py").exists()
}


@pytest.mark.parametrize(
    "target",
    [
        *("venv", "browser", "test", "test-all", "lint", "types", "layers", "docs", "site", "notebooks"),
        *("screenshots", "check", "check-all", "test-stores"),
        *("demo", "build", "smoke", "clean", "test-clone", "test-system-python", "test-postgres", "postgres"),
    ],
)
def test_target_is_there(target: str) -> None:
    assert target in TARGETS
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert target in phony[1].split()


def test_check_is_everything_and_the_quickest_first() -> None:
    checks = re.search(r"^CHECKS := (.*)$", MAKEFILE, re.MULTILINE)
    rule = re.search(r"^check: .*\n\t(.*)\n\t(.*)\n\n", MAKEFILE, re.MULTILINE)
    assert checks is not None
    assert rule is not None
    assert set(checks[1].split()) == {"site", "smoke", "test-clone", "test-postgres"}
    assert {"programs", "compiled", "lint", "layers", "types"} < set(rule[1].split())
    assert rule[2].endswith(" test $(CHECKS)")
    longer = re.search(r"^check-all: check .*\n\t(.*)\n", MAKEFILE, re.MULTILINE)
    assert longer is not None
    assert longer[1].endswith(" test-all test-system-python test-lowest")


@pytest.mark.parametrize("name", ["READERS", "PLACED"])
def test_what_runs_elsewhere_too_is_there(name: str) -> None:
    """Paths of the targets for the system's Python and for a clone exist, after expansion by make."""
    printed = subprocess.run(
        ["make", "--no-print-directory", f"--eval=shown: ; @echo $({name})", "shown"],  # noqa: S607 -- the developer's make
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert len(printed) > 2
    assert [path for path in printed if not (ROOT / path).exists()] == []


def test_the_environment_is_of_the_python_that_is_asked_for(tmp_path: Path) -> None:
    """An environment of another Python is replaced."""
    python = tmp_path / "another python"
    python.write_text("#!/bin/sh\necho 3.99.0\n", "utf-8")
    python.chmod(0o755)
    steps = subprocess.run(
        ["make", "--dry-run", "venv", f"PYTHON={python}"],  # noqa: S607 -- the developer's make
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f'"{python}" -m venv --clear .venv\n' in steps
    assert "touch .venv/.ready-3.99.0\n" in steps


def test_the_tests_have_their_browser() -> None:
    assert TARGETS["test"] == ["$(READY)", "browser"]


def test_ci_runs_check() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text("utf-8").splitlines()[-1] == "make check"


def test_no_module_escapes_the_forbidden_imports() -> None:
    owners = {
        "mlflow": {"tracking"},
        "matplotlib": {"plots"},
        "lightgbm": {"distributed", "training"},
        "dask": {"distributed"},
        "fsspec": {"storage"},
        "scipy": ROOMS - {"model"},
    }
    forbidden = {
        contract["forbidden_modules"][0]: contract
        for contract in CONTRACTS
        if contract["type"] == "forbidden"
    }
    assert forbidden.keys() == owners.keys()
    for package, contract in forbidden.items():
        held = {name.removeprefix("scoring.") for name in contract["source_modules"]}
        assert held == ROOMS - owners[package] - {"__init__", "__main__"}
