"""requirements.lock pins every requirement of pyproject.toml, with hashes and within its bounds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
GROUPS = [PROJECT["dependencies"], *(EXTRAS[name] for name in EXTRAS if name != "benchmarks")]
NEEDED = [
    need for group in GROUPS for need in map(Requirement, group) if need.name != PROJECT["name"]
]  # an extra may name other extras of the project
ENTRY = re.compile(
    r"^([\w.-]+)==([\w.!+]+)[^\n]*((?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)+)$", re.MULTILINE
)
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
LOCKED: dict[str, list[Version]] = {}
for entry_name, entry_version, _ in ENTRY.findall(LOCK):
    LOCKED.setdefault(canonicalize_name(entry_name), []).append(Version(entry_version))


def test_every_entry_has_hashes() -> None:
    pinned = re.findall(r"^[\w.-]+==", LOCK, re.MULTILINE)
    assert len(pinned) > len(NEEDED)
    assert sum(map(len, LOCKED.values())) == len(pinned)


def test_lock_is_of_this_project_as_it_is() -> None:
    """If this fails after a change of pyproject.toml, run `make lock`."""
    wrong = {
        str(need)
        for need in NEEDED
        if not any(version in need.specifier for version in LOCKED.get(canonicalize_name(need.name), []))
    }
    assert wrong == set()


def test_every_requirement_has_a_lowest_version() -> None:
    """`make test-lowest` needs them."""
    bounds = {need.name: {bound.operator for bound in need.specifier} for need in NEEDED}
    assert [name for name, operators in bounds.items() if not operators & {">=", "=="}] == []
