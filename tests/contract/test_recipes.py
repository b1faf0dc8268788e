"""docs/recipes.md: each snippet parses or runs, and each command in it is one of the program."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
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
    counts = Counter(language for language, _ in SNIPPETS)
    assert counts == {"bash": 1, "crontab": 1, "ini": 2, "yaml": 5, "console": 1}
    assert len(documents("repos")) == len(documents("services")) == 1
    assert len(documents("jobs")) == 3


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


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that are found first; the test sets the output and exit code of ``scoring``."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "scoring").write_text('#!/bin/sh\necho "$@" >>calls\nprintf %s "$RESULT"\nexit "$CODE"\n')
    (folder / "scoring").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    return folder


def run_with(script: str, code: int, outcome: str, *arguments: str) -> tuple[int, str]:
    """Run a script with a retraining of this outcome: exit code, and what it prints."""
    result = {
        "outcome": outcome,
        "version": "models:/scoring/3",
        "verdict": {"reasons": ["too few", "worse"]},
    }
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script, "script", *arguments],  # noqa: S607 -- as the page does
        env=os.environ | {"CODE": str(code), "RESULT": json.dumps(result) if outcome else ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("code", "outcome", "ends_with", "printed"),
    [
        (0, "promoted", 0, "new champion: models:/scoring/3\n"),
        (1, "promoted", 0, "new champion: models:/scoring/3\n"),
        (0, "unchanged", 0, ""),
        (3, "refused", 0, "no better:\n  too few\n  worse\n"),
        (2, "", 2, ""),
        (70, "", 70, ""),
    ],
)
@pytest.mark.usefixtures("programs")
def test_a_scheduler_reads_code_and_outcome(code: int, outcome: str, ends_with: int, printed: str) -> None:
    (script,) = (text for language, text in SNIPPETS if language == "bash")
    assert run_with(script, code, outcome, "news", "--wait", "3") == (ends_with, printed)
    parse_command(["scoring", *shlex.split(Path("calls").read_text())])


@pytest.mark.parametrize(("code", "outcome"), [(0, "promoted"), (1, "unchanged"), (3, "refused"), (2, "")])
@pytest.mark.usefixtures("programs")
def test_the_workflow_of_a_retraining_has_its_outcome(
    code: int, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = (workflow["jobs"]["retrain"] for workflow in documents("jobs") if "retrain" in workflow["jobs"])
    assert job["outputs"]["outcome"] == "${{ steps.retrain.outputs.outcome }}"
    (step,) = (step for step in job["steps"] if step.get("id") == "retrain")
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, name)
    assert run_with(step["run"], code, outcome) == (0 if outcome else code, "")
    parse_command(["scoring", *shlex.split(Path("calls").read_text())])
    if outcome:
        assert Path("GITHUB_OUTPUT").read_text() == f"outcome={outcome}\n"
        assert Path("GITHUB_STEP_SUMMARY").read_text() == f"Retraining: {outcome}\n"


def test_lines_of_the_crontab() -> None:
    (text,) = (text for language, text in SNIPPETS if language == "crontab")
    number = r"(?:\*|\d+(?:-\d+)?)(?:/\d+)?"
    times = rf"(?:{number}(?:,{number})*\s+){{5}}"
    commands = 0
    for line in text.splitlines():
        if re.fullmatch(r"[A-Z_]+=\S+", line):
            continue
        match = re.fullmatch(rf"{times}([^%]+)", line)  # cron reads a percent sign as the end of a line
        assert match is not None, line
        words = shlex.split(match[1].removesuffix(" >/dev/null"))
        if words[0] == "flock":
            assert words[1:4] == ["--nonblock", "--conflict-exit-code", "0"]
            words = words[5:]
        if words[0] == "retrain-scoring":
            words[:1] = ["scoring", "retrain"]
        parse_command(words)
        commands += 1
    assert commands == 3


def test_units_of_systemd() -> None:
    units = []
    for _, text in filter(lambda snippet: snippet[0] == "ini", SNIPPETS):
        parser = configparser.RawConfigParser(delimiters=("=",))
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        parser.read_string(text)
        units.append(parser)
    service, timer = units
    assert service.sections() == ["Unit", "Service"]
    assert service["Service"]["Type"] == "oneshot"  # several runs of it never overlap
    assert service["Service"]["SuccessExitStatus"].split() == ["1", "3"]
    parse_command(shlex.split(service["Service"]["ExecStart"]))
    assert timer.sections() == ["Unit", "Timer", "Install"]
    assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \*-\*-\* \d\d:\d\d", timer["Timer"]["OnCalendar"])
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_the_services_of_compose() -> None:
    (compose,) = documents("services")
    services = compose["services"]
    assert list(services) == ["db", "mlflow", "service", "watch", "retrain"]
    dockerfile = (ROOT / services["service"]["build"]["dockerfile"]).read_text("utf-8")
    assert services["retrain"]["build"] == services["service"]["build"] | {"target": "train"}
    assert " AS train\n" in dockerfile
    for name in ("service", "watch", "retrain"):
        assert services[name]["image"] == ("news-scoring:train" if name == "retrain" else "news-scoring")
        assert services[name]["environment"] == {"SCORING_TRACKING_URI": "http://mlflow:5000"}
        parse_command(["scoring", *services[name]["command"]])
    for service in services.values():
        assert service.get("depends_on", {}).keys() <= services.keys()
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source.startswith("./") or source in compose["volumes"]
    assert set(re.findall(r"\$\{(.*?)\}", yaml.safe_dump(compose))) == {"DB_PASSWORD:?"}


@pytest.mark.slow
def test_the_server_of_compose_accepts_the_service() -> None:
    """By its name; a server without --allowed-hosts takes it for an attack."""
    (compose,) = documents("services")
    program, command, *arguments = compose["services"]["mlflow"]["command"]
    assert (program, command) == ("mlflow", "server")
    source = (
        "import sys; from mlflow.cli import cli; from mlflow.server import security_utils\n"
        "params = cli.commands['server'].make_context('server', sys.argv[1:]).params\n"
        "hosts = params['allowed_hosts'].split(',')\n"
        "print([security_utils.is_allowed_host_header(hosts, host) for host in ('mlflow:5000', 'a:5000')])"
    )
    # A process of its own: its imports warn.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", source, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[True, False]\n"


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
