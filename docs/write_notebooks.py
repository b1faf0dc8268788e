"""Run the notebooks of docs/notebooks/ and store their outputs; run by ``make notebooks``.

A notebook runs in a kernel of its own, in a temporary folder, without any settings of the user.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
TIMEOUT_SECONDS = 600
"""Of one cell, in case it hangs."""

MAX_OUTPUT_CHARS = 150_000
"""Of all outputs of a notebook, pictures included."""

_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def run(notebook: NotebookNode) -> NotebookNode:
    """Run all cells in a new kernel.

    Parameters
    ----------
    notebook : NotebookNode
        The notebook; it is not changed.

    Returns
    -------
    NotebookNode
        A copy with the outputs, without what depends on the machine.

    Raises
    ------
    CellExecutionError
        If a cell fails.
    """
    executed: NotebookNode = nbformat.from_dict({**notebook})
    with TemporaryDirectory() as folder, _environment(Path(folder)):
        work = Path(folder, "work")
        work.mkdir()
        resources = {"metadata": {"path": str(work)}}
        # Over sockets in the folder, not over ports that others could reach.
        config = Config({"KernelManager": {"transport": "ipc", "ip": str(Path(folder, "kernel"))}})
        NotebookClient(executed, timeout=TIMEOUT_SECONDS, resources=resources, config=config).execute()
    for number, cell in enumerate(executed.cells, start=1):
        cell.id = f"cell-{number}"
        cell.metadata = {}
    executed.metadata = _METADATA
    return executed


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """The environment of the kernel: this package, this Python's programs, no settings, files in a folder."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SCORING_", "MLFLOW_"))}
    folders = {name: str(folder / name.lower()) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "TMPDIR")}
    for path in folders.values():
        Path(path).mkdir()
    paths = {
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]),
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "100",
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYTHONWARNINGS": "ignore:IProgress not found",  # MLflow draws progress bars, if there are widgets
    }
    with patch.dict(os.environ, own | folders | paths, clear=True):
        yield


def private_parts(notebook: NotebookNode) -> list[str]:
    """Parts of the outputs that reveal the machine: paths, its name, its user's name."""
    names = {socket.gethostname(), getpass.getuser()} - {"root", "localhost"}
    folders = r"(?<![\w.:/])/(?:tmp|home|root|work|usr|var|private)/\S*"
    pattern = re.compile("|".join([folders, *(rf"\b{re.escape(name)}\b" for name in names)]))
    texts = (text for kind, text in outputs(notebook) if not kind.startswith("image/"))
    return [part for text in texts for part in pattern.findall(text)]


def outputs(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Type and text of all outputs; a picture is its Base64 text."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            yield "text/plain", output.get("text", "")
            yield from output.get("data", {}).items()


def main() -> None:
    """Run each notebook and replace its file."""
    for path in NOTEBOOKS:
        executed = run(nbformat.read(path, as_version=4))
        if found := private_parts(executed):
            raise ValueError(f"{path.name}: outputs reveal this machine: {', '.join(found)}")
        if (n_chars := sum(len(text) for _, text in outputs(executed))) > MAX_OUTPUT_CHARS:
            raise ValueError(
                f"{path.name}: outputs have {n_chars:,} characters, at most {MAX_OUTPUT_CHARS:,} fit"
            )
        nbformat.write(executed, path)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
