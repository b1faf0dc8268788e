"""A full or failing disk: one line names the file, and existing files stay as they were."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from scoring.records.synthetic.generate import write_sample
from scoring.storage.home import prepare_home
from scoring.storage.replacement import open_replacement

N_RECORDS = 20
DEFAULT = Path(__file__).parents[2] / "models" / "default"
FULL = "File too large"  # what the system says of a limit on the size of files, which any user may set
# Each writer, and the file that its message names.
WRITERS = {
    "score inbox --output out.jsonl": "error: out.jsonl: {}",
    "score inbox --output out.csv": "error: out.csv: {}",
    "score inbox --output out.parquet": "error: out.parquet: {}",
    "features inbox --output out.parquet": "error: out.parquet: cannot write the features: {}",
    "sample new --records 9": "error: new/./2018-",
    f"export {shlex.quote(str(DEFAULT))} out.zip": "error: out.zip: {}",
    "import model.zip --output out": "error: out: cannot write the model: {}",
    "evaluate labelled --output out --no-track": "error: out: cannot write the evaluation: {}",
    "evaluate labelled": "home/pending/",
    "score inbox --write": "home/journal.jsonl: got {}",
    "score long.md --write": "long.md: got {}",
}
REAL = ("score inbox --output out.jsonl",)


@pytest.fixture(autouse=True)
def records(tmp_path: Path) -> None:
    write_sample(tmp_path / "inbox", n_records=N_RECORDS, seed=1, is_labelled=False)
    write_sample(tmp_path / "labelled", n_records=N_RECORDS, seed=1)
    (tmp_path / "long.md").write_text(
        f"---\ntitle: Rain\npublishedDateTime: 2021-03-04T05:06:07Z\n---\n{'x' * 2000}\n"
    )


Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(request: pytest.FixtureRequest, warm: str) -> Shell:
    """Runs a line of the shell; some of the writers are processes of their own."""
    parameters = getattr(request.node, "callspec", None)
    is_real = parameters is not None and parameters.params["command"] in REAL

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        # Python itself leaves half of a bytecode file where the size of files is limited.
        environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHON": sys.executable if is_real else warm}
        return subprocess.run(
            ["bash", "-c", f'scoring() {{ "$PYTHON" -m scoring "$@"; }}; {line}'],  # noqa: S607 -- the system's
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=os.environ | {"SCORING_HOME": "home"} | environment,
        )

    return shell


@pytest.mark.parametrize("command", WRITERS)
def test_the_file_is_named(shell: Shell, template: Path, tmp_path: Path, command: str) -> None:
    if command.startswith("import"):
        assert shell(f"scoring export {shlex.quote(str(DEFAULT))} model.zip").returncode == 0
    if command == "evaluate labelled":  # the store is there: making it is another writer
        prepare_home(tmp_path / "home")
        shutil.copy(template, tmp_path / "home")
    before = {path for path in tmp_path.rglob("*") if "home" not in path.parts}
    done = shell(f"export PYTHONDONTWRITEBYTECODE=1; ulimit -f 1; scoring {command} --quiet")
    expected = WRITERS[command]
    assert "Traceback" not in done.stderr
    assert any(expected.format(FULL) in line and FULL in line for line in done.stderr.splitlines()), (
        done.stderr
    )
    assert done.returncode == (1 if command == "score long.md --write" else 2)
    left = {path for path in tmp_path.rglob("*") if "home" not in path.parts} - before
    assert {path.parts[len(tmp_path.parts)] for path in left} <= {"new", "out"}, "no half of a file is left"


def test_a_cache_that_is_full_stops_no_scoring_and_is_reported_once(shell: Shell, tmp_path: Path) -> None:
    for number in range(2, 8):
        write_sample(tmp_path / "inbox" / str(number), n_records=300, seed=number, is_labelled=False)
    whole = shell("scoring score inbox --model shipped --no-cache")
    for threads in (1, 2):
        done = shell(
            "export PYTHONDONTWRITEBYTECODE=1; ulimit -f 24; "
            f"SCORING_THREADS={threads} scoring score inbox --model shipped 2>messages"
        )
        assert (done.returncode, done.stdout) == (0, whole.stdout)
        messages = (tmp_path / "messages").read_text().splitlines()
        assert len(messages) == 1, messages
        assert f"{tmp_path}/home/cache/features.db: not used: d" in messages[0]  # database, disk


def test_the_state_of_a_watch_names_its_file(shell: Shell, tmp_path: Path) -> None:
    done = shell("export PYTHONDONTWRITEBYTECODE=1; ulimit -f 1; scoring watch inbox")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"error: {tmp_path}/home/watch/")
    assert ".db: cannot be used: d" in line


APPEND = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from scoring.records.ledger import Correction, append_corrections
correction = Correction(at=datetime.now(UTC), path="a.md", record_sha256="0" * 64, own_sha256="0" * 64,
                        field="quality", predicted=1, value=2, model="m")
try:
    append_corrections(Path("ledger.jsonl"), [correction] * 9)
except OSError as error:
    print(error)
"""


def test_a_ledger_names_its_file(shell: Shell, tmp_path: Path) -> None:
    done = shell(f"export PYTHONDONTWRITEBYTECODE=1; ulimit -f 1; \"$PYTHON\" -c '{APPEND}'")
    assert "ledger.jsonl" in done.stdout, done
    assert (tmp_path / "ledger.jsonl").read_bytes() == b""


def test_a_disk_that_fails_names_the_file_too(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("before")
    with (
        pytest.raises(OSError, match=r"Input/output error: '.*/out\.csv'") as caught,
        open_replacement(tmp_path / "out.csv"),
    ):
        raise OSError(5, "Error writing bytes to file. Detail: [errno 5] Input/output error")
    assert caught.value.filename == str(tmp_path / "out.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inbox", "labelled", "long.md", "out.csv"]
    assert (tmp_path / "out.csv").read_text() == "before"


def test_a_disk_that_is_full(shell: Shell, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here; the limit on a file's size stands for it above")
    try:
        with suppress(OSError), (disk / "filler").open("wb", buffering=0) as handle:
            while handle.write(bytes(4096)):
                pass
        done = shell("scoring score inbox --model shipped --output disk/out.csv --quiet")
        assert (done.returncode, done.stderr) == (2, "error: disk/out.csv: No space left on device\n")
        done = shell("SCORING_HOME=disk/home scoring score inbox --model shipped 2>messages")
        assert (done.returncode, len(done.stdout.splitlines())) == (0, N_RECORDS)
        (message,) = (tmp_path / "messages").read_text().splitlines()
        assert "disk/home/cache" in message
        assert sorted(os.listdir(disk)) in (["filler"], ["filler", "home"])
    finally:
        subprocess.run(["umount", str(disk)], check=True)  # noqa: S607 -- the system's
