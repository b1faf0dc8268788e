"""One leader a story: of a batch's records that list each other, the most probable lead leads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor

import msgspec
import pytest

from scoring.features.extraction import Extracted
from scoring.model.leaders import Addresses, Leaders, outranked, scored_with_one_leader
from scoring.model.score import Score

RULE = Leaders(100, 100, 0.02)


def score_of(path: str, lead_probability: float, heat: int = 60, quality: int = 50) -> Score:
    return Score(
        path=path,
        quality=quality,
        quality_low=40.0,
        quality_high=60.0,
        heat=heat,
        heat_expected=50.0,
        heat_settled=50.0,
        lead_probability=lead_probability,
        published=True,
        published_probability=0.8,
        lead_settled_probability=0.5,
        published_settled_probability=0.5,
        model="site@01234567",
        warnings=("no topics",),
    )


class Prepared:
    """A scorer that reads all records, then yields these scores."""

    def __init__(self, *scores: Score) -> None:
        self.scores = scores

    def score_features(
        self, records: Iterable[Extracted], executor: Executor | None = None
    ) -> Iterator[Score]:
        list(records)
        yield from self.scores


def records_of(*lists: tuple[int, ...]) -> list[Extracted]:
    """Records, whose addresses are their numbers, and which list these."""
    row = ((), (), (), ())
    return [Extracted(f"{n}.md", row, 0, (), (n,), listed) for n, listed in enumerate(lists)]


def test_the_most_probable_lead_leads() -> None:
    scores = [score_of("0.md", 0.6), score_of("1.md", 0.9), score_of("2.md", 0.7), score_of("3.md", 0.8)]
    records = records_of((1, 2), (0, 2), (0, 1), ())
    settled = list(scored_with_one_leader(Prepared(*scores), records, RULE))
    assert [score.heat for score in settled] == [-1, 60, -1, 60]
    assert [score.published for score in settled] == [False, True, False, True]
    assert settled[0].published_probability == 0.02
    assert settled[0].warnings == (
        "no topics",
        "does not lead: 1.md lists it and is more likely to lead (90%)",
    )
    assert settled[1] == scores[1]
    assert settled[3] == scores[3]


def test_a_record_that_lists_without_being_listed_changes_nothing() -> None:
    scores = [score_of("0.md", 0.6), score_of("1.md", 0.9)]
    assert list(scored_with_one_leader(Prepared(*scores), records_of((1,), (7,)), RULE)) == scores


def test_only_leads_count() -> None:
    scores = [score_of("0.md", 0.6), score_of("1.md", 0.9, heat=-1)]
    assert list(scored_with_one_leader(Prepared(*scores), records_of((1,), (0,)), RULE)) == scores


def test_who_lists_no_leader_may_lead() -> None:
    """1 loses to 0, so 2, which lists only 1, keeps its lead."""
    scores = [score_of("0.md", 0.9), score_of("1.md", 0.8), score_of("2.md", 0.7)]
    lists = {0: Addresses((0,), (1,)), 1: Addresses((1,), (0, 2)), 2: Addresses((2,), (1,))}
    assert outranked(scores, lists) == {1: 0}


def test_ties_are_settled_by_quality_and_then_by_order() -> None:
    lists = {0: Addresses((0,), (1,)), 1: Addresses((1,), (0,))}
    assert outranked([score_of("0", 0.9), score_of("1", 0.9, quality=51)], lists) == {0: 1}
    assert outranked([score_of("0", 0.9), score_of("1", 0.9)], lists) == {1: 0}


@pytest.mark.parametrize("leaders", [None, Leaders(100, 60, 0.0), Leaders(10, 10, 0.0)])
def test_without_the_rule_records_are_scored_by_themselves(leaders: Leaders | None) -> None:
    scores = [score_of("0.md", 0.6), score_of("1.md", 0.9)]
    assert list(scored_with_one_leader(Prepared(*scores), records_of((1,), (0,)), leaders)) == scores


def test_the_rule_needs_enough_leads() -> None:
    assert Leaders(18, 18, 0.0).is_rule
    assert not Leaders(17, 17, 0.0).is_rule
    assert not msgspec.structs.replace(RULE, n_sole_=90).is_rule
