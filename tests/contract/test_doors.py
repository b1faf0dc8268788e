"""Calls that the code must not make, and reasons for each exception to the linters."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "scoring").rglob("*.py"))
CODE = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "docs").rglob("*.py"))]
FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "dbm",
    "telnetlib",
    "ftplib",
}
FORBIDDEN_CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.load_all"),
    *("yaml.unsafe_load", "yaml.full_load", "np.load", "pd.read_pickle", "tempfile.mktemp"),
}
# Loaders of PyYAML that make nothing but plain values; `yaml.parse` and `yaml.compose` make not even these.
SAFE_LOADERS = {"yaml.CSafeLoader", "yaml.SafeLoader"}


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_is_made_of_data(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported & FORBIDDEN_MODULES == set()
    called = [ast.unparse(call.func) for call in calls(tree)]
    assert set(called) & FORBIDDEN_CALLS == set()
    for call in calls(tree):
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert given.get("shell", "False") == "False"
        assert given.get("verify", "True") == "True"
        if ast.unparse(call.func).startswith("yaml.") and "Loader" in given:
            assert given["Loader"] in SAFE_LOADERS


def test_what_is_looked_for_would_be_found() -> None:
    for name in FORBIDDEN_CALLS:
        (call,) = calls(ast.parse(f"{name}(data)"))
        assert ast.unparse(call.func) in FORBIDDEN_CALLS


def test_each_exception_to_the_linters_has_its_reason() -> None:
    """As ``# noqa: S603 -- why`` does."""
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in CODE
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if re.search(r"#\ noqa: (?!.*-- \w).*\bS\d|#\ noqa\b(?!: [A-Z])|#\ nosec", line)
    ]
    assert bare == []


def test_no_file_of_the_repository_is_a_pickle() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607 -- the developer's git
    names = listed.stdout.split() or [str(path) for path in ROOT.glob("models/**/*")]
    assert [
        name for name in names if Path(name).suffix in {".pkl", ".pickle", ".joblib", ".npy", ".npz"}
    ] == []
