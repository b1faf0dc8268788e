"""The session of docs/session.md, of two configurations: train, compare, promote, roll back."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scoring.cli import app
from scoring.settings import load_settings
from scoring.tracking import Store, list_runs
from tests.contract.test_readme import ROOT, SESSION, examples, is_as_shown, parted

pytestmark = pytest.mark.usefixtures("undrawn_plots")

RUN = re.compile(r"\b[0-9a-f]{7}\b")


@pytest.mark.exhaustive
def test_the_session_of_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORING_THREADS", "1")
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    for config in (tmp_path / "experiments").glob("*.yaml"):
        with config.open("a", encoding="utf-8") as file:
            file.write("n_bootstrap: 50\n")  # the verdicts have draws of their own
    store = Store(load_settings().tracking_uri, load_settings().home)
    written = dict(re.findall(r"^([0-9a-f]{7}) .*? ([a-z-]+) +train ", SESSION, re.MULTILINE))
    ids: dict[str, str] = {}
    answers = []
    for line, words, _, shown in examples(SESSION):
        arguments = [ids.get(word, word) for word in words[1:]]
        done = CliRunner().invoke(app, arguments, prog_name="scoring")
        assert done.exit_code == (3 if "refused: " in shown else 0), f"{line}: {done.output}"
        # Numbers are those of the machine that wrote the page; what is told in words is told everywhere.
        for expected in (
            line for line in shown.splitlines() if line.startswith(("promoted", "refused", "unchanged", "  "))
        ):
            assert expected.strip() in " ".join(done.output.split()), f"{line}: {done.output}"
        if words[1] in ("sample", "score"):
            assert is_as_shown(done.output, shown), line
        if words[1] == "runs":
            run_ids = {run.name: run.run_id for run in list_runs(store)}
            ids = {short: run_ids[name] for short, name in written.items()}
            assert len(ids) == 2
        answers.append((parted(words[1:])[0], done.exit_code))
    assert answers[4:] == [
        ("runs", 0),
        ("promote", 0),
        ("compare", 0),
        ("promote", 0),
        ("score", 0),
        ("promote", 3),
        ("retrain", 0),
        ("retrain", 0),
        ("rollback", 0),
        ("retrain", 3),
        ("reproduce", 0),
    ]
