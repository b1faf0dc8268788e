"""Copies of remote files: whole versions in each thread, and none left behind."""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from uuid import uuid4

import fsspec
import pytest

from scoring.storage import remote_copies
from scoring.storage.remote import RemoteFile, list_files
from scoring.storage.remote_copies import RemoteCopies


@pytest.fixture
def put() -> Callable[[str, bytes], RemoteFile]:
    """Puts a file into a store of the test's own, and returns what a listing says of it."""
    top = f"memory://{uuid4().hex}"

    def put(name: str, data: bytes) -> RemoteFile:
        fs, path = fsspec.core.url_to_fs(f"{top}/{name}")
        fs.pipe_file(path, data)
        return list_files(f"{top}/{name}").files[0]

    return put


# Large files of the store in memory have one position, which only one thread can use.
@pytest.mark.parametrize(
    ("alone_bytes", "n_copying"), [(0, 1), (2**22, 2)], ids=["one large file", "small files together"]
)
def test_threads_read_whole_versions(
    put: Callable[[str, bytes], RemoteFile], monkeypatch: pytest.MonkeyPatch, alone_bytes: int, n_copying: int
) -> None:
    """While others copy a file again and again, a thread reads one version or another of it."""
    monkeypatch.setattr(remote_copies, "_COPIED_ALONE_BYTES", alone_bytes)
    copies, content = RemoteCopies(), b"line\n" * 20_000
    file = put("a.md", content)
    copies.copy_files([file])
    is_done = Event()

    def read() -> set[bytes]:
        found = {Path(copies.copy_of(file.url)).read_bytes()}
        while not is_done.is_set():
            found.add(Path(copies.copy_of(file.url)).read_bytes())
        return found

    def copy(number: int) -> None:
        for version in range(50):
            copies.copy_files([file._replace(stamp=f"{number}-{version}")])
            copies.copy_heads([file._replace(stamp=f"{number}-{version}-head")], 4)

    with ThreadPoolExecutor(3) as executor:
        reader = executor.submit(read)
        list(executor.map(copy, range(n_copying)))
        is_done.set()
        assert reader.result() == {content}
    assert len(list(Path(str(copies.folder)).iterdir())) == 1


def test_the_first_bytes_of_a_file_do_not_replace_the_whole(put: Callable[[str, bytes], RemoteFile]) -> None:
    copies, file = RemoteCopies(), put("notes.txt", b"first\nsecond\n")
    copies.copy_heads([file], 5)
    assert Path(copies.copy_of(file.url)).read_bytes() == b"first"
    copies.copy_files([file])
    assert Path(copies.copy_of(file.url)).read_bytes() == b"first\nsecond\n"
    copies.copy_heads([put("notes.txt", b"third\nfourth\n")], 5)
    assert Path(copies.copy_of(file.url)).read_bytes() == b"third\nfourth\n"


def test_the_copies_of_two_calls_are_their_own(put: Callable[[str, bytes], RemoteFile]) -> None:
    first, second = RemoteCopies(), RemoteCopies()
    file = put("a.md", b"one")
    first.copy_files([file])
    assert not second.has_copy(file.url)
    second.copy_files([put("a.md", b"another")])
    second.forget(file.url)
    assert Path(first.copy_of(file.url)).read_bytes() == b"one"


def test_copies_are_removed_with_their_owner(put: Callable[[str, bytes], RemoteFile]) -> None:
    copies = RemoteCopies()
    copies.copy_files([put("a.md", b"one")])
    folder = Path(str(copies.folder))
    assert len(list(folder.iterdir())) == 1
    del copies
    gc.collect()
    assert not folder.exists()
