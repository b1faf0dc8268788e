"""A Git repository of a test, independent of the configuration of whoever runs it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "A. Curator",
    "GIT_AUTHOR_EMAIL": "curator@site.example",
    "GIT_COMMITTER_NAME": "A. Curator",
    "GIT_COMMITTER_EMAIL": "curator@site.example",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Repository:
    """A repository in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str | bytes, env: dict[str, str] | None = None) -> str:
        """Run a command of Git, and return its output."""
        command: Sequence[str | bytes] = ["git", "-C", str(self.folder), *arguments]
        done = subprocess.run(
            command, env=os.environ | ENVIRONMENT | (env or {}), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return os.fsdecode(done.stdout)

    def commit(self, message: str = "Records") -> str:
        """Commit everything; return the hash."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A new repository in ``site``, below the test's folder."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return Repository(tmp_path / "site")
