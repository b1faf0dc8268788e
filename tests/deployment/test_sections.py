"""The gate by section, with real models: better overall but worse in one section, and unlike scales."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from scoring.artifact.saved_model import SavedModel, load_model
from scoring.cli.tables.sections import of_checks, section_blocks
from scoring.deployment.candidates import Reference, scored
from scoring.deployment.gate import GateConfig, Verdict
from scoring.deployment.judge import judge_on
from scoring.progress import SILENT
from scoring.records.corpus import read_documents
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings
from scoring.training.dataset import LabelledDataset
from scoring.training.read_dataset import read_dataset
from scoring.workflows.train import TrainOutcome
from tests.sites import SIX_TIMES

QUICK = GateConfig(n_draws=100)
LATER: dict[str, Any] = {"begins_at": datetime(2019, 2, 1, tzinfo=UTC), "days": 60}


def stop(error: Exception) -> None:
    raise error


@pytest.fixture(scope="module")
def champion(two_scales: TrainOutcome) -> SavedModel:
    """Twelve points off in Harbour, and right in Meadow."""
    return shifted(load_model(Path(two_scales.model)), harbour=12.0)


def shifted(saved: SavedModel, *, harbour: float = 0.0, meadow: float = 0.0) -> SavedModel:
    quality = saved.models.quality
    own = quality.policies["Meadow"]
    rubric = msgspec.structs.replace(quality.rubric, intercept_=quality.rubric.intercept_ + harbour)
    intercept = own.difference_.intercept_ + meadow - own.scale_ * harbour
    difference = msgspec.structs.replace(own.difference_, intercept_=intercept)
    policies = {"Meadow": msgspec.structs.replace(own, difference_=difference)}
    models = replace(saved.models, quality=replace(quality, rubric=rubric, policies=policies))
    return replace(saved, models=models)


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Later records of both sections, and a few of a third."""
    folder = tmp_path_factory.mktemp("later")
    write_sample(folder / "harbour", n_records=90, seed=11, section="Harbour", **LATER)
    write_sample(folder / "meadow", n_records=40, seed=12, section="Meadow", policy=SIX_TIMES, **LATER)
    write_sample(folder / "quay", n_records=6, seed=13, section="Quay", **LATER)
    return folder


@pytest.fixture(scope="module")
def later(news: Path) -> LabelledDataset:
    return read_dataset([str(news)], stdin=None, on_fault=stop, reporter=SILENT)


def verdict_of(
    later: LabelledDataset, champion: SavedModel, challenger: SavedModel, settings: Settings, gate: GateConfig
) -> Verdict:
    return judge_on(later, champion, challenger, gate, settings=settings, reporter=SILENT).verdict


def printed(verdict: Verdict) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    sides = ("champion", "challenger")
    blocks = section_blocks(of_checks(verdict.checks), verdict.sections, sides, verdict.sections_not_judged)
    for block in blocks:
        console.print(block)
    return console.export_text()


def test_better_overall_but_worse_in_one_section_is_refused_and_says_so(
    later: LabelledDataset, champion: SavedModel, two_scales: TrainOutcome, settings: Settings
) -> None:
    gate = msgspec.structs.replace(QUICK, figure="quality_within_5")
    challenger = shifted(load_model(Path(two_scales.model)), meadow=80.0)
    verdict = verdict_of(later, champion, challenger, settings, gate)
    assert verdict.checks[0].is_passed
    assert not verdict.is_passed
    assert verdict.reasons[0] == "better on all records, but clearly worse in section Meadow"
    worst, other = verdict.sections
    assert (worst.section, worst.n_records, worst.is_clearly_worse) == ("Meadow", 40, True)
    assert (other.section, other.is_clearly_worse) == ("Harbour", False)
    parts = [check.part for check in verdict.checks if check.part]
    assert parts[0] == "section: Meadow"
    assert parts.index("section: Harbour") < min(parts.index(part) for part in parts if "section" not in part)
    text = printed(verdict)
    assert text.startswith("worst section: Meadow (40 records), quality_mae champion ")
    assert "clearly worse" in text
    assert text.index("Meadow ", 20) < text.index("Harbour ")
    assert "too few records to compare by section: (none) (6 records)" in text


def test_a_small_worsening_within_the_bound_passes(
    later: LabelledDataset, champion: SavedModel, two_scales: TrainOutcome, settings: Settings
) -> None:
    challenger = shifted(load_model(Path(two_scales.model)), meadow=0.3)
    gate = msgspec.structs.replace(QUICK, figure="quality_within_5")
    verdict = verdict_of(later, champion, challenger, settings, gate)
    assert verdict.is_passed, verdict.reasons
    assert {change.section for change in verdict.sections} == {"Harbour", "Meadow"}
    assert not any(change.is_clearly_worse for change in verdict.sections)
    assert verdict.sections_not_judged == {"(none)": 6}
    assert "section" in msgspec.json.decode(msgspec.json.encode(verdict))["sections"][0]


def test_models_are_compared_by_their_own_rule_of_sections(
    news: Path, two_scales: TrainOutcome, settings: Settings, tmp_path: Path
) -> None:
    """The section may stand anywhere among the topics; a comparison has the scores of `scoring score`."""
    folder = tmp_path / "turned"
    folder.mkdir()
    for file in (news / "meadow").iterdir():
        text = file.read_text("utf-8")
        turned = text.replace("topics:\n  - Meadow\n", "topics:\n  - Alders\n  - Meadow\n")
        assert turned != text
        (folder / file.name).write_text(turned, "utf-8")
    documents = list(read_documents([str(folder)], on_fault=stop))
    (candidate,), _ = scored([Reference(two_scales.model, None)], documents, settings, SILENT)
    scores = load_model(Path(two_scales.model)).scorer.score(documents)
    assert candidate.predictions["quality_predicted"].tolist() == [score.quality for score in scores]
    assert set(candidate.predictions["section"].tolist()) == {"Meadow"}
