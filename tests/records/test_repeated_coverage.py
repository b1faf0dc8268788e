"""Entries of earlier records are not parsed again, and change no result."""

from __future__ import annotations

from random import Random

import pytest

from scoring.records import repeated_coverage
from scoring.records.forms.front_matter import to_json
from scoring.records.plain_json import decode_fast
from scoring.records.record import Coverage, Labels, Record
from scoring.records.repeated_coverage import CoverageCache, decode_plain

HEAD = (
    "title: Tides are late\npublishedDateTime: 2021-03-04T05:06:07Z\ntype: article\ncategory: news\n"
    "provider:\n  name: Gull\ntopics:\n  - Sea\n  - Moon\n"
)
ENTRIES = [
    "title: Flood\n    publishedDateTime: 2021-03-05T05:06:07+02:00\n    provider:\n      name: Gull",
    'title: "Ebb &amp; flow"\n    images:\n      - url: https://a.example/1\n      - url: https://a.example/2',
    "title: Rain\n    excerpt: It rains",
]
TAIL = "quality: 20\nheat: -1\npublished: false\n"


def block_of(*entries: str, head: str = HEAD, tail: str = TAIL, gap: str = "") -> bytes:
    related = "related:\n" + "".join(f"  - {entry}\n" for entry in entries) if entries else ""
    return (head + related + gap + tail).encode()


def whole(block: bytes) -> tuple[Record, Labels] | None:
    """What decoding without any memory gives."""
    as_json = to_json(block)
    fast = decode_fast(as_json) if as_json is not None else None
    return fast[:2] if fast else None


def read(block: bytes, cache: CoverageCache) -> tuple[Record, Labels] | None:
    plain = decode_plain(block, cache)
    return (plain.record, plain.labels) if plain else None


@pytest.fixture
def warm_cache() -> CoverageCache:
    cache = CoverageCache()
    assert decode_plain(block_of(*ENTRIES), cache) is not None
    return cache


def test_an_entry_is_parsed_once_and_is_one_object(
    warm_cache: CoverageCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []

    def recorded(block: bytes) -> memoryview | None:
        parsed.append(block)
        return to_json(block)

    monkeypatch.setattr(repeated_coverage, "to_json", recorded)
    first, second = (
        read(block_of(*ENTRIES), warm_cache),
        read(block_of("title: Snow", *ENTRIES[::-1]), warm_cache),
    )
    assert first is not None
    assert second is not None
    assert parsed == [block_of(), block_of("title: Snow")]
    assert all(a is b for a, b in zip(first[0].related, second[0].related[:0:-1], strict=True))
    assert second[0].related[0].title == "Snow"


@pytest.mark.parametrize(
    "block",
    [
        block_of(*ENTRIES, gap="\n\n"),
        block_of(*ENTRIES, tail=""),
        block_of(*ENTRIES, head="", tail=HEAD),
        block_of(*ENTRIES, tail="  - title: Snow\n" + TAIL),
        block_of(*ENTRIES, gap="\n", tail="  - title: Snow\n" + TAIL),
        block_of(*ENTRIES, tail="- title: Snow\n" + TAIL),
        block_of(*ENTRIES, tail="    - Stars\n" + TAIL),
        block_of(*ENTRIES, tail=TAIL + "related:\n  - title: Snow\n"),
        block_of(*ENTRIES, tail=TAIL + "related: none\n"),
        block_of(*ENTRIES, head=HEAD.replace("late", '"late').replace("title: Tides", "title: ") + "x: 1\n"),
        block_of(*ENTRIES, tail="x: it's\n" + TAIL + 'y: "\n'),
        block_of(*ENTRIES, head="excerpt: 'a\n" + HEAD, tail="z: b'\n" + TAIL),
        block_of(*ENTRIES, head=HEAD + "excerpt: |\n  a\n"),
        block_of(*ENTRIES, "title: Frost\n   quality: 3"),
        block_of(*ENTRIES, "title: Frost\n    title: Ice"),
        block_of(*ENTRIES, "Frost"),
        block_of(*ENTRIES, "title: 'Frost"),
        block_of(*ENTRIES, "title: Frost\n    quality: high"),
        block_of(*ENTRIES, "title: Frost\n    publishedDateTime: 2021-03-05"),
        block_of(*ENTRIES).replace(b"\n", b"\r\n"),
        block_of(*ENTRIES)[:-1],
        block_of(*ENTRIES, *ENTRIES),
        block_of(*ENTRIES, head=HEAD + "topics:\n"),
        block_of(*ENTRIES, head=HEAD + "keys:\n"),
    ],
)
def test_remembered_entries_change_nothing(block: bytes, warm_cache: CoverageCache) -> None:
    for _ in range(2):
        assert read(block, warm_cache) == whole(block)


@pytest.mark.parametrize("seed", range(20))
def test_remembered_entries_change_nothing_in_damaged_blocks(seed: int) -> None:
    """Lines and characters are dropped, repeated and swapped; earlier blocks fill the memory."""
    random = Random(seed)  # noqa: S311 -- no secret
    cache, n_read = CoverageCache(10_000), 0
    for _ in range(100):
        text = block_of(
            *random.sample(ENTRIES, random.randint(0, 3)), gap="\n" * random.randint(0, 1)
        ).decode()
        for _ in range(random.randint(0, 2)):
            lines = text.splitlines(keepends=True)
            first, second = random.randrange(len(lines)), random.randrange(len(lines))
            lines[first : first + random.randint(0, 1)] = [
                random.choice(["", "\n", '"', "- "]) + lines[second]
            ]
            text = "".join(lines)
            if random.random() < 0.5:
                at = random.randrange(len(text))
                text = text[:at] + random.choice(["", " ", "  - ", "\n", '"', "'", ": "]) + text[at + 1 :]
        block = text.encode()
        expected = whole(block)
        n_read += expected is not None
        assert read(block, cache) == expected
    assert n_read > 10


def test_the_memory_is_bounded_and_keeps_what_is_used() -> None:
    cache = CoverageCache(4_000)
    used = Coverage(title="used")
    cache.put(b"used", used)
    for number in range(100):
        cache.put(f"entry {number:03}".encode(), Coverage())
        assert cache.get(b"used") is used
        assert len(cache._recent) + len(cache._earlier) <= 25
    assert cache.get(b"entry 000") is None
    cache.put(b"x" * 10_000, Coverage())
    cache.put(b"y", Coverage())
    cache.put(b"z" * 3_500, Coverage())
    cache.put(b"z" * 3_499, Coverage())
    assert cache.get(b"x" * 10_000) is None
