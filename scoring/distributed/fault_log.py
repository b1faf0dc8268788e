"""Convert faults of partitions to faults of files, in record order and with line numbers of the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scoring.distributed.partitions import Extent, Partition
from scoring.errors import Fault, RecordError
from scoring.records.corpus import holds_lines, without_record


@dataclass
class FaultLines:
    """Counts lines of files whose pieces are processed in order."""

    _url: str = ""
    _n_lines: int = 0
    _n_records: int = 0

    def faults(
        self,
        partition: Partition,
        extents: Sequence[Extent],
        found: Sequence[tuple[int, tuple[Fault, ...]]],
    ) -> Iterator[RecordError]:
        """Yield the faults of the next partition, each with its line in its file.

        Parameters
        ----------
        partition : Partition
            The partition after the last one.
        extents : sequence of Extent
            Extents of its pieces.
        found : sequence of tuple of int and tuple of Fault
            Index of the piece and faults of one record; lines count from the start of the piece.

        Yields
        ------
        RecordError
            One per record, and one for a file of records without any.
        """
        waiting = iter(found)
        entry = next(waiting, None)
        for index, (piece, extent) in enumerate(zip(partition.pieces, extents, strict=True)):
            if piece.file.url != self._url:
                self._url, self._n_lines, self._n_records = piece.file.url, 0, 0
            while entry is not None and entry[0] == index:
                yield RecordError(*(self._with_file_line(fault) for fault in entry[1]))
                entry = next(waiting, None)
            self._n_lines += extent.n_lines
            self._n_records += extent.n_records
            if holds_lines(piece.file.path) and piece.is_last and not self._n_records:
                yield without_record(piece.file.path)

    def _with_file_line(self, fault: Fault) -> Fault:
        # A fault of a whole file has no line, and a Markdown file is always one piece.
        is_of_line = fault.line and holds_lines(fault.path)
        return replace(fault, line=fault.line + self._n_lines) if is_of_line else fault
