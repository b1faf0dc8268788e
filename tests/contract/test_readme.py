"""The README, the guides and the model card agree with the code: commands, options, settings, metrics."""

from __future__ import annotations

import doctest
import re
import runpy
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from scoring.artifact.saved_model import load_model
from scoring.cli import app
from scoring.settings import setting_names
from scoring.workflows.train import TrainOutcome

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ("install", "tutorial", "commands", "session", "speed", "mlflow", "figures")
FILES = (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in GUIDES))
PAGES = {file.name: file.read_text("utf-8") for file in FILES}
README = PAGES["README.md"]
CARD = (ROOT / "models" / "MODEL_CARD.md").read_text("utf-8")
MAX_README_LINES = 150


def commands_below(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Commands by their words; those of a group follow the group itself."""
    for name, command in getattr(group, "commands", {}).items():
        yield " ".join((*words, name)), command
        yield from commands_below(command, (*words, name))


COMMANDS = dict(commands_below(typer.main.get_command(app)))
OPTIONS = {
    name: {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    for name, command in COMMANDS.items()
}
OTHER_PROGRAMS = {"make", "pip", "mlflow", "curl", "export", "dask"}
OF_OTHER_PROGRAMS = {
    *("--host", "--model-uri", "--env-manager"),
    *("--input-path", "--output-path", "--content-type"),
}
NOT_RUN = {
    "train": "takes half a minute; a small model that other tests share stands where it would save its own",
    "backtest": "trains for each month; tests/workflows/test_backtest.py runs it",
    "tune": "trains for each trial; tests/workflows/test_tune.py runs it",
    "runs": "lists trainings that are not run here; tests/cli/test_runs.py runs it",
    "compare": "likewise",
    "reproduce": "trains; tests/workflows/test_reproduce.py runs it",
    "promote": "judges trainings; tests/integration/test_session.py runs it",
    "rollback": "likewise",
    "retrain": "likewise",
    "ui": "serves until it is interrupted",
    "serve": "likewise; tests/integration/test_service.py runs it",
    "demo": "likewise; tests/cli/test_demo.py runs it",
    "watch": "likewise; tests/integration/test_watch.py runs it",
}
WITH_MODEL = {"evaluate", "score", "explain", "drift"}
EXIT_CODES = {"drift": 3}  # of the commands whose example shows something else than 0


class Example(NamedTuple):
    """A line after a prompt: its words, its standard input, and the output shown."""

    line: str
    words: list[str]
    stdin: str
    shown: str


def examples(page: str) -> Iterator[Example]:
    for block in re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for part in block.removeprefix("$ ").split("\n$ "):
            line, _, shown = part.partition("\n")
            words, stdin = shlex.split(line), ""
            if words[0] == "echo":
                stdin, words = words[1], words[words.index("|") + 1 :]
            yield Example(line, words, stdin, shown)


def parted(words: list[str]) -> tuple[str, list[str]]:
    """Split words into the longest command name and its arguments."""
    name = max((name for name in COMMANDS if words[: len(name.split())] == name.split()), key=len)
    return name, words[len(name.split()) :]


SESSION = PAGES["session.md"]
EXAMPLES = [example for page in PAGES.values() for example in examples(page)]
OWN = [example for example in EXAMPLES + list(examples(CARD)) if example.words[0] == "scoring"]


def is_as_shown(printed: str, shown: str) -> bool:
    """Whether printed output equals the output shown, where ``...`` stands for anything."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(shown, printed, flags)


def test_examples_call_known_programs() -> None:
    assert {example.words[0] for example in EXAMPLES} == OTHER_PROGRAMS | {"scoring"}


def test_every_command_has_an_example() -> None:
    assert {parted(example.words[1:])[0] for example in OWN} == COMMANDS.keys()


@pytest.mark.parametrize("example", OWN, ids=lambda example: example.line)
def test_example_parses(example: Example) -> None:
    name, arguments = parted(example.words[1:])
    COMMANDS[name].make_context(name, arguments)


def test_a_command_that_does_not_parse_is_found() -> None:
    with pytest.raises(Exception, match="No such option: --no-such"):
        COMMANDS["score"].make_context("score", ["inbox", "--no-such"])


@pytest.mark.parametrize("page", [*PAGES.values(), CARD], ids=[*PAGES, "MODEL_CARD.md"])
def test_options_in_the_text_exist(page: str) -> None:
    text = re.sub(r"^\$ (mlflow|pip|curl|dask) .*$|<!--.*?-->", "", page, flags=re.MULTILINE)
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - OF_OTHER_PROGRAMS
    assert mentioned <= set().union(*OPTIONS.values())


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    shown = {example.words[1] for example in EXAMPLES if example.words[0] == "make"}
    assert shown == {"demo", "test", "check", "build"}
    assert shown <= targets


def test_changelog_says_why_each_dependency_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    groups = {"": project["dependencies"]} | {
        name: extras[name] for name in extras if name not in ("dev", "benchmarks", "all")
    }
    needed = {
        (re.split(r"[>=\[]", requirement)[0], extra)
        for extra, requirements in groups.items()
        for requirement in requirements
        if not requirement.startswith("news-scoring")
    }
    section = (ROOT / "CHANGELOG.md").read_text("utf-8").partition("### Dependencies, and why each")[2]
    entries = re.findall(
        r"^- ((?:`[\w-]+`(?:, )?)+)(?: \(extras? ([^)]+)\))?: \w", section, flags=re.MULTILINE
    )
    reasons = {
        (name, extra)
        for names, of_extras in entries
        for name in re.findall(r"`([\w-]+)`", names)
        for extra in re.findall(r"`(\w+)`", of_extras) or [""]
    }
    assert reasons == needed


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= MAX_README_LINES
    assert README.count("![") == 1


def test_links_lead_somewhere() -> None:
    pages = [*FILES, ROOT / "models" / "MODEL_CARD.md"]
    assert README.count("](docs/") > 10
    for page in pages:
        links = [link for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")) if "://" not in link]
        assert [link for link in links if not (page.parent / link).exists()] == []


def test_settings_are_all_there() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == setting_names()


def test_exit_codes_are_those_of_the_reference() -> None:
    codes = re.findall(r"^\| \d+ \|.*$", PAGES["commands.md"], re.MULTILINE)
    assert codes == re.findall(r"^\| \d+ \|.*$", (ROOT / "docs" / "cli.md").read_text("utf-8"), re.MULTILINE)
    assert len(codes) == 8


def test_figures_are_those_of_the_model_that_ships() -> None:
    tools = runpy.run_path(str(ROOT / "docs" / "write_figures.py"))
    saved = load_model(ROOT / "models" / "default")
    for page in (README, PAGES["figures.md"], CARD):
        assert tools["BLOCK"].search(page)
        assert page == tools["fill"](page, saved), "run `python docs/write_figures.py`"


def test_words_about_gain_are_true() -> None:
    tools = runpy.run_path(str(ROOT / "docs" / "write_figures.py"))
    rows = "\n".join(tools["columns"](load_model(ROOT / "models" / "default")))
    most = {
        part: (column, int(share))
        for part, column, share in re.findall(r"^\| (\w+) \| \d+ \| `(\w+)` (\d+)%", rows, re.MULTILINE)
    }
    over_half = {part: column for part, (column, share) in most.items() if share > 50}
    assert "over half of the gain of four boosters" in CARD
    assert over_half == {
        "lead": "quality_margin",
        "heat": "coverage_quality_max",
        "published": "heat",
        "settled_lead": "lead_log_odds",
    }


def run_in_order(page: str) -> set[str]:
    """Run the examples of a page word by word in the working folder; the commands that ran."""
    ran = set()
    for _, (program, *words), stdin, shown in examples(page):
        if program != "scoring" or (name := parted(words)[0]) in NOT_RUN:
            continue
        done = CliRunner().invoke(app, words, input=stdin, prog_name="scoring")
        assert done.exit_code == EXIT_CODES.get(name, 0), f"{words}: {done.output}"
        if name in WITH_MODEL:
            # The figures are of another model; the line that the page shows first has none.
            first = shown.partition("\n")[0]
            lines = done.output.splitlines() or [""]
            assert any(is_as_shown(line, first) for line in lines), f"{words}: {done.output}"
        else:
            expected = re.sub(
                r"/home/me/news|(?<=threads           )\d|20\d{6}T\S+  \S+ [\d:]+", "...", shown
            )
            assert is_as_shown(done.output, expected), f"{words}: {done.output}"
        ran.add(name)
    return ran


def test_examples_run_in_order(training: TrainOutcome, tmp_path: Path) -> None:
    shutil.copytree(training.model, tmp_path / "model")
    # The session of trainings has a test of its own: tests/integration/test_session.py.
    ran = run_in_order("\n".join(PAGES[name] for name in ("commands.md", "speed.md", "figures.md")))
    assert ran == COMMANDS.keys() - NOT_RUN.keys()


def test_tutorial_is_followed_in_an_empty_folder(training: TrainOutcome, tmp_path: Path) -> None:
    shutil.copytree(training.model, tmp_path / "model")
    ran = run_in_order(PAGES["tutorial.md"])
    assert ran == {"sample", "init", "validate", "score", "explain", "policy", "restore"}


def test_readme_is_followed_with_an_archive(training: TrainOutcome, tmp_path: Path) -> None:
    shutil.copytree(training.model, tmp_path / "model")
    for words in (
        ["sample", "news", "--records", "30"],
        ["sample", "inbox", "--records", "3", "--unlabelled"],
    ):
        assert CliRunner().invoke(app, words).exit_code == 0
    assert run_in_order(README) == {"init", "score"}


def test_terms_are_defined_once_and_linked() -> None:
    glossary, _, _ = (ROOT / "docs" / "concepts.md").read_text("utf-8").partition("## What the numbers mean")
    terms = re.findall(r"^### ([a-z ]+)$", glossary, re.MULTILINE)
    assert len(terms) == len(set(terms)) > 20
    anchors = {term.replace(" ", "-") for term in terms}
    pages = [page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md")]
    linked = {anchor for page in pages for anchor in re.findall(r"\]\(concepts\.md#([\w-]+)\)", page)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", glossary)) <= anchors
    assert linked <= anchors
    assert {"record", "quality", "heat", "lead", "story"} <= linked
