"""Commands take URLs of stores for records, models and outputs as they take local paths."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from typer.testing import CliRunner, Result

from scoring.artifact import model_folder
from scoring.artifact.model_folder import read_files, write_files
from scoring.cli import app
from scoring.errors import ModelError, ScoringError
from scoring.records.synthetic.generate import write_sample
from scoring.settings import default_model_folder
from scoring.storage import remote_copies
from scoring.storage.remote import list_files
from scoring.storage.remote_output import check_output
from scoring.storage.remote_writes import replace_if_same, write_remote
from scoring.workflows.train import TrainOutcome


@pytest.fixture(scope="module", params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> str:
    """URL of an empty folder of a store."""
    name = f"urls-{uuid4().hex[:8]}"
    if request.param == "s3":
        request.getfixturevalue("object_store")
        fsspec.filesystem("s3").mkdir(name)
    return f"{request.param}://{name}"


def put_into(top: str, path: Path, name: str) -> str:
    """Put a file or folder into a store."""
    fs, root = fsspec.core.url_to_fs(f"{top}/{name}")
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.is_file():
            below = file.relative_to(path).as_posix()
            fs.pipe_file(root if below == "." else f"{root}/{below}", file.read_bytes())
    return f"{top}/{name}"


@pytest.fixture(scope="module")
def put(store: str) -> Callable[[Path, str], str]:
    """Puts a file or folder into the store and returns its URL."""

    return functools.partial(put_into, store)


def run(*arguments: object, code: int = 0) -> Result:
    """Run a command in a home of the test's own."""
    done = CliRunner().invoke(
        app, list(map(str, arguments)), env={"SCORING_HOME": "home"}, prog_name="scoring"
    )
    assert done.exit_code == code, (done.stderr, done.exception)
    return done


def contents(path: str) -> dict[str, bytes]:
    """Content of each file below a path or URL, by name."""
    fs, root = fsspec.core.url_to_fs(path)
    fs.invalidate_cache()
    return {name[len(root) :].lstrip("/"): fs.cat_file(name) for name in fs.find(root)}


