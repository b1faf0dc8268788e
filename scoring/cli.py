"""The command line: each command parses, calls one workflow, prints and exits.

Exit codes: 0 done; 1 some records could not be used, the rest were; 2 nothing was done: wrong usage, or
an input, model, setting or store that cannot be used; 70 a defect of this program; 130 interrupted;
141 the reader of the output went away.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from scoring import cli_experiments, options
from scoring.terminal import Terminal

app = typer.Typer(
    name="scoring",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main() -> None:
    """Run the command that the process was started with."""
    app(prog_name="scoring")


def _now() -> datetime:
    return datetime.now(UTC)


def _command(function: Callable[..., None]) -> Callable[..., None]:
    return app.command(function.__name__)(options.as_command(function))


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from scoring import __version__

        typer.echo(f"scoring {__version__}")
        raise typer.Exit


@app.callback()
def scoring(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Tell a news curation site what each incoming record is worth.

    --quiet, --verbose and --debug may stand before or after the command.
    """
    context.obj = Terminal(quiet, verbose, debug)


@_command
def sample(
    terminal: Terminal,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new or empty folder.", show_default=False)
    ],
    records: Annotated[int, typer.Option(min=1, help="Records to make up.")] = 1000,
    seed: Annotated[int | None, typer.Option(help="Seed of all that is drawn. Default: the setting.")] = None,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Leave the labels out.")] = False,
    **policy: Any,
) -> None:
    """Write made-up records, labelled by the policy of an invented site.

    The same options give the same files. The options of the policy tell how that site judges.
    """
    from scoring.records.sample import write_sample
    from scoring.records.sample_policy import Policy

    n_files = write_sample(
        directory,
        n_records=records,
        seed=options.settings_of(terminal, seed=seed).seed,
        policy=Policy(**policy),
        is_labelled=not unlabelled,
        on_progress=functools.partial(terminal.step, "writing"),
    )
    terminal.note(f"{directory}: {n_files} records")


@_command
def validate(terminal: Terminal, paths: options.Paths, json: options.Json = False) -> None:
    """Check records and name everything that is wrong with them.

    Faults and warnings are on stderr, the count is on stdout; --json has all of them on stdout.
    """
    from scoring import rendering
    from scoring.workflows.validate import validate as workflow

    options.settings_of(terminal)
    progress = functools.partial(terminal.step, "reading")
    found = workflow(paths, stdin=sys.stdin.buffer, on_progress=progress)
    terminal.n_faults = found.n_faulty
    if json:
        terminal.out(rendering.to_json(found))
        return
    for fault in found.faults:
        terminal.error(str(fault))
    for warning in found.warnings:
        terminal.note(f"{warning} (warning)")
    terminal.out(f"{found.n_records} records can be used, {found.n_faulty} cannot")


@_command
def features(
    terminal: Terminal,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH", help=options.PATH_HELP, show_default=False)
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE.parquet", help="File to write.")] = None,
    as_of: options.AsOf = None,
    catalogue: Annotated[bool, typer.Option("--catalogue", help="Tell what each column means.")] = False,
) -> None:
    """Write the feature table of records, or tell what its columns mean."""
    from scoring.workflows import features as workflow

    if catalogue:
        from scoring import rendering

        terminal.show(rendering.catalogue(workflow.catalogue()))
        return
    if not paths or output is None:
        raise typer.BadParameter("expected PATH... and --output FILE.parquet, or --catalogue")
    options.settings_of(terminal)
    n_records = workflow.write_features(paths, output=output, as_of=as_of, **options.channels_of(terminal))
    terminal.note(f"{output}: {n_records} records")


