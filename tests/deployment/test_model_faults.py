"""Which model scores for every combination of missing parts: a table of expected outcomes."""

from __future__ import annotations

import json
import re
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.main import get_command

from scoring.artifact.saved_model import SavedModel, load_model
from scoring.cli import app
from scoring.records.synthetic.generate import write_sample
from scoring.settings import default_model_folder
from tests.deployment.conftest import Site

# Written from the rules that the documentation gives, not from the code. The first line that fits counts; a
# point stands for anything. What is "known" is a copy of the champion; "named" is the store.
TABLE = """
model    known  store  alias  version  artifacts  named   outcome
bad      .      .      .      .        .          .       refused
folder   .      .      .      .        .          .       folder
shipped  .      .      .      .        .          .       shipped
none     .      yes    yes    yes      yes        .       champion
none     yes    .      .      .        .          .       last-known
none     no     .      .      .        .          yes     refused
none     no     no     .      .        .          no      shipped-unasked
none     no     yes    no     .        .          no      shipped-unasked
none     no     yes    yes    no       .          no      shipped-unasked
none     no     yes    yes    yes      no         no      refused
"""
MODELS = ("none", "shipped", "folder", "bad")
YES_NO = ("yes", "no")
STATES = list(product(*[YES_NO] * 5))
# What stands on standard error, but for the count of files that --write tells.
LINES = {
    "champion": "",
    "folder": "",
    "shipped": "",
    "last-known": "warning: ",
    "shipped-unasked": "warning: no ",
    "refused": "error: ",
}


COMMAND = get_command(app)


class State(NamedTuple):
    """Which parts exist; each ``yes`` or ``no``."""

    known: str
    store: str
    alias: str
    version: str
    artifacts: str


WRITE_SUMMARY = re.compile(r"^(1 of 1 files written|write \w+-\w+:|no journal of what).*\n", re.MULTILINE)


def expected(model: str, state: State, named: str) -> str:
    for line in TABLE.splitlines()[2:]:
        *given, outcome = line.split()
        if all(rule in (".", value) for rule, value in zip(given, (model, *state, named), strict=True)):
            return outcome
    raise AssertionError((model, state, named))


def break_site(site: Site, state: State) -> None:
    site.restore()
    site.set_store(has_alias=state.alias == "yes", has_version=state.version == "yes")
    if state.artifacts == "no":
        site.remove_artifacts()
    if state.known == "yes":
        site.add_copy()
    if state.store == "no":
        site.database.unlink()


@pytest.fixture
def record(tmp_path: Path) -> Path:
    write_sample(tmp_path / "inbox", n_records=1, seed=3, is_labelled=False)
    return next((tmp_path / "inbox").iterdir())


class Done(NamedTuple):
    """Result of a command."""

    exit_code: int
    stdout: str
    stderr: str


def score(*arguments: object) -> Done:
    """Run ``scoring score``; the command object, slow to build, is built once."""
    words = ["score", *map(str, arguments), "--no-cache"]
    with redirect_stdout(StringIO()) as stdout, redirect_stderr(StringIO()) as stderr:
        exit_code = COMMAND.main(words, prog_name="scoring", standalone_mode=False)
    return Done(exit_code, stdout.getvalue(), stderr.getvalue())


def test_the_table_has_a_line_for_every_case_and_needs_each() -> None:
    outcomes = {
        (model, state, named): expected(model, State(*state), named)
        for model, state, named in product(MODELS, STATES, YES_NO)
    }
    assert len(outcomes) == 4 * 2**6
    assert set(outcomes.values()) == set(LINES)


@pytest.mark.parametrize("state", [State(*values) for values in STATES], ids="-".join)
def test_what_scores_is_what_was_meant_or_nothing_is_written(
    state: State, site: Site, saved: SavedModel, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped, other = load_model(default_model_folder()).name, load_model(site.folder).name
    names = {"champion": saved.name, "last-known": saved.name, "folder": other}
    specs = {"none": [], "shipped": ["--model", "shipped"], "folder": ["--model", str(site.folder)]}
    monkeypatch.setenv("SCORING_HOME", str(site.home))
    before = record.read_bytes()
    written: dict[str, bytes] = {}
    unlike = []
    for model, named, write in product(MODELS, YES_NO, YES_NO):
        break_site(site, state)
        record.write_bytes(before)
        if named == "yes":
            monkeypatch.setenv("SCORING_TRACKING_URI", site.settings.tracking_uri)
        else:
            monkeypatch.delenv("SCORING_TRACKING_URI", raising=False)
        given = specs.get(model, ["--model", str(site.home / "bad")])
        done = score(record, *given, *(["--write"] if write == "yes" else []))
        outcome = expected(model, state, named)
        name, line = names.get(outcome, shipped), LINES[outcome]
        messages, after = WRITE_SUMMARY.sub("", done.stderr), record.read_bytes()
        checks = {
            "exit code": done.exit_code == (2 if outcome == "refused" else 0),
            "line": messages.startswith(line) and messages.count("\n") == bool(line),
            "no store is made": site.database.exists() == (state.store == "yes"),
        }
        if outcome == "refused":
            checks |= {"nothing is written": after == before, "no score": done.stdout == ""}
        elif write == "no":
            checks |= {
                "nothing is written": after == before,
                "model": json.loads(done.stdout)["model"] == name,
            }
        else:
            checks["labels"] = before != after == written.setdefault(name, after)
        if outcome in ("last-known", "shipped-unasked"):
            checks["model is named"] = name in messages
        unlike += [
            (model, named, write, outcome, what, messages) for what, holds in checks.items() if not holds
        ]
    assert unlike == []
    assert len(set(written.values())) == len(written) > 1, "each model writes other labels"


@pytest.mark.parametrize("copy", ["none", "kept", "damaged", "of another name"])
@pytest.mark.parametrize("store", ["there", "away", "not a database"])
@pytest.mark.parametrize("artifacts", ["there", "gone", "damaged"])
def test_what_is_damaged_counts_as_missing_and_is_never_passed_over(
    copy: str, store: str, artifacts: str, site: Site, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORING_HOME", str(site.home))
    if copy != "none":
        site.add_copy()
        (kept,) = (site.home / "champions").iterdir()
        if copy == "damaged":
            (kept / "quality.txt").write_bytes(b"tree")
        elif copy == "of another name":
            facts = json.loads((kept / "champion.json").read_bytes())
            kept.rename(kept.with_name("0123456789abcdef"))
            file = site.home / "champions" / "0123456789abcdef" / "champion.json"
            file.write_text(json.dumps(facts | {"name": "sports"}))
    if artifacts == "gone":
        site.remove_artifacts()
    elif artifacts == "damaged":
        (site.model / "quality.txt").write_bytes(b"tree")
    if store == "away":
        site.database.unlink()
    elif store == "not a database":
        site.database.write_bytes(b"no database" * 1000)
    done = score(record)
    if store == artifacts == "there":
        code, line = 0, ""
    elif copy == "kept":
        code, line = 0, "warning: "
    elif store == "away" and copy == "none":
        code, line = 0, "warning: no store at "
    else:
        code, line = 2, "error: "
    assert (done.exit_code, done.stderr[: len(line)], done.stderr.count("\n")) == (
        code,
        line,
        int(bool(line)),
    )
