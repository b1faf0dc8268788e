"""Every input that was ever found keeps its promise, and so do damaged copies of them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scoring.artifact.lightgbm_validation import check_text
from scoring.artifact.manifest import Manifest
from scoring.artifact.manifest_validation import check_manifest
from scoring.artifact.model_folder import decoded
from tests.fuzz.targets import CORPUS, TARGETS

ROOT = Path(__file__).parents[2]
INPUTS = sorted(CORPUS.glob("*/*"))
# The search by coverage has no build for every version of Python; what follows it runs everywhere.
HAS_ATHERIS = importlib.util.find_spec("atheris") is not None


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_input_that_was_found(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_inputs() -> None:
    assert {path.parent.name for path in INPUTS} == TARGETS.keys()


def test_targets_reach_what_they_are_about() -> None:
    for name in ("sound", "sound-profile"):
        check_manifest(decoded("m", (CORPUS / "manifest" / name).read_bytes(), Manifest), "m")
    for path in (CORPUS / "trees").iterdir():
        check_text(path.read_text(), "a")


def test_the_search_runs() -> None:
    """One second only; ``make fuzz`` searches longer."""
    if not HAS_ATHERIS:
        pytest.skip("atheris has no build for this Python: the search by hypothesis stands for it")
    # A shell of its own in between: the largest size of a process begins with that of the one that starts it.
    command = ["sh", "-c", '"$@"; exit $?', "sh"]
    command += [sys.executable, "-m", "tests.fuzz.run", "front_matter", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    n_runs = int(done.stderr.partition("stat::number_of_executed_units:")[2].split()[0])
    assert n_runs > 10


SEEDS = {name: [path.read_bytes() for path in INPUTS if path.parent.name == name] for name in TARGETS}


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A target with a damaged input: some bytes removed, doubled or replaced."""
    name = draw(st.sampled_from(sorted(TARGETS)))
    data = draw(st.sampled_from(SEEDS[name]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + 40)))
        by = draw(
            st.one_of(st.binary(max_size=8), st.sampled_from([b"", data[start:stop] * 2, b"\n", b" - "]))
        )
        data = data[:start] + by + data[stop:]
    return name, data


@settings(max_examples=600)
@given(damaged())
@example(("front_matter", b""))
def test_damaged_inputs(target_and_data: tuple[str, bytes]) -> None:
    name, data = target_and_data
    TARGETS[name](data)
