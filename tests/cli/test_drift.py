"""`scoring drift` from the command line: output and exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner, Result

from scoring import cli
from scoring.records.synthetic.generate import write_sample
from scoring.records.synthetic.policy import DEFAULT_POLICY
from scoring.workflows.train import TrainOutcome

STRICT = ("--max-error-increase", 1.5)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(
        cli.app, ["drift", *map(str, arguments), "--no-track"], prog_name="scoring", color=False
    )


def test_accepted(training: TrainOutcome, archive: Path) -> None:
    done = run(archive, "--model", training.model)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("400 records compared with the training records of small@")
    assert "accepted" in lines
    assert "beyond" not in done.stdout
    assert "A family of features has drifted if" in done.stdout
    assert any(line.startswith("expected error of quality: ") for line in lines)


def test_refused_as_text_and_as_json(training: TrainOutcome, tmp_path: Path) -> None:
    write_sample(tmp_path / "other", n_records=60, seed=3, section="Elsewhere")
    done = run(tmp_path / "other", "--model", training.model, "--output", tmp_path / "out", *STRICT)
    assert done.exit_code == 3, done.output
    at = done.stdout.splitlines().index("refused")
    assert "  unseen topic: 100.0% of records, limit" in done.stdout.splitlines()[at + 2]
    assert "exceeds 1.5 times" in done.stdout
    shown = run(tmp_path / "other", "--model", training.model, "--json", *STRICT)
    assert shown.exit_code == 3
    output = json.loads(shown.stdout)
    assert list(output) == ["run_id", "drift"]
    assert output["run_id"] is None
    assert output["drift"] == json.loads((tmp_path / "out" / "drift.json").read_text())
    assert run(tmp_path / "other", "--model", training.model, "--json", *STRICT).stdout == shown.stdout


def test_a_refusal_goes_before_a_faulty_record(training: TrainOutcome, archive: Path, tmp_path: Path) -> None:
    write_sample(tmp_path / "other", n_records=20, seed=3, section="Elsewhere")
    (tmp_path / "other" / "bad.md").write_text("---\nimages: high\n---\n")
    done = run(tmp_path / "other", "--model", training.model)
    assert (done.exit_code, "got 'high'" in done.stderr) == (3, True)
    assert run(archive, tmp_path / "other" / "bad.md", "--model", training.model).exit_code == 1


def test_nothing_done(training: TrainOutcome, archive: Path, tmp_path: Path) -> None:
    assert run(archive, "--model", tmp_path / "none").exit_code == 2
    assert run(archive, "--model", training.model, "--max-error-increase", -1).exit_code == 2
    write_sample(tmp_path / "few", n_records=3, seed=3)
    done = run(tmp_path / "few", "--model", training.model)
    assert done.exit_code == 2
    assert done.stderr == "error: new records: got 3 usable records, expected 10 or more\n"


def test_labels_by_other_rules_refuse_the_records(
    training: TrainOutcome, archive: Path, tmp_path: Path
) -> None:
    followed = run(archive, "--model", training.model, "--labels")
    assert followed.exit_code == 0, followed.output
    assert "labels: no departure from the model's rules was found" in followed.stdout
    other = replace(DEFAULT_POLICY, scale=0.5, shift=20.0, published_from_heat=30)
    write_sample(tmp_path / "other", n_records=400, seed=1, policy=other)
    done = run(tmp_path / "other", "--model", training.model, "--labels", "--json")
    assert done.exit_code == 3, done.output
    drift = json.loads(done.stdout)["drift"]
    assert {change["target"] for change in drift["label_changes"]} >= {"quality", "published"}
    assert any("quality has followed different rules since 2018-" in reason for reason in drift["reasons"])
    assert (
        json.loads(run(archive, "--model", training.model, "--json").stdout)["drift"]["label_changes"] is None
    )


def test_too_few_labels_to_look_for_other_rules(training: TrainOutcome, tmp_path: Path) -> None:
    write_sample(tmp_path / "few", n_records=12, seed=3)
    done = run(tmp_path / "few", "--model", training.model, "--labels")
    assert "12 labels are too few to check, expected 20 or more" in done.stderr
    write_sample(tmp_path / "none", n_records=12, seed=3, is_labelled=False)
    done = run(tmp_path / "none", "--model", training.model, "--labels")
    assert "no record has a quality and a date" in done.stderr
    assert "no departure from the model's rules" not in done.stdout  # nothing was checked
