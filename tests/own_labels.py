"""Labels written as scoring writes them: into the files, and into the journal."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from scoring.labels.journal import Journal
from scoring.labels.journal_format import BatchDone, JournalEntry, JournalLabels
from scoring.records.record import Document
from scoring.records.write_back import write_labels

_MOMENTS = (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=number) for number in itertools.count())


def write_own(
    journal: Path,
    documents: Iterable[Document],
    labels_of: Callable[[Document], dict[str, Any]],
    owner: Literal["scoring", "people"] = "scoring",
) -> None:
    """Write labels into the files of documents, each call later than the one before."""
    at = next(_MOMENTS)
    known, write_id = Journal(journal), f"{at:%Y%m%dT%H%M%SZ}"
    with known.locked() as writer:
        for item, document in enumerate(documents):
            labels = labels_of(document)
            write_labels(document.path, labels, roots=[str(Path(document.path).parent)])
            keys = known.keys_of(document)
            entry = JournalEntry(
                at=at,
                write_id=write_id,
                item=item,
                command="score",
                owner=owner,
                record=keys.record,
                file=keys.file,
                labels=JournalLabels(**labels),
            )
            writer.append([entry])
        writer.append([BatchDone(write_id=write_id)])
