"""Messages of the public functions name arguments of Python; those of the command line, its options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import scoring
from scoring.api.argument_names import ARGUMENTS, in_python, naming_arguments
from scoring.api.inputs import Warnings
from scoring.cli import app
from scoring.workflows.train import TrainOutcome
from tests.without_packages import ROOT

COMMANDS_ONLY = {
    "--allow-unknown",  # writes labels, as do the next two
    "--changed-since",
    "--include-own-scores",
    "--dask",
    "--study",  # scoring tune
    "--stdout",  # scoring init
    "--port",  # scoring ui
    "--learn",
    "--catalogue",
    "--limit",
    "--seed",
}
"""Options in messages of what Python has no function for, or in documentation."""


def test_every_option_of_a_message_has_its_argument() -> None:
    known = {name.partition(" ")[0] for name in ARGUMENTS}
    for folder in ("workflows", "artifact", "deployment", "training", "labels", "records"):
        for file in sorted((ROOT / "scoring" / folder).rglob("*.py")):
            if file.name == "git_changes.py":  # options of Git
                continue
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", file.read_text("utf-8")):
                assert option in known | COMMANDS_ONLY, (file, option)


def test_errors_and_warnings_name_arguments() -> None:
    with pytest.warns(UserWarning, match=r'^give records with the argument on, or model="shipped"$'):
        Warnings().warn("give records with the argument --on, or --model shipped")
    assert in_python("--on-fault and --one stay") == "--on-fault and --one stay"
    error = scoring.RecordError(scoring.Fault("section", 0, "", "two", "the same in all, or --section"))

    @naming_arguments
    def fail() -> None:
        raise error

    with pytest.raises(scoring.RecordError, match=r"or the setting section$") as caught:
        fail()
    assert caught.value.faults[0].expected == "the same in all, or the setting section"


def test_the_command_names_options(training: TrainOutcome, archive: Path, tmp_path: Path) -> None:
    taken = tmp_path / "model"
    CliRunner().invoke(app, ["export", training.model, str(tmp_path / "a.zip")])
    CliRunner().invoke(app, ["import", str(tmp_path / "a.zip"), "--output", str(taken)])
    done = CliRunner().invoke(app, ["train", str(archive), "--no-track", "--output", str(taken)])
    assert "--overwrite replaces it" in done.stderr
    with pytest.raises(scoring.ModelError, match="overwrite=True replaces it"):
        scoring.train(archive, tracked=False, output=taken)
