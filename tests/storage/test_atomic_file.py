"""Atomic replacement of a file: after any failure it is the old or the new one, with no leftovers."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import RecordError
from scoring.records.record import Labels
from scoring.records.write_back import replace_labels, write_labels
from scoring.storage import atomic_file
from scoring.storage.atomic_file import remove_left_over, replace_file

N_KILLS = 80
OLD, NEW = Labels(5, 25, False), Labels(84, 104, True)
NOBODY = 65534


def record(number: int) -> bytes:
    # Some are longer than what a pipe or a page takes at once.
    body = b"Gulls were counted. \xff\x00\r\n" * (4000 if number % 5 == 0 else 3)
    head = b"---\r\ntitle: 'Gulls %d'  # again\r\ntype: article\r\n---\r\n" % number
    return replace_labels(head + body, OLD)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "inbox"
    made.mkdir()
    for number in range(12):
        (made / f"{number}.md").write_bytes(record(number))
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "alone" / "a.md"
    path.parent.mkdir()
    path.write_bytes(record(1))
    return path


def relabel(path: Path, labels: Labels = NEW) -> None:
    write_labels(str(path), labels, roots=[str(path.parent)])


def in_child(work: Callable[[], None]) -> int:
    """Exit code of a separate process that runs a callable: 0 without an exception."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except RecordError as error:
            os.write(2, f"{error}\n".encode())
            code = 3
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


STEPS = ("open", "fstat", "lstat", "stat", "ftruncate", "write", "fchmod", "listxattr", "fsync", "replace")


@pytest.mark.parametrize("step", [*STEPS, "flock", "unlink", "close"])
def test_fault_at_any_call_of_any_step(file: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = record(1), replace_labels(record(1), NEW)
    module: Any = fcntl if step == "flock" else os
    real = getattr(module, step)
    n_failed = 0
    for fails_at in range(50):
        n_calls = 0

        def fail(*given: Any, at: int = fails_at, **named: Any) -> Any:
            nonlocal n_calls
            n_calls += 1
            if n_calls == at + 1:
                raise OSError(errno.EIO, "Input/output error")
            return real(*given, **named)

        # One step fails; what reads and plans beforehand is not under attack here.
        with monkeypatch.context() as patch:
            patch.setattr(module, step, fail)
            try:
                is_done = replace_file(str(file), old, new, "a.md")
            except RecordError as error:
                n_failed += "Input/output error" in str(error)
            else:
                assert is_done
        assert file.read_bytes() in (old, new)
        relabel(file)
        assert file.read_bytes() == new
        relabel(file, OLD)
        assert os.listdir(file.parent) == ["a.md"]
        if n_calls <= fails_at:
            break
    assert n_failed == fails_at
    assert n_failed > 0 or step == "unlink"  # where all goes well nothing is unlinked


@pytest.mark.parametrize("n_bytes", [1, 7, 4096])
def test_bytes_that_are_taken_a_few_at_a_time(
    file: Path, n_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:n_bytes]))
    relabel(file)
    assert file.read_bytes() == replace_labels(record(1), NEW)


