"""Score records with a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO

from msgspec.structs import replace

from scoring.deployment.open_model import open_model
from scoring.features.as_of import AsOf
from scoring.features.cache import FeatureCache
from scoring.features.extraction import Extracted
from scoring.features.reading import read_features
from scoring.model.leaders import scored_with_one_leader
from scoring.model.score import Score
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import read_documents
from scoring.records.field_maps.lookup import FieldMaps, field_maps_of
from scoring.records.files import STDIN, OnFault
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
    field_maps: FieldMaps | None = None,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
    has_own_names: bool = True,
) -> Iterator[Score]:
    """Score records lazily, in order.

    Where the training labels show one leader a story, only one of the records that list each other leads: all
    records are scored before the first is yielded then, except those of standard input, which are scored one
    by one.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, globs or ``-``: see :func:`scoring.records.corpus.read_documents`.
    model : str, optional
        See :func:`scoring.deployment.resolve_model.resolve`.
    settings : Settings
        Home and store. With ``coverage: derive`` all records are read before the first is scored.
    as_of : datetime or timedelta, optional
        Coverage later than this time (aware UTC, or an age after publication) is ignored; without it
        records are scored as they are.
    cache : FeatureCache, optional
        Cache of the features of records that were read before.
    field_maps : FieldMaps, optional
        Field maps of the files; it gets the model's. Default: those of the settings.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress and of warnings about the model.
    has_own_names : bool
        Whether a row's score has the ``path`` or ``id`` of the row as its path. Scores to be written into the
        files of their paths must not have them.

    Returns
    -------
    iterator of Score
        In the order of the records.

    Raises
    ------
    ModelError, TrackingError
        If the model cannot be used; raised by the call, not by the iterator.
    """

    def report_progress(done: int, total: int) -> None:
        reporter.step("scoring", done, total)

    maps = field_maps or field_maps_of(paths, settings)
    if settings.coverage == "derive":
        from scoring.workflows.coverage import coverage_deriver, derived_for_scoring  # SciPy

        deriver = coverage_deriver(settings, reporter)
        scorer = open_model(model, settings, reporter, is_whole=False).scorer
        documents = list(
            read_documents(
                paths,
                stdin=stdin,
                field_maps=maps.with_model_map(scorer.field_map),
                on_fault=on_fault,
                on_progress=report_progress,
            )
        )
        if not has_own_names:
            documents = [replace(document, row_id="") for document in documents]
        return scorer.score_together(derived_for_scoring(documents, paths, deriver, scorer), as_of)
    # The processes that read are forked before the model is opened, which may start threads.
    records = read_features(
        paths,
        as_of=as_of,
        sections=lambda: scorer.sections,
        field_maps=lambda: maps.with_model_map(scorer.field_map, reads_bodies=scorer.reads_bodies),
        n_processes=settings.threads,
        cache=cache,
        stdin=stdin,
        on_fault=on_fault,
        on_progress=report_progress,
        has_own_names=has_own_names,
    )
    try:
        scorer = open_model(model, settings, reporter, is_whole=False).scorer
    except BaseException:
        records.close()
        raise
    # Standard input may be slow: each batch is scored and yielded as soon as it has been read.
    return scorer.score_features(records) if STDIN in paths else _score_in_threads(scorer, records, settings)


def _score_in_threads(scorer: Scorer, records: Iterator[Extracted], settings: Settings) -> Iterator[Score]:
    with ThreadPoolExecutor(settings.threads, "score") as executor:
        yield from scored_with_one_leader(scorer, records, scorer.models.leaders, executor)
