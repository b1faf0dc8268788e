"""Records, models and outputs on stores that the other tests do not cover.

Run by ``make test-stores``; its name keeps it out of ``make test``. It needs the packages of
``tests/stores/requirements.txt`` and the program azurite, and fails without them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import ScoringError
from scoring.storage.remote import list_files, opened
from scoring.storage.remote_output import check_output
from scoring.storage.remote_writes import replace_if_same, write_remote
from tests.stores.servers import SERVERS, Store


@pytest.fixture(scope="module", params=SERVERS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store on loopback; where it is and its credential are in the environment."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SCORING_HOME", str(folder / "home"))
        environment.setenv("SCORING_THREADS", "1")
        environment.chdir(folder)
        with SERVERS[request.param](environment, folder) as made:
            yield made


def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "scoring", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == code, done.stderr
    return done


def test_the_commands(store: Store) -> None:
    news, inbox, model = f"{store.url}/news", f"{store.url}/inbox", f"{store.url}/models/small"
    sample = ("--records", "20", "--seed", "5", "--unlabelled")
    run("sample", "inbox", *sample)
    run("sample", inbox, *sample)
    run("sample", news, "--records", "150", "--seed", "1")
    Path("small.yaml").write_text("n_bootstrap: 50\n")
    run("validate", inbox)
    local = run("score", "inbox", "--model", "shipped").stdout
    assert run("score", inbox, "--model", "shipped").stdout.replace(f"{store.url}/", "") == local
    training = ("--config", "small.yaml", "--no-track", "--output")
    run("train", news, *training, model)
    assert "already holds small@" in run("train", news, *training, model, code=2).stderr
    scores = run("score", f"{inbox}/*.md", "--model", model).stdout
    run("export", model, f"{store.url}/small.zip")
    assert run("score", inbox, "--model", f"{store.url}/small.zip").stdout == scores
    run("export", "shipped", "shipped.zip")
    run("import", "shipped.zip", "--output", model, "--overwrite")
    assert run("policy", "--model", model).stdout == run("policy", "--model", "shipped").stdout
    run("evaluate", news, "--model", "shipped", "--no-track", "--output", f"{store.url}/evaluation")
    run("features", inbox, "--output", f"{store.url}/features.parquet")
    run("score", inbox, "--model", "shipped", "--output", f"{store.url}/scores.csv")
    assert "watch needs a local path" in run("watch", inbox, code=2).stderr
    files = {file.url.removeprefix(f"{store.url}/") for file in list_files(store.url).files}
    assert {"small.zip", "evaluation/report.html", "features.parquet", "scores.csv"} <= files
    assert not any("/." in f"/{name}" for name in files)


def test_scores_are_written_and_restored(store: Store) -> None:
    url = f"{store.url}/written"
    run("sample", url, "--records", "5", "--seed", "5", "--unlabelled")
    before = contents(url)
    written = run("score", url, "--model", "shipped", "--write", "--journal", "journal.jsonl").stderr
    assert "5 of 5 files written: 15 labels filled" in written
    write_id = written.rpartition("--write-id ")[2].split()[0]
    run("restore", url, "--write-id", write_id, "--journal", "journal.jsonl")
    assert contents(url) == before


def test_a_file_is_replaced_only_if_it_is_the_one_that_was_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azure refuses the write itself; on the other stores here, a change right before it is lost."""
    url = f"{store.url}/a/b/c.md"
    write_remote(url, b"one")
    assert not replace_if_same(url, b"other", b"two")
    assert replace_if_same(url, b"one", b"two")
    fs, path = opened(url)
    write = fs.pipe_file

    def late(place: str, data: bytes, **options: Any) -> None:
        write(path, b"another's")
        write(place, data, **options)

    monkeypatch.setattr(fs, "pipe_file", late)
    assert replace_if_same(url, b"two", b"three") == (not store.has_condition)
    assert fs.cat_file(path) == (b"another's" if store.has_condition else b"three")


def test_an_interrupted_write_leaves_the_old_content(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    if not store.url.startswith("sftp://"):
        return  # an object store has no part of a file
    url = f"{store.url}/interrupted/a.md"
    write_remote(url, b"whole")
    fs, path = opened(url)
    write = fs.pipe_file

    def broken(place: str, data: bytes) -> None:
        write(place, data[:1])
        raise OSError("connection lost")

    monkeypatch.setattr(fs, "pipe_file", broken)
    with pytest.raises(ScoringError, match="cannot be used: connection lost"):
        write_remote(url, b"another")
    assert fs.cat_file(path) == b"whole"
    assert [file.url for file in list_files(f"{store.url}/interrupted").files] == [url]


def test_a_missing_bucket_is_named(store: Store) -> None:
    if store.url.startswith("sftp://"):
        return  # folders are made, as local ones are
    missing = f"{store.url}-missing"
    with pytest.raises(ScoringError, match="there is no bucket 'news-missing'"):
        check_output(Path(f"{missing}/model"))
    done = run("score", f"{missing}/inbox", "--model", "shipped", code=2)
    assert "got no such file or folder" in done.stderr
    Path("one.jsonl").write_text('{"title": "Rain"}\n')
    done = run("score", "one.jsonl", "--model", "shipped", "--output", f"{missing}/scores.csv", code=2)
    assert done.stderr == f"error: {missing}/scores.csv: there is no bucket 'news-missing'\n"


def test_a_wrong_credential_is_an_error_of_one_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.spoil(monkeypatch)
    done = run("validate", f"{store.url}/inbox", code=2)
    assert done.stderr.startswith(f"error: {store.url}/inbox: cannot be used: ")
    assert done.stderr.count("\n") == 1


def contents(url: str) -> dict[str, bytes]:
    """Content of each file below a URL."""
    return {file.url: opened(file.url)[0].cat_file(opened(file.url)[1]) for file in list_files(url).files}
