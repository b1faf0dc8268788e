"""What `scoring train` and `evaluate` print last."""

from __future__ import annotations

import pytest

from scoring.cli.console import Terminal
from scoring.cli.models import _show_outcome
from scoring.evaluation.verdict import evaluation_verdict
from scoring.workflows.train import TrainOutcome


def test_last_lines_are_in_words(training: TrainOutcome, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("run_id", "model", "data_sha256", "n_records", "n_faults", "n_own_labels", "metrics")
    _show_outcome(Terminal(), training, names, is_json=False)
    lines = [line.rstrip() for line in capsys.readouterr().out.split("\n\n")[-1].splitlines()]
    width = len("records that cannot be used") + 1
    assert lines == [
        f"{'verdict':{width}} {evaluation_verdict(training.evaluation)}",
        f"{'MLflow run':{width}} {training.run_id or ''}".rstrip(),
        f"{'model':{width}} {training.model}",
        f"{'labelled records':{width}} {training.n_records}",
        f"{'records that cannot be used':{width}} 0",
        f"{'labels that scoring wrote':{width}} 0",
    ]
