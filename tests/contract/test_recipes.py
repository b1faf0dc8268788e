"""docs/recipes.md: each snippet parses, and each command in it is one of the program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from scoring.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text("utf-8")
SNIPPETS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))


def parse_command(words: list[str]) -> None:
    """Parse a command line of the program, the name first; an error of usage is raised."""
    program, name, *arguments = words
    assert program.rpartition("/")[2] == "scoring"
    typer.main.get_command(app).commands[name].make_context(name, arguments)  # type: ignore[attr-defined]


def documents(key: str) -> list[dict[Any, Any]]:
    """Snippets of YAML that have a key at their top."""
    values = [yaml.safe_load(text) for language, text in SNIPPETS if language == "yaml"]
    return [value for value in values if key in value]


def actions() -> Iterator[dict[str, Any]]:
    """Steps of the workflows that use the action of this repository."""
    for workflow in documents("jobs"):
        assert workflow[True]  # YAML 1.1 reads the key "on" so, GitHub does not
        for job in workflow["jobs"].values():
            assert job["runs-on"] == "ubuntu-latest"
            yield from (step for step in job["steps"] if step.get("uses", "").startswith("OWNER/scoring@"))


def test_every_snippet_is_of_a_known_kind() -> None:
    assert {language for language, _ in SNIPPETS} == {"yaml"}
    assert len(documents("repos")) == 1
    assert len(documents("jobs")) == 2


def test_hooks_of_the_page_are_there_and_parse() -> None:
    (config,) = documents("repos")
    hooks = config["repos"][0]["hooks"]
    assert {hook["id"] for hook in hooks} == HOOKS.keys()
    for hook in hooks:
        parse_command([*shlex.split(HOOKS[hook["id"]]["entry"]), *hook.get("args", []), "a.md"])


def test_inputs_of_the_page_are_those_of_the_action() -> None:
    steps = list(actions())
    assert len(steps) == 2
    required = {name for name, value in ACTION["inputs"].items() if value.get("required")}
    for step in steps:
        assert required <= step["with"].keys() <= ACTION["inputs"].keys()
    table = PAGE.partition("| input | default | meaning |\n|---|---|---|\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (?:`(.+?)`|.*?) ?\|", table, re.MULTILINE)
    assert [name for name, _ in rows] == list(ACTION["inputs"])
    for name, default in rows:
        known = ACTION["inputs"][name].get("default", "")
        assert default == ("" if "${{" in known else known)


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", PAGE)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    headings = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
        for line in re.findall("^#+ (.*)$", PAGE, re.M)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= headings


def test_a_command_that_does_not_parse_is_found() -> None:
    with pytest.raises(Exception, match="No such option: --no-such"):
        parse_command(["/opt/bin/scoring", "score", "inbox", "--no-such"])
