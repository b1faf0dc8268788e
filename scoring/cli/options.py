"""Shared options of the commands, and the wrapper that turns a function into a Typer command."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scoring.cli.console import Terminal, exit_code
from scoring.errors import FeatureError
from scoring.records.synthetic.policy import Policy

if TYPE_CHECKING:
    from scoring.features.cache import FeatureCache
    from scoring.settings import Settings


def now() -> datetime:
    """Current time, aware UTC: below the interfaces time is an argument."""
    return datetime.now(UTC)


def parse_as_of(text: str) -> datetime | timedelta:
    """Parse a moment, or an age as ``published+6h``."""
    from scoring.features import as_of

    try:
        return as_of.parse_as_of(text)
    except FeatureError:
        raise typer.BadParameter(f"got '{text}', expected {as_of.EXPECTED}") from None


def check_as_of(text: str | None) -> str | None:
    """The text unchanged, as a configuration has it, if it is a valid ``as_of``."""
    if text is not None:
        parse_as_of(text)
    return text


def parse_moment(text: str) -> datetime:
    """Parse a moment."""
    moment = parse_as_of(text)
    if not isinstance(moment, datetime):
        raise typer.BadParameter(f"got '{text}', expected a moment such as 2021-03-04T05:06:07Z")
    return moment


def check_name(text: str | None) -> str | None:
    """The text unchanged, if it is a valid name of a registered model."""
    if text is not None and (not text.strip() or "/" in text or ":" in text):
        raise typer.BadParameter(f"got '{text}', expected a name without / and :")
    return text


def parse_points(text: str) -> tuple[int, ...]:
    """Parse integers separated by commas."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"got '{text}', expected integers separated by commas") from None


class ScoreFormat(StrEnum):
    """Format of the printed scores."""

    table = "table"
    jsonl = "jsonl"
    csv = "csv"
    parquet = "parquet"
    markdown = "markdown"
    github = "github"


class ReportFormat(StrEnum):
    """Format of faults and warnings."""

    text = "text"
    github = "github"


class ProgressFormat(StrEnum):
    """Form of the progress."""

    bars = "bars"
    jsonl = "jsonl"


class CoverageSource(StrEnum):
    """Where the coverage of records comes from."""

    listed = "listed"
    derive = "derive"


_KEYWORD = inspect.Parameter.KEYWORD_ONLY

