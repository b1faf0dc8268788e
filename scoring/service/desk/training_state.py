"""State of the training that was started at the desk: kept in the home, so that it survives a restart."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from scoring.deployment.gate import Check, Verdict
from scoring.errors import ScoringError
from scoring.evaluation.section_changes import SectionChange
from scoring.storage.regular_files import read_regular
from scoring.storage.replacement import open_replacement

STATE, PAGE, LOCK = "learning.json", "learning.html", "learning.lock"
"""Files in the home: state, page of the comparison, and the lock of the process that runs the training."""

Status = Literal["running", "done", "failed", "cancelled", "interrupted"]


class ChangedDecision(msgspec.Struct, frozen=True):
    """A record of the inbox whose publication the trained model decides differently."""

    path: str
    before: bool
    after: bool


class TrainingResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a training.

    Parameters
    ----------
    outcome : str
        ``passed`` or ``refused`` by the gate, or ``unchanged`` if no model was trained.
    model : str
        Name and version of the trained model; empty if there is none.
    run_id : str or None
        Its run.
    champion : str or None
        Address of the model that it was compared with; None if it was compared with the baselines.
    n_records, n_days : int
        Labelled records that the verdict rests on, and the number of their days.
    n_corrections : int
        Corrections of the ledger that were trained on.
    reasons : tuple of str
        Why the gate decided so.
    figures : tuple of Check
        Headline metrics of both models on all of these records.
    sections : tuple of SectionChange
        The metric in which the trained model is worst, by section; the worst section first.
    has_page : bool
        Whether there is a page with the comparison.
    n_compared : int
        Records of the inbox that both models have decided.
    changes : tuple of ChangedDecision
        Those that they decide differently.
    next_step : str
        Command that makes the trained model the one of the service; empty if the gate refused it.
    """

    outcome: Literal["passed", "refused", "unchanged"]
    model: str = ""
    run_id: str | None = None
    champion: str | None = None
    n_records: int = 0
    n_days: int = 0
    n_corrections: int = 0
    reasons: tuple[str, ...] = ()
    figures: tuple[Check, ...] = ()
    sections: tuple[SectionChange, ...] = ()
    has_page: bool = False
    n_compared: int = 0
    changes: tuple[ChangedDecision, ...] = ()
    next_step: str = ""


class TrainingState(msgspec.Struct, frozen=True, kw_only=True):
    """A training that was started at the desk.

    Parameters
    ----------
    id : str
        Random id.
    status : str
        ``running``, ``done``, ``failed``, ``cancelled`` by a person, or ``interrupted`` by the service's end.
    started_at, ended_at : datetime
        Aware UTC; the end is None while it runs, or if nobody knows.
    by, client : str
        Name of the person who started it, and id of the browser.
    served : str
        Name of the model that it is compared with.
    stage : str
        Task that is going on.
    done, total : int
        Units of the task that are done, and all of them; None if not known.
    fault : str
        Why it failed.
    result : TrainingResult or None
        None unless it is done.
    """

    id: str
    status: Status
    started_at: datetime
    ended_at: datetime | None = None
    by: str = ""
    client: str = ""
    served: str = ""
    stage: str = ""
    done: int = 0
    total: int | None = None
    fault: str = ""
    result: TrainingResult | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What ``scoring retrain --json`` prints, as far as the desk shows it."""

    outcome: Literal["promoted", "refused", "unchanged"]
    model: str
    run_id: str | None
    champion: str | None
    verdict: Verdict
    n_corrections: int


def result_of(outcome: Outcome, *, has_page: bool, next_step: str) -> TrainingResult:
    """The result of a training, before the inbox has been scored with the new model."""
    verdict = outcome.verdict
    is_passed = outcome.outcome == "promoted"
    return TrainingResult(
        outcome="passed" if is_passed else outcome.outcome,  # type: ignore[arg-type]
        model=outcome.model,
        run_id=outcome.run_id,
        champion=outcome.champion,
        n_records=verdict.n_records,
        n_days=verdict.n_days,
        n_corrections=outcome.n_corrections,
        reasons=verdict.reasons,
        figures=tuple(check for check in verdict.checks if not check.part),
        sections=verdict.sections,
        has_page=has_page,
        next_step=next_step if is_passed else "",
    )


def read_state(home: Path) -> TrainingState | None:
    """The latest training of a home; None if there is none.

    Raises
    ------
    ScoringError
        If the file is damaged.
    """
    try:
        content = read_regular(home / STATE)
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=TrainingState)
    except msgspec.DecodeError as error:
        raise ScoringError(f"{home / STATE}: {error}: remove the file, which only the desk shows") from error


def write_state(home: Path, state: TrainingState) -> None:
    """Keep the state in the home."""
    with open_replacement(home / STATE) as file:
        file.write(msgspec.json.encode(state))
