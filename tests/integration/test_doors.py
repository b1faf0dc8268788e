"""Privacy of a session of most commands: no network access, and no text of a record is kept or printed.

Each record contains words that occur nowhere else. All that the session printed, logged, cached, tracked and
exported is searched for them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pyarrow import parquet

from scoring.evaluation.error_analysis import N_MISSES
from scoring.records.synthetic.generate import write_sample
from tests.integration.test_commands import SMALL
from tests.made_once import made_once

# Runs as every Python process starts, those that MLflow starts among them.
GUARD = """\
import os, sys

def watch(event, given):
    if event == "socket.connect":
        address = given[1]
        if not isinstance(address, tuple) or address[0] in ("127.0.0.1", "::1", "localhost"):
            return
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = given[0]
        if address in (None, "", "localhost", "127.0.0.1", "::1"):
            return
    else:
        return
    with open(os.environ["DOORS_LOG"], "a") as log:
        log.write(f"{event} {address!r} {sys.argv}\\n")
    raise PermissionError(f"{event} {address!r}: not asked for")

sys.addaudithook(watch)
"""

SESSION = """\
import sys
from scoring.cli import app

def run(*words):
    print("$", *words, file=sys.stderr, flush=True)
    app([*words], standalone_mode=False)

track = ["--experiment", "doors"]
run("validate", "archive")
small = ["--config", "small.yaml", "--output", "model", "--register", "site"]
run("train", "archive", *small, *track, "--verbose")
run("evaluate", "later", "--model", "model", "--output", "figures", *track)
run("score", "later", "--model", "model", "--format", "table", "--debug")
run("score", "later", "--model", "models:/site/1", "--output", "scores.parquet")
run("score", "inbox", "--model", "model", "--write")
run("explain", ONE, "--model", "model")
run("explain", ONE, "--model", "model", "--json")
run("audit", "archive", "--config", "small.yaml", "--json")
run("drift", "later", "--model", "model", *track)
run("runs", "--experiment", "doors")
run("compare", "model", "models:/site/1", "later", "--html", "comparison.html")
run("export", "model", "model.zip")
run("features", "later", "--output", "features.parquet")
run("cache", "info")
"""

CANARY = re.compile(rb"qx(title|excerpt|address|picture|opaque|body|other)\d+", re.IGNORECASE)


def marked(text: str, number: int) -> str:
    """A record with a unique word in each text field."""
    for kind, field, form in (
        ("title", "title", r'\1 Qxtitle{n}"'),
        ("excerpt", "excerpt", r'\1 Qxexcerpt{n}"'),
        ("address", "(?:webUrl|ampWebUrl|cdnAmpWebUrl|originalUrl)", r'\1-qxaddress{n}"'),
        ("picture", "url", r'\1-qxpicture{n}"'),
        ("opaque", "secured", r'\1Qxopaque{n}"'),
    ):
        pattern = rf'(^ *(?:- )?{field}: "(?:[^"\\\n]|\\.)*)"'
        text, count = re.subn(pattern, form.format(n=number), text, flags=re.MULTILINE)
        assert count or kind in ("picture",), kind
    return text.replace("\n---\n", f"\nremoved: Qxother{number}\n---\nQxbody{number}\n", 1)


class Session(NamedTuple):
    """Result of a session: its folder, standard error, and attempted connections."""

    folder: Path
    stderr: str
    tried: str


@pytest.fixture(scope="module")
def session(shared_folder: Path) -> Session:
    return made_once(shared_folder, "doors", run_session)


def run_session(folder: Path) -> Session:
    for name, n_records, seed in (("archive", 150, 1), ("later", 45, 3), ("inbox", 5, 4)):
        write_sample(folder / name, n_records=n_records, seed=seed)
        for number, file in enumerate(sorted((folder / name).iterdir())):
            # The names of files are shown, and those of the sample are made of titles.
            text = marked(file.read_text(), number)
            file.rename(file.with_name(f"{number}.md")).write_text(text)
    (folder / "small.yaml").write_text(SMALL)
    (folder / "guard").mkdir()
    (folder / "guard" / "sitecustomize.py").write_text(GUARD)
    script = SESSION.replace("ONE", repr(str(Path("later", "7.md"))))
    log = folder / "guard" / "log"
    env = os.environ | {
        "SCORING_HOME": str(folder / "home"),
        "SCORING_THREADS": "2",
        "PYTHONPATH": os.pathsep.join([str(folder / "guard"), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "DOORS_LOG": str(log),
    }
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=folder, env=env, stdout=out, stderr=err, check=False
        )
    stderr = (folder / "stderr").read_text()
    assert done.returncode == 0, stderr[-3000:]
    return Session(folder, stderr, log.read_text() if log.exists() else "")


def contents(file: Path) -> bytes:
    if file.suffix == ".parquet":
        return str(parquet.read_table(file).to_pydict()).encode()
    return file.read_bytes()


def written(session: Session) -> Iterator[tuple[Path, bytes]]:
    """Files written by the session, without its input records."""
    for file in sorted(session.folder.rglob("*")):
        path = file.relative_to(session.folder)
        if file.is_file() and path.parts[0] not in ("archive", "later", "inbox", "guard"):
            yield path, contents(file)


def test_no_other_machine_is_asked_for(session: Session) -> None:
    assert session.tried == ""
    assert session.stderr.count("$ ") == SESSION.count("\nrun(")


def test_the_guard_guards(session: Session, tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(session.folder / "guard"), "DOORS_LOG": str(tmp_path / "log")}
    code = "import socket; socket.create_connection(('192.0.2.1', 9), timeout=1)"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=False)
    assert done.returncode == 1
    assert "192.0.2.1" in (tmp_path / "log").read_text()


def test_no_text_of_a_record_is_kept_or_reported(session: Session) -> None:
    files = dict(written(session))
    names = {path.name for path in files}
    assert {"stdout", "stderr", "mlflow.db", "report.html", "predictions.parquet", "model.zip"} <= names
    assert {"comparison.html", "manifest.json", "features.db", "features.parquet"} <= names
    places = {
        (str(path), kind.decode().lower()) for path, data in files.items() for kind in CANARY.findall(data)
    }
    # Three exceptions, which stand in SECURITY.md: words of titles in the cache of features, the title of the
    # best of its coverage that `scoring explain` and `scoring audit` tell of a record, and the titles of the
    # worst errors in reports.
    reports = {(str(path), "title") for path in files if path.name == "report.html"}
    assert places == {("home/cache/features.db", "title"), ("stdout", "title"), *reports}
    assert len(reports) == 3
    for path, _ in reports:
        page = files[Path(path)]
        assert len(CANARY.findall(page)) == page.count(b'<p class="title"') <= 3 * N_MISSES
    lines = [line for line in (session.folder / "stdout").read_text().splitlines() if "Qxtitle" in line]
    assert [line for line in lines if not re.search("(best coverage: |the best is )['\"]", line)] == []


def test_labels_were_written_beside_the_canaries(session: Session) -> None:
    for number in range(5):
        data = (session.folder / "inbox" / f"{number}.md").read_bytes()
        assert {kind.lower() for kind in CANARY.findall(data)} >= {b"title", b"excerpt", b"opaque", b"body"}
