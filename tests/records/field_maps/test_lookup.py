"""Which field map reads a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scoring.errors import FieldMapError
from scoring.records.corpus import read_documents
from scoring.records.field_maps.field_map import FILE_NAME, FieldMap, LabelRule
from scoring.records.field_maps.lookup import FieldMaps, field_maps_of
from scoring.settings import load_settings

OTHER = FieldMap({}, {"quality": LabelRule("other")})
MODEL = FieldMap({}, {"quality": LabelRule("model")})


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive with a map, a folder with another one, and one without."""
    folder = tmp_path / "archive"
    for name in ("", "own", "plain"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "a.md").write_text("---\nname: Rain\nstars: 4\n---\n")
    (folder / FILE_NAME).write_text("fields: {title: name}\nlabels: {quality: stars}")
    (folder / "own" / FILE_NAME).write_text(
        "fields: {title: name}\nlabels: {quality: {key: stars, scale: 20}}"
    )
    return folder


def qualities(paths: list[str], field_maps: FieldMaps | None = None) -> list[int | None]:
    def fail(error: Exception) -> None:
        raise error

    return [
        document.labels.quality for document in read_documents(paths, field_maps=field_maps, on_fault=fail)
    ]


def test_the_nearest_map_reads_a_file(archive: Path) -> None:
    assert qualities([str(archive)]) == [4, 80, 4]


def test_no_map_above_the_given_path_is_read(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert FieldMaps([str(archive / "plain")]).of(str(archive / "plain" / "a.md")) is None
    assert FieldMaps([str(archive / "plain" / "a.md")]).of(str(archive / "plain" / "a.md")) is None


def test_of_a_file_in_the_working_folder_the_folders_above_count(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(archive)
    assert qualities(["plain/a.md"]) == [4]
    monkeypatch.chdir(archive / "plain")
    assert FieldMaps(["a.md"]).of("a.md") is None


def test_an_option_wins_and_a_setting_comes_last(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("fields: {}\nlabels: {quality: other}")
    bare = tmp_path / "bare.md"
    by_option = field_maps_of([str(archive)], load_settings(fields=file))
    assert by_option.of(str(archive / "a.md")) == OTHER
    assert by_option.with_model_map(MODEL).of("-") == OTHER
    monkeypatch.setenv("SCORING_FIELDS", str(file))
    by_setting = field_maps_of([str(archive)], load_settings()).with_model_map(MODEL)
    archive_map = by_setting.of(str(archive / "a.md"))
    assert archive_map is not None
    assert archive_map.labels == {"quality": LabelRule("stars")}
    assert by_setting.of(str(bare)) == by_setting.of("-") == OTHER
    monkeypatch.delenv("SCORING_FIELDS")
    by_model = field_maps_of([str(archive)], load_settings()).with_model_map(MODEL)
    assert by_model.of(str(bare)) == by_model.of("-") == MODEL


def test_maps_that_were_used_are_counted(archive: Path) -> None:
    field_maps = FieldMaps([str(archive)])
    field_maps.of(str(archive / "plain" / "a.md"))
    first = field_maps.of(str(archive / "a.md"))
    assert field_maps.only is first
    other = field_maps.of(str(archive / "own" / "a.md"))
    assert field_maps.used == [first, other]
    assert FieldMaps([str(archive)]).only is None


def test_a_map_with_a_fault_ends_the_reading(archive: Path) -> None:
    (archive / "own" / FILE_NAME).write_text("fields: {titel: name}")
    with pytest.raises(FieldMapError, match="titel"):
        qualities([str(archive)])


@pytest.mark.parametrize("kind", ["device", "fifo", "folder", "link out", "large"])
def test_a_map_that_is_no_file_of_the_archive_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "a.md").write_text("---\ntitle: Rain\n---\n")
    map_file = folder / FILE_NAME
    if kind == "device":
        map_file.symlink_to("/dev/zero")
    elif kind == "fifo":
        os.mkfifo(map_file)
    elif kind == "folder":
        map_file.mkdir()
    elif kind == "link out":
        (tmp_path / "outside.yaml").write_text("fields: {title: name}")
        map_file.symlink_to(tmp_path / "outside.yaml")
    else:
        map_file.write_text("#" * 2_000_000)
    got = {
        "device": "a link that leads out of the archive",
        "fifo": "a FIFO",
        "folder": "a folder",
        "link out": "a link that leads out of the archive",
        "large": "more than 1,000,000 bytes",
    }[kind]
    with pytest.raises(FieldMapError, match=f"{FILE_NAME}: got {got}"):
        qualities([str(folder)])
    with pytest.raises(FieldMapError, match=f"{FILE_NAME}: got {got}"):
        qualities([str(folder / "a.md")], FieldMaps([str(folder / "a.md"), str(folder)]))


def test_a_map_may_be_a_link_within_the_archive(archive: Path) -> None:
    (archive / "plain" / FILE_NAME).symlink_to(archive / "own" / FILE_NAME)
    assert qualities([str(archive)]) == [4, 80, 80]
