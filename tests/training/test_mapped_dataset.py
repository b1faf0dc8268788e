"""Labelled records of archives with field maps."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring.errors import FieldMapError
from scoring.progress import SILENT
from scoring.records.field_maps.field_map import FILE_NAME
from scoring.training.dataset import LabelledDataset
from scoring.training.read_dataset import read_dataset

POST = "---\nname: Rain {}\nday: 2021-03-{:02}\nstars: {}\nset: {}\n---\n"
MAP = """
fields: {{title: name, published_at: {{key: day, zone: UTC}}, category: set}}
labels: {{quality: {{key: stars, scale: 20}}}}
{}
"""


@pytest.fixture
def archives(tmp_path: Path) -> list[str]:
    folders = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        folders.append(str(folder))
        (folder / FILE_NAME).write_text(MAP.format(""))
        for number in range(1, 9):
            text = POST.format(number, number, number % 5 + 1, name)
            (folder / f"{number}.md").write_text(text)
    return folders


def read(archives: list[str]) -> LabelledDataset:
    def fail(error: Exception) -> None:
        raise error

    return read_dataset(archives, stdin=None, on_fault=fail, reporter=SILENT)


def test_records_are_read_by_the_map_of_their_archive(archives: list[str]) -> None:
    dataset = read(archives)
    assert len(dataset.documents) == 16
    assert {document.labels.quality for document in dataset.documents} == {20, 40, 60, 80, 100}


def test_the_model_gets_the_map_of_all_records(archives: list[str]) -> None:
    assert read(archives[:1]).field_map is not None
    assert read(archives).field_map is not None  # both maps say the same
    Path(archives[1], FILE_NAME).write_text(MAP.format("").replace("scale: 20", "scale: 10"))
    assert read(archives).field_map is None


def test_a_map_may_name_the_section(archives: list[str]) -> None:
    for archive in archives:
        Path(archive, FILE_NAME).write_text(MAP.format("section: field category"))
    assert sorted(set(read(archives).sections)) == ["one", "two"]
    Path(archives[1], FILE_NAME).write_text(MAP.format("section: folder"))
    with pytest.raises(FieldMapError, match="'field category' and 'folder', expected the same in all"):
        read(archives)
