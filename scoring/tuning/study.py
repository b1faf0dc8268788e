"""Tuning study: resumable trials in an Optuna journal file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from filelock import FileLock, Timeout

from scoring.errors import HomeError, ModelError, naming
from scoring.evaluation.metrics import mean_absolute_error
from scoring.features.table import Floats
from scoring.model.rubric import Rubric
from scoring.storage.home import LOCK_MODE, create_file, newer_format
from scoring.training.config import TrainConfig
from scoring.training.quality_inputs import fit_once
from scoring.training.training_set import TrainingSet
from scoring.tuning.search_space import Dimension, Trial, space_around, values_of, with_values

if TYPE_CHECKING:
    import optuna


FORMAT = 1
"""Format version, kept in the attributes of a study; a study without it has this version."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Records before the test block: earlier ones to fit trials on, and the validation block."""

    earlier: TrainingSet
    validation: TrainingSet
    data_sha256: str


class Search:
    """Search space and objective of a study.

    Parameters
    ----------
    name : str
        Name of the study.
    blocks : Blocks
        Training and validation records.
    config : TrainConfig
        Initial configuration.
    threads : int
        Threads of LightGBM.
    """

    def __init__(self, name: str, blocks: Blocks, config: TrainConfig, threads: int) -> None:
        self.name, self.blocks, self.config, self.threads = name, blocks, config, threads
        self.space = space_around(config.model)
        self.given = values_of(config.model, self.space)

    @property
    def basis(self) -> dict[str, Any]:
        """What all trials of a study must share to be comparable."""
        config_fields = msgspec.to_builtins(self.config)
        return {
            "records": self.blocks.data_sha256,
            "configuration": {name: config_fields[name] for name in ("split", "model", "seed")},
            "limits": msgspec.to_builtins(self.space),
        }

    def config_of(self, trial: Trial) -> TrainConfig:
        """Configuration of a trial."""
        return msgspec.structs.replace(self.config, model=with_values(self.config.model, trial.values))

    def objective(self, trial: optuna.Trial) -> float:
        """Quality MAE of the rounded predictions on the validation block; points."""
        import optuna

        earlier, validation = self.blocks.earlier, self.blocks.validation
        model_config = with_values(
            self.config.model, {dimension.path: _suggest(trial, dimension) for dimension in self.space}
        )

        def check_rubric(rubric: Rubric) -> None:
            error = _rounded_mae(validation.labels.quality, rubric.predict(validation.table))
            trial.set_user_attr("rubric_mae", error)
            trial.report(error, 0)
            if trial.should_prune():
                raise optuna.TrialPruned

        model = fit_once(
            earlier.table,
            earlier.labels.quality,
            earlier.copies,
            model_config,
            (validation.table, validation.labels.quality),
            num_threads=self.threads,
            seed=self.config.seed,
            on_rubric=check_rubric,
        )
        trial.set_user_attr("n_trees", model.booster.num_trees)
        return _rounded_mae(validation.labels.quality, model.estimate(validation.table)[0])


def _rounded_mae(truth: Floats, predicted: Floats) -> float:
    return mean_absolute_error(truth, np.round(predicted))


def _suggest(trial: optuna.Trial, dimension: Dimension) -> Any:
    if dimension.choices:
        return trial.suggest_categorical(dimension.path, dimension.choices)
    if isinstance(dimension.low, int) and isinstance(dimension.high, int):
        return trial.suggest_int(dimension.path, dimension.low, dimension.high, log=dimension.is_log)
    return trial.suggest_float(dimension.path, dimension.low, dimension.high, log=dimension.is_log)


@contextmanager
def opened_study(search: Search, folder: Path, now: datetime) -> Iterator[optuna.Study]:
    """Create or resume the study, locked for this process."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{search.name}.journal"
    try:
        # Not FILE.lock, which the journal itself uses.
        lock = FileLock(folder / f"{search.name}.in-use", timeout=0, mode=LOCK_MODE)
        lock.acquire()
    except Timeout:
        raise ModelError(f"study {search.name!r}: another process is using it") from None
    create_file(file)
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with naming(file):  # every trial writes to the file
            study = optuna.create_study(
                study_name=search.name,
                storage=optuna.storages.JournalStorage(JournalFileBackend(str(file))),
                load_if_exists=True,
                direction="minimize",
                pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=0),
            )
            _prepare_study(study, search, now)
            yield study
    finally:
        optuna.logging.set_verbosity(level)
        lock.release()


def _prepare_study(study: optuna.Study, search: Search, now: datetime) -> None:
    """Check that a study has the same records and limits, and fail its interrupted trials."""
    import optuna

    basis = study.user_attrs.get("basis")
    if (study_format := study.user_attrs.get("format", FORMAT)) > FORMAT:
        raise HomeError(newer_format(f"study {search.name!r}", study_format, FORMAT))
    if basis is None:
        study.set_user_attr("format", FORMAT)
        study.set_user_attr("began_at", now.isoformat())
        study.set_user_attr("basis", search.basis)
    else:
        for part, value in search.basis.items():
            if msgspec.json.encode(basis.get(part)) != msgspec.json.encode(value):
                raise ModelError(
                    f"study {search.name!r}: got other {part} than it was begun with; use another --study"
                )
    # The study is locked, so a running trial was interrupted.
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    if not trials_of(study) and not study.get_trials(states=(optuna.trial.TrialState.WAITING,)):
        study.enqueue_trial(search.given)


def run_trial(study: optuna.Study, search: Search, number: int) -> None:
    """Run one more trial, sampled by the seed and the number of the trial."""
    import optuna

    seed = int(np.random.SeedSequence([search.config.seed, number]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(seed=seed)
    study.optimize(search.objective, n_trials=1)


def trials_of(study: optuna.Study) -> list[Trial]:
    """Finished trials, pruned ones included."""
    from optuna.trial import TrialState

    return [
        Trial(
            trial.number,
            trial.params,
            trial.user_attrs["rubric_mae"],
            trial.value,
            trial.user_attrs["n_trees"],
        )
        if trial.state is TrialState.COMPLETE
        else Trial(trial.number, trial.params, trial.user_attrs["rubric_mae"])
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    ]


def importances_of(study: optuna.Study, seed: int) -> dict[str, float]:
    """Share of each parameter in the variance (fANOVA), the largest first; empty with too few trials."""
    import optuna

    completed = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len({trial.value for trial in completed}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return {
        name: float(share)
        for name, share in optuna.importance.get_param_importances(study, evaluator=evaluator).items()
    }
