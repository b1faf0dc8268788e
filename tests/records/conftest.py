"""Where the tests find real records, if there are any beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
# Read at collection: the environment of a test is without settings.
_CORPUS = Path(os.environ.get("SCORING_CORPUS", _BESIDE))


@pytest.fixture
def real_files() -> list[Path]:
    """Every 20th file of the real corpora."""
    files = sorted(_CORPUS.glob("*/*.md"))[::20]
    if not files:
        pytest.skip("no real corpora here: set SCORING_CORPUS to their folder")
    return files
