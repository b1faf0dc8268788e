"""Features of arbitrary records are finite or missing, and independent of the order of the coverage."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoring.features.table import TEXT_NAMES, build_table
from scoring.features.text import terms_of, words_of
from scoring.records.record import Coverage, Image, Provider, Record

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
TEXTS = st.one_of(st.text(max_size=40), st.sampled_from(["A new gull", "a NEW gull!", "Tide tables"]))
URLS = st.one_of(
    st.just(""),
    st.text(max_size=30),
    st.text(max_size=20).map(lambda rest: f"https://{rest}"),
    st.sampled_from(["https://example.org/en/a/b", "http://[::1", "//example.com:99999/x"]),
)
SIZES = st.one_of(st.none(), st.integers(1, 10_000))
IMAGES = st.lists(st.builds(Image, URLS, SIZES, SIZES, st.booleans()), max_size=2).map(tuple)
PROVIDERS = st.builds(
    Provider, TEXTS, st.sampled_from(["", "example.org", "Example.org", "example.com"]), IMAGES
)
COVERAGE = st.builds(
    Coverage,
    title=TEXTS,
    published_at=st.one_of(st.none(), MOMENTS),
    provider=PROVIDERS,
    images=IMAGES,
    quality=st.one_of(st.none(), st.integers(-3, 3), st.integers(-999_999_999, 999_999_999)),
)
RECORDS = st.builds(
    Record,
    title=TEXTS,
    excerpt=TEXTS,
    published_at=st.one_of(st.none(), MOMENTS),
    original_url=URLS,
    web_url=URLS,
    provider=PROVIDERS,
    topics=st.lists(TEXTS, max_size=4).map(tuple),
    images=IMAGES,
    related=st.lists(COVERAGE, max_size=5).map(tuple),
)


@given(record=RECORDS, as_of=st.one_of(st.none(), MOMENTS))
def test_every_record_has_a_row_of_finite_numbers(record: Record, as_of: datetime | None) -> None:
    table = build_table([record], as_of)
    assert not np.isinf(table.numbers).any()
    assert all(isinstance(table.text(name)[0], str) for name in TEXT_NAMES)


@given(record=RECORDS, as_of=st.one_of(st.none(), MOMENTS), data=st.data())
def test_order_of_the_coverage_changes_nothing(
    record: Record, as_of: datetime | None, data: st.DataObject
) -> None:
    shuffled = tuple(data.draw(st.permutations(record.related)))
    again = msgspec.structs.replace(record, related=shuffled)
    expected = build_table([record], as_of).numbers
    np.testing.assert_allclose(build_table([again], as_of).numbers, expected, rtol=1e-9, equal_nan=True)


@given(text=st.text(max_size=60))
def test_words_of_a_text_in_capitals_are_the_same(text: str) -> None:
    ascii_text = text.encode("ascii", "ignore").decode()
    assert words_of(ascii_text.upper()) == words_of(ascii_text)


@given(words=st.lists(st.sampled_from("abc"), max_size=8))
def test_terms_are_the_runs_and_nothing_else(words: list[str]) -> None:
    terms = terms_of(words)
    assert list(terms) == sorted(set(terms))
    padded = f" {' '.join(words)} "
    assert all(f" {term} " in padded and 1 <= len(term.split()) <= 3 for term in terms)
    assert set(words) <= set(terms)
