"""Score: records in, scores out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO

from scoring.deployment.open_model import open_model
from scoring.features.as_of import AsOf
from scoring.features.cache import FeatureCache
from scoring.features.extraction import Extracted, read_features
from scoring.model.score import Score
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import STDIN, OnFault
from scoring.settings import Settings

if TYPE_CHECKING:
    from scoring.model.scorer import Scorer


def score(
    paths: Sequence[str],
    *,
    model: str | None = None,
    settings: Settings,
    as_of: AsOf = None,
    cache: FeatureCache | None = None,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> Iterator[Score]:
    """Score records, one after another.

    Parameters
    ----------
    paths : sequence of str
        As :func:`scoring.records.corpus.read_documents` takes them.
    model : str, optional
        See :func:`scoring.deployment.resolve_model.resolve`.
    settings : Settings
        Where the store is.
    as_of : datetime or timedelta, optional
        Coverage newer than this moment (aware UTC, or so long after publication) is unseen; without it
        records are taken as they stand.
    cache : FeatureCache, optional
        Where features of records that were read before are kept.
    stdin, on_fault, reporter
        What ``-`` reads, who hears of bad records, who hears of progress and of warnings about the model.

    Returns
    -------
    iterator of Score
        In the order of the records.

    Raises
    ------
    ModelError, TrackingError
        At once, if the model cannot be used.
    """

    def tell(done: int, total: int) -> None:
        reporter.step("scoring", done, total)

    records = read_features(
        paths,
        as_of=as_of,
        n_processes=settings.threads,
        cache=cache,
        stdin=stdin,
        on_fault=on_fault,
        on_progress=tell,
    )
    scorer = open_model(model, settings, reporter, is_whole=False).scorer
    # From standard input records may come slowly: each is told as soon as its batch is there.
    return scorer.score_features(records) if STDIN in paths else _side_by_side(scorer, records, settings)


def _side_by_side(scorer: Scorer, records: Iterator[Extracted], settings: Settings) -> Iterator[Score]:
    with ThreadPoolExecutor(settings.threads, "score") as threads:
        yield from scorer.score_features(records, threads)