@pytest.fixture(scope="module")
def news(later: str, put: Callable[[Path, str], str]) -> str:
    """Labelled records in the store."""
    return put(Path(later), "news")


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some unlabelled records, and files that are left out."""
    folder = tmp_path_factory.mktemp("records") / "inbox"
    write_sample(folder, n_records=20, seed=5, is_labelled=False)
    (folder / "README.md").write_text("# Inbox\n")
    return folder


def test_a_model_is_loaded_from_a_url(
    training: TrainOutcome, inbox: Path, put: Callable[[Path, str], str], tmp_path: Path
) -> None:
    run("export", training.model, "model.zip")
    (folder, archive) = put(Path(training.model), "model"), put(tmp_path / "model.zip", "a/model.zip")
    expected = run("score", inbox, "--model", training.model).stdout
    for model in (folder, f"{folder}/", archive, "model.zip", f"file://{training.model}"):
        assert run("score", inbox, "--model", model).stdout == expected
    records = put(inbox, "inbox")
    assert run("score", records, "--model", folder).stdout == expected.replace(str(inbox), records)
    policy = run("policy", "--model", training.model).stdout
    assert run("policy", "--model", archive).stdout == policy
    assert run("policy", folder, archive).stdout == run("policy", training.model, training.model).stdout


def test_file_urls_are_local_paths(training: TrainOutcome, inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "fields.yaml").write_text("{}\n")
    local = f"file://{tmp_path}"
    run("export", f"file://{training.model}", f"{local}/model.zip")
    options = ("--fields", f"{local}/fields.yaml", "--output", f"{local}/scores.jsonl")
    run("score", f"file://{inbox}", "--model", f"{local}/model.zip", *options)
    expected = run("score", inbox, "--model", training.model).stdout
    assert (tmp_path / "scores.jsonl").read_text() == expected
    run("features", f"file://{inbox}", "--output", f"{local}/features.parquet")
    run("sample", f"{local}/sample", "--records", "3", "--layout", "ratings")
    run("init", f"{local}/sample")
    run("score", f"{local}/sample", "--write", "--model", "shipped", "--journal", f"{local}/journal.jsonl")
    assert {file.name for file in tmp_path.iterdir()} == {
        "features.parquet",
        "fields.yaml",
        "home",
        "journal.jsonl",
        "model.zip",
        "sample",
        "scores.jsonl",
    }
    assert (tmp_path / "sample" / "scoring-fields.yaml").is_file()


def test_a_damaged_model_is_refused_by_its_url(
    training: TrainOutcome, inbox: Path, put: Callable[[Path, str], str], tmp_path: Path
) -> None:
    shutil.copytree(training.model, tmp_path / "damaged")
    (tmp_path / "damaged" / "heat.txt").write_text("x")
    url = put(tmp_path / "damaged", "damaged")
    for model, message in (
        (url, "/heat.txt: got other bytes than the manifest names, expected the saved model's"),
        (f"{url}/none", ": got no manifest.json, expected a model folder"),
        (f"{url}/none.zip", ": cannot read the model: No such file or directory"),
    ):
        done = run("score", inbox, "--model", model, "--quiet", code=2)
        assert done.stderr == f"error: {model}{message}\n"


READING: tuple[tuple[str, ...], ...] = (
    ("validate", "{news}"),
    ("validate", "{news}", "--json"),
    ("score", "{news}", "--format", "csv", "--no-cache"),
    ("score", "{news}/*n1*.md", "--format", "markdown"),
    ("explain", "{one}"),
    ("evaluate", "{news}", "--no-track"),
    ("drift", "{news}", "--no-track"),
    ("suggest", "{inbox}", "{news}"),
    ("relate", "{inbox}", "--json"),
    ("compare", "{model}", "shipped", "{inbox}", "--no-track"),
)


@pytest.mark.usefixtures("undrawn_plots")
@pytest.mark.parametrize("command", READING, ids=lambda command: " ".join(command))
def test_records_are_read_from_a_url(
    command: tuple[str, ...],
    training: TrainOutcome,
    later: str,
    inbox: Path,
    news: str,
    put: Callable[[Path, str], str],
) -> None:
    file = sorted(Path(later).glob("*.md"))[0]
    local = {"news": later, "inbox": str(inbox), "one": str(file), "model": training.model}
    remote = {
        "news": news,
        "inbox": put(inbox, "inbox"),
        "one": f"{news}/{file.name}",
        "model": put(Path(training.model), "model"),
    }

    def printed(places: dict[str, str]) -> tuple[str, str]:
        options = () if command[0] in ("validate", "relate", "compare") else ("--model", places["model"])
        done = CliRunner().invoke(
            app,
            [*(part.format(**places) for part in command), *options],
            env={"SCORING_HOME": "home", "COLUMNS": "400"},
            prog_name="scoring",
        )
        assert done.exit_code in (0, 3), (done.stderr, done.exception)
        return done.stdout, done.stderr

    def named(text: str) -> list[str]:
        for name in ("one", "news", "inbox", "model"):
            text = text.replace(remote[name], local[name])
        return [" ".join(line.split()) for line in text.splitlines()]

    expected, got = printed(local), printed(remote)
    assert [named(text) for text in got] == [named(text) for text in expected]


OUTPUTS: tuple[tuple[str, ...], ...] = (
    ("score", "{inbox}", "--output", "{out}/scores.csv"),
    ("score", "{inbox}", "--output", "{out}/scores.parquet"),
    ("features", "{inbox}", "--output", "{out}/features.parquet"),
    ("evaluate", "{news}", "--no-track", "--output", "{out}"),
    ("drift", "{news}", "--no-track", "--output", "{out}"),
    ("compare", "{model}", "shipped", "{inbox}", "--no-track", "--html", "{out}/page.html"),
    ("export", "{model}", "{out}/model.zip"),
    ("sample", "{out}", "--records", "5"),
    ("init", "{out}"),
)


@pytest.mark.usefixtures("undrawn_plots")
@pytest.mark.parametrize("command", OUTPUTS, ids=lambda command: " ".join(command))
def test_outputs_are_written_to_a_url(
    command: tuple[str, ...], training: TrainOutcome, later: str, inbox: Path, store: str, tmp_path: Path
) -> None:
    out = f"{store}/{uuid4().hex}"
    if command[0] == "init":
        run("sample", tmp_path / "out", "--records", "5", "--layout", "ratings")
        run("sample", out, "--records", "5", "--layout", "ratings")
    for place in (str(tmp_path / "out"), out):
        (tmp_path / "out").mkdir(exist_ok=True)
        places = {"out": place, "news": later, "inbox": str(inbox), "model": training.model}
        options = ("--model", training.model) if "--output" in command else ()
        done = CliRunner().invoke(
            app, [*(part.format(**places) for part in command), *options], env={"SCORING_HOME": "home"}
        )
        assert done.exit_code in (0, 3), (done.stderr, done.exception)
        assert command[0] in ("evaluate", "drift") or place in done.stderr + done.stdout
    assert contents(out) == contents(str(tmp_path / "out"))
    assert contents(out)


@pytest.mark.exhaustive
def test_a_model_is_trained_from_a_url_to_a_url(
    training: TrainOutcome, archive: Path, bucket: str, tmp_path: Path
) -> None:
    news = put_into(bucket, archive, "news")
    (tmp_path / "small.yaml").write_text("n_bootstrap: 50\n")
    config, output = put_into(bucket, tmp_path / "small.yaml", "small.yaml"), f"{bucket}/trained"
    done = run("train", news, "--config", config, "--output", output, "--no-track", "--json")
    assert f'"model":"{output}"' in done.stdout.replace(" ", "")
    assert contents(output) == contents(training.model)
    again = run("train", news, "--config", config, "--output", f"{output}/", "--no-track", code=2)
    assert "already holds small@" in again.stderr
    run("export", "shipped", "other.zip")
    refused = run("import", put_into(bucket, tmp_path / "other.zip", "other.zip"), "--output", output, code=2)
    assert refused.stderr.startswith(f"error: {output}: already holds small@")
    replaced = run("import", f"{bucket}/other.zip", "--output", output, "--overwrite")
    assert replaced.stdout == f"{output}\n"
    assert run("policy", "--model", output).stdout == run("policy", "--model", "shipped").stdout
    refused = run("import", "other.zip", "--output", news, code=2)
    assert refused.stderr == f"error: {news}: exists and is not a model folder\n"


def test_an_upload_that_is_interrupted_can_be_completed(
    training: TrainOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"memory://{uuid4().hex}/model"
    contents = read_files(Path(training.model)).contents
    write = write_remote

    def interrupted(target: str, data: bytes) -> None:
        if target.endswith("/lead.txt"):
            raise ScoringError(f"{target}: cannot be used: Access Denied")
        write(target, data)

    monkeypatch.setattr(model_folder, "write_remote", interrupted)
    with pytest.raises(ModelError, match=r"Access Denied; the model at memory://.* is incomplete .* again$"):
        write_files(Path(url), contents)
    with pytest.raises(ModelError, match=r"got no manifest\.json"):
        read_files(Path(url))
    monkeypatch.undo()
    write_files(Path(url), contents)
    assert read_files(Path(url)).contents == contents


def test_a_replacement_that_is_interrupted_leaves_a_model(
    training: TrainOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whichever step: the old one or the new one, and a later write completes it."""
    old = read_files(default_model_folder()).contents
    new = read_files(Path(training.model)).contents
    write = write_remote
    read = []
    for n_steps in range(2 * len(new)):
        url = f"memory://{uuid4().hex}/model"
        write_files(Path(url), old)
        left = iter(range(n_steps))

        def interrupted(target: str, data: bytes, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise ScoringError(f"{target}: cannot be used: Access Denied")
            write(target, data)

        with monkeypatch.context() as patch:
            patch.setattr(model_folder, "write_remote", interrupted)
            with suppress(ScoringError):
                write_files(Path(url), new)
        contents = read_files(Path(url)).contents
        assert contents in (old, new)
        read.append(contents == new)
        write_files(Path(url), new)
        assert read_files(Path(url)).contents == new
        assert {file.url.rpartition("/")[2] for file in list_files(url).files} == set(model_folder.FILES)
    assert read == sorted(read)
    assert set(read) == {False, True}


def test_a_bucket_that_does_not_exist_is_refused_before_the_work(bucket: str) -> None:
    with pytest.raises(
        ScoringError, match=r"^s3://no-such-bucket/model: there is no bucket 'no-such-bucket'$"
    ):
        check_output(Path("s3://no-such-bucket/model"))
    check_output(Path(f"{bucket}/model"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("watch", "s3://news"), "s3://news: watch needs a local path"),
        (("serve", "--inbox", "s3://news"), "s3://news: --inbox needs a local path"),
        (("serve", "--token-file", "s3://news/t"), "s3://news/t: --token-file needs a local path"),
        (("score", "s3://news", "--changed-since", "HEAD"), "s3://news: --changed-since needs a local path"),
        (("train", "news", "--output", "https://news.example/model"), "a web server is read-only"),
        (("evaluate", "news", "--output", "https://news.example/model"), "a web server is read-only"),
        (("score", "s3://me:hidden@news/a.md"), "s3://***: got credentials in a URL"),
        (("score", "https://news.example/a.md?api_key=hidden"), "https://***: got credentials in a URL"),
        (("score", "https://news.example/a.md;token=hidden"), "https://***: got credentials in a URL"),
        (("score", "zip://a.md::s3://me:hidden@news/z.zip"), "got a chain of URLs"),
        (("score", "simplecache::https://me:hidden@news.example/a.md"), "got a chain of URLs"),
        (("score", "gs://news/a.md"), "pip install 'news-scoring[remote]' gcsfs"),
    ],
)
def test_a_url_where_a_local_path_is_needed_is_refused(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments, code=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert "hidden" not in done.stderr


def test_scores_are_written_to_a_store_and_restored(
    training: TrainOutcome, inbox: Path, store: str, put: Callable[[Path, str], str], tmp_path: Path
) -> None:
    shutil.copytree(inbox, tmp_path / "inbox")
    url = put(inbox, f"written-{uuid4().hex[:8]}")
    before = contents(url)
    model = ("--model", training.model)

    def written(place: str, *options: str) -> tuple[str, str, str]:
        journal = f"{len(place)}.jsonl"
        done = run("score", place, "--write", "--journal", journal, *model, *options)
        write_id = done.stderr.rpartition("--write-id ")[2].split()[0] if not options else ""
        text = (done.stdout + done.stderr).replace(place, "inbox").replace(write_id or " ", " ")
        return text.partition("\nwrite ")[0], write_id, journal

    assert written(url, "--dry-run")[0] == written(str(tmp_path / "inbox"), "--dry-run")[0]
    assert contents(url) == before
    local, _, _ = written(str(tmp_path / "inbox"))
    remote, write_id, journal = written(url)
    assert remote == local
    assert "20 of 20 files written: 60 labels filled" in remote
    assert contents(url) == contents(str(tmp_path / "inbox"))
    again = run("score", url, "--write", "--journal", journal, *model)
    assert "0 of 20 files written" in again.stderr
    done = run("restore", url, "--write-id", write_id, "--journal", journal)
    assert "60 labels of 20 files restored" in done.stderr
    assert contents(url) == before


def test_a_file_that_changes_during_a_write_is_read_again(
    training: TrainOutcome, inbox: Path, put: Callable[[Path, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = put(inbox, f"changed-{uuid4().hex[:8]}")
    file = f"{url}/{sorted(inbox.glob('*-n*.md'))[0].name}"
    fs, path = fsspec.core.url_to_fs(file)
    changes = [b"# first\n", b"# second\n"]
    n_changes = 1

    def changed(target: str, old: bytes, new: bytes) -> bool:
        nonlocal n_changes
        if target == file and n_changes:
            n_changes -= 1
            fs.pipe_file(path, fs.cat_file(path) + changes[n_changes])
        return replace_if_same(target, old, new)

    monkeypatch.setattr(remote_copies, "replace_if_same", changed)
    done = run("score", file, "--write", "--model", training.model)
    assert "1 of 1 files written: 3 labels filled" in done.stderr
    assert fs.cat_file(path).endswith(b"# first\n")
    n_changes = 2
    fs.pipe_file(path, (inbox / Path(file).name).read_bytes())
    done = run("score", file, "--write", "--model", training.model, "--journal", "other.jsonl", code=1)
    assert (
        f"{file}: got a file that another process keeps changing, expected an unchanging file" in done.stderr
    )
    assert b"\nquality" not in fs.cat_file(path)


def test_s3_checks_the_version_with_the_write(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fs, path = fsspec.core.url_to_fs(f"{bucket}/a.md")
    fs.pipe_file(path, b"one")
    write = fs.pipe_file

    def late(name: str, data: bytes, **options: object) -> None:
        write(name, b"another's")
        write(name, data, **options)

    with monkeypatch.context() as patched:
        patched.setattr(fs, "pipe_file", late)
        assert not replace_if_same(f"{bucket}/a.md", b"one", b"two")
    assert fs.cat_file(path) == b"another's"
    assert replace_if_same(f"{bucket}/a.md", b"another's", b"two")
    assert fs.cat_file(path) == b"two"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("score", "https://news.example/a.md", "--write"), "a web server is read-only"),
        (
            ("score", "news", "--write", "--journal", "s3://news/j.jsonl"),
            "s3://news/j.jsonl: the journal needs",
        ),
        (
            ("train", "news", "--journal", "s3://news/j.jsonl"),
            "s3://news/j.jsonl: the journal needs a local path",
        ),
    ],
)
def test_writes_to_urls_that_cannot_be_written_are_refused(arguments: tuple[str, ...], message: str) -> None:
    Path("news").mkdir()
    done = run(*arguments, code=2)
    assert message in done.stderr
