"""`scoring restore` from the command line: what is said, and the exit code."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from scoring.cli import app
from tests.labels.test_mapped_labels import MAP, SCORES, add, set_map
from tests.labels.test_writer import Workspace


def run(workspace: Workspace, write_id: str, path: Path) -> Result:
    arguments = ["restore", "--write-id", write_id, "--journal", str(workspace.journal), str(path)]
    return CliRunner().invoke(app, arguments, prog_name="scoring")


def test_a_write_of_which_nothing_is_found_is_an_error(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    set_map(workspace, MAP)
    path = add(workspace, "a.md")
    before = path.read_bytes()
    other = add(workspace, "deep/b.md").parent
    write_id = workspace.write(SCORES, path).write_id
    done = run(workspace, write_id, other)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "0 labels of 0 files restored; 1 records of the write were not found there",
        f"error: none of the 1 records of write {write_id} was found in {other}: name the folder that was "
        "written",
    ]
    (workspace.folder / "scoring-fields.yaml").unlink()  # it was that of a model or of --fields
    done = run(workspace, write_id, workspace.folder)
    assert (done.exit_code, done.stderr) == (0, "2 labels of 1 files restored\n")
    assert path.read_bytes() == before
    # What is restored already is no error.
    assert run(workspace, write_id, workspace.folder).exit_code == 0
