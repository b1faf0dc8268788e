"""Promote a model from Python."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scoring.api.argument_names import naming_arguments
from scoring.api.inputs import LabelledRecords, OnError, PathLike, Warnings, fault_handler, source_of
from scoring.api.model import Model, spec_of
from scoring.errors import ModelError
from scoring.settings import Settings, load_settings

if TYPE_CHECKING:
    from scoring.workflows.promote import PromoteOutcome
    from scoring.workflows.train import TrainOutcome


@naming_arguments
def promote(
    model: PathLike | Model | TrainOutcome,
    *,
    on: LabelledRecords = (),
    dry_run: bool = False,
    reason: str | None = None,
    now: datetime | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> PromoteOutcome:
    """Compare a model with the champion, and make it the champion if it passes the gate.

    Without a champion, the model passes if it is better than all baselines. The gate has the default options
    of ``scoring promote``.

    Parameters
    ----------
    model : str, path-like, Model or TrainOutcome
        The challenger: a run's id, ``runs:/ID``, ``models:/NAME/VERSION``, a model folder, ``shipped``, a
        model that was loaded from a run or version, or the result of a logged training. It is registered if
        it has no version yet.
    on : DataFrame, path, document, record, mapping, or iterable of these
        Labelled records to compare on, as in :func:`train`; later than the training records of both models.
        Default: the held-out records of both runs.
    dry_run : bool
        Whether to apply the gate without changing anything.
    reason : str, optional
        Promotes the model whatever the verdict; the reason is recorded in the registry. Default: the gate
        decides.
    now : datetime, optional
        Time of the promotion (aware UTC); the current time if not given.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store and registered model. Default: settings of the current folder and environment.

    Returns
    -------
    PromoteOutcome
        ``is_promoted``, ``version`` (address of the registered version) and ``verdict`` with its reasons;
        ``to_frame`` lists the checks of the gate.

    Raises
    ------
    ModelError
        If the model cannot be used, or is the champion already.
    TrackingError
        If the store has no such model, or the champion has changed in the meantime.
    RecordError
        As in :func:`train`.
    """
    from scoring.workflows.promote import promote as workflow

    paths, stdin = source_of(on)
    return workflow(
        _named(model),
        on=paths,
        reason=reason,
        is_dry_run=dry_run,
        settings=settings or load_settings(),
        now=now or datetime.now(UTC),
        stdin=stdin,
        on_fault=fault_handler(on_error),
        reporter=Warnings(),
    )


def _named(model: PathLike | Model | TrainOutcome) -> str:
    from scoring.workflows.train import TrainOutcome

    if isinstance(model, TrainOutcome):
        if model.run_id is None:
            raise ModelError("model: got a training that is not logged: train it with tracked=True")
        return model.run_id
    if isinstance(model, Model):
        if model.address is None:
            raise ModelError(
                f"model: got the loaded model {model.name}, which is not from a run: give its run, its "
                "version or its folder"
            )
        return model.address
    return spec_of(model)
