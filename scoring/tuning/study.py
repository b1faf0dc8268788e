"""A study: the trials of one search, kept in a file of Optuna's, so that they can be taken up again."""

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

from scoring.errors import HomeError, ModelError, ScoringError, naming
from scoring.evaluation.metrics import mean_absolute_error
from scoring.features.table import Floats
from scoring.model.rubric import Rubric
from scoring.storage.home import LOCK_MODE, create_file, newer_format
from scoring.training.config import TrainConfig
from scoring.training.quality import fit_once
from scoring.training.training_set import TrainingSet
from scoring.tuning.search_space import Dimension, Trial, space_around, values_of, with_values

if TYPE_CHECKING:
    import optuna


FORMAT = 1
"""Format version of a study, which it has among its attributes; one without is of this version."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The records before the test block: what trials learn from, and the later ones that judge them."""

    earlier: TrainingSet
    validation: TrainingSet
    data_sha256: str


class Search:
    """What one study tries out, and how it judges.

    Parameters
    ----------
    name : str
        The study's.
    blocks : Blocks
        What trials learn from, and what judges them.
    config : TrainConfig
        Where the search begins.
    threads : int
        Threads of LightGBM.
    """

    def __init__(self, name: str, blocks: Blocks, config: TrainConfig, threads: int) -> None:
        self.name, self.blocks, self.config, self.threads = name, blocks, config, threads
        self.space = space_around(config.model)
        self.given = values_of(config.model, self.space)

    @property
    def basis(self) -> dict[str, Any]:
        """What all trials of a study must share for their figures to be comparable."""
        plain = msgspec.to_builtins(self.config)
        return {
            "records": self.blocks.data_sha256,
            "configuration": {name: plain[name] for name in ("split", "model", "seed")},
            "limits": msgspec.to_builtins(self.space),
        }

    def config_of(self, trial: Trial) -> TrainConfig:
        """The configuration of a trial."""
        return msgspec.structs.replace(self.config, model=with_values(self.config.model, trial.values))

    def objective(self, trial: optuna.Trial) -> float:
        """Quality MAE on the validation block, in points as they are printed."""
        import optuna

        earlier, later = self.blocks.earlier, self.blocks.validation
        model_config = with_values(self.config.model, {one.path: _suggest(trial, one) for one in self.space})

        def judge(rubric: Rubric) -> None:
            error = _printed_error(later.labels.quality, rubric.predict(later.table))
            trial.set_user_attr("rubric_mae", error)
            trial.report(error, 0)
            if trial.should_prune():
                raise optuna.TrialPruned

        model = fit_once(
            earlier.table,
            earlier.labels.quality,
            earlier.copies,
            model_config,
            (later.table, later.labels.quality),
            num_threads=self.threads,
            seed=self.config.seed,
            on_rubric=judge,
        )
        trial.set_user_attr("n_trees", model.booster.num_trees)
        return _printed_error(later.labels.quality, model.predict(model.matrix(later.table)))


def _printed_error(truth: Floats, predicted: Floats) -> float:
    return mean_absolute_error(truth, np.round(predicted))


def _suggest(trial: optuna.Trial, one: Dimension) -> Any:
    if one.choices:
        return trial.suggest_categorical(one.path, one.choices)
    if isinstance(one.low, int) and isinstance(one.high, int):
        return trial.suggest_int(one.path, one.low, one.high, log=one.is_log)
    return trial.suggest_float(one.path, one.low, one.high, log=one.is_log)


def require_optuna() -> None:
    """Tell what to install where Optuna, which only a search needs, is not there."""
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise ScoringError("tuning needs Optuna: pip install 'news-scoring[tune]'") from None


@contextmanager
def opened_study(search: Search, folder: Path, now: datetime) -> Iterator[optuna.Study]:
    """The study, begun or taken up; for one process at a time."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{search.name}.journal"
    try:
        # Not FILE.lock, which is the name of the journal's own.
        lock = FileLock(folder / f"{search.name}.in-use", timeout=0, mode=LOCK_MODE)
        lock.acquire()
    except Timeout:
        raise ModelError(f"study {search.name!r}: another process is using it") from None
    create_file(file)
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with naming(file):  # every trial is written there
            study = optuna.create_study(
                study_name=search.name,
                storage=optuna.storages.JournalStorage(JournalFileBackend(str(file))),
                load_if_exists=True,
                direction="minimize",
                pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=0),
            )
            _take_up(study, search, now)
            yield study
    finally:
        optuna.logging.set_verbosity(level)
        lock.release()


def _take_up(study: optuna.Study, search: Search, now: datetime) -> None:
    """Check that a study is of the same records and limits, and clear away what was broken off."""
    import optuna

    basis = study.user_attrs.get("basis")
    if (found := study.user_attrs.get("format", FORMAT)) > FORMAT:
        raise HomeError(newer_format(f"study {search.name!r}", found, FORMAT))
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
    # One process at a time is at a study, so a trial that still runs was broken off.
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    if not trials_of(study) and not study.get_trials(states=(optuna.trial.TrialState.WAITING,)):
        study.enqueue_trial(search.given)


def run_trial(study: optuna.Study, search: Search, number: int) -> None:
    """One more trial, drawn from the seed and from how many were done before it."""
    import optuna

    seed = int(np.random.SeedSequence([search.config.seed, number]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(seed=seed)
    study.optimize(search.objective, n_trials=1)


def trials_of(study: optuna.Study) -> list[Trial]:
    """Those that came to an end."""
    from optuna.trial import TrialState

    return [
        Trial(one.number, one.params, one.user_attrs["rubric_mae"], one.value, one.user_attrs["n_trees"])
        if one.state is TrialState.COMPLETE
        else Trial(one.number, one.params, one.user_attrs["rubric_mae"])
        for one in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    ]


def importances_of(study: optuna.Study, seed: int) -> dict[str, float]:
    """Share of each parameter in what parts the trials, the largest first; empty of too few trials."""
    import optuna

    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len({trial.value for trial in done}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return {
        name: float(share)
        for name, share in optuna.importance.get_param_importances(study, evaluator=evaluator).items()
    }