@_command
def train(
    terminal: Terminal,
    paths: options.Paths,
    config: Annotated[
        Path | None,
        typer.Option(metavar="experiments/NAME.yaml", help="Configuration. Default: the package's."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder to save the model in.")] = None,
    experiment: options.Experiment = None,
    run_name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the MLflow run.")] = None,
    tracking_uri: options.TrackingUri = None,
    register: Annotated[
        str | None, typer.Option(metavar="NAME", help="Register the model under that name.")
    ] = None,
    no_track: options.NoTrack = False,
    json: options.Json = False,
) -> None:
    """Train a model on labelled records, evaluate it on the last of them, track both."""
    from scoring.workflows.train import load_config
    from scoring.workflows.train import train as workflow

    settings = options.settings_of(terminal, experiment=experiment, tracking_uri=tracking_uri)
    outcome = workflow(
        paths,
        config=load_config(config),
        settings=settings,
        now=_now(),
        out=out,
        experiment=experiment,
        run_name=run_name,
        register=register,
        is_tracked=not no_track,
        **options.channels_of(terminal),
    )
    names = ("run_id", "model", "model_uri", "data_sha256", "n_records", "n_faults", "metrics")
    _show_outcome(terminal, outcome, names, is_json=json)


def _show_outcome(terminal: Terminal, outcome: Any, names: Iterable[str], *, is_json: bool) -> None:
    """Show an evaluation and the facts about it that have these names."""
    from scoring import rendering

    facts = {name: getattr(outcome, name) for name in names}
    if is_json:
        terminal.out(rendering.to_json(facts | {"evaluation": outcome.evaluation}))
        return
    terminal.show(rendering.evaluation(outcome.evaluation), "")
    terminal.show(rendering.named(item for item in facts.items() if item[0] != "metrics"))


@_command
def evaluate(
    terminal: Terminal,
    paths: options.Paths,
    model: options.Model = None,
    as_of: options.AsOf = None,
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for figures and plots.")] = None,
    json: options.Json = False,
    no_track: options.NoTrack = False,
    tracking_uri: options.TrackingUri = None,
    experiment: options.Experiment = None,
) -> None:
    """Compare a model's scores with the labels of records, beside simple baselines."""
    from scoring.workflows.evaluate import evaluate as workflow

    outcome = workflow(
        paths,
        model=model,
        settings=options.settings_of(terminal, tracking_uri=tracking_uri, experiment=experiment),
        now=_now(),
        as_of=as_of,
        output=output,
        is_tracked=not no_track,
        **options.channels_of(terminal),
    )
    _show_outcome(terminal, outcome, ("run_id", "model", "n_records", "n_faults"), is_json=json)


@_command
def score(
    terminal: Terminal,
    paths: options.Paths,
    model: options.Model = None,
    as_of: options.AsOf = None,
    form: Annotated[
        options.ScoreFormat | None,
        typer.Option(
            "--format", help="Default: by the name of --output, else table on a terminal, else jsonl."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write instead of stdout.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the scores into the records' files.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --write: show the changes only.")] = False,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Score records: quality, lead, heat, published.

    A table has the highest heat first, the other formats keep the order of the records.
    """
    if dry_run and not write:
        raise typer.BadParameter("--dry-run goes with --write")
    if write and (form or output):
        raise typer.BadParameter("--write takes neither --format nor --output")
    from scoring.workflows import score as workflow

    scores = workflow.score(
        paths,
        model=model,
        settings=options.settings_of(terminal, tracking_uri=tracking_uri),
        as_of=as_of,
        **options.channels_of(terminal),
    )
    if write:
        changes = workflow.write_scores(scores, paths=paths, is_dry_run=dry_run, on_fault=terminal.on_fault)
        _print_changes(terminal, changes, is_dry_run=dry_run)
    else:
        _print_scores(terminal, scores, form, output)


def _print_changes(terminal: Terminal, changes: Iterator[Any], *, is_dry_run: bool) -> None:
    n_changed = n_files = 0
    for change in changes:
        n_files += 1
        n_changed += change.changed
        if change.changed:
            terminal.out(change.diff.rstrip("\n") if is_dry_run else change.path)
    verb = "would change" if is_dry_run else "changed"
    terminal.note(f"{n_changed} of {n_files} files {verb}")


def _print_scores(
    terminal: Terminal, scores: Iterator[Any], form: options.ScoreFormat | None, output: Path | None
) -> None:
    from scoring import rendering

    if form is None:
        is_for_people = output is None and sys.stdout.isatty()
        by_name = options.ScoreFormat.__members__.get(output.suffix.removeprefix(".") if output else "")
        form = by_name or (options.ScoreFormat.table if is_for_people else options.ScoreFormat.jsonl)
    if output is not None:
        if form is options.ScoreFormat.table:
            raise typer.BadParameter("--output takes jsonl, csv or parquet")
        with rendering.replaced(output) as file:
            n_scores = rendering.write_scores(scores, form, file)
        terminal.note(f"{output}: {n_scores} scores")
    elif form is options.ScoreFormat.table:
        terminal.show(rendering.scores_table(scores))
    elif form is options.ScoreFormat.parquet:
        if sys.stdout.isatty():
            raise typer.BadParameter("--format parquet goes to --output or into a pipe")
        rendering.write_scores(scores, form, sys.stdout.buffer)
    else:
        for line in rendering.score_lines(scores, form):
            terminal.out(line)


@_command
def explain(
    terminal: Terminal,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="One record; - for JSON on standard input.", show_default=False),
    ],
    model: options.Model = None,
    as_of: options.AsOf = None,
    json: options.Json = False,
) -> None:
    """Tell why a record has its scores."""
    from scoring import rendering
    from scoring.workflows.explain import explain as workflow

    explanation = workflow(
        file, model=model, settings=options.settings_of(terminal), as_of=as_of, stdin=sys.stdin.buffer
    )
    if json:
        terminal.out(rendering.to_json(explanation))
    else:
        terminal.show(rendering.explanation(explanation))


@_command
def audit(
    terminal: Terminal,
    paths: options.Paths,
    config: Annotated[
        Path | None,
        typer.Option(metavar="experiments/NAME.yaml", help="Configuration. Default: the package's."),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="Findings of each kind at most.")] = 20,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON lines to write instead of a table.")
    ] = None,
    json: options.Json = False,
) -> None:
    """List labels that look wrong, with the reason; findings are no faults.

    Each record is held against models that have not seen it, and against its near-twins. Kinds:
    quality, lead, heat, published, twin; the worst of each first.
    """
    from scoring import rendering
    from scoring.workflows.audit import audit as workflow
    from scoring.workflows.train import load_config

    outcome = workflow(
        paths,
        config=load_config(config),
        settings=options.settings_of(terminal),
        limit=limit,
        **options.channels_of(terminal),
    )
    counts = ", ".join(f"{kind} {count}" for kind, count in outcome.counts.items())
    if output is not None:
        with rendering.replaced(output) as file:
            file.writelines(f"{rendering.to_json(each)}\n".encode() for each in outcome.findings)
    elif json:
        for finding in outcome.findings:
            terminal.out(rendering.to_json(finding))
    else:
        terminal.show(rendering.findings(outcome.findings))
    terminal.note(f"{outcome.n_records} records, {sum(outcome.counts.values())} findings: {counts}")


for _each in cli_experiments.COMMANDS:
    _command(_each)


@_command
def ui(terminal: Terminal, port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 5000) -> None:
    """Show MLflow's pages of the runs and models, on this machine only, until interrupted."""
    from scoring.tracking import Store, serve_ui

    settings = options.settings_of(terminal)
    terminal.note(f"http://127.0.0.1:{port}")
    serve_ui(Store(settings.tracking_uri, settings.home, is_verbose=terminal.is_verbose), port=port)


@_command
def config(terminal: Terminal, json: options.Json = False) -> None:
    """Tell each setting, and where it comes from."""
    from scoring import rendering
    from scoring.settings import settings_origins

    origins = settings_origins()
    if json:
        terminal.out(rendering.to_json([origin._asdict() for origin in origins]))
    else:
        terminal.show(rendering.origins(origins))
