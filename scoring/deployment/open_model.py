"""Open a model by its specification, smoke-test it, and read its feature importances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from scoring.artifact.saved_model import SavedModel, boosters_of, columns_of
from scoring.deployment.resolve_model import resolve
from scoring.errors import ModelError
from scoring.model.components import FittedComponents
from scoring.progress import SILENT, Reporter
from scoring.records.decode import decode_json
from scoring.settings import Settings

if TYPE_CHECKING:
    from scoring.tracking import Importance


def open_model(
    spec: str | None, settings: Settings, reporter: Reporter = SILENT, *, is_whole: bool = True
) -> SavedModel:
    """Resolve and open a model: see :func:`scoring.deployment.resolve_model.resolve`.

    Parameters
    ----------
    spec : str or None
        The model; None for the one named in the settings, else the champion.
    settings : Settings
        Home and store.
    reporter : Reporter
        Receives a warning if the model is neither the requested one nor the champion.
    is_whole : bool
        Whether to load the baselines' boosters now; scoring does not need them.

    Returns
    -------
    SavedModel

    Raises
    ------
    ModelError
        If the model cannot be found or loaded.
    TrackingError
        If the store has no such model, or cannot be reached.
    """
    return resolve(spec, settings, is_whole=is_whole, reporter=reporter).saved


def check_scoring(saved: SavedModel, place: str) -> None:
    """Smoke-test a model: score two example records, one by one and as a batch.

    Parameters
    ----------
    saved : SavedModel
        The model.
    place : str
        Address or folder of the model, for messages.

    Raises
    ------
    ModelError
        If a score is not finite, lies outside of its interval, or depends on the other records of a batch.
    """
    from scoring.tracking import EXAMPLE

    fields = (EXAMPLE, {**EXAMPLE, "related": []})
    documents = [decode_json(msgspec.json.encode(record), path="example", line=1) for record in fields]
    try:
        batched = list(saved.scorer.score(documents))
        single = [next(saved.scorer.score([document])) for document in documents]
    except (ValueError, OverflowError) as error:
        raise ModelError(f"{place}: got a score that is not a finite number ({error})") from error
    if batched != single:
        raise ModelError(
            f"{place}: got scores that depend on the other records of a batch, expected equal scores"
        )
    for score in batched:
        numbers = [value for value in msgspec.structs.astuple(score) if isinstance(value, float)]
        if not all(map(math.isfinite, numbers)):
            raise ModelError(f"{place}: got a score that is not a finite number")
        bounds = (score.quality_low, score.quality, score.quality_high)
        known = [value for value in bounds if value is not None]
        if known != sorted(known):
            raise ModelError(f"{place}: got a score outside of its prediction interval")


def importances_of(models: FittedComponents) -> tuple[Importance, ...]:
    """Gain and split importance of each feature in each booster that scores."""
    from scoring.tracking import Importance

    boosters = boosters_of(models)
    return tuple(
        Importance(name, part, float(gain), int(split))
        for part, columns in columns_of(models).items()
        for name, gain, split in zip(columns, *boosters[part].importances(), strict=True)
    )
