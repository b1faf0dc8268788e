"""Generate synthetic corpora of any size as records, files or JSON lines.

Stories are drawn one by one from the seed, so that memory does not grow with the number of records. The same
arguments give the same bytes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from scoring.errors import ScoringError, naming
from scoring.records.record import Labels, Record
from scoring.records.synthetic.files import opaque_payload, record_fields, render, render_coverage
from scoring.records.synthetic.layouts import Layout, SampleFile, other_files
from scoring.records.synthetic.policy import DEFAULT_POLICY, Policy
from scoring.records.synthetic.stories import BEGINS_AT, Site, Story
from scoring.records.synthetic.vocabulary import SECTION
from scoring.storage.remote import list_files
from scoring.storage.remote_output import output_folder
from scoring.storage.urls import local_or_remote, name_of, url_of

_FOLDER_COUNT = 5000  # above this, records are split into monthly folders
_PROGRESS_COUNT = 1000  # records between two calls of on_progress


def sample_documents(
    *,
    n_records: int = 1000,
    seed: int = 0,
    policy: Policy = DEFAULT_POLICY,
    begins_at: datetime = BEGINS_AT,
    days: int | None = None,
    section: str = SECTION,
) -> Iterator[tuple[Record, Labels]]:
    """Generate synthetic records with their labels, by date.

    Parameters
    ----------
    n_records : int
        Number of records, at least 1.
    seed : int
        Random seed.
    policy : Policy
        Labelling policy; it changes no record except the quality of its coverage.
    begins_at : datetime
        Time of the first records, aware.
    days : int or None
        Time span in days; None means a year, or more to stay below 500 records per day.
    section : str
        The site's section, first topic of each record.

    Yields
    ------
    tuple of Record and Labels
        Labels are as of the end of the corpus, ``begins_at`` plus ``days``.

    Raises
    ------
    SettingsError
        If a value is outside its range.

    Examples
    --------
    >>> record, labels = next(sample_documents(n_records=10))
    >>> record.topics[0], record.published_at.isoformat()
    ('Tessaril', '2018-01-01T00:00:00+00:00')
    """
    site = Site(n_records, seed, policy, begins_at, days, section)
    return _in_order(site)


def _in_order(site: Site) -> Iterator[tuple[Record, Labels]]:
    """Merge the records of all stories by date; stories are in order of their first record."""
    waiting: list[tuple[float, int, Record, Labels]] = []
    serial = count()
    for story in site.stories():
        begins = _timestamp(story[0][0])
        while waiting and waiting[0][0] < begins:
            yield heapq.heappop(waiting)[2:]
        for record, labels in story:
            heapq.heappush(waiting, (_timestamp(record), next(serial), record, labels))
    while waiting:
        yield heapq.heappop(waiting)[2:]


def _timestamp(record: Record) -> float:
    """Seconds since 1970; 0 without a date."""
    return record.published_at.timestamp() if record.published_at else 0.0


def write_sample(
    folder: Path,
    *,
    n_records: int = 1000,
    seed: int = 0,
    policy: Policy = DEFAULT_POLICY,
    is_labelled: bool = True,
    begins_at: datetime = BEGINS_AT,
    days: int | None = None,
    section: str = SECTION,
    layout: Layout = "scoring",
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write a synthetic corpus: one Markdown file per record, with YAML front matter in scoring's own layout.

    Parameters
    ----------
    folder : Path
        Output folder or its URL, new or empty. More than 5,000 records are split into monthly subfolders.
    n_records, seed, policy, begins_at, days, section
        As for :func:`sample_documents`.
    is_labelled : bool
        Whether the files have ``quality``, ``heat`` and ``published``; coverage keeps its quality.
    layout : str
        Another layout: see :data:`scoring.records.synthetic.layouts.Layout`.
    on_progress : callable or None
        Called regularly and at the end with the number of records written and the total.

    Returns
    -------
    int
        Number of records written.

    Raises
    ------
    ScoringError
        If the folder is not empty, or not a folder.
    SettingsError
        If a value is outside its range.
    """
    site = Site(n_records, seed, policy, begins_at, days, section)
    url = url_of(folder)
    is_empty = not list_files(url).files if url is not None else _is_new_or_empty(local_or_remote(folder))
    if not is_empty:
        got = "a folder or file with content, expected a new or empty folder"
        raise ScoringError(f"{name_of(folder)}: got {got}")
    with output_folder(folder) as local:
        local.mkdir(parents=True, exist_ok=True)
        return _write_files(site, local, layout, is_labelled, on_progress)


def _is_new_or_empty(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _write_files(
    site: Site,
    folder: Path,
    layout: Layout,
    is_labelled: bool,
    on_progress: Callable[[int, int], None] | None,
) -> int:
    n_records = site.n_records
    secrets = Random(f"scoring secured {site.seed}")  # noqa: S311 -- nothing to keep secret
    months: set[str] = set()
    n_written = n_reported = 0
    for story in site.stories():
        if layout == "scoring":
            files = _files(story, is_labelled, secrets)
        else:
            files = other_files(story, layout, is_labelled=is_labelled)
        for name, text in files:
            month = name[:7] if n_records > _FOLDER_COUNT else "."
            if month not in months:
                months.add(month)
                (folder / month).mkdir(exist_ok=True)
            path = f"{folder}/{month}/{name}"
            with naming(path), open(path, "xb") as file:
                file.write(text.encode())
        n_written += len(story)
        if on_progress and (n_written - n_reported >= _PROGRESS_COUNT or n_written == n_records):
            on_progress(n_written, n_records)
            n_reported = n_written
    return n_written


def _files(story: Story, is_labelled: bool, secrets: Random) -> Iterator[SampleFile]:
    """Yield file name and text of each record of a story."""
    # Many records of a story list the same coverage, so render it once.
    listed = {other.web_url: other for record, _ in story for other in record.related}
    entries = {url: render_coverage(other) for url, other in listed.items()}
    for record, labels in story:
        date = record.published_at.date().isoformat() if record.published_at else ""
        name = f"{date}-{record.web_url.rstrip('/').rpartition('/')[2]}.md"
        bare = msgspec.structs.replace(record, related=())
        fields = record_fields(bare, labels if is_labelled else Labels(), secured=opaque_payload(secrets))
        related = "".join([entries[other.web_url] for other in record.related])
        yield SampleFile(name, render(fields, related=related))


def sample_json_lines(*, is_labelled: bool = True, seed: int = 0, **options: Any) -> Iterator[bytes]:
    """Generate records as JSON lines, each with its line feed, by date.

    Parameters
    ----------
    is_labelled : bool
        Whether the lines have ``quality``, ``heat`` and ``published``.
    seed : int
        Random seed.
    **options
        As for :func:`sample_documents`.

    Yields
    ------
    bytes
        One object with the keys of a file's front matter.

    Raises
    ------
    SettingsError
        If a value is outside its range.
    """
    secrets = Random(f"scoring secured {seed}")  # noqa: S311 -- nothing to keep secret
    for record, labels in sample_documents(seed=seed, **options):
        fields = record_fields(record, labels if is_labelled else Labels(), secured=opaque_payload(secrets))
        yield msgspec.json.encode(fields) + b"\n"
