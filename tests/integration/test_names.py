"""File names with invalid UTF-8 or line breaks: accepted by every command, and printed escaped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

from scoring.records.synthetic.generate import write_sample

ODD = {
    b"a\nb\x1b[31m.md": "a\\nb\\x1b[31m.md",
    b"caf\xe9\xff.md": "caf\\xe9\\xff.md",
    b"back\\slash.md": "back\\slash.md",
}
BAD = b"bad\r\xfe.md"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    write_sample(folder, n_records=4, seed=2)
    for name, file in zip(ODD, sorted(folder.iterdir()), strict=False):
        os.rename(file, os.path.join(os.fsencode(folder), name))
    with open(os.path.join(os.fsencode(folder), BAD), "wb") as bad:
        bad.write(b"---\ntitle: [a]\n---\n")
    return folder


def run(*words: str, code: int = 1, python: str = sys.executable) -> tuple[str, str]:
    """Run the program with strict UTF-8 streams; its standard output and error."""
    command = [python, "-m", "scoring", *words]
    env = os.environ | {"SCORING_HOME": "home", "PYTHONUTF8": "1"}
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert done.returncode == code, done.stderr
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "\x1b" not in out + err
    assert "inbox/bad\\r\\xfe.md:2: title: got a list, expected text\n" in err
    return out, err


def test_every_form_has_them(warm: str, inbox: Path) -> None:
    expected = {f"inbox/{name}" for name in ODD.values()}
    assert "4 records can be used, 1 cannot" in "".join(run("validate", "inbox"))
    paths = {
        json.loads(line)["path"]
        for line in run("score", "inbox", "--format", "jsonl", python=warm)[0].splitlines()
    }
    assert len(paths) == 4
    assert paths > expected
    table = run("score", "inbox", "--format", "table", python=warm)[0]
    csv = run("score", "inbox", "--format", "csv", python=warm)[0]
    assert all(name in table and f"{name}," in csv for name in expected)
    for words in (("score", "inbox", "--output"), ("features", "inbox", "--output")):
        run(*words, "a.parquet", python=warm)
        assert set(parquet.read_table("a.parquet").column("path").to_pylist()) == paths
    run("evaluate", "inbox", "--output", "figures", "--no-track", python=warm)


def test_scores_are_written_into_them(inbox: Path) -> None:
    names = sorted(os.listdir(os.fsencode(inbox)))
    before = {name: (Path(os.fsdecode(inbox / os.fsdecode(name)))).read_bytes() for name in names}
    shown, _ = run("score", "inbox", "--write", "--overwrite", "--dry-run")
    assert "+++ inbox/a\\nb\\x1b[31m.md\n" in shown
    written, stderr = run("score", "inbox", "--write", "--overwrite")
    assert "4 of 4 files written" in stderr
    assert set(written.splitlines()) > {f"inbox/{name}" for name in ODD.values()}
    assert sorted(os.listdir(os.fsencode(inbox))) == names
    for name in names:
        is_same = (inbox / os.fsdecode(name)).read_bytes() == before[name]
        assert is_same == (name == BAD), name


def test_two_names_that_are_shown_alike_are_reported(inbox: Path) -> None:
    data = (inbox / os.fsdecode(b"caf\xe9\xff.md")).read_bytes()
    (inbox / "caf\\xe9\\xff.md").write_bytes(data)
    _, stderr = run("score", "inbox", "--write")
    assert (
        stderr.count("caf\\xe9\\xff.md: got a displayed name that two files share, expected distinct names")
        == 2
    )
    assert (inbox / "caf\\xe9\\xff.md").read_bytes() == data
