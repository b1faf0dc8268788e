"""Pairs of the title index are those of a slow comparison, whatever the blocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import log
from random import Random

import numpy as np
import pytest

from scoring.features.text import word_set
from scoring.records.record import Provider, Record
from scoring.stories import title_index
from scoring.stories.title_index import FEATURES, Pairs, TitleIndex

WORDS = ["river", "bridge", "opens", "again", "after", "storm", "city", "council", "votes", "on", "harbour"]
WEIGHTS = {"river": 1.5, "on": -0.5}


def archive(n_records: int, seed: int = 1) -> list[Record]:
    rng = Random(seed)  # noqa: S311 -- synthetic titles
    begins_at = datetime(2021, 3, 4, tzinfo=UTC)
    records = []
    for _ in range(n_records):
        begins_at += timedelta(hours=rng.choice([0, 1, 30]))
        topics = ("Harbour", *rng.sample(["Tides", "Boats"], rng.randint(0, 2)))
        title = " ".join(rng.sample(WORDS, rng.randint(0, 6)))
        excerpt = " ".join(rng.sample([*WORDS, "ferry", "crane"], rng.randint(0, 4)))
        records.append(
            Record(
                title, excerpt, published_at=begins_at, topics=topics, provider=Provider("", rng.choice("ab"))
            )
        )
    return records


def pairs_of(records: list[Record], window_hours: float = 100.0) -> dict[tuple[int, int], list[float]]:
    blocks: list[Pairs] = list(TitleIndex(window_hours, WEIGHTS).add(records))
    return {
        (int(later), int(earlier)): row.tolist()
        for pairs in blocks
        for later, earlier, row in zip(pairs.later, pairs.earlier, pairs.X, strict=True)
    }


def text_rarity(records: list[Record], old: Record) -> tuple[float, float]:
    """Rarity of the words that the last record's text shares with another's: sum, and share of its own."""
    texts = [word_set(f"{record.title} {record.excerpt}") for record in records]
    rarity = {word: log(len(texts) / (sum(word in text for text in texts[:-1]) + 1)) for word in texts[-1]}
    own = sum(rarity.values())
    shared = sum(rarity[word] for word in texts[-1] & word_set(f"{old.title} {old.excerpt}"))
    return shared, shared / max(own, 1e-9)


def slow_pairs(records: list[Record], window_hours: float) -> dict[tuple[int, int], list[float]]:
    expected = {}
    for later, new in enumerate(records):
        words = word_set(new.title)
        for earlier, old in enumerate(records[:later]):
            others = word_set(old.title)
            shared = words & others
            assert new.published_at is not None
            assert old.published_at is not None
            gap_hours = (new.published_at - old.published_at).total_seconds() / 3600
            if not shared or gap_hours > window_hours:
                continue
            counts = {
                word: sum(word in word_set(record.title) for record in records[:later]) for word in shared
            }
            rarities = [log((later + 1) / (count + 1)) for count in counts.values()]
            weights = [WEIGHTS.get(word, 0.0) for word in shared]
            n_weights = [weight for weight in weights if weight] + [0.0] * any(w == 0 for w in weights)
            expected[later, earlier] = [
                *(len(shared), sum(rarities), max(rarities)),
                *(sum(weights), max([*n_weights, 0.0]), min([*n_weights, 0.0])),
                *(len(shared) / len(words | others), len(shared) / min(len(words), len(others))),
                *(min(len(words), len(others)), max(len(words), len(others))),
                *text_rarity(records[: later + 1], old),
                *(gap_hours, float(new.provider == old.provider), 1.0),
                len({*new.topics[1:]} & {*old.topics[1:]}),
            ]
    return expected


def test_pairs_are_those_of_a_slow_comparison() -> None:
    records = archive(60)
    # The word weight's extremes count 0 for words that are not shared.
    assert pairs_of(records).keys() == slow_pairs(records, 100.0).keys()
    for pair, row in slow_pairs(records, 100.0).items():
        np.testing.assert_allclose(pairs_of(records)[pair], row, atol=1e-9, err_msg=str(pair))
    assert len(FEATURES) == 16


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_blocks_do_not_matter(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    records = archive(80)
    monkeypatch.setattr(title_index, "MAX_EARLIER", 30)
    monkeypatch.setattr(title_index, "MAX_PAIRS", 5)
    expected = pairs_of(records)
    monkeypatch.setattr(title_index, "BLOCK", block)
    assert pairs_of(records) == expected
    assert max(later - earlier for later, earlier in expected) <= 30


def test_nothing_later_matters() -> None:
    records = archive(80)
    everything = pairs_of(records)
    assert pairs_of(records[:50]) == {pair: row for pair, row in everything.items() if pair[0] < 50}


def test_records_are_added_in_the_order_of_publication() -> None:
    first, *_, last = archive(9)
    index = TitleIndex(10.0, {})
    list(index.add([last]))
    with pytest.raises(ValueError, match="order of publication"):
        list(index.add([first]))
    with pytest.raises(ValueError, match="without a date"):
        list(index.add([Record("river")]))
