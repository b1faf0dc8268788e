"""The option `--section`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from scoring.artifact.saved_model import load_model
from scoring.cli import app


def train(*arguments: object) -> Result:
    command = ["train", *map(str, arguments), "--no-track", "--output", "model"]
    return CliRunner().invoke(app, command, prog_name="scoring")


def load_manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = msgspec.to_builtins(load_model(folder).manifest)
    return manifest


def test_the_manifest_has_the_rule(archive: Path, tmp_path: Path) -> None:
    done = train(archive, "--section", "field category")
    assert done.exit_code == 0, done.stderr
    encoder = load_manifest(tmp_path / "model")["encoder"]
    assert encoder["sections_"] == {"by": "field", "field": "category"}
    assert encoder["levels_"]["topic_section"] == ["news"]


def test_sections_are_learned_unless_told_otherwise(archive: Path, tmp_path: Path) -> None:
    done = train(archive)
    assert done.exit_code == 0, done.stderr
    manifest = load_manifest(tmp_path / "model")
    (name,) = manifest["training"]["sections"]
    assert manifest["encoder"]["sections_"] == {"by": "topic", "names": (name,)}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--section", "folder", "--section", "topic"], "got 'folder' and 'topic', expected one --section"),
        (["--section", "field provider"], "section: got 'field provider', expected 'topic', 'folder' or"),
    ],
    ids=["two rules", "no such field"],
)
def test_rules_that_cannot_be_meant_are_refused(
    archive: Path, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    done = train(archive, *arguments)
    assert done.exit_code == 2
    assert expected in " ".join(done.stderr.replace("│", " ").split())
    assert not (tmp_path / "model").exists()
