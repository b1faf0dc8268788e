"""Score: records in, scores out, printed or written back into the files."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO

from scoring.errors import Fault, RecordError
from scoring.features.cache import FeatureCache
from scoring.features.extraction import Extracted, read_features
from scoring.features.moment import AsOf
from scoring.model.bundle import load_scorer
from scoring.model.results import Score
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import STDIN, OnFault, shown_names
from scoring.records.record import Labels
from scoring.settings import Settings
from scoring.workflows.models import find_model

if TYPE_CHECKING:
    from scoring.model.scorer import Scorer
    from scoring.records.write_back import Change


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
        See :func:`scoring.workflows.models.find_model`.
    settings : Settings
        Where the store is.
    as_of : datetime or timedelta, optional
        Coverage newer than this moment (aware UTC, or so long after publication) is unseen; without it
        records are taken as they stand.
    cache : FeatureCache, optional
        Where features of records that were read before are kept.
    stdin, on_fault, reporter
        What ``-`` reads, who hears of bad records, who hears of progress.

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
    scorer = load_scorer(find_model(model, settings))
    # From standard input records may come slowly: each is told as soon as its batch is there.
    return scorer.score_features(records) if STDIN in paths else _side_by_side(scorer, records, settings)


def _side_by_side(scorer: Scorer, records: Iterator[Extracted], settings: Settings) -> Iterator[Score]:
    with ThreadPoolExecutor(settings.threads, "score") as threads:
        yield from scorer.score_features(records, threads)


def write_scores(
    scores: Iterable[Score],
    *,
    paths: Sequence[str],
    is_dry_run: bool,
    on_fault: OnFault,
    is_spelled: bool = True,
) -> Iterator[Change]:
    """Write scores into the files of their records.

    Parameters
    ----------
    scores : iterable of Score
        Scores of Markdown files; one from standard input or JSON lines is a fault.
    paths : sequence of str
        What the user named: nothing outside of these folders (or of the folders of these files) is written.
    is_dry_run : bool
        Tell what would change, and write nothing.
    on_fault : callable
        Called with the error of each file that cannot be written; the others go on.
    is_spelled : bool
        Whether the scores' paths are spelled as documents have them, else as the system gives them.

    Yields
    ------
    Change
    """
    from scoring.records.write_back import write_labels  # with PyYAML, which only a change of files needs

    names = functools.cache(lambda: shown_names(paths))
    roots = [path if os.path.isdir(path) else os.path.dirname(path) or "." for path in paths if path != "-"]
    for one in scores:
        try:
            if not one.path.endswith(".md"):
                raise RecordError(
                    Fault(one.path, 0, "", "a record that is not a Markdown file", "one that can be written")
                )
            labels = Labels(quality=one.quality, heat=one.heat, published=one.published)
            file = _file(one.path, names) if is_spelled and "\\" in one.path else one.path
            yield write_labels(file, labels, roots=roots, dry_run=is_dry_run)
        except RecordError as error:
            on_fault(error)


def _file(name: str, names: Callable[[], Mapping[str, Sequence[str]]]) -> str:
    """The file that a name stands for which may have been spelled out."""
    files = names()[name]
    if len(files) > 1:
        raise RecordError(Fault(name, 0, "", "a name that two files share", "names that can be told apart"))
    return files[0]
