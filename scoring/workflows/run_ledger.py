"""The ledger of corrections that a run was trained with."""

from __future__ import annotations

from pathlib import Path

from scoring.progress import Reporter
from scoring.tracking import RunRecord, Store, former_home


def ledger_of(run: RunRecord, store: Store, reporter: Reporter) -> Path | None:
    """The ledger of a run, where it is today; None where the run had none.

    Parameters
    ----------
    run : RunRecord
        The run.
    store : Store
        Where it is, with today's home: a ledger that lay in the home has moved with it.
    reporter : Reporter
        Told where another file is taken than the run names.

    Returns
    -------
    Path or None
    """
    named = run.tags.get("corrections_path")
    if not named:
        return None
    path, today = Path(named), store.home / Path(named).name
    former = former_home(store, run.artifact_uri)
    is_of_home = path.parent == former or not path.exists()
    if not is_of_home or path.absolute() == today or not today.is_file():
        return path
    reporter.note(f"{path}: the run's ledger, taken from today's home: {today}")
    return today
