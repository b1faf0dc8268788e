"""Sections of rows: the model's own rule, scales of points, and sections that it does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring.artifact.saved_model import SavedModel, load_model
from scoring.inbox.preview import UploadedFile, preview
from scoring.inbox.rows import Row, put_together, score_rows
from scoring.records.record import Coverage, Document, Labels, Record
from scoring.workflows.train import TrainOutcome
from tests.known import known


@pytest.fixture(scope="module")
def two(two_scales: TrainOutcome) -> SavedModel:
    return load_model(Path(two_scales.model))


def document(name: str, *topics: str, **fields: object) -> Document:
    record = Record(title=f"Rain over {name}", topics=topics, **fields)  # type: ignore[arg-type]
    return Document(f"{name}.md", 0, "0" * 64, record, Labels())


def rows_of(saved: SavedModel, *documents: Document) -> list[Row]:
    return put_together(score_rows(documents, saved))


def test_a_row_has_its_section_and_whose_scale_its_points_have(two: SavedModel) -> None:
    rows = rows_of(
        two,
        document("a", "Harbour", "Ropes"),
        document("b", "Ropes", "Meadow"),
        document("c", "Quay"),
        document("d"),
    )
    facts = [(row.section, row.is_section_known, row.scale) for row in rows]
    assert facts == [("Harbour", True, ""), ("Meadow", True, "Meadow"), ("", False, ""), ("", False, "")]


def test_a_section_of_the_shared_policy_has_the_shared_scale(saved: SavedModel) -> None:
    (section,) = saved.scorer.sections.names
    (row,) = rows_of(saved, document("a", section))
    assert (row.section, row.is_section_known, row.scale) == (section, True, "")


def test_dropped_files_have_sections_too(two: SavedModel) -> None:
    text = "---\ntitle: Rain\ntopics: [Meadow]\n---\n"
    meadow, bad = preview([UploadedFile("a.md", text), UploadedFile("b.md", "x")], two)
    assert (meadow.section, meadow.scale) == ("Meadow", "Meadow")
    assert (bad.section, bad.score) == ("", None)


def test_the_lead_of_a_story_across_scales_is_the_likeliest(two: SavedModel) -> None:
    related = (Coverage(title="Elsewhere", web_url="https://a.example/1"),)
    one = document("a", "Harbour", web_url="https://b.example/1", related=related)
    other = document("b", "Meadow", web_url="https://a.example/1")
    rows = rows_of(two, one, other, document("c", "Harbour", web_url="https://b.example/1"))
    assert len({row.story for row in rows}) == 1
    leads = [row for row in rows if row.score and known(row.score.heat) > -1]
    followers = [row for row in rows if row.leader is not None and row.leader.path]
    likeliest = max(leads, key=lambda row: known(row.score.lead_probability) if row.score else 0.0)
    assert all(row.leader is not None and row.leader.title == likeliest.title for row in followers)
