"""Standard streams that are closed, full, or of an encoding that lacks characters, by kind of command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scoring.records.synthetic.generate import write_sample

N_RECORDS = 5
ODD_NAME = "zebra é \N{SNOWMAN} \N{GRINNING FACE}.md"
# What each command prints to standard output, and is done in the shell.
COMMANDS = {
    "score": "score inbox",
    "score as a table": "score inbox --format table",
    "score as parquet": "score inbox --format parquet",
    "score --write": "score inbox --write",
    "validate --json": "validate inbox --json",
    "explain": f"explain 'inbox/{ODD_NAME}'",
    "config": "config",
    "import": "import model.zip --output imported",
    "--help": "--help",
}
REAL = (COMMANDS["score"], "score -")
ENCODED = ("score as a table", "score --write", "explain")
commands = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


@pytest.fixture(autouse=True)
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    write_sample(folder, n_records=N_RECORDS, seed=1, is_labelled=False)
    first = min(folder.iterdir())
    first.rename(folder / ODD_NAME)
    return folder


@pytest.fixture(scope="session")
def model_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("export") / "model.zip"
    folder = Path(__file__).parents[2] / "models" / "default"
    command = [sys.executable, "-m", "scoring", "export", str(folder), str(file)]
    subprocess.run(command, check=True, capture_output=True)
    return file


@pytest.fixture
def model(model_zip: Path, tmp_path: Path) -> None:
    (tmp_path / "model.zip").symlink_to(model_zip)


Shell = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def shell(request: pytest.FixtureRequest, warm: str) -> Shell:
    """Runs a line of the shell, with the exit codes of its pipe at the end of stderr.

    One command of each test, and all in another locale, are processes of their own.
    """
    parameters = getattr(request.node, "callspec", None)
    is_real = parameters is None or parameters.params.get("command") in REAL

    def shell(line: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        python = sys.executable if is_real or "LC_ALL" in variables else warm
        program = 'scoring() { "$PYTHON" -m scoring "$@"; }'
        return subprocess.run(
            ["bash", "-c", f'{program}; {line}; echo "${{PIPESTATUS[*]}}" >&2'],  # noqa: S607 -- the system's
            capture_output=True,
            check=False,
            timeout=120,
            env={**os.environ, "SCORING_HOME": "home", "PYTHONUNBUFFERED": "", "PYTHON": python, **variables},
        )

    return shell


def codes_of(done: subprocess.CompletedProcess[bytes]) -> tuple[list[int], str]:
    """Exit codes, and what else is on stderr."""
    *rest, codes = done.stderr.decode().splitlines(keepends=True)
    return list(map(int, codes.split())), "".join(rest)


def check_plain(stderr: str) -> None:
    assert "Traceback" not in stderr
    assert "Exception ignored" not in stderr
    assert "defect" not in stderr


@commands
@pytest.mark.parametrize("redirection", [">/dev/full", pytest.param(">&-", marks=pytest.mark.exhaustive)])
@pytest.mark.usefixtures("model")
def test_standard_output_takes_nothing(shell: Shell, inbox: Path, command: str, redirection: str) -> None:
    (code, *_), stderr = codes_of(shell(f"scoring {command} {redirection}"))
    check_plain(stderr)
    assert code == 2
    if not {"--help", "--version"} & set(command.split()):
        cause = "closed" if "&" in redirection else "No space left on device"
        assert f"error: standard output: {cause}: results were lost\n" in stderr
    check_written(inbox, command)


@commands
@pytest.mark.usefixtures("model")
def test_the_reader_of_standard_output_goes_away(shell: Shell, inbox: Path, command: str) -> None:
    (code, *_), stderr = codes_of(shell(f"scoring {command} | (exec <&-)"))
    check_plain(stderr)
    # 0 where all was in the pipe before it was gone; a help text is Typer's own.
    assert code in (0, 1 if command == "--help" else 141)
    assert "error" not in stderr
    check_written(inbox, command)


def check_written(inbox: Path, command: str) -> None:
    """Everything that is to be written is, whoever listens."""
    has_labels = ["\nquality:" in file.read_text("utf-8") for file in inbox.iterdir()]
    assert has_labels == [command == COMMANDS["score --write"]] * N_RECORDS
    assert Path("imported/manifest.json").exists() == command.startswith("import")


def test_writing_goes_on_when_the_reader_goes_away_in_the_middle(shell: Shell, tmp_path: Path) -> None:
    write_sample(tmp_path / "many", n_records=1000, seed=1, is_labelled=False)
    # Names so long that they do not fit into a pipe together.
    for file in (tmp_path / "many").iterdir():
        file.rename(file.with_name(f"{file.stem[:40]}-{'x' * 150}-{file.name[-30:]}"))
    done = shell("scoring score many --write | head -1")
    codes, stderr = codes_of(done)
    assert codes == [141, 0]
    assert "1,000 of 1,000 files written: 3,000 labels filled, 0 renewed, 0 left alone\n" in stderr
    assert all("\nquality:" in file.read_text("utf-8") for file in (tmp_path / "many").iterdir())


@commands
@pytest.mark.usefixtures("model")
def test_standard_error_takes_nothing_and_standard_input_is_closed(
    shell: Shell, inbox: Path, command: str
) -> None:
    def fresh(place: str) -> str:
        """The command, on records as they were, and with a place of its own for what it imports."""
        shutil.rmtree(inbox)
        write_sample(inbox, n_records=N_RECORDS, seed=1, is_labelled=False)
        min(inbox.iterdir()).rename(inbox / ODD_NAME)
        (inbox / "faulty.md").write_text("---\nimages: high\n---\n")
        return command.replace("imported", place)

    heard = shell(f"scoring {fresh('heard')} 2>messages <&-")
    messages = Path("messages").read_text("utf-8")
    check_plain(messages)
    reads_faulty = command.split()[0] in ("score", "validate")
    assert codes_of(heard)[0] == [int(reads_faulty)]
    assert ("faulty.md" in messages or b"faulty.md" in heard.stdout) == reads_faulty
    for place, redirection in (("full", "2>/dev/full"), ("closed", "2>&-")):
        unheard = shell(f"scoring {fresh(place)} {redirection}")
        assert codes_of(unheard) == (codes_of(heard)[0], "")
        same = unheard.stdout.replace(place.encode(), b"heard") if "import" in command else unheard.stdout
        assert same == heard.stdout, "messages are no results"


@pytest.mark.parametrize("command", ["score -", "validate -", "explain -", "features - --output f.parquet"])
def test_standard_input_is_closed_and_asked_for(shell: Shell, command: str) -> None:
    (code, *_), stderr = codes_of(shell(f"scoring {command} <&-"))
    check_plain(stderr)
    assert code == (2 if "explain" in command else 1)
    assert "-: got Bad file descriptor, expected a file that can be read\n" in stderr


@pytest.mark.parametrize("command", [COMMANDS[name] for name in ENCODED])
@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        pytest.param({"PYTHONIOENCODING": "latin-1"}, id="latin-1", marks=pytest.mark.exhaustive),
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
    ids=lambda variables: " ".join(variables.values()),
)
@pytest.mark.usefixtures("model")
def test_an_encoding_that_lacks_characters(
    shell: Shell, inbox: Path, command: str, variables: dict[str, str]
) -> None:
    if "PYTHONUTF8" in variables and not sys.prefix.isascii():
        pytest.skip("Python cannot start from here in ASCII")
    done = shell(f"scoring {command}", **variables)
    (code, *_), stderr = codes_of(done)
    check_plain(stderr)
    assert code == 0, stderr
    check_written(inbox, command)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_in_every_encoding(shell: Shell, encoding: str) -> None:
    done = shell("scoring score inbox --format jsonl", PYTHONIOENCODING=encoding)
    paths = [json.loads(line)["path"] for line in done.stdout.decode(encoding).splitlines()]
    assert f"inbox/{ODD_NAME}" in paths
    assert len(paths) == N_RECORDS


def test_no_file_gets_the_number_of_a_closed_stream(shell: Shell, tmp_path: Path) -> None:
    """Else what is printed would go among its bytes."""
    whole = shell("scoring score inbox --output whole.jsonl")
    assert codes_of(whole)[0] == [0]
    closed = shell("scoring score inbox --output closed.jsonl <&- >&- 2>&-")
    assert codes_of(closed)[0] == [0]
    assert (tmp_path / "closed.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_output_into_a_device_or_a_fifo_leaves_it_one(shell: Shell, tmp_path: Path) -> None:
    (code, *_), stderr = codes_of(
        done := shell("scoring score inbox --model shipped --output /dev/stdout --format jsonl")
    )
    assert (code, stderr) == (0, f"/dev/stdout: {N_RECORDS} scores\n")
    assert len(done.stdout.splitlines()) == N_RECORDS
    done = shell("mkfifo out; cat out & scoring score inbox --output out --format csv; wait")
    assert len(done.stdout.splitlines()) == N_RECORDS + 1
    assert (tmp_path / "out").is_fifo()
