"""Labels that follow from a corrected quality by the model's own rules."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.errors import RecordError
from scoring.inbox.inbox import Inbox
from scoring.inbox.rule_labels import labels_by_rule, rule_labels
from scoring.model.leaders import Leaders
from scoring.records.record import Labels
from scoring.records.synthetic.generate import write_sample
from tests.known import known


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory, saved: SavedModel) -> Inbox:
    folder = tmp_path_factory.mktemp("rules")
    write_sample(folder / "inbox", n_records=40, seed=5, is_labelled=False)
    inbox = Inbox(folder / "inbox", folder / "corrections.jsonl")
    inbox.refresh(saved)
    return inbox


def test_the_heat_grows_with_the_quality_and_the_decision_follows_it(inbox: Inbox, saved: SavedModel) -> None:
    for row in inbox.since(0).rows:
        assert row.score is not None
        low, high = (
            labels_by_rule(inbox, row.path, saved, Labels(quality=points)).labels for points in (5, 400)
        )
        assert (low.published, high.published) == (False, True)
        assert known(high.heat) >= 400 > known(low.heat)


def test_for_the_predicted_quality_they_are_what_the_model_predicts_nearly_always(
    inbox: Inbox, saved: SavedModel
) -> None:
    rows = [row for row in inbox.since(0).rows if row.score is not None]
    n_same = 0
    for row in rows:
        assert row.score is not None
        labels = labels_by_rule(inbox, row.path, saved, Labels()).labels
        assert labels.quality == row.score.quality
        n_same += (labels.heat, labels.published) == (row.score.heat, row.score.published)
    assert n_same >= 0.8 * len(rows)


def test_what_is_given_stays_and_what_contradicts_it_is_told(inbox: Inbox, saved: SavedModel) -> None:
    row = next(row for row in inbox.since(0).rows if row.score is not None and known(row.score.heat) > 0)
    result = labels_by_rule(inbox, row.path, saved, Labels(quality=400, heat=3, published=False))
    assert result.labels == Labels(400, 3, False)
    assert known(result.by_rule.heat) >= 400
    assert result.by_rule.published is False  # given that heat
    assert labels_by_rule(inbox, row.path, saved, Labels(quality=400)).by_rule.published is True


def test_a_story_has_one_leader_if_the_model_has_learned_so(inbox: Inbox, saved: SavedModel) -> None:
    row = next(row for row in inbox.since(0).rows if row.score is not None and known(row.score.heat) > 0)
    _, document = inbox.read(row.path)
    assert row.score is not None
    outranked = msgspec.structs.replace(row.score, heat=-1, lead_probability=0.9)
    score = msgspec.structs.replace(row.score, lead_probability=1.0)
    leader = msgspec.structs.replace(row, path="other.md", title="Rain", score=score)
    rule = replace(saved, models=replace(saved.models, leaders=Leaders(100, 100, 0.1)))
    none = replace(saved, models=replace(saved.models, leaders=Leaders(100, 10, 0.1)))
    given = Labels(quality=400)
    assert rule_labels(document, outranked, leader, rule, given).labels == Labels(400, -1, False)
    assert known(rule_labels(document, outranked, leader, none, given).labels.heat) >= 400
    assert "would lead the story" in rule_labels(document, outranked, leader, none, given).note
    weaker = msgspec.structs.replace(leader, score=msgspec.structs.replace(score, lead_probability=0.0))
    assert known(rule_labels(document, outranked, weaker, rule, given).labels.heat) >= 400


def test_a_file_that_the_inbox_lacks_is_refused(inbox: Inbox, saved: SavedModel) -> None:
    with pytest.raises(RecordError, match="a file that is not in the inbox"):
        labels_by_rule(inbox, "../none.md", saved, Labels(quality=5))
