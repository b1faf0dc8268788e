"""What computed a run: versions, machine, and the state of the working folder."""

from __future__ import annotations

import contextlib
import getpass
import platform
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import scoring

# What a served model imports beside this package, which travels with it as code.
REQUIREMENTS = ("lightgbm", "mlflow", "msgspec", "numpy", "pandas", "pyyaml", "rapidyaml")

CPUINFO = Path("/proc/cpuinfo")  # on Linux alone


def environment_tags(command: str) -> dict[str, str]:
    """Who computes by which command, and what computes."""
    tags = {"mlflow.source.name": f"scoring {command}", "mlflow.source.type": "LOCAL"}
    with contextlib.suppress(KeyError, OSError):  # in some containers the user has no name
        tags["mlflow.user"] = getpass.getuser()
    return tags | version_tags() | machine_tags()


def version_tags() -> dict[str, str]:
    """Versions of Python, of this package, and of the libraries that compute or store."""
    tags = {f"version.{name}": metadata.version(name) for name in (*REQUIREMENTS, "scipy")}
    try:
        tags["version.scoring"] = scoring.__version__
    except metadata.PackageNotFoundError:
        tags["version.scoring"] = "not installed"
    return tags | {"version.python": platform.python_version()}


def machine_tags() -> dict[str, str]:
    """System, architecture and processor: sums of floats may end otherwise on another one."""
    cpu = platform.processor()
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*: (.*)$", CPUINFO.read_text("utf-8"), re.MULTILINE)
        cpu = found[1] if found else cpu
    return {"platform": platform.platform(), "architecture": platform.machine(), "cpu": cpu or "unknown"}


def git_tags(folder: Path) -> dict[str, str]:
    """Commit of the folder and whether tracked files differ from it; empty outside of a checkout."""
    git = shutil.which("git")
    if git is None:
        return {}

    def run(*arguments: str) -> str | None:
        command = [git, "-C", str(folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 -- no shell, words of our own
        return done.stdout.strip() if done.returncode == 0 else None

    try:
        commit = run("rev-parse", "HEAD")
        status = run("status", "--porcelain", "--untracked-files=no")
    except subprocess.TimeoutExpired:
        return {"git_commit": "unknown: git did not answer"}
    if commit is None or status is None:
        return {}
    return {"git_commit": commit, "mlflow.source.git.commit": commit, "git_dirty": str(bool(status)).lower()}
