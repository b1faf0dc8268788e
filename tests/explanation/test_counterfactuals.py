"""Counterfactual edits: sensible, scored by the model, the cheapest first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.explanation.attribution import explain
from scoring.explanation.counterfactuals import all_changes, counterfactuals
from scoring.explanation.results import Change
from scoring.model.score import Score
from scoring.records.record import Coverage, Document, Image, Labels, Provider, Record
from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.vocabulary import TOPICS
from tests.known import known

NOON = datetime(2018, 6, 1, 12, tzinfo=UTC)
IMAGE = Image(width=1200, height=675, is_cached=True)
FULL = Record(
    title=f"Tessaril brings {TOPICS[0]} to the harbour",
    excerpt="The harbour tells what it saw. More is in the report.",
    published_at=NOON,
    provider=Provider("Wendlow", "wendlow.example"),
    topics=("Tessaril", TOPICS[0]),
    images=(IMAGE,),
)
DOCUMENTS = [record for record, _ in sample_documents(n_records=60, seed=8)]


def score(saved: SavedModel, record: Record, as_of: datetime | None = None) -> Score:
    return next(saved.scorer.score([Document("a.md", 0, "0" * 64, record, Labels())], as_of))


def change_of(saved: SavedModel, record: Record, kind: str, as_of: datetime | None = None) -> Change:
    """The only edit of a kind."""
    (change,) = [change for change in all_changes(saved.scorer, record, as_of) if change.kind == kind]
    return change


def kinds(saved: SavedModel, record: Record) -> list[str]:
    stays, *changes = all_changes(saved.scorer, record)
    assert (stays.kind, stays.text, stays.effort, stays.decisions) == ("", "", 0, ())
    return [change.kind for change in changes]


@pytest.mark.parametrize(
    ("changes", "kind", "edited"),
    [
        ({"images": ()}, "add image", {"images": (IMAGE,)}),
        ({"images": (Image(width=300, height=200),)}, "add image", {"images": (IMAGE,)}),
        ({"title": "A harbour"}, "name section", {"title": "Tessaril: A harbour"}),
        ({"title": "A harbour"}, "name topic", {"title": f"{TOPICS[0]}: A harbour"}),
        ({}, "drop topic", {"topics": ("Tessaril",)}),
    ],
    ids=["image", "small image", "section", "topic", "topic less"],
)
def test_score_after_a_change_is_that_of_the_edited_record(
    saved: SavedModel, changes: dict[str, object], kind: str, edited: dict[str, object]
) -> None:
    record = msgspec.structs.replace(FULL, **changes)
    change = change_of(saved, record, kind)
    before, after = score(saved, record), score(saved, msgspec.structs.replace(record, **edited))
    assert (change.quality, change.heat, change.published) == (after.quality, after.heat, after.published)
    assert change.published_probability == after.published_probability
    assert after != before
    expected = (
        *(("lead",) if (known(after.heat) > -1) != (known(before.heat) > -1) else ()),
        *(("published",) if after.published != before.published else ()),
    )
    assert change.decisions == expected


def test_decisions_come_before_points(saved: SavedModel) -> None:
    turning = 0
    for record in DOCUMENTS:
        changes = counterfactuals(saved.scorer, record, limit=20)
        efforts = [change.effort for change in changes]
        assert efforts == sorted(efforts)
        assert len({change.kind for change in changes}) == len(changes)
        assert len({bool(change.decisions) for change in changes}) <= 1
        before = score(saved, record)
        for change in changes:
            assert ("published" in change.decisions) == (change.published != before.published)
            assert ("lead" in change.decisions) == ((known(change.heat) > -1) != (known(before.heat) > -1))
        turning += any(change.decisions for change in changes)
    assert 5 < turning < len(DOCUMENTS)


def test_without_a_decision_the_score_rises(saved: SavedModel) -> None:
    rising = 0
    for record in DOCUMENTS:
        document = Document("a.md", 0, "0" * 64, record, Labels())
        explanation = explain(saved.scorer, document)
        assert explanation.changes == counterfactuals(saved.scorer, record)
        assert len(explanation.changes) <= 3
        for change in explanation.changes:
            if not change.decisions:
                rising += 1
                gain = round(known(change.expected_heat) - known(explanation.expected_heat))
                assert gain > 0 or (gain == 0 and known(change.quality) > known(explanation.score.quality))
    assert rising > 10


def test_long_title_is_shortened_at_a_word(saved: SavedModel) -> None:
    limit = int(saved.models.quality.rubric.knots["title_chars"])
    long = msgspec.structs.replace(FULL, title=FULL.title + " and tells it" * 12)
    change = change_of(saved, long, "shorten title")
    assert change.text.startswith(f"shorten the title from {len(long.title)} to ")
    kept = int(change.text.split()[-2])
    assert limit - 10 < kept <= limit
    short = msgspec.structs.replace(long, title=long.title[:kept])
    assert not short.title.endswith(" ")
    assert long.title[kept] == " "
    assert known(change.quality) == known(score(saved, short).quality) > known(score(saved, long).quality)


def test_only_what_lacks_is_added(saved: SavedModel) -> None:
    assert kinds(saved, FULL) == ["drop topic", "add topic", "add coverage"]
    poor = msgspec.structs.replace(FULL, title="A " * 99, excerpt=" ", images=())
    assert kinds(saved, poor) == [
        *("drop topic", "add topic", "name section", "name topic", "shorten title"),
        *("add excerpt", "add image", "add coverage"),
    ]


def test_topic_that_the_text_names_is_proposed(saved: SavedModel) -> None:
    topic = next(
        name
        for name in saved.models.quality.encoder.topics_
        if name not in (*FULL.topics, "Tessaril") and name not in FULL.title
    )
    named = msgspec.structs.replace(FULL, excerpt=f"It is about {topic}.")
    change = change_of(saved, named, "add topic")
    assert change.text == f"add the topic {topic}, which its text mentions"
    assert change.effort == 1
    edited = msgspec.structs.replace(named, topics=(*FULL.topics, topic))
    assert change.quality == score(saved, edited).quality


def test_waiting_takes_the_coverage_that_is_known(saved: SavedModel) -> None:
    known = Coverage("Gulls", published_at=NOON, quality=4)
    later = Coverage("Kilns", published_at=NOON + timedelta(hours=9), quality=60)
    record = msgspec.structs.replace(FULL, related=(known, later))
    as_of = NOON + timedelta(hours=1)
    wait = change_of(saved, record, "add coverage", as_of)
    assert wait.text.endswith("of quality 4")
    assert wait.effort == 5
    more = msgspec.structs.replace(record, related=(known, Coverage(published_at=as_of, quality=4), later))
    assert wait.heat == score(saved, more, as_of).heat


@pytest.mark.parametrize("record", [Record(), Record(topics=("",)), Record(topics=("Never seen",))], ids=str)
def test_bare_record_can_be_changed(saved: SavedModel, record: Record) -> None:
    assert "add image" in kinds(saved, record)


def test_nothing_is_asked_for(saved: SavedModel) -> None:
    assert counterfactuals(saved.scorer, FULL, limit=0) == ()
