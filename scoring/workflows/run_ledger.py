"""Find the ledger of corrections that a run was trained with."""

from __future__ import annotations

from pathlib import Path

from scoring.progress import Reporter
from scoring.tracking import RunRecord, Store, former_home


def ledger_of(run: RunRecord, store: Store, reporter: Reporter) -> Path | None:
    """Current path of a run's ledger; None if the run had none.

    Parameters
    ----------
    run : RunRecord
        The run.
    store : Store
        Store and current home: a ledger within the home moves with it.
    reporter : Reporter
        Receives a note if the path differs from the run's.

    Returns
    -------
    Path or None
    """
    logged_path = run.tags.get("corrections_path")
    if not logged_path:
        return None
    path, moved = Path(logged_path), store.home / Path(logged_path).name
    old_home = former_home(store, run.artifact_uri)
    is_of_home = path.parent == old_home or not path.exists()
    if not is_of_home or path.absolute() == moved or not moved.is_file():
        return path
    reporter.note(f"{path}: the run's ledger is read from the current home: {moved}")
    return moved
