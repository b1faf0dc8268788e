"""Links are learned from lists, and found again where the lists are hidden."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.features.story import listed_pairs
from scoring.stories.derived_coverage import links_among
from scoring.stories.links import LinkModel
from scoring.training.links import best_f1, fit_links
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
    records = [document.record for document in dated(500, 3)]
    first, second = fit_links(records), fit_links(records)
    assert first is not None
    assert second is not None
    assert first.rule == second.rule
    assert first.booster.text == second.booster.text
    assert 0 < first.rule.threshold_ < 1
    assert first.rule.n_links_ == len(listed_pairs(records))


def test_too_few_lists_teach_nothing() -> None:
    assert fit_links([document.record for document in dated(30, 3)]) is None


@pytest.mark.parametrize("is_listed", [[], [False, False]])
def test_without_listed_pairs_nothing_is_linked(is_listed: list[bool]) -> None:
    assert best_f1(np.full(len(is_listed), 0.5), np.array(is_listed, dtype=bool), 3) == (1.0, 0.0, 0.0)
