"""Features of documents at several times."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from scoring.features import extraction
from scoring.features.as_of import moment_of
from scoring.features.extraction import ExtractedFeatures
from scoring.features.sections import FIRST_TOPIC, SectionRule
from scoring.features.table import FeatureTable, assemble, extract
from scoring.records.record import Document
from scoring.records.synthetic.generate import sample_documents

DOCUMENTS = [
    Document(f"{number}.md", 0, "", record, labels)
    for number, (record, labels) in enumerate(sample_documents(n_records=60, seed=2))
]
AGES = (None, timedelta(0), timedelta(hours=6), timedelta(hours=48))
RULES = (FIRST_TOPIC, SectionRule("topic", (DOCUMENTS[0].record.topics[-1],), rest="*"))


def each_time(documents: list[Document], age: timedelta | None, rule: SectionRule) -> FeatureTable:
    """Features that are extracted anew for each record and time."""
    records = [rule.placed(document.record, document.path) for document in documents]
    return assemble([extract(record, moment_of(record, age)) for record in records])


def assert_same(first: FeatureTable, second: FeatureTable) -> None:
    np.testing.assert_array_equal(first.numbers, second.numbers)
    assert first.texts.tolist() == second.texts.tolist()
    assert (first.topics, first.title_words) == (second.topics, second.title_words)


@pytest.mark.parametrize("rule", RULES)
def test_features_at_several_times_are_those_of_each_time(rule: SectionRule) -> None:
    features = ExtractedFeatures()
    for documents in (DOCUMENTS[10:40], DOCUMENTS[::-3], [], DOCUMENTS):
        moments = [[moment_of(document.record, age) for document in documents] for age in AGES]
        for age, table in zip(AGES, features.tables(documents, moments, rule), strict=True):
            assert_same(table, each_time(documents, age, rule))


def test_a_document_is_extracted_once_for_each_rule_of_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    n_extracted = 0

    def counted(*arguments: object) -> object:
        nonlocal n_extracted
        n_extracted += 1
        return extract(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(extraction, "extract", counted)
    features = ExtractedFeatures()
    for rule in (*RULES, *RULES):
        for documents in (DOCUMENTS[:20], DOCUMENTS):
            features.tables(documents, [[None] * len(documents)] * 3, rule)
    assert n_extracted == len(RULES) * len(DOCUMENTS)
