"""Feature table: columns, catalogue, and shape for any records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import numpy as np
import pytest

from scoring.features.column import Column, Family, Type
from scoring.features.encoding import ALL_COLUMNS
from scoring.features.table import NUMBER_NAMES, TEXT_NAMES, build_table
from scoring.records.record import Record
from scoring.records.synthetic.generate import sample_documents

SAMPLE = [record for record, _ in sample_documents(n_records=300, seed=3)]
AS_OF = datetime(2018, 9, 1, tzinfo=UTC)
TABLES = {as_of: build_table([*SAMPLE, Record()], as_of) for as_of in (None, AS_OF)}


def test_catalogue_has_each_column_once() -> None:
    names = [column.name for column in ALL_COLUMNS]
    assert len(set(names)) == len(names)
    assert set(NUMBER_NAMES) | set(TEXT_NAMES) < set(names)
    assert {column.family for column in ALL_COLUMNS} == set(get_args(Family))


@pytest.mark.parametrize("column", ALL_COLUMNS, ids=lambda column: column.name)
def test_column_says_what_it_is(column: Column) -> None:
    assert column.family in get_args(Family)
    assert column.type in get_args(Type)
    assert len(column.meaning.split()) >= 2
    assert column.range
    assert (column.type == "bool") == (column.range == "0, 1")
    if column.type == "bool":
        assert column.name.startswith(("is_", "has_")) or "_names_" in column.name
    for unit in ("hours", "px", "chars"):
        if column.name.endswith(f"_{unit}"):
            assert column.unit == {"chars": "characters"}.get(unit, unit)
    if column.name.endswith("_count"):
        assert column.type == "count"


@pytest.mark.parametrize(
    "column",
    [column for column in ALL_COLUMNS if column.name in NUMBER_NAMES],
    ids=lambda catalogued: catalogued.name,
)
@pytest.mark.parametrize("as_of", [None, AS_OF], ids=["as it stands", "as of"])
def test_values_keep_to_the_range_of_the_catalogue(column: Column, as_of: datetime | None) -> None:
    values = TABLES[as_of].number(column.name)
    known = values[~np.isnan(values)]
    if "missing" not in column.range:
        assert len(known) == len(values)
    if column.type == "bool":
        assert set(known) <= {0.0, 1.0}
    if column.type in ("bool", "count"):
        assert (known == np.round(known)).all()
    if column.range.startswith((">= 0", "0 to")):
        assert (known >= 0).all()
    if column.range.startswith("0 to 1"):
        assert (known <= 1).all()
    if column.range.startswith("> 0"):
        assert (known > 0).all()


def test_empty_record_has_a_row() -> None:
    table = build_table([Record()])
    assert table.numbers.shape == (1, len(NUMBER_NAMES))
    assert table.topics == table.title_words == ((),)
    # All that can be missing is, and the rest is 0.
    missing = {column.name for column in ALL_COLUMNS if "missing" in column.range}
    for name in NUMBER_NAMES:
        value = table.number(name)[0]
        assert np.isnan(value) if name in missing else value == 0, name


def test_no_records_make_an_empty_table() -> None:
    table = build_table([])
    assert (len(table), table.numbers.shape, table.texts.shape) == (
        0,
        (0, len(NUMBER_NAMES)),
        (0, len(TEXT_NAMES)),
    )


def test_rows_are_taken_by_mask_and_by_index() -> None:
    table = build_table(SAMPLE[:5])
    by_mask = table.take(np.array([True, False, False, True, False]))
    by_index = table.take(np.array([0, 3]))
    for taken in (by_mask, by_index):
        assert np.array_equal(taken.numbers, table.numbers[[0, 3]], equal_nan=True)
        assert taken.texts.tolist() == table.texts[[0, 3]].tolist()
        assert taken.topics == (table.topics[0], table.topics[3])
        assert taken.title_words == (table.title_words[0], table.title_words[3])


def test_columns_are_those_that_are_named_in_their_order() -> None:
    table = build_table([Record(title="A title"), Record(title="More")])
    names = ("title_word_count", "title_chars")
    assert table.columns(names).tolist() == [[2.0, 7.0], [1.0, 4.0]]
    assert table.columns(()).shape == (2, 0)


def test_row_depends_on_its_own_record_only() -> None:
    together, alone = build_table(SAMPLE[:20]), [build_table([record]) for record in SAMPLE[:20]]
    assert np.array_equal(together.numbers, np.vstack([table.numbers for table in alone]), equal_nan=True)
    assert together.texts.tolist() == [table.texts[0].tolist() for table in alone]
