"""Enter people's decisions on labels in the journal, so that they are not taken for scoring's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

import msgspec

from scoring.labels.journal import Journal, JournalWriter, named_maps, new_write_id
from scoring.labels.journal_format import BatchDone, JournalEntry, JournalLabels
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.forms.label_positions import LABELS
from scoring.records.record import Document, Labels

Owner = Literal["scoring", "people"]


@contextmanager
def journaled_decision(
    journal: Journal,
    document: Document,
    labels: Labels,
    *,
    now: datetime,
    field_map: FieldMap | None = None,
) -> Iterator[dict[Owner, dict[str, Any]]]:
    """Enter a person's labels in the journal, while the block writes them into their file.

    The journal is locked meanwhile, so that no other process writes labels. If the block fails, the entry
    does not count.

    Parameters
    ----------
    journal : Journal
        The journal.
    document : Document
        The record with its current labels and the path of its file.
    labels : Labels
        The decided labels; None for an unchanged label.
    now : datetime
        Current time, aware UTC.
    field_map : FieldMap, optional
        The field map by which the document was read; None for scoring's own layout.

    Yields
    ------
    dict of str to dict
        The labels before, by owner: pass them to :func:`journaled` to undo the decision.

    Raises
    ------
    RecordError
        If the journal cannot be read or written.
    """
    names = [name for name in LABELS if getattr(labels, name) is not None]
    decided: dict[Owner, dict[str, Any]] = {"people": {name: getattr(labels, name) for name in names}}
    with journal.locked() as writer:
        own = journal.own_labels(document)
        before: dict[Owner, dict[str, Any]] = {"scoring": {}, "people": {}}
        for name in names:
            before["scoring" if name in own else "people"][name] = getattr(document.labels, name)
        with _entered(writer, document, decided, now, field_map):
            yield before


@contextmanager
def journaled(
    journal: Journal,
    document: Document,
    labels: Mapping[Owner, Mapping[str, Any]],
    *,
    now: datetime,
    field_map: FieldMap | None = None,
) -> Iterator[None]:
    """Enter labels in the journal by owner, while the block writes them into their file.

    Parameters
    ----------
    journal, document, now, field_map
        As for :func:`journaled_decision`.
    labels : mapping
        Values by owner and name; None for an absent label.

    Raises
    ------
    RecordError
        If the journal cannot be read or written.
    """
    with journal.locked() as writer, _entered(writer, document, labels, now, field_map):
        yield


@contextmanager
def _entered(
    writer: JournalWriter,
    document: Document,
    labels: Mapping[Owner, Mapping[str, Any]],
    now: datetime,
    field_map: FieldMap | None,
) -> Iterator[None]:
    keys, at, write_id = writer.journal.keys_of(document), writer.moment(now), new_write_id(now)
    entries = [
        JournalEntry(
            at=at,
            write_id=write_id,
            item=item,
            command="desk",
            owner=owner,
            record=keys.record,
            file=keys.file,
            place=keys.place,
            field_map=keys.field_map,
            labels=msgspec.convert(dict(values), JournalLabels),
        )
        for item, (owner, values) in enumerate(labels.items())
        if values
    ]
    writer.append(entries, field_maps=named_maps(field_map))
    try:
        yield
    except Exception:
        not_written = tuple(entry.item for entry in entries)
        writer.append([BatchDone(write_id=write_id, not_written=not_written)])
        raise
    if entries:
        writer.append([BatchDone(write_id=write_id)], is_synced=False)
