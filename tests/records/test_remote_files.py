"""Archives in stores: the same files, field maps, messages and scores as from a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import fsspec
import pytest

from scoring.errors import RecordError, ScoringError
from scoring.features import worker_processes
from scoring.features.reading import read_features
from scoring.records.corpus import read_documents
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.files import expand
from scoring.records.forms.front_matter import MAX_BYTES
from scoring.records.left_out import collecting
from scoring.records.selection import select_files
from scoring.records.synthetic.generate import write_sample
from scoring.storage import remote, remote_copies

RECORD = "---\ntitle: {}\n---\n"
FILES = {
    "b.md": RECORD.format("B"),
    "a.md": RECORD.format("A"),
    "README.md": "# News\n",
    "empty.md": "",
    "notes.txt": RECORD.format("N"),
    "page.html": "<p>",
    "picture.png": "x",
    "more.jsonl": '{"title": "M"}\n',
    ".hidden.md": RECORD.format("H"),
    ".git/d.md": RECORD.format("G"),
    "bad.md": "---\ntitle: [\n---\n",
    "deep/c.md": RECORD.format("C"),
    "deep/er/d.md": RECORD.format("D"),
    "deep.md/e.md": RECORD.format("E"),
    "mapped/scoring-fields.yaml": "fields:\n  title: headline\n",
    "mapped/f.md": "---\nheadline: F\n---\n",
    "mapped/below/g.md": "---\nheadline: G\n---\n",
    "chosen/scoring-fields.yaml": 'files: ["*/h.md", "i.txt"]\n',
    "chosen/x/h.md": RECORD.format("Hh"),
    "chosen/x/j.md": RECORD.format("J"),
    "chosen/i.txt": RECORD.format("I"),
}


@pytest.fixture
def news(tmp_path: Path) -> Path:
    """A folder with files of all kinds."""
    for name, text in FILES.items():
        file = tmp_path / "news" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "news"


@pytest.fixture(params=["memory", "s3"])
def stored(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    """Puts a folder into a store and returns its URL."""
    top = f"memory://{uuid4().hex}" if request.param == "memory" else request.getfixturevalue("bucket")

    def put(folder: Path) -> str:
        url = f"{top}/{folder.name}"
        fs, path = fsspec.core.url_to_fs(url)
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                fs.pipe_file(f"{path}/{file.relative_to(folder).as_posix()}", file.read_bytes())
        return url

    return put


def read(path: str) -> tuple[list[tuple[str, str, str]], list[str], str]:
    """Path, title and digest of each record, the faults, and what was left out."""
    faults: list[str] = []
    with collecting() as walks:
        documents = list(read_documents([path], on_fault=lambda error: faults.append(str(error))))
    rows = [(document.path, document.record.title, document.sha256) for document in documents]
    return rows, faults, walks.summary()


def test_an_archive_is_read_as_from_a_folder(news: Path, stored: Callable[[Path], str]) -> None:
    url = stored(news)
    rows, faults, left_out = read(str(news))
    assert [title for _, title, _ in rows] == ["A", "B", "I", "Hh", "C", "D", "F", "G"]
    assert len(faults) == 2
    assert "without front matter" in left_out
    assert "not among the files of the field map" in left_out

    def named(text: str) -> str:
        return text.replace(str(news), url)

    expected = [(named(path), title, digest) for path, title, digest in rows], [*map(named, faults)]
    assert read(url) == (*expected, named(left_out))
    assert read(f"{url}/")[0] == expected[0]
    assert read(f"file://{news}") == (rows, faults, left_out)


def test_names_with_the_characters_of_a_glob(tmp_path: Path, stored: Callable[[Path], str]) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in ("b[1].md", "b*.md", "b?.md", "b1.md"):
        (folder / name).write_text(RECORD.format(name))
    url = stored(folder)
    rows, faults, _ = read(url)
    assert (sorted(title for _, title, _ in rows), faults) == (["b*.md", "b1.md", "b?.md", "b[1].md"], [])
    assert [title for _, title, _ in read(f"{url}/b[1].md")[0]] == ["b[1].md"]


def test_named_files_and_globs(news: Path, stored: Callable[[Path], str]) -> None:
    url = stored(news)
    assert expand([f"{url}/?.md", f"{url}/a.md", f"{url}/more.jsonl"]) == [
        f"{url}/a.md",
        f"{url}/b.md",
        f"{url}/more.jsonl",
    ]
    assert [title for _, title, _ in read(f"{url}/more.jsonl")[0]] == ["M"]
    assert [title for _, title, _ in read(f"{url}/mapped/*.md")[0]] == ["F"]
    assert select_files([f"{url}/a.md", f"{url}/README.md", f"{url}/chosen/x/*.md"]) == [
        f"{url}/a.md",
        f"{url}/chosen/x/h.md",
        f"{url}/chosen/x/j.md",
    ]


def test_a_missing_path_is_a_fault(news: Path, stored: Callable[[Path], str]) -> None:
    url = stored(news)
    with pytest.raises(RecordError) as raised:
        expand([f"{url}/none.md", f"{url}/z*.md", f"{url}/deep.md/none"])
    assert [(fault.path, fault.got) for fault in raised.value.faults] == [
        (f"{url}/none.md", "no such file or folder"),
        (f"{url}/z*.md", "a glob that matches no file"),
        (f"{url}/deep.md/none", "no such file or folder"),
    ]


def test_a_changed_remote_file_is_copied_again(news: Path, stored: Callable[[Path], str]) -> None:
    url = stored(news)
    assert read(f"{url}/deep")[0][0][1] == "C"
    fs, path = fsspec.core.url_to_fs(url)
    fs.pipe_file(f"{path}/deep/c.md", RECORD.format("changed").encode())
    fs.rm_file(f"{path}/deep/er/d.md")
    fs.pipe_file(f"{path}/deep/new.md", RECORD.format("new").encode())
    fs.rm_file(f"{path}/mapped/scoring-fields.yaml")
    assert [title for _, title, _ in read(f"{url}/deep")[0]] == ["changed", "new"]
    assert len(read(f"{url}/mapped")[1]) == 2


def test_many_files_are_read_in_batches(
    tmp_path: Path, stored: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sample(tmp_path / "many", n_records=30, seed=1)
    url = stored(tmp_path / "many")
    batches: list[int] = []

    def counted(urls: list[str]) -> list[bytes | OSError]:
        batches.append(len(urls))
        return remote.read_together(urls)

    monkeypatch.setattr(remote_copies, "read_together", counted)
    monkeypatch.setattr(remote_copies, "_BATCH_FILES", 12)
    monkeypatch.setattr(remote_copies, "_COPIED_ALONE_BYTES", 3000)
    assert len(read(url)[0]) == len(read(str(tmp_path / "many"))[0])
    assert max(batches) <= 12
    assert sum(batches) < 30


def test_a_file_above_the_limit_is_not_read(news: Path, stored: Callable[[Path], str]) -> None:
    (news / "deep" / "large.md").write_bytes(b"x" * (MAX_BYTES + 1))
    url = stored(news)
    local = read(str(news / "deep" / "large.md"))
    assert [fault.replace(str(news), url) for fault in local[1]] == read(f"{url}/deep/large.md")[1]


def test_worker_processes_read_the_copies(
    tmp_path: Path, stored: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sample(tmp_path / "news", n_records=40, seed=2)
    url = stored(tmp_path / "news")
    monkeypatch.setattr(worker_processes, "PARALLEL_BYTES", 1)

    def features(path: str, n_processes: int) -> str:
        found = read_features([path], field_maps=FieldMaps([path]), n_processes=n_processes, on_fault=print)
        return repr(list(found))  # missing values are not equal

    assert features(url, 2) == features(url, 1)


def test_feeds_and_pages_of_a_web_server(tmp_path: Path) -> None:
    write_sample(tmp_path / "feeds", n_records=5, seed=1, layout="feed")
    feed = next(file for file in sorted((tmp_path / "feeds").rglob("*")) if file.suffix in (".xml", ".rss"))
    feed.with_name("latest").write_bytes(feed.read_bytes())

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(feed.parent))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            site = f"http://127.0.0.1:{server.server_port}"
            titles = [title for _, title, _ in read(str(feed))[0]]
            assert titles
            assert [title for _, title, _ in read(f"{site}/{feed.name}")[0]] == titles
            assert [title for _, title, _ in read(f"{site}/latest")[0]] == titles
            with pytest.raises(RecordError, match="no such file or folder"):
                read(f"{site}/nothing.xml")
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "url",
    [
        "s3://me:hidden@news/a.md",
        "https://news.example/a.xml?access_token=hidden",
        "https://a:hidden@b.example",
    ],
)
def test_credentials_in_addresses_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ScoringError, match=r"://\*\*\*: got credentials in a URL") as raised:
        expand([url])
    assert "hidden" not in str(raised.value)


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ScoringError) as raised:
        expand(["s3://news/a.md"])
    needs = "URLs such as s3://BUCKET need fsspec"
    assert str(raised.value) == f"s3://news/a.md: {needs}: pip install 'news-scoring[remote]'"


def test_changes_in_git_need_a_working_tree() -> None:
    with pytest.raises(ScoringError, match=r"^s3://news: --changed-since needs a local path"):
        select_files(["s3://news"], changed_since="HEAD")
