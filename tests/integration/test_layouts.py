"""Archives in other layouts by the command line, from `init` over `train` to scores written back."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scoring import cli

pytestmark = pytest.mark.slow

KEYS = {"quality": "quality", "ratings": "rating", "published": "draft", "toml": "rating", "json": "rating"}


def run(*words: str | Path) -> Result:
    done = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done


@pytest.mark.parametrize("layout", KEYS)
def test_two_commands_lead_from_a_folder_to_a_model(layout: str, tmp_path: Path) -> None:
    archive, inbox, model = tmp_path / "archive", tmp_path / "inbox", tmp_path / "model"
    run("sample", archive, "--layout", layout, "--records", "150", "--seed", "1")
    run("sample", inbox, "--layout", layout, "--records", "3", "--seed", "2", "--unlabelled")
    run("init", archive)
    run("train", archive, "--output", model, "--no-track")
    before = {file: file.read_text("utf-8") for file in inbox.iterdir()}
    # The model keeps the field map: the inbox needs none.
    scores = [
        json.loads(line)
        for line in run("score", inbox, "--model", model, "--format", "jsonl").stdout.splitlines()
    ]
    learned = "published" if layout == "published" else "quality"
    assert len(scores) == 3
    for score in scores:
        for label in ("quality", "heat", "published"):
            assert (score[label] is not None) == (label == learned)
    run("score", inbox, "--model", model, "--write")
    for file, text in before.items():
        changed = [
            line
            for line in difflib.ndiff(text.splitlines(), file.read_text("utf-8").splitlines())
            if line.startswith(("+ ", "- "))
        ]
        assert changed
        added = [line for line in changed if KEYS[layout] in line]
        assert len(added) == 1
        assert added[0].startswith("+ ")