PATH_HELP = (
    "Records: folders, Markdown files, globs, *.jsonl, *.csv, *.parquet, feeds (*.xml, *.rss, *.atom, "
    "feed.json), as paths or URLs (s3://...), or - for JSON lines or a feed on standard input."
)
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show results and errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show progress in detail.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show everything, with tracebacks.")]
Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help=PATH_HELP,
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="A model's folder or zip (a path or URL), models:/NAME/VERSION, models:/NAME@ALIAS, "
        "runs:/ID, or shipped. Default: the setting, else the champion; the shipped model only if no "
        "champion was ever known.",
    ),
]
AsOf = Annotated[
    Any,  # datetime, timedelta or None: Typer does not support a union
    typer.Option(
        parser=parse_as_of,
        metavar="TIME",
        help="Ignore coverage newer than this: ISO 8601 (UTC unless it has a zone), or an age of each "
        "record, such as published+6h. Default: use all coverage.",
    ),
]
RelateAsOf = Annotated[
    Any,
    typer.Option(
        parser=parse_as_of,
        metavar="TIME",
        help="Ignore records later than this: ISO 8601, or an age of each record, such as published+6h. "
        "Default: use all records.",
    ),
]
Links = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File of learned links of related records. Default: the setting, else the shipped file.",
    ),
]
Coverage = Annotated[
    CoverageSource | None,
    typer.Option(
        help="'listed': use the related records that a record lists; 'derive': in an archive without any "
        "list, estimate them from the archive itself. Default: the setting.",
    ),
]
Config = Annotated[
    Path | None, typer.Option(metavar="experiments/NAME.yaml", help="Configuration. Default: the package's.")
]
Corrections = Annotated[
    Path | None,
    typer.Option(
        metavar="LEDGER",
        help="Ledger of the corrections made at the desk; they replace the labels in the files.",
    ),
]
TrainAsOf = Annotated[
    str | None,
    typer.Option(
        callback=check_as_of,
        metavar="TIME",
        help="Train on the records as of an age, such as published+6h, with their settled labels; or as of a "
        "moment, ignoring everything later. Default: the configuration's.",
    ),
]
IncludeOwnScores = Annotated[
    bool,
    typer.Option("--include-own-scores", help="Treat labels that scoring itself wrote like any other label."),
]
OverwriteModel = Annotated[bool, typer.Option("--overwrite", help="Replace another model in the folder.")]
OverwriteFile = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
Since = Annotated[
    Any,
    typer.Option(parser=parse_moment, metavar="TIME", help="Use only records published since this time."),
]
BeginsAt = Annotated[
    Any,
    typer.Option(parser=parse_moment, metavar="TIME", help="Earliest publication date. Default: 2018-01-01."),
]
TrackingUri = Annotated[str | None, typer.Option(metavar="URI", help="MLflow store. Default: the setting.")]
Journal = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Journal of the labels that scoring itself wrote. Default: the setting, else in the home.",
    ),
]
Section = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RULE",
        help="Rule that identifies a record's section: 'topic' (the topic that all records of a section "
        "share), 'folder' (of the file) or 'field NAME'. Default: the setting.",
        callback=lambda values: _only_one(values, "--section"),
    ),
]
Fields = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Field map of all records: which keys hold the fields and labels. Default: scoring-fields.yaml "
        "in the archive, else the setting, else the model's.",
    ),
]
Experiment = Annotated[str | None, typer.Option(metavar="NAME", help="MLflow experiment.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the feature cache.")]
NoTrack = Annotated[bool, typer.Option("--no-track", help="Do not log a run in MLflow.")]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Exit code 1 if a file of a folder is left out."),
]
Progress = Annotated[
    ProgressFormat,
    typer.Option(
        help="'bars' on a terminal; 'jsonl' for programs: lines of JSON on stderr, with name, done and "
        "total. The command ends if their reader does."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

POLICY_HELP = {
    "provider_points": "Possible points for a provider.",
    "known_provider_points": "Points for a provider that the site has a picture of.",
    "section_in_title_points": "Points for a title that names the section.",
    "topic_points": "Points for each topic after the section.",
    "image_points": "Points for an image.",
    "large_image_points": "Additional points for a large image.",
    "large_image_from_px": "Minimum width of a large image, in pixels.",
    "video_points": "Points for a video.",
    "excerpt_points": "Points for an excerpt.",
    "title_limit_chars": "Title length in characters above which points are deducted.",
    "title_overrun_chars_per_point": "Characters above that length that cost one point.",
    "noise_ratio": "Share of records with a label that deviates from the rubric, 0 to 1.",
    "noise_points": "Maximum deviation of those labels, in points.",
    "scale": "Quality is scale * points + shift.",
    "shift": "See --scale.",
    "heat_bonus": "Heat that each related record adds to a good lead.",
    "bonus_from_quality": "Minimum quality of a good lead.",
    "engagement_max_count": "Maximum heat that readers add to a new lead.",
    "engagement_half_life_hours": "Half-life of that heat, in hours.",
    "published_from_heat": "Minimum heat of a published record.",
}


def _policy_options() -> Iterator[inspect.Parameter]:
    """One option for each field of the synthetic labelling policy, with its default."""
    for name, default in dataclasses.asdict(Policy()).items():
        is_list = isinstance(default, tuple)
        option = typer.Option(
            help=POLICY_HELP.get(name),
            callback=parse_points if is_list else None,
            metavar="N,..." if is_list else None,
        )
        yield inspect.Parameter(
            name,
            _KEYWORD,
            default=",".join(map(str, default)) if is_list else default,
            annotation=Annotated[str if is_list else type(default), option],
        )


def settings_of(terminal: Terminal, **given: Any) -> Settings:
    """Load the settings, set up logging from them and the flags, and check the format of the home."""
    from scoring.settings import load_settings
    from scoring.storage.home import check_home
    from scoring.storage.urls import refuse_remote

    if section := given.get("section"):
        given["section"] = section[0]
    settings = load_settings(**given)
    refuse_remote(settings.journal, "the journal", "it is locked while labels are written")
    terminal.set_up_logging(settings.log_level)
    check_home(settings.home)
    return settings


def _only_one(values: list[str] | None, option: str) -> list[str] | None:
    """Refuse an option that is given twice with different values."""
    if len(set(values or ())) > 1:
        raise typer.BadParameter(f"got {' and '.join(map(repr, values or ()))}, expected one {option}")
    return values


def channels_of(terminal: Terminal) -> dict[str, Any]:
    """Standard input, fault callback and reporter of a workflow."""
    return {"stdin": sys.stdin.buffer, "on_fault": terminal.on_fault, "reporter": terminal}


def cache_of(settings: Settings, *, is_used: bool) -> FeatureCache | None:
    """The feature cache of the home; None if it is not used."""
    from scoring.features.cache import open_cache

    return open_cache(settings, now()) if is_used and settings.cache_mb else None


@contextmanager
def reporting_left_out(terminal: Terminal, *, is_strict: bool) -> Iterator[None]:
    """Report once what the walks of folders left out; with ``is_strict`` that is a fault."""
    from scoring.records.left_out import collecting

    with collecting() as walks:
        try:
            yield
        finally:
            summary = walks.summary()
            if is_strict and walks.n_left_out:
                terminal.n_faults += walks.n_left_out
                terminal.report("error", summary)
            elif summary:
                terminal.report("notice", summary)


def as_command(function: Callable[..., None]) -> Callable[..., None]:
    """Turn a function whose first parameter is the terminal into a Typer command.

    The command accepts the global flags too, so that they may be given before or after its name. A
    function with ``**policy`` gets the options of the synthetic policy. Every outcome of the function
    becomes an exit code. A function with ``paths`` reports what the walks of folders leave out, and gets the
    option ``--strict``. A group runs its own function only without a subcommand.
    """
    _, *own = inspect.signature(function, eval_str=True).parameters.values()
    takes_policy = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in own)
    flags = {"quiet": Quiet, "verbose": Verbose, "debug": Debug}
    takes_paths = any(parameter.name == "paths" for parameter in own)
    parameters = [
        inspect.Parameter("context", _KEYWORD, annotation=typer.Context),
        *(
            parameter.replace(kind=_KEYWORD)
            for parameter in own
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ),
        *(_policy_options() if takes_policy else ()),
        *([inspect.Parameter("strict", _KEYWORD, default=False, annotation=Strict)] if takes_paths else ()),
        *(inspect.Parameter(name, _KEYWORD, default=False, annotation=kind) for name, kind in flags.items()),
    ]

    def run(context: typer.Context, quiet: bool, verbose: bool, debug: bool, **options: Any) -> None:
        early = context.obj
        terminal = Terminal(early.is_quiet or quiet, early.is_verbose or verbose, early.is_debug or debug)
        if context.invoked_subcommand is not None:
            _refuse_given(context, options)
            context.obj = terminal
            return
        is_strict = options.pop("strict", False)

        def work() -> None:
            with reporting_left_out(terminal, is_strict=is_strict):
                function(terminal, **options)

        raise typer.Exit(exit_code(terminal, work))

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _refuse_given(context: typer.Context, options: Iterable[str]) -> None:
    """Refuse options of a group that its subcommand would ignore."""
    for name in options:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = "--" + name.replace("_", "-")
            raise typer.BadParameter(f"{option} does not go with {context.invoked_subcommand}")
