"""What computed a run: versions, platform, and the state of the working folder."""

from __future__ import annotations

import contextlib
import getpass
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

# What a served model imports beside this package, which travels with it as code.
REQUIREMENTS = ("lightgbm", "mlflow", "msgspec", "numpy", "pandas", "pyyaml", "rapidyaml")


def environment_tags(command: str) -> dict[str, str]:
    """Who computes by which command, the versions of what computes, and the platform."""
    tags = {"mlflow.source.name": f"scoring {command}", "mlflow.source.type": "LOCAL"}
    with contextlib.suppress(KeyError, OSError):  # in some containers the user has no name
        tags["mlflow.user"] = getpass.getuser()
    tags |= {f"version.{name}": metadata.version(name) for name in REQUIREMENTS}
    try:
        tags["version.scoring"] = metadata.version("scoring")
    except metadata.PackageNotFoundError:
        tags["version.scoring"] = "not installed"
    return tags | {"version.python": platform.python_version(), "platform": platform.platform()}


def git_tags(folder: Path) -> dict[str, str]:
    """Commit of the folder and whether tracked files differ from it; empty outside of a checkout."""
    git = shutil.which("git")
    if git is None:
        return {}

    def run(*arguments: str) -> str | None:
        command = [git, "-C", str(folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
        return done.stdout.strip() if done.returncode == 0 else None

    try:
        commit = run("rev-parse", "HEAD")
        status = run("status", "--porcelain", "--untracked-files=no")
    except subprocess.TimeoutExpired:
        return {"git_commit": "unknown: git did not answer"}
    if commit is None or status is None:
        return {}
    return {"git_commit": commit, "mlflow.source.git.commit": commit, "git_dirty": str(bool(status)).lower()}
