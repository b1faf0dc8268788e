"""Files that differ from a Git revision in the working tree, by the ``git`` command."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from scoring.errors import ScoringError, shown

TIMEOUT_SECONDS = 60
"""Maximum time of each call of ``git``."""

_EXPECTED = "one revision, such as HEAD, main or the hash of a commit"
# Git sets these for its hooks. They are removed, since the repositories here are those of the paths.
_OF_ONE_REPOSITORY = frozenset(
    ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE")
)
_ENVIRONMENT = {
    "LC_ALL": "C",  # messages are compared
    "GIT_OPTIONAL_LOCKS": "0",  # the index is not written
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
}


class Changes(NamedTuple):
    """Files that differ from a revision.

    Parameters
    ----------
    files : frozenset of str
        Real paths of added, modified and renamed files, and of untracked files that are not ignored.
    deleted : frozenset of str
        Given paths that the revision has and the working tree no longer has.
    repositories : tuple of str
        Folders below the given paths that are separate repositories and differ; their files are not listed.
    """

    files: frozenset[str]
    deleted: frozenset[str]
    repositories: tuple[str, ...]


def changes_since(revision: str, paths: Sequence[str]) -> Changes:
    """Find the files that differ from a revision in the repositories of the paths.

    Parameters
    ----------
    revision : str
        A revision that each repository has.
    paths : sequence of str
        Files, folders and globs.

    Returns
    -------
    Changes

    Raises
    ------
    ScoringError
        If ``git`` is not installed, a path is outside any repository, a repository does not have the
        revision, or ``git`` fails or does not end within :data:`TIMEOUT_SECONDS`.
    """
    if not revision or revision.startswith("-") or ".." in revision or "\0" in revision:
        raise ScoringError(f"--changed-since: got '{shown(revision)}', expected {_EXPECTED}")
    program = shutil.which("git")
    if program is None:
        raise ScoringError("git: no such program, but --changed-since needs it: install Git")
    git = _Git(program)
    places: dict[str, list[str]] = {}  # by repository
    missing: list[tuple[str, str]] = []
    for path in paths:
        for place in _places(path):
            places.setdefault(git.repository_of(place), []).append(os.path.realpath(place))
        if not os.path.lexists(path) and not glob.has_magic(path):
            folder = _existing_folder(path)
            repository = git.repository_of(folder)
            places.setdefault(repository, []).append(os.path.realpath(folder))
            missing.append((path, repository))
    commits = {repository: git.commit_of(revision, repository) for repository in places}
    differing = [
        os.path.realpath(os.path.join(repository, name))
        for repository, own in places.items()
        for name in git.changed_names(repository, commits[repository], os.path.commonpath(own))
    ]
    return Changes(
        files=frozenset(differing),
        deleted=frozenset(path for path, top in missing if git.has_path(top, commits[top], path)),
        repositories=tuple(
            path for path in differing if os.path.isdir(path) and _is_within(path, places.values())
        ),
    )


def _places(path: str) -> Iterator[str]:
    """Existing files and folders of a path: the path itself, or the folders of the matches of a glob."""
    if path == "-":
        raise ScoringError("-: standard input is no file of a Git repository: leave out --changed-since")
    if os.path.lexists(path):
        yield path
    elif glob.has_magic(path):
        yield from {os.path.dirname(match) or "." for match in glob.iglob(path, recursive=True)}


def _existing_folder(path: str) -> str:
    folder = os.path.dirname(path) or "."
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder) or "."
    return folder


def _is_within(path: str, places: Iterable[Sequence[str]]) -> bool:
    """Whether a real path is below one of the places."""
    return any(os.path.commonpath([place, path]) == place for own in places for place in own)


class _Git:
    """Calls ``git`` in the repositories of paths."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._repositories: dict[str, str] = {}  # by the folder that has an entry .git

    def repository_of(self, path: str) -> str:
        """Top folder of the working tree that a file or folder is in."""
        real = os.path.realpath(path)
        folder = real if os.path.isdir(real) else os.path.dirname(real)
        top = folder
        while not os.path.lexists(os.path.join(top, ".git")) and top != os.path.dirname(top):
            top = os.path.dirname(top)
        if top not in self._repositories:
            done = self._run(folder, "rev-parse", "--show-toplevel")
            if done.returncode != 0:
                raise ScoringError(f"{shown(path)}: {_reason(done.stderr)}")
            self._repositories[top] = os.fsdecode(done.stdout.removesuffix(b"\n"))
        return self._repositories[top]

    def commit_of(self, revision: str, repository: str) -> str:
        """Hash of the commit of a revision."""
        name = revision
        for suffix in ("", "^{commit}"):  # only ^{commit} checks that the object exists
            done = self._run(repository, "rev-parse", "--verify", "--quiet", f"{name}{suffix}")
            name = os.fsdecode(done.stdout.strip())
            if done.returncode != 0 or not name:
                raise ScoringError(self._unknown(revision, repository))
        return name

    def changed_names(self, repository: str, commit: str, place: str) -> list[str]:
        """Paths below a place, relative to the repository, that differ from a commit or are untracked."""
        options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
        below = ("--", os.path.relpath(place, repository))
        differing = self._checked(
            repository, "diff", *options, "--ignore-submodules=none", "--diff-filter=d", commit, *below
        )
        untracked = self._checked(repository, "ls-files", "--others", "--exclude-standard", "-z", *below)
        return [os.fsdecode(name) for name in (differing + untracked).split(b"\0") if name]

    def has_path(self, repository: str, commit: str, path: str) -> bool:
        """Whether a commit has a file or folder with this path, which need not exist now."""
        folder = _existing_folder(path)
        real = os.path.join(os.path.realpath(folder), os.path.relpath(path, folder))
        name = os.path.relpath(real, repository)
        return bool(self._checked(repository, "ls-tree", "--name-only", "-z", commit, "--", name))

    def _unknown(self, revision: str, repository: str) -> str:
        unknown = f"{shown(revision)}: no commit that the repository {shown(repository)} has"
        is_shallow = self._run(repository, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
        if is_shallow:
            return (
                f'{unknown}, which is a shallow clone: "git fetch --unshallow" completes it, '
                'in GitHub Actions "fetch-depth: 0" of actions/checkout'
            )
        return f'{unknown}: expected {_EXPECTED}; "git fetch" gets those of the remote repository'

    def _checked(self, folder: str, *arguments: str) -> bytes:
        done = self._run(folder, *arguments)
        if done.returncode != 0:
            raise ScoringError(f"{shown(folder)}: {_reason(done.stderr)}")
        return done.stdout

    def _run(self, folder: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        environment = {name: value for name, value in os.environ.items() if name not in _OF_ONE_REPOSITORY}
        command = [self._program, "-C", folder, "--literal-pathspecs", "-c", "core.fsmonitor=false"]
        try:
            return subprocess.run(  # noqa: S603 -- no shell; the revision is checked, paths follow "--"
                [*command, *arguments],
                env=environment | _ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ScoringError(
                f"{shown(folder)}: git {arguments[0]} did not end within {TIMEOUT_SECONDS} seconds: run it "
                "there by hand to see why"
            ) from None


def _reason(message: bytes) -> str:
    """Reason why ``git`` failed, and the next step."""
    first = shown(os.fsdecode(message).partition("\n")[0].removeprefix("fatal: "))
    if first.startswith("not a git repository"):
        return "outside any Git repository: name paths inside one, or leave out --changed-since"
    if "dubious ownership" in first:
        return f'{first}: "git config --global --add safe.directory FOLDER" trusts it'
    return f"git: {first or 'no message'}"
