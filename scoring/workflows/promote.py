"""Promote a model: judge it by the gate, and make it the champion if it passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import msgspec

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.activate import activate
from scoring.deployment.candidates import Reference, split_arguments
from scoring.deployment.gate import Check, GateConfig, Verdict, refuse
from scoring.deployment.judge import Judged, judge_alone, judge_logged, judge_on
from scoring.deployment.loaded_model import SHIPPED
from scoring.deployment.open_model import open_model
from scoring.deployment.standing_champion import StandingChampion, find_standing_champion
from scoring.errors import ModelError, ScoringError
from scoring.extras import naming_extras, require
from scoring.labels.own_scores import open_own_scores
from scoring.progress import SILENT, Reporter
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.files import OnFault
from scoring.settings import Settings, default_model_folder
from scoring.tracking import Store, exact_address, find_model_run, log_model_folder, read_run, with_experiment
from scoring.training.dataset import LabelledDataset
from scoring.training.read_dataset import read_dataset
from scoring.workflows.coverage import deriver_of
from scoring.workflows.displayed import Displayed
from scoring.workflows.recorded_verdict import recorded_verdict

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class PromoteOutcome(Displayed):
    """Verdict of the gate, and the resulting state.

    Parameters
    ----------
    name : str
        The registered model.
    model : str
        Name and version of the challenger, as in its scores; empty if none was trained.
    run_id : str or None
        Run of the challenger; None if it has none yet.
    version : str or None
        Address of the challenger, ``models:/NAME/3``; None if it is not registered.
    champion : str or None
        Address of the champion that it was compared with; None if there was none.
    is_promoted : bool
        Whether the challenger is the champion now, or would be without the dry run.
    outcome : str
        ``promoted``, ``refused``, or ``unchanged`` if a retraining had too few new records to train on.
    is_dry_run : bool
        Whether the champion was left as it is.
    by : str
        ``gate``, or ``force`` if the gate was overridden.
    verdict : Verdict
        Decision of the gate.
    data_sha256 : str
        Hex digest of the records that the verdict rests on.
    n_corrections : int
        Corrections of the ledger that a retraining has trained on.
    """

    name: str
    model: str
    run_id: str | None
    version: str | None
    champion: str | None
    is_promoted: bool
    outcome: Literal["promoted", "refused", "unchanged"]
    is_dry_run: bool
    by: str
    verdict: Verdict
    data_sha256: str
    n_corrections: int = 0

    def _summary(self) -> str:
        champion = f"compared with {self.champion}" if self.champion else "without a champion"
        return f"{self.outcome}: {self.model}, {champion}: {'; '.join(self.verdict.reasons)}"

    @naming_extras("frames")
    def to_frame(self) -> pd.DataFrame:
        """Return the checks of the gate, one per row.

        Returns
        -------
        DataFrame of shape (n_checks, 11)
            ``figure`` (the metric), ``against`` (the champion, or a baseline), ``part`` (subset of the
            records; empty for all), ``n_records``, ``first`` and ``second`` (metric of the champion or
            baseline, and of the challenger), ``gain``, ``low`` and ``high`` (interval of the gain, NaN if
            there is none), ``expected`` and ``is_passed``.
        """
        import pandas as pd

        rows = [msgspec.structs.asdict(check) for check in self.verdict.checks]
        return pd.DataFrame(rows, columns=list(Check.__struct_fields__))


def promote(
    spec: str,
    *,
    on: Sequence[str] = (),
    name: str | None = None,
    gate: GateConfig | None = None,
    reason: str | None = None,
    is_dry_run: bool = False,
    has_own_scores: bool = False,
    settings: Settings,
    now: datetime,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> PromoteOutcome:
    """Compare a model with the champion and, if it passes the gate, make it the champion.

    Without records, the verdict of a retraining that left the same champion in place holds.

    Parameters
    ----------
    spec : str
        The challenger: ``models:/NAME/VERSION``, ``runs:/ID``, a run's id, a model folder, or ``shipped``.
    on : sequence of str
        Labelled records to compare on: see :func:`scoring.records.corpus.read_documents`. Without them, the
        records in the test periods of both runs.
    name : str, optional
        Registered model; the setting's if not given.
    gate : GateConfig, optional
        Rule of the gate.
    reason : str, optional
        Reason for promoting whatever the verdict is; it is recorded.
    is_dry_run : bool
        Change nothing.
    has_own_scores : bool
        Whether to use labels written by scoring: see :mod:`scoring.labels.own_scores`.
    settings : Settings
        Store, home, experiment, seed and number of threads.
    now : datetime
        Time of the promotion, aware UTC.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    PromoteOutcome

    Raises
    ------
    ModelError
        If the model cannot be used, or is the champion itself.
    TrackingError
        If the store has no such model, or the champion has changed in the meantime.
    """
    require("track")
    settings = with_experiment(settings, has_own_runs=True)
    store = Store(settings.tracking_uri, settings.home)
    name, gate = name or settings.registered_model, gate or GateConfig()
    spec = str(default_model_folder()) if spec == SHIPPED else spec
    challenger, saved = _open(spec, store, settings)
    standing = find_standing_champion(store, name, settings, reporter)
    version = _version_of(challenger, name)
    if standing is not None and version is not None and version == standing.registered:
        raise ModelError(f"{spec}: already the champion ({version}): name another model")
    if standing is not None and standing.sha256 == saved.sha256:
        reporter.note(f"{spec} is the last known champion: its alias is restored")
        standing = None
    try:
        corpus = None
        if on:
            own_scores = open_own_scores(settings, is_used=has_own_scores, reporter=reporter)
            corpus = read_dataset(
                on,
                stdin=stdin,
                on_fault=on_fault,
                reporter=reporter,
                own_scores=own_scores,
                field_maps=field_maps_of(on, settings).with_model_map(saved.scorer.field_map),
                deriver=deriver_of(settings, reporter),
                targets=saved.scorer.targets,
            )
        judged = _judge(challenger, saved, standing, corpus, gate, settings, reporter)
    except ScoringError as error:
        if reason is None:
            raise
        judged = Judged(refuse(f"it could not be judged: {error}", gate))
    is_promoted = judged.verdict.is_passed or reason is not None
    run_id = challenger.run.summary.run_id if challenger.run else None
    if is_promoted and not is_dry_run:
        run_id = run_id or _log_folder(Path(spec), saved, store, settings, now)
        version = activate(
            saved,
            run_id,
            name,
            judged,
            champion=standing.address if standing else None,
            instead_of=standing.registered if standing else None,
            version=version,
            why=reason,
            settings=settings,
            now=now,
            reporter=reporter,
        )
    return PromoteOutcome(
        name=name,
        model=saved.name,
        run_id=run_id,
        version=version,
        champion=standing.address if standing else None,
        is_promoted=is_promoted,
        outcome="promoted" if is_promoted else "refused",
        is_dry_run=is_dry_run,
        by="gate" if judged.verdict.is_passed or reason is None else "force",
        verdict=judged.verdict,
        data_sha256=judged.data_sha256,
    )


def _open(spec: str, store: Store, settings: Settings) -> tuple[Reference, SavedModel]:
    """Open the challenger with its run; the run of a folder is the one that logged the same model."""
    if spec.startswith("models:/"):
        spec = exact_address(store, spec)
    references, _ = split_arguments([spec], store)
    if not references:
        raise ModelError(f"model: got {spec!r}, expected a folder, a run, or models:/NAME/VERSION")
    (reference,) = references
    saved = open_model(reference.spec, settings)
    if reference.run is None and (run_id := find_model_run(store, saved.name)) is not None:
        return Reference(spec, read_run(store, run_id)), saved
    return reference, saved


def _version_of(challenger: Reference, name: str) -> str | None:
    """Address of the challenger as a version of a registered model; None if it is not registered."""
    versions = challenger.run.summary.versions if challenger.run else ()
    numbers = [version.number for version in versions if version.name == name]
    addresses = [f"models:/{name}/{number}" for number in sorted(numbers, reverse=True)]
    return challenger.spec if challenger.spec in addresses else next(iter(addresses), None)


def _judge(
    challenger: Reference,
    saved: SavedModel,
    standing: StandingChampion | None,
    corpus: LabelledDataset | None,
    gate: GateConfig,
    settings: Settings,
    reporter: Reporter,
) -> Judged:
    if corpus is not None:
        champion_model = standing.load(settings, reporter).saved if standing else None
        return judge_on(corpus, champion_model, saved, gate, settings=settings, reporter=reporter)
    if standing is None:
        return judge_alone(saved, gate)
    store = Store(settings.tracking_uri, settings.home)
    if challenger.run is not None:
        recorded = recorded_verdict(
            store,
            challenger.run,
            standing.address,
            lambda: standing.load(settings, reporter).saved.sha256,
            gate,
        )
        if recorded is not None:
            reporter.note(f"{challenger.spec}: judged by its retraining, on records that neither had seen")
            return recorded
    (champion_reference,), _ = split_arguments([standing.address], store)
    return judge_logged(
        champion_reference,
        challenger,
        gate,
        changes=saved.models.changes,
        store=store,
        seed=settings.seed,
        reporter=reporter,
    )


def _log_folder(folder: Path, saved: SavedModel, store: Store, settings: Settings, now: datetime) -> str:
    """Log a model folder that has no run yet; the run's kind distinguishes it from a training."""
    training = saved.manifest.training
    return log_model_folder(
        store,
        folder,
        experiment=settings.experiment,
        model=saved.name,
        config=msgspec.to_builtins(training.config),
        figures=training.metrics,
        baselines=training.baselines,
        data_sha256=training.data_sha256,
        n_records=training.n_records,
        started_at=now,
    )
