"""Propose the field map of an archive."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from scoring.errors import Fault, FieldMapError, RecordError, naming
from scoring.records.field_maps.field_map import FILE_NAME
from scoring.records.field_maps.map_file import parse_field_map
from scoring.records.files import files_within
from scoring.records.mapped_record import date_in_path
from scoring.records.survey.archive_survey import Survey, survey_files, survey_table
from scoring.records.survey.field_guess import guess_field_map, is_own_layout
from scoring.records.survey.map_text import guessed_text
from scoring.records.survey.presets import preset_text
from scoring.records.tables import is_table
from scoring.storage.atomic_file import create_text
from scoring.storage.remote import is_remote_folder
from scoring.storage.remote_writes import create_remote
from scoring.storage.urls import is_remote, local_path

MIN_LABELS = 20
"""Labelled files that training needs, those of its test block included."""


class Proposal(msgspec.Struct, frozen=True):
    """A proposed field map.

    Parameters
    ----------
    text : str
        The file, with comments; empty for scoring's own layout, which needs none.
    n_files, n_read : int
        Files of the archive, and those that were read.
    extensions : dict of str to int
        Number of files by extension.
    labels : dict of str to int
        Estimated number of records with each label.
    unused : tuple of str
        Keys that no field uses.
    faults : tuple of Fault
        Faults of the files that could not be read.
    has_dates : bool
        Whether something holds the dates of records.
    """

    text: str
    n_files: int
    n_read: int
    extensions: dict[str, int]
    labels: dict[str, int]
    unused: tuple[str, ...]
    faults: tuple[Fault, ...]
    has_dates: bool


def propose(
    path: str, *, preset: str | None = None, on_progress: Callable[[int, int], None] | None = None
) -> Proposal:
    """Look at an archive and propose its field map.

    Parameters
    ----------
    path : str
        The archive: its folder, or a table (CSV or Parquet), whose rows count as files.
    preset : str, optional
        Name of a common layout (:data:`scoring.records.survey.presets.PRESETS`) to take the map of.
    on_progress : callable, optional
        Called with the number of files done and the total.

    Raises
    ------
    RecordError
        If it is neither a folder nor a table, or has nothing that may be a record.
    """
    path = local_path(path)
    is_file = is_remote(path) or os.path.isfile(path)
    survey = survey_table(path) if is_table(path) and is_file else _survey(path, on_progress)
    if not survey.n_read:
        raise RecordError(*(fault for error in survey.faults[:3] for fault in error.faults))
    guessed = guess_field_map(survey)
    text = preset_text(preset) if preset else "" if is_own_layout(survey) else guessed_text(guessed, survey)
    field_map = parse_field_map(text or "{}")
    share = survey.n_files / survey.n_read
    counts = {
        name: round(share * survey.keys[rule.key].n_files) if rule.key in survey.keys else 0
        for name, rule in field_map.labels.items()
    }
    unused = tuple(key for key in survey.keys if "." not in key and key not in field_map.keys)
    faults = tuple(fault for error in survey.faults for fault in error.faults)
    extensions = dict(survey.extensions.most_common())
    has_dates = "published_at" in field_map.fields
    return Proposal(text, survey.n_files, survey.n_read, extensions, counts, unused, faults, has_dates)


def _survey(folder: str, on_progress: Callable[[int, int], None] | None) -> Survey:
    if not (is_remote_folder(folder) if is_remote(folder) else os.path.isdir(folder)):
        raise RecordError(Fault(folder, 0, "", "no such folder or table", "the folder of an archive"))
    files = list(files_within(folder))
    if not files:
        names = [] if is_remote(folder) else sorted(os.listdir(folder))
        tables = [name for name in names if is_table(name)]
        hint = (
            f"; scoring init {shlex.quote(os.path.join(folder, tables[0]))} looks at a table"
            if tables
            else ""
        )
        expected = f"files with front matter{hint}"
        raise RecordError(Fault(folder, 0, "", "a folder without records", expected))
    return survey_files(files, has_path_date=lambda file: bool(date_in_path(file)), on_progress=on_progress)


def write_proposal(path: str, proposal: Proposal) -> Path | str:
    """Write a proposed map into its archive, or beside the table; an existing one is never replaced.

    Raises
    ------
    FieldMapError
        If the archive has one.
    """
    if is_remote(path):
        return _write_remote(path, proposal)
    path = local_path(path)
    file = (Path(path) if os.path.isdir(path) else Path(path).parent) / FILE_NAME
    try:
        with naming(file):
            create_text(file, proposal.text)
    except FileExistsError:
        raise _already_there(str(file)) from None
    return file


def _write_remote(url: str, proposal: Proposal) -> str:
    folder = os.path.dirname(url) if is_table(url) else url.rstrip("/")
    file = f"{folder}/{FILE_NAME}"
    if not create_remote(file, proposal.text.encode()):
        raise _already_there(file)
    return file


def _already_there(file: str) -> FieldMapError:
    expected = "none: delete it first, or print the proposal with --stdout"
    return FieldMapError(Fault(file, 0, "", "a field map", expected))


def summary(folder: str, proposal: Proposal) -> Iterator[str]:
    """Say what the archive holds, and what can be done with it."""
    extensions = ", ".join(f"{count:,} {extension}" for extension, count in proposal.extensions.items())
    unit = "rows" if is_table(folder) and not os.path.isdir(folder) else "files"
    yield f"{folder}: {proposal.n_files:,} {unit} ({extensions}), {proposal.n_read:,} of them read"
    if not proposal.text:
        yield "the files have scoring's own layout: no field map is needed"
    if proposal.unused:
        yield f"keys that no field uses: {', '.join(proposal.unused)}"
    for label, count in proposal.labels.items():
        if count:
            yield f"{label}: on about {count:,} records"
    if not proposal.has_dates:
        yield "no key looks like a date: training needs the date of each record, as published_at"
    if not proposal.has_dates:
        yield f'next: name the key of the date, then "scoring validate {shlex.quote(folder)}"'
    elif max(proposal.labels.values(), default=0) >= MIN_LABELS:
        yield f'next: "scoring validate {shlex.quote(folder)}", then "scoring train {shlex.quote(folder)}"'
    else:
        yield (
            "too few labels to train: name the key of a quality, heat or published that at least "
            f'{MIN_LABELS} records have; "scoring score {shlex.quote(folder)}" scores with the shipped model'
        )
