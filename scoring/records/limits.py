"""How large a record may be where many people's records are worked on at once."""

from __future__ import annotations

from typing import NamedTuple

from scoring.errors import Fault, RecordError
from scoring.records.record import Document


class RecordLimitError(RecordError):
    """A record is larger than is taken on.

    Parameters
    ----------
    limit : str
        Name of the limit that it passes.
    fault : Fault
        By how much.
    """

    def __init__(self, limit: str, fault: Fault) -> None:
        super().__init__(fault)
        self.limit = limit

    def __reduce__(self) -> tuple[type[RecordLimitError], tuple[str, Fault]]:  # type: ignore[override]
        return RecordLimitError, (self.limit, self.faults[0])


class RecordLimits(NamedTuple):
    """What one record may hold; None is without a limit.

    Parameters
    ----------
    record_bytes : int or None
        Size of its file, or of its line.
    coverage : int or None
        Related records.
    topics : int or None
        Topics.
    """

    record_bytes: int | None = None
    coverage: int | None = None
    topics: int | None = None

    def check_bytes(self, n_bytes: int, path: str, line: int = 0) -> None:
        """Refuse what is too large to be read.

        Raises
        ------
        RecordLimitError
            If it is.
        """
        if self.record_bytes is not None and n_bytes > self.record_bytes:
            fault = Fault(path, line, "", f"{n_bytes:,} bytes", f"at most {self.record_bytes:,} bytes")
            raise RecordLimitError("record_bytes", fault)

    def check(self, document: Document, line: int = 0) -> Document:
        """The same document, which stands on a line of its file (0: is all of it).

        Raises
        ------
        RecordLimitError
            If it holds more than it may.
        """
        record = document.record
        for limit, field, n_entries, most in (
            ("coverage", "related", len(record.related), self.coverage),
            ("topics", "topics", len(record.topics), self.topics),
        ):
            if most is not None and n_entries > most:
                fault = Fault(
                    document.path, document.line, field, f"{n_entries:,} entries", f"at most {most:,}"
                )
                raise RecordLimitError(limit, fault)
        return document


UNLIMITED = RecordLimits()
