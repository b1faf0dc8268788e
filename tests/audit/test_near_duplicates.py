"""Near-duplicates against a comparison of all pairs."""

from __future__ import annotations

from itertools import combinations
from random import Random

import msgspec
import pytest

from scoring.audit.near_duplicates import near_duplicates
from scoring.features.table import build_table
from scoring.features.text import NEAR_IDENTICAL_RATIO, similarity, words_of
from scoring.records.record import Image, Provider, Record

WORDS = ["moss", "filter", "harbour", "gull", "tide", "table", "orchard", "lantern", "kiln", "ferry"]
BASE = Record(
    title="Wendlow ships a moss filter for every harbour",
    provider=Provider("Wendlow", "wendlow.example"),
    topics=("Tessaril", "Moss"),
    web_url="https://www.wendlow.example/a",
)


@pytest.mark.parametrize("seed", range(4))
def test_no_pair_is_missed(seed: int) -> None:
    rng = Random(seed)  # noqa: S311 -- nothing to keep secret
    records = [
        msgspec.structs.replace(BASE, topics=("Tessaril",), title=" ".join(rng.choices(WORDS, k=size)))
        for size in rng.choices(range(1, 14), k=120)
    ]
    titles = [set(words_of(record.title)) for record in records]
    # What a title names is a feature; here it names nothing, so only its words count.
    expected = [
        (left, right)
        for left, right in combinations(range(len(records)), 2)
        if similarity(titles[left], titles[right]) >= NEAR_IDENTICAL_RATIO
    ]
    assert len(expected) > 20
    assert near_duplicates(build_table(records)) == expected


@pytest.mark.parametrize(
    ("changes", "is_twin"),
    [
        ({}, True),
        ({"title": BASE.title + " today"}, True),
        ({"title": "A kiln for lanterns"}, False),
        ({"topics": ("Tessaril", "Kilns")}, False),
        ({"images": (Image(width=600, height=400),)}, False),
        ({"provider": Provider("Other", "other.example")}, False),
        ({"excerpt": "Told in one sentence."}, False),
        ({"original_url": BASE.web_url}, False),
    ],
    ids=str,
)
def test_twins_are_alike_in_all_that_counts(changes: dict[str, object], is_twin: bool) -> None:
    table = build_table([BASE, msgspec.structs.replace(BASE, **changes)])
    assert near_duplicates(table) == ([(0, 1)] if is_twin else [])


@pytest.mark.parametrize("lacking", [{"title": ""}, {"provider": Provider()}], ids=["title", "provider"])
def test_without_title_or_provider_there_is_no_twin(lacking: dict[str, object]) -> None:
    assert near_duplicates(build_table([msgspec.structs.replace(BASE, **lacking)] * 2)) == []
