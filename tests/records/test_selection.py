"""Files that differ from a Git revision, and named files that are no records."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from scoring.errors import RecordError, ScoringError
from scoring.records import git_changes
from scoring.records.field_maps.field_map import FILE_NAME
from scoring.records.left_out import collecting
from scoring.records.selection import select_files
from tests.repository import Repository

RECORD = b"---\ntitle: Rain\n---\n"
OTHER = b"---\ntitle: Sun\n---\n"
ODD_NAMES = (
    b"a b.md",
    b"line\nend.md",
    b"caf\xe9\xff.md",
    b'q"uo\\te.md',
    b":(top)x.md",
    b"a[1]*.md",
    b"-x.md",
)


def write(folder: Path, *names: str | bytes, data: bytes = RECORD) -> None:
    for name in names:
        file = Path(os.fsdecode(os.path.join(os.fsencode(folder), os.fsencode(name))))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def selected(*paths: str, since: str | None = "HEAD") -> tuple[set[str], str]:
    """The selected files, and the line about the others."""
    with collecting() as walks:
        files = select_files(paths, changed_since=since)
    assert len(files) == len(set(files))
    return set(files), walks.summary()


def test_each_kind_of_change(repository: Repository) -> None:
    site = repository.folder
    write(
        site / "news", "same.md", "modified.md", "staged.md", "old.md", "deleted.md", "README.md", "x/deep.md"
    )
    write(site, ".gitignore", data=b"drafts/\n")
    first = repository.commit()
    assert selected("site") == (set(), "")
    write(site / "news", "modified.md", "staged.md", "x/deep.md", data=OTHER)
    write(site / "news", "added.md", "drafts/ignored.md", "untracked.md", "lines.jsonl")
    write(site / "news", "README.md", data=b"# News\n")
    repository.git("add", "news/added.md", "news/staged.md")
    repository.git("mv", "news/old.md", "news/renamed.md")
    (site / "news" / "deleted.md").unlink()
    os.utime(site / "news" / "same.md", (1, 1))
    changed = {"added", "modified", "renamed", "staged", "untracked", "x/deep"}
    expected = {f"site/news/{name}.md" for name in changed}
    line = (
        "6 records; 2 files left out: 1 without front matter (first: site/news/README.md), "
        "1 of JSON lines, which are read if they are named (first: site/news/lines.jsonl)"
    )
    assert selected("site") == (expected, line)
    assert selected("site/news", "site/news/x")[0] == expected
    second = repository.commit()
    assert selected("site") == (set(), "")
    assert selected("site", since=first)[0] == selected("site", since="HEAD~1")[0] == expected
    repository.git("tag", "-a", "v1", "-m", "a tag", second)
    assert selected("site", since="v1") == (set(), "")


def test_named_files_and_globs(repository: Repository) -> None:
    write(repository.folder, "a.md", "b.md", "c/d.md", "gone.md", "empty/gone.md", "lines.jsonl")
    repository.commit()
    write(repository.folder, "a.md", "c/d.md", data=OTHER)
    write(repository.folder, "lines.jsonl", data=b'{"title": "Rain"}\n')
    write(repository.folder, "README.md", data=b"# News\n")
    (repository.folder / "gone.md").unlink()
    (repository.folder / "empty" / "gone.md").unlink()
    (repository.folder / "empty").rmdir()
    names = ("a.md", "b.md", "README.md", "lines.jsonl", "gone.md", "empty", "empty/gone.md")
    files, line = selected(*(f"site/{name}" for name in names))
    assert files == {"site/a.md", "site/lines.jsonl"}
    assert line == "2 records; 1 file left out: 1 without front matter (first: site/README.md)"
    assert selected("site/**/*.md")[0] == {"site/a.md", "site/c/d.md"}
    for path, reason in (("site/never.md", "no such file or folder"), ("site/*.mdx", "matches no file")):
        with pytest.raises(RecordError, match=reason):
            selected(path)


def test_odd_names(repository: Repository) -> None:
    write(repository.folder, *ODD_NAMES, b"same.md")
    repository.commit()
    write(repository.folder, *ODD_NAMES, data=OTHER)
    expected = {os.fsdecode(b"site/" + name) for name in ODD_NAMES}
    assert selected("site")[0] == selected(*sorted(expected), "site/same.md")[0] == expected
    write(repository.folder, *(b"new " + name for name in ODD_NAMES))
    assert len(selected("site")[0]) == 2 * len(ODD_NAMES)


def test_paths_by_way_of_links_and_of_other_folders(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(repository.folder, "news/a.md", "news/b.md")
    repository.commit()
    write(repository.folder, "news/a.md", data=OTHER)
    (tmp_path / "link").symlink_to("site/news")
    (tmp_path / "file.md").symlink_to("site/news/a.md")
    assert selected("link")[0] == {"link/a.md"}
    assert selected("link", "site")[0] == {"link/a.md"}
    assert selected("file.md")[0] == {"file.md"}
    monkeypatch.chdir(repository.folder / "news")
    assert selected(".")[0] == {"./a.md"}
    assert selected(str(repository.folder))[0] == {str(repository.folder / "news" / "a.md")}


def test_several_repositories_and_one_below_another(repository: Repository, tmp_path: Path) -> None:
    other, below = Repository(tmp_path / "other"), Repository(repository.folder / "below")
    write(repository.folder, "a.md")
    write(other.folder, "b.md")
    write(below.folder, "c.md")
    below.commit()
    other.commit()
    repository.git("add", "a.md")
    repository.git("commit", "--quiet", "--message", "Records")
    for each in (repository, other, below):
        write(each.folder, "new.md")
    assert selected("site", "other") == (
        {"site/new.md", "other/new.md"},
        "2 records; 1 file left out: 1 a Git repository of its own, to be named as a path of its own "
        "(first: site/below)",
    )
    assert selected("site/below") == ({"site/below/new.md"}, "")


@pytest.mark.parametrize("revision", ["", "-x", "--output=x", "HEAD..main", "a\0b"])
def test_what_is_no_revision_is_refused(repository: Repository, revision: str) -> None:
    write(repository.folder, "a.md")
    repository.commit()
    with pytest.raises(
        ScoringError, match=r"^--changed-since: got '.*', expected one revision, such as HEAD"
    ):
        selected("site", since=revision)


@pytest.mark.parametrize("revision", ["nowhere", "0" * 40, "HEAD~9", "HEAD:a.md", "HEAD main"])
def test_a_revision_that_is_not_there(repository: Repository, revision: str) -> None:
    write(repository.folder, "a.md")
    repository.commit()
    with pytest.raises(ScoringError, match=r'no commit that the repository .* has: .*"git fetch" gets'):
        selected("site", since=revision)


def test_a_shallow_clone_without_the_revision(repository: Repository, tmp_path: Path) -> None:
    write(repository.folder, "a.md")
    first = repository.commit()
    write(repository.folder, "b.md")
    repository.commit()
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(tmp_path / "clone"))
    assert selected("clone") == (set(), "")
    with pytest.raises(
        ScoringError, match=r'a shallow clone: "git fetch --unshallow" completes it.*fetch-depth'
    ):
        selected("clone", since=first)


def test_a_path_outside_any_repository(repository: Repository, tmp_path: Path) -> None:
    write(tmp_path / "outside", "a.md")
    for path in ("outside", "outside/a.md", "outside/*.md", "outside/none.md"):
        with pytest.raises(
            ScoringError, match=r"^outside.*: outside any Git repository: name paths inside one"
        ):
            selected(path)
    with pytest.raises(ScoringError, match="standard input is no file of a Git repository"):
        selected("-")


def test_a_hook_of_another_repository_does_not_matter(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repository(tmp_path / "other")
    write(repository.folder, "a.md")
    repository.commit()
    write(repository.folder, "b.md")
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.folder / ".git" / "index"))
    assert selected("site") == ({"site/b.md"}, "")


def fake_git(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    if script:
        (folder / "git").write_text(f"#!{sys.executable}\n{script}\n")
        (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("", r"^git: no such program, but --changed-since needs it: install Git$"),
        (
            "import time; time.sleep(60)",
            r"git rev-parse did not end within 0\.5 seconds: run it there by hand",
        ),
        (
            "import sys; sys.exit('fatal: detected dubious ownership in repository')",
            r'dubious ownership in repository: "git config --global --add safe.directory FOLDER" trusts it',
        ),
        ("import sys; sys.exit('fatal: bad index')", r"^site: git: bad index$"),
        ("import sys; sys.exit(1)", r"^site: git: no message$"),
    ],
)
def test_git_that_does_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    write(tmp_path / "site", "a.md")
    fake_git(tmp_path / "programs", script, monkeypatch)
    monkeypatch.setattr(git_changes, "TIMEOUT_SECONDS", 0.5)
    with pytest.raises(ScoringError, match=message):
        selected("site")


def test_named_files_that_are_no_records_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "news", "a.md", "notes.txt")
    write(tmp_path / "news", "README.md", data=b"# News\n")
    write(tmp_path / "news", "empty.md", data=b"\n")
    write(tmp_path / "news", "wide.md", data="\ufeff---\ntitle: Rain\n---\n".encode("utf-16-le"))
    names = ("README.md", "a.md", "empty.md", "wide.md", "notes.txt")
    files, line = selected(*(f"news/{name}" for name in names), since=None)
    assert files == {"news/a.md", "news/notes.txt", "news/wide.md"}  # reading the last reports a fault
    assert line == (
        "3 records; 2 files left out: 1 without front matter (first: news/README.md), "
        "1 empty (first: news/empty.md)"
    )
    assert selected("-", since=None) == ({"-"}, "")


def test_named_files_that_the_field_map_does_not_choose_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "news", "posts/a.md", "about.md")
    write(tmp_path / "news", FILE_NAME, data=b"fields: {title: title}\nfiles: [posts/*.md]\n")
    write(tmp_path / "else", "b.md")
    expected = (
        {"news/posts/a.md", "else/b.md"},
        "2 records; 1 file left out: 1 not among the files of the field map (first: news/about.md)",
    )
    assert selected("news/posts/a.md", "news/about.md", "else/b.md", since=None) == expected
    write(tmp_path / "more", FILE_NAME, data=b"files: [c.md]\n")
    write(tmp_path / "more", "c.md", "d.md")
    names = ("news/posts/a.md", "news/about.md", "more/c.md", "more/d.md")
    assert selected(*names, since=None)[0] == {"news/posts/a.md", "more/c.md"}
    monkeypatch.chdir(tmp_path / "else")
    assert selected("../news/posts/a.md", since=None)[0] == {"../news/posts/a.md"}


def test_programs_that_the_repository_names_are_not_run(repository: Repository, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\ntouch "{tmp_path}/was-run"\n')
    program.chmod(0o755)
    write(repository.folder, "a.md")
    repository.commit()
    for name in ("core.fsmonitor", "diff.external", "core.pager", "diff.x.textconv"):
        repository.git("config", name, str(program))
    write(repository.folder, ".gitattributes", data=b"*.md diff=x\n")
    write(repository.folder, "a.md", data=OTHER)
    assert selected("site")[0] == {"site/a.md"}
    assert not (tmp_path / "was-run").exists()
