"""Design matrix of the rubric: which levels and terms it has, and for which records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from scoring.features.table import FeatureTable, build_table
from scoring.features.text import runs_of
from scoring.records.record import Provider, Record
from scoring.training.config import RubricConfig
from scoring.training.design_matrix import ADDITIVE_NAMES, DesignMatrix, distinct

CONFIG = RubricConfig(min_level_count=2, min_term_count=2)
RECORDS = [
    Record(title="Storm over the reef, storm", provider=Provider("", "a.example"), topics=("Sea", "Wrecks")),
    Record(title="A storm", provider=Provider("", "a.example"), topics=("Wrecks",)),
    Record(title="Reef", provider=Provider("", "b.example"), topics=("Sea",)),
    Record(title="Storm", topics=()),
]
TABLE = build_table(RECORDS)


def has_terms(table: FeatureTable, min_count: int) -> dict[tuple[str, str], list[bool]]:
    """Whether each record has a term, by topic and words, for sufficiently frequent terms."""
    pairs = [
        {(topic, run) for topic in topics for run in runs_of(words)}
        for topics, words in zip(table.topics, table.title_words, strict=True)
    ]
    rows = {pair: [pair in of_record for of_record in pairs] for pair in sorted(set().union(*pairs))}
    return {pair: row for pair, row in rows.items() if sum(row) >= min_count}


def test_terms_are_those_of_enough_records_under_one_topic() -> None:
    for min_count in (1, 2, 3):
        design_matrix = DesignMatrix.of(TABLE, RubricConfig(min_term_count=min_count))
        expected = has_terms(TABLE, min_count)
        assert design_matrix.term_names == list(expected)
        assert design_matrix.terms.toarray().T.tolist() == list(expected.values())
    assert list(has_terms(TABLE, 2)) == [("Sea", "reef"), ("Wrecks", "storm")]


def test_levels_are_those_of_enough_records_and_have_a_name() -> None:
    design_matrix = DesignMatrix.of(TABLE, CONFIG)
    levels = {
        kind: [level for level_kind, level in design_matrix.level_names if level_kind == kind]
        for kind in ("provider_domain", "topics")
    }
    assert levels == {"provider_domain": ["a.example"], "topics": ["Sea", "Wrecks"]}
    assert all(level for _, level in design_matrix.level_names)
    column = design_matrix.level_names.index(("topics", "Wrecks"))
    assert design_matrix.levels.toarray()[:, column].tolist() == [1, 1, 0, 0]


def test_without_support_there_are_no_terms() -> None:
    design_matrix = DesignMatrix.of(TABLE, RubricConfig(term_support=0))
    assert design_matrix.term_names == []
    assert design_matrix.terms.shape == (4, 0)


def test_numbers_that_are_missing_are_0() -> None:
    missing = replace(TABLE, numbers=np.full_like(TABLE.numbers, np.nan))
    dense = DesignMatrix.of(missing, CONFIG).dense
    assert dense.tolist() == np.zeros((4, len(ADDITIVE_NAMES))).tolist()


def test_every_part_has_the_rows_of_the_mask() -> None:
    whole = DesignMatrix.of(TABLE, CONFIG)
    mask = np.array([True, False, True, False])
    taken = whole.take(mask)
    assert len(taken) == 2
    assert taken.dense.tolist() == whole.dense[mask].tolist()
    assert taken.lengths.tolist() == whole.lengths[mask].tolist()
    assert taken.levels.toarray().tolist() == whole.levels.toarray()[mask].tolist()
    assert taken.terms.toarray().tolist() == whole.terms.toarray()[mask].tolist()


def test_of_equal_columns_the_first_is_kept_in_its_place() -> None:
    random = np.random.default_rng(0)
    patterns = random.random((12, 40)) < 0.4
    dense = patterns[:, random.integers(0, 40, 100)]
    expected = [
        column
        for column in range(100)
        if 3 <= dense[:, column].sum() < 12
        and not any((dense[:, earlier] == dense[:, column]).all() for earlier in range(column))
    ]
    assert len(expected) > 20
    assert distinct(csr_array(dense.astype(float)), 3).tolist() == expected
