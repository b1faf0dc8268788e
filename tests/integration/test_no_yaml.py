"""A file without valid YAML is one fault; the other files are processed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scoring.records.synthetic.generate import write_sample

DOCUMENTS = {
    "no blank after a key": (
        "title: Rain\npublishedDateTime:21-03-04 05:0s\n",
        "3: publishedDateTime: got no blank after the colon",
    ),
    "text behind a quote": ('title: "Rain\\" x" y\n', "2: title: got text after a closing quote"),
}


def scoring(python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [python, "-m", "scoring", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "summary"),
    [
        (("validate", "inbox"), []),
        (("score", "inbox", "--model", "shipped", "--format", "jsonl"), []),
        (("score", "inbox", "--model", "shipped", "--write"), ["2 of 2 files written", "write "]),
    ],
)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_one_file_that_is_no_yaml_is_refused_in_one_line(
    warm: str, document: str, command: tuple[str, ...], summary: list[str], tmp_path: Path
) -> None:
    write_sample(tmp_path / "inbox", n_records=2, seed=1, is_labelled=False)
    text, fault = DOCUMENTS[document]
    (tmp_path / "inbox" / "a.md").write_text(f"---\n{text}---\n", "utf-8")
    done = scoring(sys.executable if command[0] == "validate" else warm, *command)
    assert done.returncode == 1
    line, *last = done.stderr.splitlines()
    assert line.startswith(f"inbox/a.md:{fault}")
    assert len(last) == len(summary)
    assert all(map(str.startswith, last, summary))
    if command[0] == "validate":
        assert "2 records can be used, 1 cannot" in done.stdout
    elif "--write" in command:
        written = [file for file in (tmp_path / "inbox").iterdir() if b"\nquality: " in file.read_bytes()]
        assert len(written) == 2
    else:
        assert done.stdout.count("\n") == 2