def test_order_of_what_a_power_cut_would_find(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are synced before the rename, and the rename before the call returns."""
    calls: list[str] = []

    def watched(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*given: Any) -> Any:
            if name == "fsync":
                target = os.readlink(f"/proc/self/fd/{given[0]}")
                calls.append(f"fsync {'folder' if os.path.isdir(target) else 'file'}")
            else:
                calls.append(name)
            return real(*given)

        return call

    for name in ("write", "fsync", "replace"):
        monkeypatch.setattr(os, name, watched(name))
    relabel(file)
    assert calls == ["write", "fsync file", "replace", "fsync folder"]


@pytest.mark.slow
def test_killed_at_any_moment(folder: Path) -> None:
    rng = random.Random(7)  # noqa: S311 -- moments, not secrets
    paths = sorted(folder.iterdir())
    ends = {path: (path.read_bytes(), replace_labels(path.read_bytes(), NEW)) for path in paths}
    n_left = 0
    reading, writing = os.pipe()

    def work() -> None:
        os.write(writing, b"!")  # it has begun
        while True:
            for path in paths:
                relabel(path, NEW)
            for path in paths:
                relabel(path, OLD)

    for _ in range(N_KILLS):
        pid = os.fork()
        if pid == 0:
            try:
                work()
            finally:
                os._exit(1)
        os.read(reading, 1)
        time.sleep(rng.uniform(0.0005, 0.01))  # some files are relabelled in that time
        os.kill(pid, signal.SIGKILL)
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
        for path in paths:
            assert path.read_bytes() in ends[path], path
        n_left += len(os.listdir(folder)) - len(paths)
    os.close(reading)
    os.close(writing)
    assert n_left > 0, "no kill fell between the steps"
    for path in paths:
        relabel(path)
        assert path.read_bytes() == ends[path][1]
    assert sorted(folder.iterdir()) == paths


def test_two_scorers_on_one_folder(folder: Path) -> None:
    paths = sorted(folder.iterdir())
    labels = (NEW, Labels(-3, -1, False))

    def work(values: Labels) -> Callable[[], None]:
        def turns() -> None:
            for _ in range(10):
                for path in paths:
                    relabel(path, values)

        return turns

    pids = []
    for values in labels:
        if (pid := os.fork()) == 0:
            os._exit(0 if in_child(work(values)) == 0 else 1)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    for path in paths:
        ends = [replace_labels(record(int(path.stem)), label) for label in labels]
        assert path.read_bytes() in ends
    assert sorted(folder.iterdir()) == paths


def test_who_is_at_work_is_waited_for_but_not_for_ever(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = atomic_file._temporary(str(file))
    with open(temporary, "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        remove_left_over(str(file))
        assert os.path.exists(temporary)
        monkeypatch.setattr(atomic_file, "WAIT_SECONDS", 0.05)
        with pytest.raises(RecordError, match="got a file that another process is writing"):
            relabel(file)
        assert file.read_bytes() == record(1)
    relabel(file)
    assert os.listdir(file.parent) == ["a.md"]


def test_what_a_killed_process_left_goes_even_where_nothing_changes(file: Path) -> None:
    Path(atomic_file._temporary(str(file))).write_bytes(b"---\nhalf a rec")
    write_labels(str(file), OLD, roots=[str(file.parent)], dry_run=True)
    assert len(os.listdir(file.parent)) == 2  # a dry run changes nothing at all
    relabel(file, OLD)
    assert os.listdir(file.parent) == ["a.md"]


@pytest.mark.parametrize("kind", ["link", "hard link", "folder", "pipe"])
def test_trap_in_the_place_of_the_temporary_file(file: Path, kind: str, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_bytes(b"somebody else's")
    temporary = Path(atomic_file._temporary(str(file)))
    if kind == "link":
        temporary.symlink_to(other)
    elif kind == "hard link":
        temporary.hardlink_to(other)
    elif kind == "folder":
        temporary.mkdir()
    else:
        os.mkfifo(temporary)
    with pytest.raises(RecordError, match=r"a\.md: got "):
        relabel(file)
    assert file.read_bytes() == record(1)
    assert other.read_bytes() == b"somebody else's"


def test_hard_link_keeps_the_old_bytes(file: Path, tmp_path: Path) -> None:
    """A hard link may serve as a backup."""
    backup = tmp_path / "backup.md"
    backup.hardlink_to(file)
    relabel(file)
    assert file.read_bytes() == replace_labels(record(1), NEW)
    assert backup.read_bytes() == record(1)


def test_link_stays_a_link(file: Path) -> None:
    link = file.with_name("b.md")
    link.symlink_to("a.md")
    relabel(link)
    assert link.readlink() == Path("a.md")
    assert file.read_bytes() == replace_labels(record(1), NEW)


def test_file_that_went_away(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def lose(handle: int) -> None:
        real(handle)
        file.unlink(missing_ok=True)

    monkeypatch.setattr(os, "fsync", lose)
    with pytest.raises(RecordError, match="No such file or directory"):
        relabel(file)
    assert os.listdir(file.parent) == []


def test_mode_owner_and_attributes_are_kept(file: Path) -> None:
    file.chmod(0o640)
    try:
        os.setxattr(file, "user.origin", b"feed")
    except OSError:
        expected = []  # the file system of this folder has none
    else:
        expected = ["user.origin"]
    if os.geteuid() == 0:
        os.chown(file, NOBODY, NOBODY)
    before = file.stat()
    relabel(file)
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert [name for name in os.listxattr(file) if name.startswith("user.")] == expected
    assert after.st_ino != before.st_ino


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "a.md").write_bytes(record(1))
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.chown(folder / "a.md", NOBODY, NOBODY)
        yield folder


def as_nobody(work: Callable[[], None]) -> Callable[[], None]:
    """Run a callable as a user without root's permissions."""

    def turned() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setegid(NOBODY)
            os.seteuid(NOBODY)
        work()

    return turned


@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "message"),
    [(0o444, 0o755, "got a read-only file"), (0o644, 0o555, "got Permission denied"), (0o644, 0o755, "")],
)
def test_read_only(
    open_folder: Path, file_mode: int, folder_mode: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = open_folder / "a.md"
    file.chmod(file_mode)
    open_folder.chmod(folder_mode)
    code = in_child(as_nobody(lambda: relabel(file)))
    open_folder.chmod(0o755)
    assert code == (3 if message else 0)
    assert message in capfd.readouterr().err
    assert file.read_bytes() == (record(1) if message else replace_labels(record(1), NEW))
    assert os.listdir(open_folder) == ["a.md"]
    assert file.stat().st_mode & 0o777 == file_mode


def test_file_system_that_takes_no_more(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        relabel(file)

    data = record(0)
    file.write_bytes(data)
    assert in_child(work) == 3
    assert "got File too large" in capfd.readouterr().err
    assert file.read_bytes() == data
    assert os.listdir(file.parent) == ["a.md"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB, if the system allows mounting one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=256k", "none"]
    done = subprocess.run(["mount", *options, str(disk)], capture_output=True, check=False)  # noqa: S607 -- the system's
    if done.returncode:
        pytest.skip("no disk can be mounted here; the limit on a file's size stands for it above")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)  # noqa: S607 -- likewise


def test_disk_that_is_full(small_disk: Path) -> None:
    file = small_disk / "a.md"
    file.write_bytes(record(1))
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as handle:
        while handle.write(bytes(4096)):
            pass
    with pytest.raises(RecordError, match="got No space left on device"):
        relabel(file)
    assert file.read_bytes() == record(1)
    assert sorted(os.listdir(small_disk)) == ["a.md", "filler"]
    filler.unlink()
    relabel(file)
    assert file.read_bytes() == replace_labels(record(1), NEW)


def test_disk_that_was_mounted_read_only(small_disk: Path) -> None:
    file = small_disk / "a.md"
    file.write_bytes(record(1))
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True)
    with pytest.raises(RecordError, match="got a read-only file"):
        relabel(file)
    assert file.read_bytes() == record(1)
    assert os.listdir(small_disk) == ["a.md"]
