"""Read and hash the records of files and streams."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import msgspec

from scoring.errors import Fault, RecordError, shown
from scoring.records.decode import decode_file, decode_json
from scoring.records.feed_detection import MAX_FEED_BYTES, begins_xml, is_feed, is_json_feed
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.file_heads import LINE_EXTENSIONS
from scoring.records.file_names import is_markdown
from scoring.records.files import STDIN, OnFault, expand, unreadable
from scoring.records.forms.front_matter import MAX_BYTES, is_fenced
from scoring.records.record import Document
from scoring.records.row_stream import RowStream
from scoring.records.rows import decode_row
from scoring.records.tables import is_table, read_rows
from scoring.records.unread_columns import log_unread_columns
from scoring.storage.regular_files import kind_of, open_regular
from scoring.storage.urls import is_remote, is_web, local_path

_MORE_BYTES = 2**16  # read in steps if a file has grown beyond its reported size


class Source(NamedTuple):
    """Location of a record: a file, or one line, row or entry of it.

    ``line`` starts at 1 and is 0 for a whole file. ``data`` holds the bytes if they were read already;
    ``error`` replaces the record if it cannot be read. ``kind`` marks the row of a table and the entry of a
    feed, as JSON objects, from a line of JSON.
    """

    path: str
    line: int = 0
    data: bytes | None = None
    error: RecordError | None = None
    kind: Literal["", "row", "entry"] = ""

    def content(self) -> bytes:
        """Return the bytes of the record.

        Raises
        ------
        RecordError
            If the record cannot be read.
        """
        if self.error is not None:
            raise self.error
        return read_bytes(self.path) if self.data is None else self.data

    def document(
        self,
        content: bytes,
        *,
        is_hashed: bool = True,
        field_map: FieldMap | None = None,
        with_unread_keys: bool = False,
        reads_body: bool = True,
    ) -> Document:
        """Decode the record from its bytes.

        Parameters
        ----------
        content : bytes
            Its bytes.
        is_hashed : bool
            Whether to compute the hash of a file.
        field_map : FieldMap, optional
            Where its fields are; None for scoring's own layout.
        with_unread_keys : bool
            Whether to list the keys that no field uses.
        reads_body : bool
            Whether to count what the text below the front matter of a file has.

        Raises
        ------
        RecordError
            With every fault of the record.
        """
        if self.kind == "row":
            return decode_row(msgspec.json.decode(content), self.path, self.line, field_map)
        if self.kind == "entry":  # in scoring's own layout
            return decode_json(content, self.path, self.line)
        if self.line:
            return decode_json(content, self.path, self.line, field_map, with_unread_keys=with_unread_keys)
        return decode_file(
            content,
            self.path,
            is_hashed=is_hashed,
            field_map=field_map,
            with_unread_keys=with_unread_keys,
            reads_body=reads_body,
        )


def read_documents(
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    field_maps: FieldMaps | None = None,
    on_fault: OnFault,
    on_progress: Callable[[int, int], None] | None = None,
    with_unread_keys: bool = False,
) -> Iterator[Document]:
    """Read the records of the given paths, one at a time.

    Parameters
    ----------
    paths : sequence of str
        As for :func:`expand`. A file named ``*.jsonl`` or ``*.ndjson`` has one record per line, and one
        named ``*.csv`` or ``*.parquet`` one per row; ``*.xml``, ``*.rss``, ``*.atom`` and ``feed.json`` are
        feeds; any other file is Markdown. The format of standard input, and of a page of a web server with
        none of these names, is detected from its first bytes.
    stdin : binary file, optional
        Stream for ``-``, or a :class:`~scoring.records.row_stream.RowStream`; default is the process's
        standard input.
    field_maps : FieldMaps, optional
        Field maps of the files; default: those of their archives.
    on_fault : callable
        Called with the error of each unusable record, which is then skipped.
    on_progress : callable, optional
        Called with the number of files done and the total.
    with_unread_keys : bool
        Whether to list the keys that no field uses in each document.

    Yields
    ------
    Document
        In the order of the paths, each file once.

    Raises
    ------
    RecordError
        Before the first record, if a path does not exist or contains no record.
    """
    files = expand(paths, on_fault=on_fault)
    field_maps = field_maps or FieldMaps(paths)
    if not with_unread_keys:
        log_unread_columns(files, field_maps)
    for n_done, file in enumerate(files, start=1):
        if file == STDIN and isinstance(stdin, RowStream):
            for item in stdin.read_documents(field_maps.of(file)):
                if isinstance(item, RecordError):
                    on_fault(item)
                else:
                    yield item
            continue
        for source in sources_of(file, stdin):
            try:
                document = source.document(
                    source.content(),
                    field_map=field_maps.of(file),
                    with_unread_keys=with_unread_keys,
                    reads_body=field_maps.reads_bodies,
                )
            except RecordError as error:
                on_fault(error)
            else:
                yield document
        if on_progress is not None:
            on_progress(n_done, len(files))


def archive_names(documents: Sequence[Document], paths: Sequence[str]) -> list[str]:
    """Archive of each document: each path that is a folder is one, all other paths are another, named ''."""
    folders = [
        f"{shown(path.rstrip('/'))}/"
        for path in map(local_path, paths)
        if os.path.isdir(path) or is_remote(path)  # no file is below a URL that is a file
    ]
    return [
        next((folder for folder in folders if document.path.startswith(folder)), "") for document in documents
    ]


def data_sha256(digests: Iterable[str]) -> str:
    """Hash a set of records, independent of paths and order.

    Parameters
    ----------
    digests : iterable of str
        ``sha256`` of each :class:`~scoring.records.record.Document`.

    Examples
    --------
    >>> data_sha256(["b" * 64, "a" * 64]) == data_sha256(["a" * 64, "b" * 64])
    True
    """
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def sources_of(file: str, stdin: BinaryIO | None = None) -> Iterator[Source]:
    """Yield a source per record of a file, so that each record has its own faults."""
    is_stream_name = not (is_markdown(file) or is_table(file) or is_feed(file))
    is_fifo = file != STDIN and is_stream_name and kind_of(file) == "a FIFO"
    if file == STDIN:
        yield from _stream_sources(stdin or sys.stdin.buffer, file)
    elif is_table(file):
        yield from _row_sources(file)
    elif is_feed(file):
        yield from _feed_sources(file)
    elif is_fifo or holds_lines(file) or (is_stream_name and is_web(file)):
        try:
            with open(file if is_fifo else open_regular(file)[0], "rb") as handle:
                yield from _line_sources(handle, file) if holds_lines(file) else _stream_sources(handle, file)
        except OSError as error:
            yield Source(file, error=unreadable(file, error))
    else:
        yield Source(file)


def read_bytes(file: str | Path) -> bytes:
    """Read a whole file, up to the size limit.

    Raises
    ------
    RecordError
        If it cannot be read or is too large.
    """
    try:
        descriptor, size = open_regular(file)
        try:
            if size > MAX_BYTES:
                raise too_large(str(file), size)
            parts = [os.read(descriptor, size + 1)]
            n_bytes = len(parts[0])
            while more := os.read(descriptor, _MORE_BYTES):  # the file has grown meanwhile
                n_bytes += len(more)
                if n_bytes > MAX_BYTES:
                    raise too_large(str(file), n_bytes)
                parts.append(more)
            return b"".join(parts)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(str(file), error) from None


def too_large(file: str, n_bytes: int) -> RecordError:
    """Error for a file above the size limit."""
    return RecordError(Fault(file, 0, "", f"{n_bytes:,} bytes", f"at most {MAX_BYTES:,} bytes"))


def holds_lines(file: str) -> bool:
    """Whether a file has one record per line, by its extension."""
    return file.endswith(LINE_EXTENSIONS)


def holds_many(file: str) -> bool:
    """Whether a file is JSON lines, a table or a feed, by its name; such files are not written."""
    return holds_lines(file) or is_table(file) or is_feed(file)


def _row_sources(file: str) -> Iterator[Source]:
    is_empty = True
    try:
        for source in _numbered(read_rows(file), file, "row"):
            is_empty = False
            yield source
        if is_empty:
            yield Source(file, error=without_record(file, "one record per row"))
    except OSError as error:
        yield Source(file, error=unreadable(file, error))


def _feed_sources(file: str) -> Iterator[Source]:
    try:
        data = read_bytes(file)
    except RecordError as error:
        yield Source(file, error=error)
    else:
        yield from _entry_sources(data, file)


def _entry_sources(data: bytes, file: str) -> Iterator[Source]:
    from scoring.records.feeds import read_entries  # imports a parser of HTML

    return _numbered(read_entries(data, file), file, "entry")


def _numbered(
    records: Iterable[tuple[int, bytes | RecordError]], file: str, kind: Literal["row", "entry"]
) -> Iterator[Source]:
    for number, record in records:
        if isinstance(record, RecordError):
            yield Source(file, number, error=record)
        else:
            yield Source(file, number, record, kind=kind)


def _stream_sources(stream: BinaryIO, file: str) -> Iterator[Source]:
    try:
        first = stream.readline(MAX_BYTES + 1)
        if is_fenced(first):
            yield Source(file, data=first + stream.read(MAX_BYTES + 1))
        elif begins_xml(first) or is_json_feed(first) or first.strip() == b"{":
            rest = stream.read(MAX_FEED_BYTES + 1)
            if begins_xml(first) or is_json_feed(first + rest):
                yield from _entry_sources(first + rest, file)
            else:
                yield from _line_sources(io.BytesIO(rest), file, first)
        else:
            yield from _line_sources(stream, file, first)
    except OSError as error:  # a closed stream or a failing disk
        yield Source(file, error=unreadable(file, error))


def _line_sources(stream: BinaryIO, file: str, first: bytes = b"") -> Iterator[Source]:
    is_empty = True
    for source in lines_of(stream, file, first=first):
        is_empty = False
        yield source
    if is_empty:
        yield Source(file, error=without_record(file))


def lines_of(stream: BinaryIO, file: str, *, first: bytes = b"") -> Iterator[Source]:
    """Yield a source per non-blank line of a stream, numbered from 1.

    Parameters
    ----------
    stream : binary file
        The stream.
    file : str
        Its path, for faults.
    first : bytes
        First line, if it was read already.

    Yields
    ------
    Source
        A line above the size limit is truncated, which makes it a fault.
    """
    number = 0
    line = first or stream.readline(MAX_BYTES + 1)
    while line:
        number += 1
        if line.removeprefix(codecs.BOM_UTF8).strip():
            yield Source(file, number, line)
        while len(line) > MAX_BYTES and not line.endswith(b"\n"):  # skip the rest of a truncated line
            line = stream.readline(MAX_BYTES + 1)
        line = stream.readline(MAX_BYTES + 1)


def without_record(file: str, expected: str = "one record per line, or front matter") -> RecordError:
    """Error for a file of records without any."""
    return RecordError(Fault(file, 0, "", "no record", expected))
