"""The labels of an archive show whether records that list each other have one leader."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from scoring.model.leaders import Leaders
from scoring.records.record import Coverage, Document, Labels, Record
from scoring.training.leaders import count_leaders
from tests.listed import dated


def story(name: str, *heats: int | None) -> Iterator[Document]:
    """Records that all list each other."""
    addresses = [f"https://news.example/{name}-{number}" for number in range(len(heats))]
    for address, heat in zip(addresses, heats, strict=True):
        related = tuple(Coverage(original_url=other) for other in addresses if other != address)
        record = Record(name, original_url=address, related=related)
        yield Document(address, 0, address, record, Labels(heat=heat, published=False))


def test_leads_are_counted() -> None:
    documents = [*story("one", 80, -1, -1), *story("two", 50, 60), *story("unknown", 90, None)]
    assert count_leaders(documents) == Leaders(3, 1, 0.0)
    assert count_leaders(list(story("alone", 70))) is None


def test_a_record_that_does_not_list_back_is_of_another_story() -> None:
    first, second = story("one", 80, 60)
    second = msgspec.structs.replace(second, record=msgspec.structs.replace(second.record, related=()))
    assert count_leaders([first, second]) is None


def test_a_synthetic_archive_has_one_leader_a_story() -> None:
    leaders = count_leaders(dated(800, 3))
    assert leaders is not None
    assert leaders.n_sole_ == leaders.n_leads_ > 100
    assert leaders.is_rule
