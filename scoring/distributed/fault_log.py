"""Faults of partitions as those of files: told in the order of the records, with the lines of the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scoring.distributed.partitions import Extent, Partition
from scoring.errors import Fault, RecordError
from scoring.records.corpus import holds_lines, without_record


@dataclass
class FaultLines:
    """Counts the lines of files whose pieces come one after the other."""

    _url: str = ""
    _n_lines: int = 0
    _n_records: int = 0

    def faults(
        self,
        partition: Partition,
        extents: Sequence[Extent],
        found: Sequence[tuple[int, tuple[Fault, ...]]],
    ) -> Iterator[RecordError]:
        """The faults of the next partition, each with its line in its file.

        Parameters
        ----------
        partition : Partition
            It follows the last one.
        extents : sequence of Extent
            What its pieces hold.
        found : sequence of tuple of int and tuple of Fault
            Which piece, and the faults of one record; lines count from the piece's first.

        Yields
        ------
        RecordError
            One a record, and one for a file that was to hold records and has none.
        """
        waiting = iter(found)
        one = next(waiting, None)
        for at, (piece, extent) in enumerate(zip(partition.pieces, extents, strict=True)):
            if piece.file.url != self._url:
                self._url, self._n_lines, self._n_records = piece.file.url, 0, 0
            while one is not None and one[0] == at:
                yield RecordError(*(self._placed(fault) for fault in one[1]))
                one = next(waiting, None)
            self._n_lines += extent.n_lines
            self._n_records += extent.n_records
            if holds_lines(piece.file.path) and piece.is_last and not self._n_records:
                yield without_record(piece.file.path)

    def _placed(self, fault: Fault) -> Fault:
        # A fault of a whole file has no line; the lines of a Markdown file count from its beginning.
        is_of_line = fault.line and holds_lines(fault.path)
        return replace(fault, line=fault.line + self._n_lines) if is_of_line else fault
