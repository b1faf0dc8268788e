"""Zip export: reproducible bytes, and an error for any other zip."""

from __future__ import annotations

import io
import re
import stat
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scoring.artifact import model_folder, zip_export
from scoring.artifact.model_folder import FILES, MANIFEST, ModelFiles, read_files
from scoring.artifact.zip_export import pack, unpack
from scoring.errors import ModelError
from scoring.workflows.train import TrainOutcome

Change = Callable[[zipfile.ZipInfo], None]


@pytest.fixture(scope="module")
def model(training: TrainOutcome) -> ModelFiles:
    return read_files(Path(training.model))


@pytest.fixture(scope="module")
def packed(model: ModelFiles) -> bytes:
    return pack(model)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.zip"


def zipped(
    contents: dict[str, bytes] | list[tuple[str, bytes]],
    method: int = zipfile.ZIP_STORED,
    change: Change = lambda entry: None,
) -> bytes:
    """A zip from another program; `change` is applied to the entry of ``lead.txt``."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as made:
        warnings.simplefilter("ignore")  # duplicate names
        for name, data in contents.items() if isinstance(contents, dict) else contents:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = method
            if name == "lead.txt":
                change(entry)
            made.writestr(entry, data)
    return buffer.getvalue()


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(ModelError) as raised:
        unpack(path)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert [path_entry.name for path_entry in path.parent.iterdir()] == [path.name]
    return message


def test_same_model_same_bytes(model: ModelFiles, packed: bytes) -> None:
    turned = ModelFiles("elsewhere", model.sha256, model.manifest, dict(reversed(model.contents.items())))
    assert pack(turned) == packed
    with zipfile.ZipFile(io.BytesIO(packed)) as made:
        entries = made.infolist()
    assert [entry.filename for entry in entries] == sorted(FILES)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {stat.S_IFREG | 0o644}


def test_there_and_back(model: ModelFiles, packed: bytes, path: Path) -> None:
    path.write_bytes(packed)
    unpacked = unpack(path)
    assert unpacked == ModelFiles(str(path), model.sha256, model.manifest, model.contents)


def test_zip_by_another_hand(model: ModelFiles, path: Path) -> None:
    path.write_bytes(zipped(dict(reversed(model.contents.items())), zipfile.ZIP_DEFLATED))
    assert unpack(path).contents == model.contents


@pytest.mark.parametrize(
    "name",
    [
        *("../lead.txt", "/lead.txt", "a/lead.txt", "./lead.txt", "lead.txt/", "..\\lead.txt", "C:lead.txt"),
        *("LEAD.TXT", "lead.txt ", "lead.txt\0", "lead.txt\0.sh", "", "..", "\u202elead.txt", "x" * 9000),
    ],
)
@pytest.mark.parametrize("is_beside", [True, False])
def test_odd_names(model: ModelFiles, path: Path, name: str, is_beside: bool) -> None:
    contents = dict(model.contents)
    data = contents["lead.txt"] if is_beside else contents.pop("lead.txt")
    placeholder = "?" * len(name.encode())
    made = zipped(contents | {placeholder: data})  # ZipInfo itself would cut the name at a NUL
    message = refused(
        path, made.replace(placeholder.encode(), name.encode()) if name else zipped(contents | {"": data})
    )
    assert message.endswith(f"expected the {len(FILES)} files of a model, each once")
    assert len(message) < 400


def test_missing_and_repeated(model: ModelFiles, path: Path) -> None:
    contents = dict(model.contents)
    assert "got 'lead.txt', expected" in refused(path, zipped([*contents.items(), ("lead.txt", b"tree")]))
    del contents["lead.txt"]
    assert "got no lead.txt, expected" in refused(path, zipped(contents))
    assert f"got no {MANIFEST}, expected" in refused(path, zipped({}))


def link(entry: zipfile.ZipInfo) -> None:
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16


def folder(entry: zipfile.ZipInfo) -> None:
    entry.external_attr = (stat.S_IFDIR | 0o755) << 16


@pytest.mark.parametrize("change", [link, folder])
def test_links_and_folders(model: ModelFiles, path: Path, change: Change) -> None:
    message = refused(path, zipped(model.contents, change=change))
    assert message.endswith("lead.txt: got a link or a folder, expected a file")


def with_directory(data: bytes, offset: int, form: str, value: int) -> bytes:
    """The zip with a value in the directory's entry of ``lead.txt``."""
    start = data.rindex(b"lead.txt", 0, data.rindex(b"settled_lead.txt")) - 46
    assert data[start : start + 4] == b"PK\x01\x02"
    changed = bytearray(data)
    struct.pack_into(form, changed, start + offset, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("offset", "form", "value", "message"),
    [
        (8, "<H", 0x1, "lead.txt: got an encrypted file, expected a plain one"),
        (8, "<H", 0x40, "strong encryption"),
        (8, "<H", 0x20, "compressed patched data"),
        (10, "<H", 14, "lead.txt: got compression method 14, expected none or deflate"),
        (10, "<H", 97, "lead.txt: got compression method 97, expected none or deflate"),
        (24, "<I", 0xFFFFFFF0, "bytes unpacked, expected 268435456 at most"),
        (20, "<I", 5, "damaged"),
        (42, "<I", 0xFFFFFFF0, "damaged"),
        (16, "<I", 0, "Bad CRC-32"),
        (6, "<H", 255, "zip file version 25.5"),
    ],
)
def test_entries_that_are_not_to_be_unpacked(
    packed: bytes, path: Path, offset: int, form: str, value: int, message: str
) -> None:
    assert message in refused(path, with_directory(packed, offset, form, value))


