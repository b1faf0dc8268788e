"""The GitHub action, run step by step on a real repository, with the inputs and the event put in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoring.records.synthetic.generate import write_sample
from scoring.workflows.train import TrainOutcome
from tests.repository import Repository

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")
# Logs its arguments; it has commented before if there is a file "commented".
GH = """\
#!/bin/bash
printf '%s\\n' "$*" >>"$(dirname "$0")/../gh.log"
if [[ $* == *--jq* && -e $(dirname "$0")/../commented ]]; then echo 17; fi
"""


@dataclass
class Job:
    """A job on a checkout: its event, and what its steps have said so far."""

    folder: Path
    checkout: Path
    inputs: dict[str, str]
    github: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""

    def value_of(self, expression: str) -> str:
        """Value of an expression: the first of some alternatives that is not empty."""
        for name in expression.split(" || "):
            context, _, rest = name.strip().partition(".")
            known: Mapping[str, str] = {
                "inputs": self.inputs,
                "github": self.github,
                "steps": self.outputs,
                "runner": {"temp": str(self.folder / "temp")},
            }[context]
            if value := known.get(rest, ""):
                return value
        return ""

    def is_skipped(self, step: dict[str, Any]) -> bool:
        name, _, value = step.get("if", "inputs.result == inputs.result").partition(" == ")
        return self.value_of(name) != (self.value_of(value) if "." in value else value.strip("'"))

    def run(self) -> int:
        """Run the steps as GitHub does; return the first exit code that is not 0."""
        (self.folder / "temp").mkdir(exist_ok=True)
        written = self.folder / "outputs"
        without_identity = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GIT_AUTHOR_", "GIT_COMMITTER_"))
        }
        for step in STEPS:
            if "uses" in step or self.is_skipped(step):
                continue
            assert step["shell"] == "bash"
            own = {
                name: EXPRESSION.sub(lambda match: self.value_of(match[1]), value)
                for name, value in step["env"].items()
            }
            common = {
                "PATH": f"{self.folder / 'programs'}:{os.environ['PATH']}",
                "GITHUB_WORKSPACE": str(self.checkout),
                "GITHUB_OUTPUT": str(written),
                "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
                "GITHUB_REPOSITORY": "site/news",
                "GITHUB_REF": self.github["ref"],
                "GITHUB_SHA": self.github["sha"],
                "RUNNER_TEMP": str(self.folder / "temp"),
                "PYTHONPATH": str(ROOT),
            }
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],  # noqa: S607 -- as GitHub does
                env=without_identity | common | self.environment | own,
                cwd=self.checkout,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            self.log += done.stdout
            if written.exists():
                lines = (line.partition("=") for line in written.read_text().splitlines())
                self.outputs = {f"{step.get('id', '')}.outputs.{name}": value for name, _, value in lines} | (
                    self.outputs
                )
            if done.returncode:
                return done.returncode
        return 0


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.fixture
def job(repository: Repository, tmp_path: Path, training: TrainOutcome) -> Job:
    """A pull request that adds two records and edits the README, while another record changes in main."""
    site = repository.folder
    write_sample(site / "news", n_records=4, seed=5, is_labelled=False)
    (site / "README.md").write_text("# News\n")
    repository.commit()
    repository.git("checkout", "--quiet", "-b", "fresh")
    write_sample(site / "fresh", n_records=2, seed=6, is_labelled=False)
    (site / "README.md").write_text("# Fresh news\n")
    head = repository.commit()
    repository.git("checkout", "--quiet", "main")
    record = min((site / "news").glob("*.md"))
    record.write_text(record.read_text().replace("\ntitle: ", "\ntitle: New ", 1))
    base = repository.commit()
    repository.git("clone", "--quiet", "--bare", str(site), str(tmp_path / "origin.git"))
    checkout = tmp_path / "checkout"
    repository.git("clone", "--quiet", "--branch", "fresh", f"file://{tmp_path}/origin.git", str(checkout))
    (tmp_path / "programs").mkdir()
    program(tmp_path / "programs", "scoring", f'#!/bin/sh\nexec "{sys.executable}" -m scoring "$@"\n')
    program(tmp_path / "programs", "python", f'#!/bin/sh\necho "$@" >>"{tmp_path}/python.log"\n')
    inputs = {name: str(value.get("default", "")) for name, value in ACTION["inputs"].items()}
    return Job(
        folder=tmp_path,
        checkout=checkout,
        inputs=inputs | {"model": training.model, "paths": "news\nfresh\nREADME.md\n"},
        github={
            "action_path": "/actions/scoring",
            "event.pull_request.base.sha": base,
            "event.pull_request.number": "12",
            "event.repository.default_branch": "main",
            "head_ref": "fresh",
            "ref": "refs/pull/12/merge",
            "ref_name": "12/merge",
            "sha": "0" * 40,
            "head": head,
        },
    )


def in_origin(job: Job, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(job.folder / "origin.git"), *arguments],  # noqa: S607 -- the developer's git
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_scores_are_committed_with_the_journal(job: Job) -> None:
    job.inputs["result"] = "commit"
    refused = job.checkout / "fresh" / "refused.md"
    refused.write_text("---\ntitle: Rain\n---\n")  # too little is known about it: the others are committed
    assert job.run() == 1, job.log
    assert "::error file=fresh/refused.md" in job.log
    refused.unlink()
    assert (job.folder / "python.log").read_text() == "-m pip install --quiet /actions/scoring\n"
    names = in_origin(job, "diff", "--name-only", job.github["head"], "fresh").splitlines()
    assert len(names) == 3
    assert sorted(names)[-1] == "journal.jsonl"
    assert all(name.startswith("fresh/") for name in sorted(names)[:-1])  # none of those that main changed
    assert "\nquality: " in in_origin(job, "show", f"fresh:{sorted(names)[0]}")
    assert in_origin(job, "log", "-1", "--format=%s by %an", "fresh") == (
        "Score new records by github-actions[bot]\n"
    )
    assert "::notice::2 of 3 files written: 6 labels filled, 0 renewed" in job.log
    # The next run, on the commit of the first, has the journal of that: its labels are not people's.
    commit = in_origin(job, "rev-parse", "fresh")
    again = Job(job.folder, job.checkout, job.inputs, job.github)
    assert again.run() == 0, again.log
    assert "6 unchanged" in again.log
    assert "no score to commit" in again.log
    assert in_origin(job, "rev-parse", "fresh") == commit


def test_scores_are_a_comment(job: Job) -> None:
    program(job.folder / "programs", "gh", GH)
    assert job.run() == 0, job.log
    comment = (job.folder / "temp" / "comment.md").read_text()
    lines = comment.splitlines()
    assert lines[:2] == ["<!-- scoring: scores of changed records -->", "Scores of the changed records: 2"]
    assert lines[3].startswith("| heat | settles at | quality |")
    assert len(lines) == 7
    assert all(" `fresh/20" in line for line in lines[5:])
    assert (job.folder / "summary.md").read_text() == comment
    calls = (job.folder / "gh.log").read_text().splitlines()
    assert [call.split()[:4] for call in calls] == [
        ["api", "--paginate", "repos/site/news/issues/12/comments", "--jq"],
        ["api", "--silent", "--method", "POST"],
    ]
    assert calls[1].endswith(f"--field body=@{job.folder}/temp/comment.md")
    assert "\nquality: " not in "".join(file.read_text() for file in (job.checkout / "fresh").glob("*.md"))
    # The next push of the branch changes the comment that is there.
    (job.folder / "commented").touch()
    job.inputs["base"] = "HEAD"
    again = Job(job.folder, job.checkout, job.inputs, job.github)
    assert again.run() == 0, again.log
    assert "no record file changed since" in again.log
    last = (job.folder / "gh.log").read_text().splitlines()[-1]
    assert last.startswith("api --silent --method PATCH repos/site/news/issues/comments/17 ")


def test_a_comment_that_is_refused_is_a_warning(job: Job) -> None:
    program(job.folder / "programs", "gh", "#!/bin/sh\nexit 1\n")
    assert job.run() == 0, job.log
    assert "::warning::the comment could not be written" in job.log
    assert (job.folder / "summary.md").read_text().count("`fresh/20") == 2


def test_without_gh_the_scores_are_in_the_summary(job: Job) -> None:
    """In a clone of one commit, as actions/checkout makes it, and without a program gh."""
    job.checkout = job.folder / "shallow"
    subprocess.run(
        [
            *("git", "clone", "--quiet", "--depth=1", "--branch=fresh"),
            *(f"file://{job.folder}/origin.git", str(job.checkout)),
        ],
        check=True,
    )
    # A machine may have gh: the shell finds none.
    (job.folder / "command.sh").write_text('command() { [[ $2 != gh ]] && builtin command "$@"; }\n')
    job.environment["BASH_ENV"] = str(job.folder / "command.sh")
    job.inputs["paths"] = "fresh"
    assert job.run() == 0, job.log
    assert "::warning::the program gh is missing" in job.log
    assert "::warning::the commit where this branch began is not in the clone" in job.log
    assert (job.folder / "summary.md").read_text().count("`fresh/20") == 2


def test_a_record_that_cannot_be_used_stops_the_job(job: Job) -> None:
    (job.checkout / "fresh" / "bad.md").write_text("---\nimages: high\n---\n")
    assert job.run() == 1
    assert "::error file=fresh/bad.md,line=2,title=images::got 'high', expected a list\n" in job.log
    assert not (job.folder / "temp" / "comment.md").exists()


def test_a_merge_made_for_the_check_is_not_pushed(job: Job) -> None:
    job.inputs |= {"result": "commit", "paths": "README.md"}
    job.github |= {"sha": job.github["head"], "event.pull_request.base.sha": "", "event.before": "0" * 40}
    assert job.run() == 1
    assert "::error::this is a merge made for the check, not the branch" in job.log
    assert job.outputs["base.outputs.revision"] == in_origin(job, "rev-parse", "fresh~1").strip()


def test_nothing_of_the_event_becomes_a_part_of_a_script() -> None:
    assert [step["name"] for step in STEPS] == [
        *("Python", "Install", "Base", "Validate", "Score and commit", "Score and comment"),
    ]
    for step in STEPS:
        assert "${{" not in step.get("run", "")
