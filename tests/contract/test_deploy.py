"""The systemd unit agrees with the service; the targets of the Dockerfile install what they need alone."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import typer.main

from scoring.cli.app import app
from scoring.extras import EXTRAS
from scoring.service.options import RequestLimits
from scoring.service.process import LEFT_SECONDS

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "scoring.service"
STAGES = {
    name: (base, text)
    for base, name, text in re.findall(
        r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)",
        (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", ""),
        re.MULTILINE | re.DOTALL,
    )
}
"""Base and instructions of each stage of the Dockerfile, by name."""


def unit() -> dict[str, str]:
    """The values of the sections [Unit] and [Service]; of several of one name, the last."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT)
    return dict(parser["Unit"]) | dict(parser["Service"])


def test_it_is_started_again_after_a_fault_and_not_after_a_stop() -> None:
    values = unit()
    assert values["Restart"] == "on-failure"
    assert values["SuccessExitStatus"] == "130"  # after SIGINT; systemd itself takes 0 and SIGTERM for a stop
    assert "RestartPreventExitStatus" not in values
    assert values["StartLimitIntervalSec"] == "0"
    assert float(values["RestartSec"]) > 0


def test_a_stop_has_time_for_the_drain_and_is_of_the_first_process() -> None:
    values = unit()
    assert float(values["TimeoutStopSec"]) > RequestLimits().stop_seconds + 2 * LEFT_SECONDS
    assert values["KillMode"] == "mixed"
    assert values["ExecReload"].endswith("-HUP $MAINPID")


def test_its_command_is_one() -> None:
    program, command, *arguments = shlex.split(unit()["ExecStart"])
    assert Path(program).name == "scoring"
    typer_command = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    known = {name for parameter in typer_command.params for name in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= known


def test_the_targets_of_the_dockerfile_install_these_extras() -> None:
    targets = [name for name, (base, _) in STAGES.items() if base == "base"]
    assert targets == ["score", "train", "serve"]  # the last one is built by default
    installed = {}
    for name in targets:
        [source] = re.findall(r"^COPY --from=(\S+) /opt/scoring /opt/scoring$", STAGES[name][1], re.MULTILINE)
        extras = re.search(r"^RUN \$PIP '?\.(?:\[([a-z,]+)\])?'?", STAGES[source][1], re.MULTILINE)
        assert extras is not None
        installed[name] = (extras[1] or "").split(",")
    assert installed == {"score": [""], "train": ["train"], "serve": ["serve", "track"]}
    assert {name for names in installed.values() for name in names} - {""} <= set(EXTRAS)


def test_the_images_have_no_tools_that_install_or_build() -> None:
    assert "python -m venv --without-pip /opt/scoring" in STAGES["source"][1]
    in_images = "".join(text for name, (base, text) in STAGES.items() if "base" in (name, base))
    assert "$PIP" not in in_images
    assert re.findall(r"apt-get install (.*?)&&", in_images) == [
        "--yes --no-install-recommends libgomp1     "
    ]


def test_the_commands_of_the_images_are_commands() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    build, default = STAGES["score-build"][1], STAGES["serve"][1]
    assert set(re.findall(r"-m scoring (\w+)", build)) == {"sample", "score"}
    [command] = re.findall(r'^CMD \["(\w+)"', default, re.MULTILINE)
    assert command in commands
    assert "USER 10001:10001" in default
