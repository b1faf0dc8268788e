"""Help and usage errors of the commands, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from scoring.errors import shown

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

MAX_SUMMARY_CHARS = 63
"""Length of a summary that an 80-column terminal shows beside the longest name of a command."""

_MAX_CHOICES_CHARS = 20  # longer choices stand in the description
_WHOLE_NUMBER, _NUMBER = "a whole number", "a number"


class Command(TyperCommand):
    """A command whose help and usage errors are in words."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        _write_parameters(self, ctx, formatter)

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        return list(_usage_of(self, ctx))

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except TyperException as error:
            raise _in_words(error) from None


class Group(TyperGroup):
    """A command with others below it, listed in the order of ``names`` and under the heading of each."""

    names: ClassVar[Sequence[str]] = ()

    def list_commands(self, ctx: Context) -> list[str]:
        return list(self.names)

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        _write_parameters(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        width = max(map(len, self.names), default=0)
        headings: dict[str, list[tuple[str, str]]] = {}
        for name in self.names:
            heading = getattr(self.commands[name], "rich_help_panel", None)
            summary = self.commands[name].get_short_help_str(formatter.width)
            row = (name.ljust(width), summary)  # the columns of all headings stand in one line
            headings.setdefault(heading if isinstance(heading, str) else "Commands", []).append(row)
        for heading, rows in headings.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except TyperException as error:
            raise _in_words(error) from None


def _write_parameters(command: Any, ctx: Context, formatter: HelpFormatter) -> None:
    records: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            described = _described(parameter, record[1], ctx)
            records[parameter.param_type_name].append((_called(parameter), described))
    for heading, rows in (("Arguments", records["argument"]), ("Options", records["option"])):
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows)


def _usage_of(command: Any, ctx: Context) -> Iterator[str]:
    yield "[OPTIONS]"
    for parameter in command.get_params(ctx):
        if parameter.param_type_name == "argument":
            called = _called(parameter)
            yield called if parameter.required else f"[{called}]"


def _called(parameter: Any) -> str:
    """How a parameter is given: its options, and what stands for its value."""
    if parameter.param_type_name == "argument":
        return _value_of(parameter) + ("..." if parameter.nargs != 1 else "")
    names = ", ".join(sorted(parameter.opts, key=len))
    return names if parameter.is_flag or parameter.count else f"{names} {_value_of(parameter)}"


def _value_of(parameter: Any) -> str:
    """What stands for the value: its metavar, its choices if they are short, else its name."""
    choices = "|".join(_choices_of(parameter))
    if parameter.metavar is not None:
        return str(parameter.metavar)
    if choices and len(choices) <= _MAX_CHOICES_CHARS:
        return choices
    if not choices and parameter.type_descriptor.annotation in (int, float):
        return "N"
    return str(max(parameter.opts, key=len)).rpartition("-")[2].upper()


def _choices_of(parameter: Any) -> list[str]:
    choices = parameter.type_descriptor.choices if parameter.type_descriptor.is_choice else None
    return [str(getattr(choice, "value", choice)) for choice in choices or ()]


def _described(parameter: Any, described: str, ctx: Context) -> str:
    """The description with its bracket (choices, default, range, whether it is required) in words."""
    text = (parameter.help or "").strip()
    facts = []
    choices = _choices_of(parameter)
    if choices and "|".join(choices) != _value_of(parameter):
        facts.append(f"one of {', '.join(choices)}")
    _, _, bracket = described.removeprefix(text).strip().removesuffix("]").partition("default: ")
    default = bracket.partition("; ")[0]
    if default:
        facts.append(f"default: {default}")
    limits = _limits_of(parameter)
    if limits:
        facts.append(limits)
    if parameter.required and parameter.param_type_name == "option":
        facts.append("required")
    return f"{text}  [{'; '.join(facts)}]" if facts else text


def _limits_of(parameter: Any) -> str:
    least, most = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if least is None and most is None:
        return ""
    if most is None:
        return f"{least} or more"
    return f"{most} or less" if least is None else f"{least} to {most}"


def _in_words(error: TyperException) -> TyperException:
    """The error in this program's words, where the library that reads values has its own."""
    extra = error.message.removeprefix("Got unexpected extra argument(s) (")
    if extra != error.message:
        error.message = f"Unexpected: {extra.removesuffix(')')}"
    faults = getattr(error.__cause__, "errors", None)
    if isinstance(error, typer.BadParameter) and faults is not None and error.param is not None:
        error.message = f"got {shown(repr(faults()[0]['input']))}, expected {_expected(error.param)}"
    return error


def _expected(parameter: Any) -> str:
    choices = _choices_of(parameter)
    if choices:
        return f"one of {', '.join(choices)}"
    kind = _WHOLE_NUMBER if parameter.type_descriptor.annotation is int else _NUMBER
    limits = _limits_of(parameter)
    if parameter.type_descriptor.annotation not in (int, float):
        return f"a value as {_value_of(parameter)}"
    return f"{kind}, {limits}" if limits else kind
