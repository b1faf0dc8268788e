"""Synthetic corpora of the shape of real ones, of any size: as records, as files, as JSON lines.

Everything is drawn from the seed, story by story, so that a million records need no more memory than a
thousand. The same arguments give the same bytes.
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
from scoring.records.synthetic.policy import DEFAULT_POLICY, Policy
from scoring.records.synthetic.stories import BEGINS_AT, Site, Story
from scoring.records.synthetic.vocabulary import SECTION

_FOLDER_COUNT = 5000  # more records than that go to one folder a month
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
    """Synthetic records with their labels, in the order of their dates.

    Parameters
    ----------
    n_records : int
        Records; >= 1.
    seed : int
        Seed of everything that is drawn.
    policy : Policy
        How the records are judged; it changes no record but the quality that coverage carries.
    begins_at : datetime
        Time of the first records, aware.
    days : int or None
        Days that they span; None: a year, or more where that would be above 500 records a day.
    section : str
        The site's section, first topic of each record.

    Yields
    ------
    tuple of Record and Labels
        The labels stand as of the end of the corpus, ``begins_at`` plus its days.

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
    """Records of all stories by date: no story begins before the one ahead of it."""
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
    """Seconds since 1970; a record without a date comes first."""
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
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write a synthetic corpus: one Markdown file a record, with YAML front matter.

    Parameters
    ----------
    folder : Path
        Where to; new or empty. More than 5,000 records get one subfolder a month.
    n_records, seed, policy, begins_at, days, section
        As for :func:`sample_documents`.
    is_labelled : bool
        Whether the files bear ``quality``, ``heat`` and ``published``; coverage keeps its quality.
    on_progress : callable or None
        Called with the records written and the records to write, now and then and at the end.

    Returns
    -------
    int
        Files written.

    Raises
    ------
    ScoringError
        If the folder is not empty, or not a folder.
    SettingsError
        If a value is outside its range.
    """
    site = Site(n_records, seed, policy, begins_at, days, section)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ScoringError(f"{folder}: got a folder or file with content, expected a new or empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    secrets = Random(f"scoring secured {seed}")  # noqa: S311 -- nothing to keep secret
    months: set[str] = set()
    n_written = n_told = 0
    for story in site.stories():
        for name, text in _files(story, is_labelled, secrets):
            month = name[:7] if n_records > _FOLDER_COUNT else "."
            if month not in months:
                months.add(month)
                (folder / month).mkdir(exist_ok=True)
            path = f"{folder}/{month}/{name}"
            with naming(path), open(path, "xb") as file:
                file.write(text.encode())
        n_written += len(story)
        if on_progress and (n_written - n_told >= _PROGRESS_COUNT or n_written == n_records):
            on_progress(n_written, n_records)
            n_told = n_written
    return n_written


def _files(story: Story, is_labelled: bool, secrets: Random) -> Iterator[tuple[str, str]]:
    """Name and text of the file of each record of a story."""
    # Each record of a story is listed by many others, in the same words.
    listed = {other.web_url: other for record, _ in story for other in record.related}
    entries = {url: render_coverage(other) for url, other in listed.items()}
    for record, labels in story:
        date = record.published_at.date().isoformat() if record.published_at else ""
        name = f"{date}-{record.web_url.rstrip('/').rpartition('/')[2]}.md"
        alone = msgspec.structs.replace(record, related=())
        fields = record_fields(alone, labels if is_labelled else Labels(), secured=opaque_payload(secrets))
        yield name, render(fields, related="".join([entries[other.web_url] for other in record.related]))


def sample_json_lines(*, is_labelled: bool = True, seed: int = 0, **options: Any) -> Iterator[bytes]:
    """The records as JSON lines, each with its line feed, in the order of their dates.

    Parameters
    ----------
    is_labelled : bool
        Whether the lines bear ``quality``, ``heat`` and ``published``.
    seed : int
        Seed of everything that is drawn.
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
