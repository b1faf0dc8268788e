"""Links are learned from lists, and found again where the lists are hidden."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.features.story import listed_pairs
from scoring.records.record import Document, Labels, Record
from scoring.stories.derived_coverage import links_among
from scoring.stories.links import LinkModel
from scoring.stories.title_index import FEATURES, Pairs
from scoring.training.links import MIN_LEADS, best_f1, fit_links, lead_threshold
from tests.listed import dated


def test_stories_of_another_archive_are_found(links: LinkModel) -> None:
    records = [document.record for document in dated(800, 4)]
    listed = listed_pairs(records)
    found = links_among(records, links)
    is_right = np.array(
        [(earlier, later) in listed for later, earlier in zip(found.later, found.earlier, strict=True)]
    )
    assert is_right.mean() > 0.85
    assert is_right.sum() > 0.33 * len(listed)
    assert is_right[found.is_copy].mean() > 0.9


def test_fitting_again_gives_the_same_links() -> None:
    documents = dated(500, 3)
    first, second = fit_links(documents), fit_links(documents)
    assert first is not None
    assert second is not None
    assert first.rule == second.rule
    assert first.booster.text == second.booster.text
    assert 0 < first.rule.threshold_ < 1
    assert first.rule.n_links_ == len(listed_pairs([document.record for document in documents]))


def test_too_few_lists_teach_nothing() -> None:
    assert fit_links(dated(30, 3)) is None


@pytest.mark.parametrize("is_listed", [[], [False, False]])
def test_without_listed_pairs_nothing_is_linked(is_listed: list[bool]) -> None:
    assert best_f1(np.full(len(is_listed), 0.5), np.array(is_listed, dtype=bool), 3) == (1.0, 0.0, 0.0)


def test_the_threshold_of_coverage_is_that_of_leads() -> None:
    """Of the later records, those that are linked with a better one from 0.3 on do not lead."""
    n_records = MIN_LEADS * 2
    links_of = [(later, later - 1) for later in range(1, n_records, 2)]
    later, earlier = np.array(links_of).T
    probability = np.linspace(0.1, 0.6, len(later))
    documents = []
    for row in range(n_records):
        is_lead = row % 2 == 0 or probability[row // 2] < 0.3
        labels = Labels(quality=50 - row % 2, heat=50 if is_lead else -1)
        documents.append(Document("", 0, "", Record(), labels))
    pairs = Pairs(later, earlier, np.zeros((len(later), len(FEATURES))))
    threshold = lead_threshold(pairs, probability, documents, 0)
    assert threshold is not None
    assert probability[probability < 0.3].max() < threshold <= probability[probability >= 0.3].min() + 1e-4
    assert lead_threshold(pairs, probability, documents, n_records - MIN_LEADS + 1) is None
