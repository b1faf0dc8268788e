"""Where the tests find real records, if there are any beside the project, and how many of them they take."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
# Read at collection: the environment of a test is without settings.
_CORPUS = Path(os.environ.get("SCORING_CORPUS", _BESIDE))
_STEP = int(os.environ.get("SCORING_CORPUS_STEP", 20))  # 1: every file, which takes minutes


@pytest.fixture
def real_files() -> list[Path]:
    """Every 20th file of the real corpora, or as the variable says."""
    files = sorted(_CORPUS.glob("*/*.md"))[::_STEP]
    if not files:
        pytest.skip("no real corpora here: set SCORING_CORPUS to their folder")
    return files
