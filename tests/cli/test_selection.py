"""`--changed-since` and `--skip-non-records` of `scoring score` and `scoring validate`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.records.field_maps.field_map import FILE_NAME
from scoring.records.synthetic.generate import write_sample
from scoring.workflows.train import TrainOutcome
from tests.repository import Repository


@pytest.fixture
def news(repository: Repository) -> Path:
    """Six records without labels, and a README, all committed; then two records and the README change."""
    folder = repository.folder / "news"
    write_sample(folder, n_records=6, seed=5, is_labelled=False)
    (folder / "README.md").write_text("# News\n")
    repository.commit()
    for file in changed(folder):
        file.write_text(file.read_text().replace("\ntitle: ", "\ntitle: New: ", 1).replace("New: ", "New "))
    (folder / "README.md").write_text("# Fresh news\n")
    return folder


def changed(folder: Path) -> list[Path]:
    return sorted(folder.glob("2*.md"))[2:4]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), prog_name="scoring")


def test_only_changed_records_are_validated(news: Path) -> None:
    done = run("validate", "--changed-since", "HEAD", "site")
    assert (done.exit_code, done.stdout) == (0, "2 records can be used, 0 cannot\n")
    assert "2 records; 1 file left out: 1 without front matter (first: site/news/README.md)\n" in done.stderr
    changed(news)[0].write_text("---\nimages: high\n---\n")
    done = run("validate", "--changed-since", "HEAD", "site", "--json")
    outcome = json.loads(done.stdout)
    assert (done.exit_code, outcome["n_records"], outcome["n_faulty"]) == (1, 1, 1)
    assert outcome["left_out"] == [{"path": "site/news/README.md", "reason": "without front matter"}]
    assert run("validate", "--changed-since", "HEAD", "site/news/README.md", "--strict").exit_code == 1


@pytest.mark.parametrize(
    ("command", "stdout"),
    [
        (("validate",), "0 records can be used, 0 cannot\n"),
        (("score", "--model", "MODEL", "--write"), ""),
        (("score", "--model", "MODEL"), ""),
        (("score", "--model", "MODEL", "--coverage", "derive"), ""),
    ],
)
def test_without_changes_nothing_is_done_successfully(
    repository: Repository, news: Path, training: TrainOutcome, command: tuple[str, ...], stdout: str
) -> None:
    repository.commit()
    arguments = [training.model if word == "MODEL" else word for word in command]
    done = run(*arguments, "site/news", "--changed-since", "HEAD")
    assert (done.exit_code, done.stdout) == (0, stdout), done.output
    assert "no record file changed since HEAD\n" in done.stderr
    assert not (repository.folder.parent / ".scoring" / "journal.jsonl").exists()


def test_scores_are_written_into_changed_files_alone(
    repository: Repository, news: Path, training: TrainOutcome
) -> None:
    words = ("site/news", "--changed-since", "HEAD", "--model", training.model)
    scores = [json.loads(line) for line in run("score", *words).stdout.splitlines()]
    names = [f"site/news/{file.name}" for file in changed(news)]
    assert [score["path"] for score in scores] == names
    before = {file: file.read_bytes() for file in news.glob("*.md")}
    done = run("score", *words, "--write", "--journal", "site/journal.jsonl")
    assert (done.exit_code, done.stdout.splitlines()) == (0, names), done.output
    assert "2 of 2 files written: 6 labels filled" in done.stderr
    assert '--journal site/journal.jsonl site/news" restores the labels' in done.stderr
    assert {file for file, data in before.items() if file.read_bytes() != data} == set(changed(news))
    assert repository.git("status", "--porcelain", "--untracked-files").count("journal.jsonl") == 1


def test_a_link_to_a_changed_file_is_written_within_the_given_folder(
    repository: Repository, news: Path, training: TrainOutcome
) -> None:
    target = changed(news)[0]
    (news / "a").mkdir()
    os.rename(target, news / "target.txt")
    (news / "a" / "link.md").symlink_to("../target.txt")
    done = run("score", news / "a", news, "--changed-since", "HEAD", "--write", "--model", training.model)
    assert (done.exit_code, done.stdout.count("\n")) == (0, 2), done.output
    assert "\nquality: " in (news / "target.txt").read_text()


def test_an_output_without_changes_is_empty(
    repository: Repository, news: Path, training: TrainOutcome
) -> None:
    repository.commit()
    for name, first in (("a.csv", b"path,"), ("a.jsonl", b""), ("a.parquet", b"PAR1")):
        done = run("score", "site", "--changed-since=HEAD", "--output", name, "--model", training.model)
        assert (done.exit_code, f"{name}: 0 scores" in done.stderr) == (0, True), done.output
        assert Path(name).read_bytes().startswith(first)


def test_field_maps_hold_for_changed_files(repository: Repository) -> None:
    folder = repository.folder / "news"
    folder.mkdir()
    (folder / FILE_NAME).write_text("fields: {title: headline}\n")
    repository.commit()
    (folder / "a.md").write_text("---\nheadline: Rain\n---\n")
    for path in ("site", "site/news/a.md"):
        done = run("validate", "--changed-since", "HEAD", path)
        assert (done.exit_code, done.stdout) == (0, "1 records can be used, 0 cannot\n"), done.output


def test_a_hook_names_every_file(news: Path) -> None:
    record = changed(news)[0]
    done = run("validate", news / "README.md", record)
    assert (done.exit_code, done.stdout) == (1, "1 records can be used, 1 cannot\n")
    done = run("validate", "--skip-non-records", news / "README.md", record)
    assert (done.exit_code, done.stdout) == (0, "1 records can be used, 0 cannot\n")
    assert "1 record; 1 file left out: 1 without front matter" in done.stderr
    done = run("validate", "--skip-non-records", news / "README.md")
    assert (done.exit_code, done.stdout) == (0, "0 records can be used, 0 cannot\n")
    assert "no record file among the paths\n" in done.stderr


def test_what_git_cannot_answer_ends_with_code_2(news: Path, tmp_path: Path) -> None:
    for command in ("validate", "score"):
        done = run(command, "site", "--changed-since", "nowhere")
        assert (done.exit_code, done.stdout) == (2, "")
        assert "error: nowhere: no commit that the repository " in done.stderr
    done = run("score", "site", "--changed-since", "HEAD", "--dask", "local", "--output", "scores")
    assert done.exit_code == 2
    assert "do not go with --dask" in done.stderr
