"""Size limits of a record, for services that score the records of many users."""

from __future__ import annotations

from typing import NamedTuple

from scoring.errors import Fault, RecordError
from scoring.records.record import Document


class RecordLimitError(RecordError):
    """A record exceeds a size limit.

    Parameters
    ----------
    limit : str
        Name of the limit.
    fault : Fault
        Actual and allowed size.
    """

    def __init__(self, limit: str, fault: Fault) -> None:
        super().__init__(fault)
        self.limit = limit

    def __reduce__(self) -> tuple[type[RecordLimitError], tuple[str, Fault]]:  # type: ignore[override]
        return RecordLimitError, (self.limit, self.faults[0])


class RecordLimits(NamedTuple):
    """Limits of one record; None means no limit.

    Parameters
    ----------
    record_bytes : int or None
        Bytes of its file or line.
    coverage : int or None
        Number of related records.
    topics : int or None
        Number of topics.
    """

    record_bytes: int | None = None
    coverage: int | None = None
    topics: int | None = None

    def check_bytes(self, n_bytes: int, path: str, line: int = 0) -> None:
        """Check the size of a record before it is read.

        Raises
        ------
        RecordLimitError
            If it is too large.
        """
        if self.record_bytes is not None and n_bytes > self.record_bytes:
            fault = Fault(path, line, "", f"{n_bytes:,} bytes", f"at most {self.record_bytes:,} bytes")
            raise RecordLimitError("record_bytes", fault)

    def check(self, document: Document, line: int = 0) -> Document:
        """Check the entries of a document and return it; `line` is its line in the file, 0 for all of it.

        Raises
        ------
        RecordLimitError
            If it has too many entries.
        """
        record = document.record
        for limit, field, n_entries, limit_count in (
            ("coverage", "related", len(record.related), self.coverage),
            ("topics", "topics", len(record.topics), self.topics),
        ):
            if limit_count is not None and n_entries > limit_count:
                got, expected = f"{n_entries:,} entries", f"at most {limit_count:,}"
                fault = Fault(document.path, document.line or 1, field, got, expected)
                raise RecordLimitError(limit, fault)
        return document


UNLIMITED = RecordLimits()