def test_other_bytes_than_the_manifest_names(model: ModelFiles, path: Path) -> None:
    message = refused(path, zipped(model.contents | {"lead.txt": b"tree"}))
    assert message.startswith(f"{path}/lead.txt: got other bytes than the manifest names")
    assert "damaged manifest" in refused(path, zipped(model.contents | {MANIFEST: b"{}"}))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_cut_short_anywhere(model: ModelFiles, path: Path, method: int) -> None:
    data = zipped(model.contents, method)
    for length in [0, 1, 21, 22, *np.linspace(30, len(data) - 1, 25).astype(int).tolist()]:
        refused(path, data[:length])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_bit_that_flipped_changes_nothing_or_is_found(model: ModelFiles, path: Path, method: int) -> None:
    data = zipped(model.contents, method)
    directory = data.index(b"PK\x01\x02")
    rng = np.random.default_rng(0)
    inside = rng.integers(0, directory, 30).tolist()
    around = rng.integers(directory, len(data), 200).tolist()
    heads = [match.start() + index for match in re.finditer(rb"PK\x03\x04", data) for index in range(30)]
    n_refused = 0
    for offset in [*inside, *around, *heads]:
        damaged = bytearray(data)
        damaged[offset] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            unpacked = unpack(path)
        except ModelError:
            n_refused += 1
        else:
            # A date, an unused field, or padding bits of the compressed data.
            assert unpacked.contents == model.contents
            assert method == zipfile.ZIP_DEFLATED or offset not in inside
    assert n_refused > 200


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"PK\x05\x06" + bytes(18), bytes(1000), b"\x1f\x8b\x08" + bytes(99), b'{"format":1}']
)
def test_something_else(path: Path, data: bytes) -> None:
    refused(path, data)


def test_bombs(model: ModelFiles, path: Path) -> None:
    bomb = zipped(model.contents | {"lead.txt": bytes(60 * 2**20)}, zipfile.ZIP_DEFLATED)
    assert "lead.txt: got other bytes than the manifest names" in refused(path, bomb)
    hidden = with_directory(bomb, 24, "<I", 100)
    tracemalloc.start()
    assert "Bad CRC-32" in refused(path, hidden)
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def test_too_many_entries(model: ModelFiles, path: Path) -> None:
    more = {f"{number}.txt": b"" for number in range(990)}
    assert "got over 1000 entries" in refused(path, zipped(model.contents | more))


def test_size_is_bounded(
    model: ModelFiles, packed: bytes, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_bytes = sum(map(len, model.contents.values()))
    monkeypatch.setattr(zip_export, "MAX_FILE_BYTES", n_bytes)
    path.write_bytes(pack(model))
    assert unpack(path).sha256 == model.sha256
    monkeypatch.setattr(zip_export, "MAX_FILE_BYTES", n_bytes - 1)
    with pytest.raises(ModelError, match=f"got {n_bytes} bytes, expected {n_bytes - 1} at most"):
        pack(model)
    assert f"got {n_bytes} bytes unpacked, expected {n_bytes - 1} at most" in refused(path, packed)
    monkeypatch.setattr(model_folder, "MAX_FILE_BYTES", len(packed) - 1)
    assert f"got {len(packed)} bytes, expected {len(packed) - 1} at most" in refused(path, packed)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read the model: No such file or directory"):
        unpack(tmp_path / "nowhere.zip")
    with pytest.raises(ModelError, match="cannot read the model: a folder"):
        unpack(tmp_path)
