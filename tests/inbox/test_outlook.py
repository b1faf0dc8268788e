"""Outlook of young records: what the settled story would change, by their age and the model's forecast."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.features.table import FeatureTable, Floats
from scoring.inbox import outlook
from scoring.inbox.decision_uncertainty import DecisionUncertainty
from scoring.inbox.outlook import Outlook, _change, _Forecast, _forecasts
from scoring.inbox.rows import score_rows
from scoring.model.score import Score
from scoring.records.corpus import read_documents
from scoring.records.record import Document
from scoring.records.synthetic.generate import write_sample

HOUR = timedelta(hours=1)
RANGE = DecisionUncertainty(60, 80, 1.0)


def stop(error: Exception) -> None:
    raise error


@pytest.fixture
def documents(tmp_path: Path) -> list[Document]:
    write_sample(tmp_path / "inbox", n_records=4, seed=5, is_labelled=False)
    return list(read_documents([str(tmp_path / "inbox")], on_fault=stop))


def score(heat: int) -> Score:
    return Score(
        path="a.md",
        quality=70,
        quality_low=60.0,
        quality_high=80.0,
        heat=heat,
        heat_expected=70.0,
        heat_settled=70.0,
        lead_probability=0.9,
        published=True,
        published_probability=0.9,
        lead_settled_probability=0.9,
        published_settled_probability=0.9,
        model="small",
    )


def test_a_decision_or_a_heat_outside_of_its_interval_is_a_change() -> None:
    def change(
        heat_now: int, is_published: bool, heat: float | None, is_sure: bool = True
    ) -> tuple[str, str] | None:
        return _change(score(heat_now), RANGE, _Forecast(True, is_published, heat, is_sure))

    assert change(70, True, 79.6) is None
    assert change(70, False, 79.6) == (
        "falling",
        "it is likely not to be published once its story has settled",
    )
    assert change(70, True, None) == (
        "falling",
        "another record is likely to lead its story once its story has settled",
    )
    assert change(-1, True, 70.0) == ("rising", "it is likely to lead its story once its story has settled")
    rising = change(70, True, 97.2)
    assert rising is not None
    assert rising[1] == "its heat is likely to be about 97 once its story has settled; now it is 60 to 80"
    assert change(70, True, 97.2, is_sure=False) is None
    falling = change(70, True, 12.0)
    assert falling is not None
    assert falling[0] == "falling"


def test_only_young_records_have_one_by_their_age(
    documents: list[Document], saved: SavedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Floats] = []

    def never_published(model: SavedModel, table: FeatureTable, quality: Floats) -> list[_Forecast]:
        asked.append(table.number("age_hours"))
        return [_Forecast(True, False, None, False)] * len(_forecasts(model, table, quality))

    monkeypatch.setattr(outlook, "_forecasts", never_published)
    document = documents[0]
    published_at = document.record.published_at
    assert published_at is not None
    assert score_rows([document], saved)[0].row.outlook is None
    (young,) = score_rows([document], saved, published_at + 3 * HOUR)
    assert young.row.outlook == Outlook(
        trend="falling",
        heat=None,
        reason="it is likely not to be published once its story has settled",
        until=published_at + 48 * HOUR,
    )
    for hours in (-1, 48, 1000):
        assert score_rows([document], saved, published_at + hours * HOUR)[0].row.outlook is None
    assert [ages.tolist() for ages in asked] == [[3.0]]
