"""Page of a retraining: the champion and the challenger on the records that neither had seen."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from scoring.artifact.saved_model import SavedModel, columns_of
from scoring.deployment.candidates import Candidate
from scoring.deployment.gate import Verdict
from scoring.evaluation.comparison import Side
from scoring.evaluation.metrics import PredictionColumns
from scoring.progress import Reporter
from scoring.storage.replacement import open_replacement
from scoring.tracking import flat
from scoring.workflows.compare import compare_candidates

_N_FLIPS = 100


def write_page(
    page: Path,
    champion: tuple[SavedModel, PredictionColumns],
    challenger: tuple[SavedModel, PredictionColumns],
    verdict: Verdict,
    *,
    run_id: str,
    seed: int,
    reporter: Reporter,
) -> None:
    """Write the comparison of two models as an HTML page.

    Parameters
    ----------
    page : Path
        The file; replaced if it exists.
    champion, challenger : tuple of (SavedModel, mapping of str to ndarray of shape (n_records,))
        The models, and predictions of the same records. Those of the challenger are of its earlier fit, which
        did not see these records.
    verdict : Verdict
        Decision of the gate, with which the page begins.
    run_id : str
        Run of the challenger.
    seed, reporter
        Seed of the bootstrap; receiver of progress.
    """
    from scoring.report import comparison_report

    first, second = _candidate(*champion, None), _candidate(*challenger, run_id)
    comparison = compare_candidates(first, second, (), _N_FLIPS, seed, reporter)
    outcome = "passes the gate" if verdict.is_passed else "is refused by the gate"
    sentence = f"The second model {outcome}: {'; '.join(verdict.reasons)}."
    with open_replacement(page) as file:
        file.write(comparison_report(comparison, sentence).encode())


def _candidate(saved: SavedModel, predictions: PredictionColumns, run_id: str | None) -> Candidate:
    training = saved.manifest.training
    params = {name: str(value) for name, value in flat(msgspec.to_builtins(training.config)).items()}
    data = {
        "sha256": training.data_sha256,
        "n_all": str(training.n_records),
        "trained_from": _day(training.begins_at),
        "trained_to": _day(training.ends_at),
    }
    side = Side(saved.name, run_id, saved.name)
    return Candidate(side, params, data, columns_of(saved.models), predictions, saved)


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"
