"""Decisions as entries of the ledger of corrections."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from scoring.model.score import Score
from scoring.records.forms.label_positions import LABELS
from scoring.records.ledger import Correction, Digests
from scoring.records.record import Labels


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Labels that a curator sets for a record.

    Parameters
    ----------
    path : str
        File, relative to the inbox.
    record_sha256 : str
        Digest of the record at the time of the decision.
    labels : Labels
        Labels to write; None leaves a label unchanged.
    before : Labels or None
        Labels in the file at that time. If they are given, a record whose labels have changed since is not
        written; if not, one whose content has.
    reason, note : str
        Why, for the ledger.
    """

    path: str
    record_sha256: str
    labels: Labels
    before: Labels | None = None
    reason: str = ""
    note: str = ""


def corrections_of(
    score: Score,
    decision: Decision,
    digests: Digests,
    active_corrections: Mapping[str, Correction],
    *,
    by: str,
    now: datetime,
) -> tuple[list[Correction], tuple[Correction, ...]]:
    """Ledger entries of a decision, and the entries that revert it."""
    corrections: list[Correction] = []
    reversals: list[Correction] = []
    for field in LABELS:
        value, predicted = getattr(decision.labels, field), getattr(score, field)
        earlier: Any = active_corrections[field].value if field in active_corrections else None
        if value is None or value == (predicted if earlier is None else earlier):
            continue
        if predicted is None:  # a label that the model does not predict is no correction
            continue
        correction = Correction(
            at=now,
            by=by,
            path=decision.path,
            record_sha256=digests.record,
            own_sha256=digests.own,
            field=field,  # type: ignore[arg-type]  # LABELS are the allowed names
            predicted=predicted,
            value=value,
            model=score.model,
            reason=decision.reason,
            note=decision.note,
        )
        corrections.append(correction)
        reversals.append(msgspec.structs.replace(correction, value=earlier, reason="", note=""))
    return corrections, tuple(reversals)
