"""Links: copies, nothing later, nothing computed twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from scoring.features.as_of import known_coverage
from scoring.records.record import Document, Labels, Record
from scoring.stories.derived_coverage import WARNING, derive_coverage, links_among
from scoring.stories.links import Linker, LinkModel
from scoring.stories.relations import relations_of
from tests.listed import dated

NOON = datetime(2021, 3, 4, 12, tzinfo=UTC)


def document(
    name: str, title: str, hours: float | None = 0.0, url: str = "", quality: int | None = None
) -> Document:
    moment = None if hours is None else NOON + timedelta(hours=hours)
    record = Record(title, published_at=moment, original_url=url or f"https://news.example/{name}")
    return Document(f"{name}.md", 0, name, record, Labels(quality=quality))


def without_lists(documents: Sequence[Document]) -> list[Document]:
    return [
        msgspec.structs.replace(each, record=msgspec.structs.replace(each.record, related=()))
        for each in documents
    ]


def with_copy_limits(links: LinkModel) -> LinkModel:
    rule = msgspec.structs.replace(
        links.rule, copy_similarity_=0.8, copy_gap_hours_=24.0, threshold_=1.0, coverage_threshold_=1.0
    )
    return LinkModel(rule, links.booster)


def test_copies_have_one_address_or_nearly_one_title(links: LinkModel) -> None:
    title = "Harbour council opens the northern river bridge again"
    documents = [
        document("a", title),
        document("b", title + " today", 3),
        document("late", title, 30),
        document("moved", "Something else", 900, url="https://news.example/a"),
        document("undated", title, None),
    ]
    found = {each.path: each for each in relations_of(documents, with_copy_limits(links))}
    assert [copy.path for copy in found["a.md"].copies] == ["moved.md", "b.md"]
    assert [copy.path for copy in found["late.md"].copies] == []
    assert found["undated.md"].copies == found["undated.md"].story == ()
    assert all(each.line == 0 for each in found.values())


def test_relations_are_as_of_a_time(links: LinkModel) -> None:
    title = "Harbour council opens the northern river bridge again"
    documents = [document("a", title), document("b", title, 3)]
    first, second = relations_of(documents, with_copy_limits(links), timedelta(0))
    assert first.copies == ()
    assert [copy.path for copy in second.copies] == ["a.md"]


def test_new_records_are_linked_without_the_old_ones(links: LinkModel) -> None:
    records = [each.record for each in dated(300, 9)]
    once = list(Linker(links).add(records))
    linker = Linker(links)
    twice = [*linker.add(records[:131]), *linker.add(records[131:])]
    for name in ("later", "earlier", "probability", "is_copy"):
        first, second = (
            np.concatenate([getattr(block, name) for block in blocks]) for blocks in (once, twice)
        )
        np.testing.assert_array_equal(first, second)


def test_coverage_of_a_time_is_that_of_the_archive_then(links: LinkModel) -> None:
    """Nothing later leaks: links among earlier records do not depend on later ones."""
    documents = without_lists(dated(400, 9))
    everything = derive_coverage(documents, [""] * 400, links)
    assert sum(bool(each.record.related) for each in everything) > 100
    for n_records in (100, 250):
        moment = documents[n_records - 1].record.published_at
        earlier = derive_coverage(documents[:n_records], [""] * n_records, links)
        for now, then in zip(everything, earlier, strict=False):
            assert set(known_coverage(now.record, moment)) == set(known_coverage(then.record, moment))


def test_the_order_of_records_does_not_matter(links: LinkModel) -> None:
    documents = without_lists(dated(200, 9))
    forwards = derive_coverage(documents, [""] * 200, links)
    backwards = derive_coverage(documents[::-1], [""] * 200, links)[::-1]
    for first, second in zip(forwards, backwards, strict=True):
        assert set(first.record.related) == set(second.record.related)


def test_an_archive_with_lists_keeps_them(links: LinkModel) -> None:
    listed, unlisted = dated(200, 9), without_lists(dated(200, 9))
    archives = ["listed/"] * 200 + ["unlisted/"] * 200
    derived = derive_coverage([*listed, *unlisted], archives, links)
    assert derived[:200] == listed
    assert all(each.warnings == (WARNING,) for each in derived[200:])
    addresses = {each.record.original_url for each in unlisted}
    assert {entry.original_url for each in derived[200:] for entry in each.record.related} <= addresses


def test_coverage_has_the_qualities(links: LinkModel) -> None:
    title = "Harbour council opens the northern river bridge again"
    documents = [document("a", title, quality=52), document("b", title, 3)]
    model = with_copy_limits(links)
    first, second = derive_coverage(documents, ["", ""], model)
    assert [entry.quality for entry in (*first.record.related, *second.record.related)] == [None, 52]
    first, second = derive_coverage(documents, ["", ""], model, [52, 67])
    assert [entry.quality for entry in (*first.record.related, *second.record.related)] == [67, 52]
    assert first.record.related[0].title == title


def test_no_record_has_no_link(links: LinkModel) -> None:
    assert len(links_among([], links).later) == 0
    assert derive_coverage([], [], links) == []
    with pytest.raises(ValueError, match="without a date"):
        list(Linker(links).add([Record("river")]))
