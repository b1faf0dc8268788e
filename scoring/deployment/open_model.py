"""Open the model that a command names; see that it scores; what its boosters use."""

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
        The model; None for the one that the settings name, else the champion.
    settings : Settings
        Home and store.
    reporter : Reporter
        Who hears the warning where the model is neither the one that was asked for nor the champion.
    is_whole : bool
        Whether the boosters of the baselines are looked at now; no score needs them.

    Returns
    -------
    SavedModel

    Raises
    ------
    ModelError
        If the model cannot be found or used.
    TrackingError
        If the store has no such model, or cannot be reached.
    """
    return resolve(spec, settings, is_whole=is_whole, reporter=reporter).saved


def check_scoring(saved: SavedModel, place: str) -> None:
    """See that a model scores: a record of our own, alone and beside another.

    Parameters
    ----------
    saved : SavedModel
        The model.
    place : str
        Where it is from, for the message.

    Raises
    ------
    ModelError
        If a score is no number, lies outside of its own interval, or hangs on what is scored beside it.
    """
    from scoring.tracking import EXAMPLE

    fields = (EXAMPLE, {**EXAMPLE, "related": []})
    documents = [decode_json(msgspec.json.encode(each), path="example", line=1) for each in fields]
    try:
        together = list(saved.scorer.score(documents))
        alone = [next(saved.scorer.score([each])) for each in documents]
    except (ValueError, OverflowError) as error:
        raise ModelError(f"{place}: got a score that is no number ({error}), expected one") from error
    if together != alone:
        raise ModelError(
            f"{place}: got scores that depend on the other records of a batch, expected the same"
        )
    for score in together:
        numbers = [value for value in msgspec.structs.astuple(score) if isinstance(value, float)]
        if not all(map(math.isfinite, numbers)):
            raise ModelError(f"{place}: got a score that is no number, expected one")
        if not score.quality_low <= score.quality <= score.quality_high:
            raise ModelError(f"{place}: got a score outside of its own interval, expected it inside")


def importances_of(models: FittedComponents) -> tuple[Importance, ...]:
    """What each feature does for each booster that scores."""
    from scoring.tracking import Importance

    boosters = boosters_of(models)
    return tuple(
        Importance(name, part, float(gain), int(split))
        for part, columns in columns_of(models).items()
        for name, gain, split in zip(columns, *boosters[part].importances(), strict=True)
    )
