"""Records of the same text: what tells the editions of a recurring title from copies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from scoring.features.same_text import groups_of, same_texts
from scoring.records.record import Provider, Record

TITLE = "The week at the harbour"
EXCERPTS = (
    "Gulls return to the northern pier and the ferry sails again.",
    "A storm has moved the buoys, and divers look for the bell.",
    "Bees rest in winter, growers say, and so does the market.",
    "Four boats race to the island while the lighthouse is painted.",
)


def edition(
    number: int, excerpt: str | None = None, *, provider: str = "tide.example", **fields: Any
) -> Record:
    moment = datetime(2021, 1, 4, tzinfo=UTC) + timedelta(days=7 * number)
    values: dict[str, Any] = {
        "title": TITLE,
        "excerpt": EXCERPTS[number] if excerpt is None else excerpt,
        "published_at": moment,
        "web_url": f"https://site.example/{number}",
        "provider": Provider(domain=provider),
    }
    return Record(**(values | fields))


def texts_of(records: list[Record]) -> list[int]:
    """Number of the text of each record, from 0 in their order."""
    groups = groups_of(len(records), same_texts(records)).tolist()
    return [[*dict.fromkeys(groups)].index(group) for group in groups]


def test_a_title_that_recurs_makes_no_copies() -> None:
    assert texts_of([edition(number) for number in range(4)]) == [0, 1, 2, 3]
    numbered = [edition(number, title=f"{TITLE} and in the villages: number {number}") for number in range(4)]
    assert texts_of(numbered) == [0, 1, 2, 3]


def test_a_title_that_one_provider_gave_twice_or_others_took_over_is_one_text() -> None:
    assert texts_of([edition(0), edition(1)]) == [0, 0]
    assert texts_of([edition(number, provider=f"{number}.example") for number in range(4)]) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "excerpt",
    [
        EXCERPTS[1],
        f"{EXCERPTS[1]} Now.",
        f"{EXCERPTS[1]} It was last seen in the spring of an earlier year, near the pier.",
        EXCERPTS[1][:30].rpartition(" ")[0],
    ],
    ids=["equal", "nearly equal", "longer", "shorter"],
)
def test_the_same_excerpt_again_is_a_copy_whenever_it_appears(excerpt: str) -> None:
    again = edition(0, excerpt, provider="echo.example", published_at=datetime(2022, 1, 1, tzinfo=UTC))
    assert texts_of([*(edition(number) for number in range(4)), again]) == [0, 1, 2, 3, 1]


@pytest.mark.parametrize(
    ("hours", "fields", "text"),
    [
        (0, {}, 3),
        (12, {}, 3),
        (13, {}, 4),
        (12, {"provider": Provider(domain="echo.example")}, 4),
        (13, {"web_url": ""}, 3),
    ],
    ids=["at once", "within hours", "later", "of another provider", "without a URL"],
)
def test_without_an_excerpt_provider_time_and_url_decide(
    hours: int, fields: dict[str, Any], text: int
) -> None:
    last = edition(3)
    assert last.published_at is not None
    bare = edition(3, "", **({"published_at": last.published_at + timedelta(hours=hours)} | fields))
    assert texts_of([*(edition(number) for number in range(4)), bare]) == [0, 1, 2, 3, text]


def test_records_without_a_title_or_a_date_are_compared_with_none() -> None:
    undated = [edition(number, published_at=None) for number in range(4)]
    assert texts_of(undated) == [0, 1, 2, 3]
    assert texts_of([Record(), Record(title="!"), Record()]) == [0, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_a_recurring_title_has_one_link_a_record(seed: int) -> None:
    random = np.random.default_rng(seed)
    excerpts = [*EXCERPTS, *("" for _ in EXCERPTS)]
    records = [edition(number, str(random.choice(excerpts))) for number in range(500)]
    links = list(same_texts(records))
    assert len(links) < len(records)
    assert len(set(links)) == len(links)


def test_each_longer_edition_of_an_excerpt_is_the_same_text() -> None:
    short = EXCERPTS[0]
    excerpts = [
        short,
        short + " Alders and birches line the quay where crews mend nets in the evening sun.",
        short + " Later the council votes on cranes, cables and a bridge over the inlet.",
        EXCERPTS[1],
        EXCERPTS[2],
    ]
    records = [edition(number, excerpt) for number, excerpt in enumerate(excerpts)]
    assert texts_of(records) == [0, 0, 0, 1, 2]
