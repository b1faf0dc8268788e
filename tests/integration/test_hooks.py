"""The hooks for pre-commit, run as it does: the entry, the arguments, the names of the staged files."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.records.file_names import RECORD_EXTENSIONS, is_markdown
from scoring.records.synthetic.generate import write_sample
from scoring.workflows.train import TrainOutcome
from tests.repository import Repository

FILE = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"
HOOKS: dict[str, dict[str, Any]] = {hook["id"]: hook for hook in yaml.safe_load(FILE.read_text("utf-8"))}


@pytest.fixture
def site(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The repository of a site, as the working folder, with two records and a README staged."""
    monkeypatch.chdir(repository.folder)
    write_sample(repository.folder / "news", n_records=2, seed=5, is_labelled=False)
    Path("README.md").write_text("# News\n")
    Path("style.css").write_text("a {}\n")
    repository.git("add", "--all")
    return repository


def staged(site: Repository, hook: str) -> list[str]:
    """Names that pre-commit gives the hook."""
    listed = site.git("diff", "--cached", "--name-only", "--diff-filter=ACMRTUXB", "-z").split("\0")
    return [name for name in listed if name and re.search(HOOKS[hook]["files"], name)]


def run(site: Repository, hook: str, *arguments: str) -> Result:
    words = [*shlex.split(HOOKS[hook]["entry"]), *arguments, *staged(site, hook)]
    assert words[0] == "scoring"
    return CliRunner().invoke(app, words[1:], prog_name="scoring")


def test_hooks_are_these_and_take_all_records() -> None:
    assert list(HOOKS) == ["scoring-validate", "scoring-score"]
    for hook in HOOKS.values():
        assert hook["language"] == "python"  # pre-commit installs the package
        assert hook["require_serial"] is True
        for name in (
            *(f"a/b{extension}" for extension in RECORD_EXTENSIONS),
            "A.MD",
            "a.md.txt",
            "md",
            "a.css",
        ):
            assert bool(re.search(hook["files"], name)) == is_markdown(name)


def test_records_are_validated_and_other_files_left_out(site: Repository) -> None:
    done = run(site, "scoring-validate")
    assert (done.exit_code, done.stdout) == (0, "2 records can be used, 0 cannot\n"), done.output
    Path("news/bad.md").write_text("---\nimages: high\n---\n")
    site.git("add", "--all")
    done = run(site, "scoring-validate")
    assert done.exit_code == 1
    assert "news/bad.md:2: images: got 'high', expected a list\n" in done.stderr


def test_scores_and_journal_are_there_to_be_staged(site: Repository, training: TrainOutcome) -> None:
    done = run(site, "scoring-score", "--model", training.model)
    assert done.exit_code == 0, done.output
    assert sorted(done.stdout.splitlines()) == sorted(staged(site, "scoring-score")[1:])
    modified = site.git("diff", "--name-only").splitlines()  # pre-commit then refuses the commit
    assert len(modified) == 2
    assert "journal.jsonl" in site.git("status", "--porcelain")
    site.git("add", "--update")
    again = run(site, "scoring-score", "--model", training.model)
    assert (again.exit_code, again.stdout, site.git("diff", "--name-only")) == (0, "", "")


@pytest.mark.slow
def test_git_refuses_a_commit_of_records_that_cannot_be_used(site: Repository) -> None:
    """A hook of Git itself, which sets variables such as GIT_INDEX_FILE."""
    entry = HOOKS["scoring-validate"]["entry"].replace(
        "scoring", f"{shlex.quote(sys.executable)} -m scoring", 1
    )
    hook = Path(".git/hooks/pre-commit")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        f"#!/bin/sh\n{entry} --changed-since HEAD README.md news || exit 1\n"
        f"git diff --cached --name-only -z -- '*.md' | xargs -0 {entry}\n"
    )
    site.commit()  # the hook cannot run yet: it is not executable, and there is no HEAD
    hook.chmod(0o755)
    Path("README.md").write_text("# Fresh news\n")
    site.commit()
    Path("news/bad.md").write_text("---\nimages: high\n---\n")
    site.git("add", "--all")
    refused = subprocess.run(["git", "commit", "-m", "x"], capture_output=True, text=True, check=False)  # noqa: S607 -- the developer's git
    assert refused.returncode == 1
    assert "news/bad.md:2: images: got 'high', expected a list\n" in refused.stderr


def test_a_run_that_changes_only_the_journal_says_so(site: Repository, training: TrainOutcome) -> None:
    """As pre-commit would stop the commit for it without a word."""
    model = ("--model", training.model)
    assert "only the journal changed" not in run(site, "scoring-score", *model).stderr
    first = next(Path("news").glob("*.md"))
    # A copy of a record of which somebody has corrected a label.
    Path("news/copy.md").write_text(re.sub(r"(?m)^quality: .*$", "quality: 1", first.read_text()))
    site.git("add", "--all")
    before = Path("journal.jsonl").read_bytes()
    done = run(site, "scoring-score", *model)
    assert Path("journal.jsonl").read_bytes() != before
    assert "journal.jsonl: only the journal changed: it lists labels given by people" in done.stderr
