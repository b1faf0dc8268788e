"""Find related records in an archive itself, and learn the links from an archive with lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from scoring.artifact.links_file import load_links, save_links
from scoring.errors import ModelError
from scoring.features.as_of import AsOf
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import read_documents
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.files import OnFault
from scoring.records.record import Document
from scoring.settings import Settings
from scoring.storage.remote_output import check_output
from scoring.storage.urls import name_of
from scoring.stories.relations import Relations, relations_of
from scoring.training.links import MIN_LINKS, fit_links
from scoring.workflows.coverage import expected


class LearnedLinks(msgspec.Struct, frozen=True):
    """Result of learning links.

    Parameters
    ----------
    file : str
        The file of the links.
    links : str
        Name and version.
    n_records, n_links : int
        Dated records, and the listed pairs that the links were fitted on.
    precision, recall : float
        Of links on the latest of the records, by a draft fitted on the earlier ones; 0 to 1.
    """

    file: str
    links: str
    n_records: int
    n_links: int
    precision: float
    recall: float


def relate(
    paths: Sequence[str],
    *,
    settings: Settings,
    as_of: AsOf = None,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> Iterator[Relations]:
    """Find the related records of each record among all that are read; their lists are not used.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, globs or ``-``: see :func:`scoring.records.corpus.read_documents`.
    settings : Settings
        ``links`` names the file of learned links; without it, those that are shipped are used.
    as_of : datetime or timedelta, optional
        Records later than this time (aware UTC, or an age after publication) are unseen.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    iterator of Relations
        In the order of the records.

    Raises
    ------
    ModelError
        If the links cannot be used; raised by the call, not by the iterator.
    """
    links = load_links(settings.links)
    documents = _read(paths, settings, stdin=stdin, on_fault=on_fault, reporter=reporter)
    reporter.note(f"related records are found by {links.name}, an estimate: {expected(links)}")
    return relations_of(documents, links.model, as_of)


def learn_links(
    paths: Sequence[str],
    file: Path,
    *,
    settings: Settings,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> LearnedLinks:
    """Learn the links from the lists of records, and save them.

    Parameters
    ----------
    paths : sequence of str
        Records with lists of related records: see :func:`relate`.
    file : Path
        File to write.
    settings : Settings
        Number of threads and random seed.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    LearnedLinks

    Raises
    ------
    ModelError
        If too few related records are listed, or the file cannot be written.
    """
    check_output(file)
    documents = _read(paths, settings, stdin=stdin, on_fault=on_fault, reporter=reporter)
    dated = [
        (published_at, document.record.title, document.record.url, row)
        for row, document in enumerate(documents)
        if (published_at := document.record.published_at) is not None
    ]
    model = fit_links(
        [documents[row] for *_, row in sorted(dated)], num_threads=settings.threads, seed=settings.seed
    )
    if model is None:
        raise ModelError(
            f"links: got fewer than {MIN_LINKS} pairs of records of which one lists the other, expected more"
        )
    saved = save_links(file, model)
    rule = model.rule
    return LearnedLinks(name_of(file), saved.name, len(dated), rule.n_links_, rule.precision_, rule.recall_)


def _read(
    paths: Sequence[str],
    settings: Settings,
    *,
    stdin: BinaryIO | None,
    on_fault: OnFault,
    reporter: Reporter,
) -> list[Document]:
    def report_progress(done: int, total: int) -> None:
        reporter.step("reading", done, total)

    field_maps = field_maps_of(paths, settings)
    return list(
        read_documents(
            paths, stdin=stdin, field_maps=field_maps, on_fault=on_fault, on_progress=report_progress
        )
    )
