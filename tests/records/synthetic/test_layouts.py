"""Synthetic archives in other layouts: `init` and `validate` read them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from scoring.records.corpus import read_documents
from scoring.records.record import Document, Labels
from scoring.records.synthetic.generate import write_sample
from scoring.records.synthetic.layouts import LAYOUTS, POINTS_PER_STAR, Layout
from scoring.workflows.init import propose, write_proposal

MAPPED: tuple[Layout, ...] = ("ratings", "published", "toml", "json")


def documents(folder: Path, layout: Layout, *, is_labelled: bool = True) -> list[Document]:
    """Write an archive, propose its field map, and read it."""

    def fail(error: Exception) -> None:
        raise error

    write_sample(folder, n_records=60, layout=layout, is_labelled=is_labelled)
    proposal = propose(str(folder))
    if proposal.text:
        write_proposal(str(folder), proposal)
    return sorted(read_documents([str(folder)], on_fault=fail), key=lambda document: document.record.title)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    return documents(tmp_path_factory.mktemp("own") / "own", "scoring")


@pytest.mark.parametrize("layout", MAPPED)
def test_a_proposed_map_reads_the_same_records(tmp_path: Path, own: list[Document], layout: Layout) -> None:
    read = documents(tmp_path / layout, layout)
    assert len(read) == len(own)
    for document, expected in zip(read, own, strict=True):
        record, wanted = document.record, expected.record
        assert (record.title, record.published_at, record.url) == (
            wanted.title,
            wanted.published_at,
            wanted.url,
        )
        assert (record.topics, record.provider.name) == (wanted.topics, wanted.provider.name)
        assert [image.url for image in record.images] == [image.url for image in wanted.images[:1]]
        assert record.related == ()
        quality = expected.labels.quality
        assert quality is not None
        if layout == "published":
            assert document.labels == Labels(published=expected.labels.published)
        else:
            assert document.labels.quality in range(POINTS_PER_STAR, 101, POINTS_PER_STAR)
            assert abs(min(max(quality, 20), 100) - (document.labels.quality or 0)) <= POINTS_PER_STAR / 2
            assert (document.labels.heat, document.labels.published) == (None, None)
        assert not any("date" in warning for warning in document.warnings)


def test_own_layouts_with_fewer_fields(tmp_path: Path, own: list[Document]) -> None:
    without = documents(tmp_path / "a", "no-coverage")
    assert [document.labels for document in without] == [document.labels for document in own]
    assert not any(document.record.related for document in without)
    quality = documents(tmp_path / "b", "quality")
    assert [document.labels for document in quality] == [Labels(one.labels.quality) for one in own]


def test_a_feed_has_an_item_for_each_record(tmp_path: Path, own: list[Document]) -> None:
    assert write_sample(tmp_path / "feed", n_records=60, layout="feed") == 60
    items = [item for file in (tmp_path / "feed").iterdir() for item in ElementTree.parse(file).iter("item")]  # noqa: S314 -- our own file
    assert sorted(item.findtext("title") or "" for item in items) == [
        document.record.title for document in own
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_arguments_give_the_same_bytes(tmp_path: Path, layout: Layout) -> None:
    contents = []
    for name in ("a", "b"):
        write_sample(tmp_path / name, n_records=20, layout=layout, is_labelled=False)
        contents.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]
    assert all(
        b"rating" not in content and b"quality" not in content for content in contents[0].values()
    ) or (layout == "scoring")
