"""Chunks of records to read, and the extraction of their features."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

import msgspec

from scoring.errors import RecordError, located, shown
from scoring.features.as_of import AsOf
from scoring.features.cache import FeatureCache
from scoring.features.extraction import Extracted, extracted
from scoring.features.sections import SectionRule
from scoring.records.corpus import Source, sources_of
from scoring.records.field_maps.lookup import FieldMaps
from scoring.storage.regular_files import local_file

CHUNK_BYTES = 2**21
"""Size of a chunk, and of the data in memory per process."""

_ROW_BYTES = 2**12
"""Approximate size of a record's features."""

Packed = bytes
"""An encoded :class:`~scoring.features.extraction.Extracted`, for processes and cache; its path is only
a row's own name."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Extracted)


class Chunk(NamedTuple):
    """Records that are read together."""

    sources: tuple[Source, ...]
    n_files: int  # files that end in the chunk
    n_bytes: int

    @property
    def n_held(self) -> int:
        """Bytes in memory until the results are read: lines, then features."""
        return sum(len(source.data or b"") + _ROW_BYTES for source in self.sources)


class Results(NamedTuple):
    """Features or fault of each record of a chunk."""

    of: list[Packed | RecordError]  # one per source of the chunk
    complaints: tuple[str, ...] = ()  # from the cache


class ExtractionTask(NamedTuple):
    """Extraction task of a chunk, for any process."""

    as_of: AsOf
    sections: SectionRule
    field_maps: FieldMaps
    cache: FeatureCache | None

    def results(self, chunk: Chunk) -> Results:
        """Extract the features of the chunk's records, those that the cache has not."""
        contents = [_content(source) for source in chunk.sources]
        keys = self._keys(chunk.sources, contents)
        kept = self.cache.get(keys) if self.cache else {}
        results: list[Packed | RecordError] = []
        new: dict[bytes, Packed] = {}
        for source, content, key in zip(chunk.sources, contents, keys, strict=True):
            if isinstance(content, RecordError):
                results.append(content)
            elif (packed := kept.get(key)) is not None and _is_decodable(packed):
                results.append(packed)
            else:
                results.append(result := self._extract(source, content))
                if isinstance(result, Packed):
                    new[key] = result
        if self.cache and new:
            self.cache.put(new)
        complaints = tuple(self.cache.complaints) if self.cache else ()
        if self.cache:
            self.cache.complaints.clear()
        return Results(results, complaints)

    def _keys(self, sources: Sequence[Source], contents: Sequence[bytes | RecordError]) -> list[bytes]:
        """Cache key of each content that could be read; empty for others, or without a cache."""
        if self.cache is None:
            return [b""] * len(contents)
        circumstances = repr((self.as_of, self.sections))
        keys = []
        for source, content in zip(sources, contents, strict=True):
            folder = os.path.dirname(source.path) if self.sections.by == "folder" else ""
            if isinstance(content, RecordError):
                keys.append(b"")
            else:
                field_map = self.field_maps.of(source.path)
                layout = "" if field_map is None else repr((field_map, source.path))
                layout += source.kind + ("" if self.field_maps.reads_bodies else "no body")
                keys.append(self.cache.key(content, circumstances + folder + layout))
        return keys

    def _extract(self, source: Source, content: bytes) -> Packed | RecordError:
        try:
            field_map = self.field_maps.of(source.path)
            reads_body = self.field_maps.reads_bodies
            document = source.document(content, is_hashed=False, field_map=field_map, reads_body=reads_body)
            features = extracted(document, self.as_of, self.sections)
            return _ENCODER.encode(msgspec.structs.replace(features, path=document.row_id))
        except RecordError as error:
            return error


def _content(source: Source) -> bytes | RecordError:
    try:
        return source.content()
    except RecordError as error:
        return error


def unpack(packed: Packed, source: Source, *, has_own_name: bool = True) -> Extracted:
    """Decode the features of a record; without a name of its own, it has that of its source."""
    features = _DECODER.decode(packed)
    if has_own_name and features.path:
        return features
    return msgspec.structs.replace(features, path=located(shown(source.path), source.line))


def _is_decodable(kept: Packed) -> bool:
    try:
        _DECODER.decode(kept)
    except msgspec.DecodeError:  # foreign or damaged: recomputed
        return False
    return True


def size_of(file: str) -> int:
    """Size of a file in bytes; 0 if unknown."""
    try:
        return os.stat(local_file(file)).st_size
    except OSError:
        return 0


def chunks_of(files: Sequence[str], stdin: BinaryIO | None) -> Iterator[Chunk]:
    """Split records into chunks by bytes, not by number, since sizes differ widely."""
    sources: list[Source] = []
    n_bytes = n_files = 0
    for file in files:
        for source in sources_of(file, stdin):
            sources.append(source)
            is_file = source.data is None and source.error is None
            n_bytes += size_of(source.path) if is_file else len(source.data or b"")
            if n_bytes >= CHUNK_BYTES and not is_file:
                yield Chunk(tuple(sources), n_files, n_bytes)
                sources, n_bytes, n_files = [], 0, 0
        n_files += 1
        if n_bytes >= CHUNK_BYTES:
            yield Chunk(tuple(sources), n_files, n_bytes)
            sources, n_bytes, n_files = [], 0, 0
    if n_files:
        yield Chunk(tuple(sources), n_files, n_bytes)
