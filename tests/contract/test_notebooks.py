"""The notebooks of the docs run from the first cell to the last, and have their outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from docs.write_notebooks import MAX_OUTPUT_CHARS, NOTEBOOKS, ROOT, outputs, private_parts, run

LINKING = ("README.md", "docs/python.md", "docs/api.md")


def notebook_of(*sources: str) -> NotebookNode:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook: NotebookNode = nbformat.v4.new_notebook(cells=cells)
    return notebook


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path) -> None:
    stored = nbformat.read(path, as_version=4)
    fresh = run(stored)
    assert private_parts(fresh) == []
    kinds, fresh_kinds = (sorted(kind for kind, _ in outputs(notebook)) for notebook in (stored, fresh))
    assert kinds == fresh_kinds, "run `make notebooks`"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_has_its_outputs(path: Path) -> None:
    stored = nbformat.read(path, as_version=4)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run `make notebooks`"
    assert private_parts(stored) == []
    texts = list(outputs(stored))
    assert 1 <= sum(kind == "image/png" for kind, _ in texts) <= 3
    assert sum(len(text) for _, text in texts) <= MAX_OUTPUT_CHARS


def test_pages_link_to_the_notebooks() -> None:
    assert len(NOTEBOOKS) == 2
    for page in LINKING:
        text = (ROOT / page).read_text("utf-8")
        assert [path.name for path in NOTEBOOKS if f"notebooks/{path.name})" not in text] == []


@pytest.mark.slow
def test_a_cell_that_fails_is_an_error() -> None:
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run(notebook_of("1 / 0"))


def test_outputs_that_reveal_the_machine_are_found() -> None:
    notebook = notebook_of("home")
    text = "in /home/me/news, models:/scoring/1 and https://gulls.example/home/a"
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text=text)]
    assert private_parts(notebook) == ["/home/me/news,"]
