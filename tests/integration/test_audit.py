"""`scoring audit`: table, JSON lines and file; findings are not faults."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scoring.audit.finding import Finding
from scoring.cli import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="scoring")


@pytest.fixture(scope="module")
def archive_with_errors(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An archive without noise and the path of one record that is wrongly not published."""
    folder = tmp_path_factory.mktemp("site") / "news"
    done = run(
        *("sample", folder, "--records", 150, "--seed", 4, "--noise-ratio", 0, "--engagement-max-count", 0)
    )
    assert done.exit_code == 0, done.output
    path = next(
        file
        for file in sorted(folder.iterdir())
        if any(f"\nheat: {heat}\n" in file.read_text("utf-8") for heat in range(100, 400))
    )
    path.write_text(path.read_text("utf-8").replace("\npublished: true\n", "\npublished: false\n"), "utf-8")
    return folder, str(path)


def test_findings_are_reported_and_are_no_faults(
    archive_with_errors: tuple[Path, str], tmp_path: Path
) -> None:
    folder, wrong = archive_with_errors
    done = run("audit", folder, "--json", "--limit", 2, "--output", "found.jsonl")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("150 records, ")
    assert re.search(r" findings: quality \d+, lead \d+, heat \d+, published [12], twin \d+$", done.stderr)
    lines = (tmp_path / "found.jsonl").read_text("utf-8").splitlines()
    findings = [json.loads(line) for line in lines]
    assert all(finding.keys() == set(Finding.__struct_fields__) for finding in findings)
    (shown,) = [finding for finding in findings if (finding["kind"], finding["path"]) == ("published", wrong)]
    assert (shown["path"], shown["label"], shown["expected"], shown["difference"]) == (
        wrong,
        False,
        True,
        -1.0,
    )
    assert shown["probability"] > 0.95

    done = run("audit", folder, "--json", "--limit", 2, "--quiet")
    assert (done.exit_code, done.stdout.splitlines(), done.stderr) == (0, lines, "")


def test_table_is_for_people(archive_with_errors: tuple[Path, str]) -> None:
    folder, wrong = archive_with_errors
    (folder / "bad.md").write_text("---\ntitle: [a]\n---\n")
    done = run("audit", folder, "--limit", 1)
    (folder / "bad.md").unlink()
    assert done.exit_code == 1  # for the record that cannot be used
    assert f"{folder}/bad.md:2: title: got " in done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["kind", "field", "is", "expected", "interval", "off", "by", "record", "why"]
    (row,) = [row for row in rows if row.startswith("published")]
    assert row.split()[:4] == ["published", "published", "no", "yes"]
    assert "not published, others are" in done.stdout
    assert wrong.rpartition("/")[2][:20] in done.stdout


def test_records_without_labels_cannot_be_audited(tmp_path: Path) -> None:
    run("sample", tmp_path / "inbox", "--records", 5, "--unlabelled")
    done = run("audit", tmp_path / "inbox")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "error: no records with a quality and a date to audit" in done.stderr


def test_configuration_is_checked(archive_with_errors: tuple[Path, str], tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text("n_boots: 3\n")
    done = run("audit", archive_with_errors[0], "--config", "new.yaml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: new.yaml: ")
