"""The gate's verdict of a retraining, kept with its run, so that the run can be promoted later."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from scoring.deployment.gate import GateConfig, Verdict
from scoring.deployment.judge import Judged
from scoring.errors import TrackingError
from scoring.tracking import RunRecord, Store, add_page, read_page

VERDICT_FILE = "verdict.json"


class RecordedVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict, the rule it follows, and the champion that the run was compared with."""

    champion: str
    champion_sha256: str = ""
    gate: GateConfig
    verdict: Verdict
    data_sha256: str


def keep_verdict(
    store: Store, run_id: str, champion: str, champion_sha256: str, gate: GateConfig, judged: Judged
) -> None:
    """Write the verdict on a run to its artifacts.

    Raises
    ------
    TrackingError
        If the store cannot be written.
    """
    recorded = RecordedVerdict(
        champion=champion,
        champion_sha256=champion_sha256,
        gate=gate,
        verdict=judged.verdict,
        data_sha256=judged.data_sha256,
    )
    add_page(store, run_id, VERDICT_FILE, msgspec.json.encode(recorded).decode())


def recorded_verdict(
    store: Store, run: RunRecord, champion: str, sha256_of_champion: Callable[[], str], gate: GateConfig
) -> Judged | None:
    """The kept verdict on a run; None if it has none against this champion by this rule.

    Raises
    ------
    TrackingError
        If the store cannot be read, or the file is damaged.
    """
    content = read_page(store, run, VERDICT_FILE)
    if content is None:
        return None
    try:
        recorded = msgspec.json.decode(content, type=RecordedVerdict)
    except msgspec.DecodeError as error:
        raise TrackingError(f"{store}: run {run.summary.run_id}: {VERDICT_FILE}: {error}") from error
    if (recorded.champion, recorded.gate) != (champion, gate):
        return None
    if recorded.champion_sha256 != sha256_of_champion():  # in a registry that was made anew
        return None
    return Judged(recorded.verdict, recorded.data_sha256)
