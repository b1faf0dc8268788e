"""What is fuzzed: each target takes any bytes, and raises where a promise is broken.

Bytes may be refused with the error that is meant for that, and with no other.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from scoring.artifact.lightgbm_validation import check_text
from scoring.artifact.manifest import Manifest
from scoring.artifact.manifest_validation import check_manifest
from scoring.artifact.model_folder import FILES, MANIFEST, checked, decoded, with_manifest
from scoring.errors import ModelError, RecordError
from scoring.model.booster import Booster
from scoring.records.corpus import sources_of
from scoring.records.decode import decode_file
from scoring.records.record import Labels
from scoring.records.write_back import replace_labels

CORPUS = Path(__file__).parent / "corpus"


def _check_faults(error: RecordError, path: str) -> None:
    assert error.faults
    assert all(fault.path == path and fault.expected for fault in error.faults)


def _check_message(error: ModelError) -> None:
    assert str(error).startswith("model")
    assert "\n" not in str(error)


def front_matter(data: bytes) -> None:
    """A Markdown file."""
    try:
        document = decode_file(data, "a.md")
    except RecordError as error:
        _check_faults(error, "a.md")
        return
    assert document.record.title.strip()


def json_lines(data: bytes) -> None:
    """Standard input in any format."""
    for source in sources_of("-", io.BytesIO(data)):
        try:
            document = source.document(source.content())
        except RecordError as error:
            _check_faults(error, "-")
        else:
            assert document.record.title.strip()


def write_back(data: bytes) -> None:
    """Labels written into a Markdown file are read back, and nothing else changes."""
    old = Labels(0, 0, False)
    new = Labels(-84, 104, True)
    try:
        first = replace_labels(data, old)
    except RecordError:
        return
    second = replace_labels(first, new)
    assert replace_labels(second, new) == second
    # Once the labels stand there as they are written here, there and back is the same to the byte.
    assert replace_labels(second, old) == first
    try:
        before = decode_file(data, "a.md")
    except RecordError:
        return
    after = decode_file(second, "a.md")
    assert (after.record, after.labels) == (before.record, new)


def manifest(data: bytes) -> None:
    """The manifest of a model: as a file, and in a model with valid hashes."""
    inner = with_manifest("model", data, {}).contents[MANIFEST]
    for envelope in (data, inner):
        try:
            checked("model", {MANIFEST: envelope, **dict.fromkeys(FILES[1:], b"")}.__getitem__)
        except ModelError as error:
            _check_message(error)
    try:
        check_manifest(decoded("model", data, Manifest), "model")
    except ModelError as error:
        _check_message(error)


def trees(data: bytes) -> None:
    """The text of a booster: accepted texts do not crash LightGBM."""
    try:
        text = data.decode()
        check_text(text, "lead.txt")
    except (UnicodeDecodeError, ModelError):
        return
    try:
        Booster(text)
    except ModelError:
        return


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (front_matter, json_lines, write_back, manifest, trees)
}
