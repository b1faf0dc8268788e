"""Provenance of a run: versions, machine, and Git state of the working folder."""

from __future__ import annotations

import contextlib
import getpass
import platform
import re
import shutil
import subprocess
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import scoring

# Requirements of a served model, beside this package, which is stored with it as code: what reading records,
# scoring them and frames need. MLflow's small distribution, which all of MLflow includes, serves it as well.
REQUIREMENTS = ("lightgbm", "mlflow-skinny", "msgspec", "narwhals", "numpy", "pandas", "pyyaml", "rapidyaml")

_INTERFACES = ("api/", "cli/", "plots/", "report/", "service/")

CPUINFO = Path("/proc/cpuinfo")  # Linux only


def environment_tags(command: str) -> dict[str, str]:
    """Tags for user, command, versions and machine."""
    tags = {"mlflow.source.name": f"scoring {command}", "mlflow.source.type": "LOCAL"} | code_tags()
    with contextlib.suppress(KeyError, OSError):  # in some containers the user has no name
        tags["mlflow.user"] = getpass.getuser()
    return tags | version_tags() | machine_tags()


def code_tags() -> dict[str, str]:
    """Tag with the digest of this package's code, without its interfaces, which no result depends on."""
    package, digest = Path(scoring.__file__).parent, sha256()
    for file in sorted(package.rglob("*.py")):
        name = file.relative_to(package).as_posix()
        if not name.startswith(_INTERFACES):
            digest.update(f"{name}\0".encode() + file.read_bytes())
    return {"code_sha256": digest.hexdigest()}


def version_tags() -> dict[str, str]:
    """Tags for the versions of Python, this package and its main libraries."""
    tags = {
        f"version.{name.removesuffix('-skinny')}": metadata.version(name) for name in (*REQUIREMENTS, "scipy")
    }
    try:
        tags["version.scoring"] = scoring.__version__
    except metadata.PackageNotFoundError:
        tags["version.scoring"] = "not installed"
    return tags | {"version.python": platform.python_version()}


def machine_tags() -> dict[str, str]:
    """Tags for system, architecture and processor, which may affect floating-point sums."""
    cpu = platform.processor()
    with contextlib.suppress(OSError):
        match = re.search(r"^model name\s*: (.*)$", CPUINFO.read_text("utf-8"), re.MULTILINE)
        cpu = match[1] if match else cpu
    return {"platform": platform.platform(), "architecture": platform.machine(), "cpu": cpu or "unknown"}


def git_tags(folder: Path) -> dict[str, str]:
    """Tags for the Git commit of the folder and uncommitted changes; empty outside a checkout.

    Parameters
    ----------
    folder : Path
        Any folder of a checkout.

    Returns
    -------
    dict of str to str
        Commit, and whether there are uncommitted changes.
    """
    git = shutil.which("git")
    if git is None:
        return {}

    def run(*arguments: str) -> str | None:
        command = [git, "-C", str(folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 -- no shell, constant arguments
        return done.stdout.strip() if done.returncode == 0 else None

    try:
        commit = run("rev-parse", "HEAD")
        status = run("status", "--porcelain", "--untracked-files=no")
    except subprocess.TimeoutExpired:
        return {"git_commit": "unknown: git did not answer"}
    if commit is None or status is None:
        return {}
    return {"git_commit": commit, "mlflow.source.git.commit": commit, "git_dirty": str(bool(status)).lower()}
