"""The systemd unit agrees with the service."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

import typer.main

from scoring.cli.app import app
from scoring.service.options import RequestLimits
from scoring.service.process import LEFT_SECONDS

UNIT = Path(__file__).parents[2] / "deploy" / "scoring.service"


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
