"""Derived coverage in training, evaluation and scoring, marked as an estimate everywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

import scoring
from scoring.artifact.links_file import save_links
from scoring.artifact.saved_model import load_model
from scoring.cli.app import app
from scoring.errors import SettingsError
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings
from scoring.stories.derived_coverage import WARNING
from scoring.stories.links import LinkModel
from scoring.training.config import TrainConfig
from scoring.workflows.cluster import ClusterOptions
from scoring.workflows.drift import DriftOutcome, drift
from scoring.workflows.explain import explain
from scoring.workflows.score import score
from scoring.workflows.train import train
from tests.sites import QUICK
from tests.workflows.test_evaluate import Notes

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = TrainConfig(name="derived", model=QUICK, n_bootstrap=20)


def strip_lists(folder: Path) -> None:
    """Remove the lists, and the labels of the latest records."""
    for file in folder.glob("*.md"):
        head, _, rest = file.read_text("utf-8").partition("\nrelated:")
        if rest:
            lines = rest.splitlines()
            n_list = next(
                n for n, line in enumerate(lines[1:], 1) if line and not line.startswith((" ", "-"))
            )
            file.write_text("\n".join([head, *lines[n_list:], ""]), "utf-8")


@pytest.fixture
def unlisted(tmp_path: Path) -> Path:
    folder = tmp_path / "unlisted"
    write_sample(folder, n_records=240, seed=4)
    strip_lists(folder)
    return folder


@pytest.fixture
def deriving(settings: Settings, links: LinkModel, tmp_path: Path) -> Settings:
    save_links(tmp_path / "links.json", links)
    return msgspec.structs.replace(settings, coverage="derive", links=tmp_path / "links.json")


def fail(error: Exception) -> None:
    raise error


def trained(folder: Path, settings: Settings, output: Path) -> scoring.Model:
    train(
        [str(folder)],
        config=CONFIG,
        settings=settings,
        now=NOW,
        output=output,
        is_tracked=False,
        on_fault=fail,
    )
    return scoring.load_model(output, settings=settings)


def test_coverage_is_derived_and_marked(unlisted: Path, deriving: Settings, tmp_path: Path) -> None:
    assert not any(document.record.related for document in scoring.read_records(unlisted))
    model = trained(unlisted, deriving, tmp_path / "model")
    facts = model.saved.manifest.derived_coverage
    assert facts is not None
    assert facts.links.startswith("links@")
    assert facts.n_records == 240
    assert facts.n_related > 40
    assert load_model(tmp_path / "model").manifest.derived_coverage == facts
    derived = list(score([str(unlisted)], model=str(tmp_path / "model"), settings=deriving, on_fault=fail))
    assert all(WARNING in result.warnings for result in derived)
    listed = list(
        score(
            [str(unlisted)],
            model=str(tmp_path / "model"),
            settings=msgspec.structs.replace(deriving, coverage="listed"),
            on_fault=fail,
        )
    )
    assert not any(WARNING in result.warnings for result in listed)
    assert sum(result.heat == -1 for result in derived) > sum(result.heat == -1 for result in listed)
    by_library = model.score(scoring.derive_coverage(unlisted, model=model, settings=deriving))
    assert list(by_library) == derived


def test_an_evaluation_says_so(unlisted: Path, deriving: Settings, tmp_path: Path) -> None:
    model = trained(unlisted, deriving, tmp_path / "model")
    scoring.evaluate(unlisted, model=model, output=tmp_path / "evaluation", tracked=False, settings=deriving)
    report = (tmp_path / "evaluation" / "report.html").read_text("utf-8")
    assert "coverage of 240 records is derived from the archive, an estimate" in report


@pytest.mark.exhaustive
def test_an_archive_with_lists_trains_as_before(deriving: Settings, tmp_path: Path) -> None:
    write_sample(tmp_path / "listed", n_records=240, seed=4)
    model = trained(tmp_path / "listed", deriving, tmp_path / "first")
    other = trained(
        tmp_path / "listed", msgspec.structs.replace(deriving, coverage="listed"), tmp_path / "second"
    )
    assert model.saved.manifest.derived_coverage is None
    assert model.saved.sha256 == other.saved.sha256


def test_an_unlabelled_record_is_coverage_with_its_predicted_quality(
    deriving: Settings, tmp_path: Path
) -> None:
    title = "Harbour council opens the northern river bridge again"
    lines = [
        {"path": f"{hour}.md", "title": title, "publishedDateTime": f"2021-03-04T0{hour}:00:00Z"}
        for hour in (1, 2)
    ]
    first, second = scoring.derive_coverage(
        lines, model="shipped", settings=msgspec.structs.replace(deriving, links=None)
    )
    scores = list(scoring.score(lines, model="shipped", settings=deriving))
    assert [entry.quality for entry in first.record.related] == [scores[1].quality]
    assert [entry.quality for entry in second.record.related] == [scores[0].quality]
    assert first.warnings[-1] == WARNING


def test_a_cluster_refuses(unlisted: Path, deriving: Settings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="coverage: derive cannot be used with a cluster"):
        train(
            [str(unlisted)],
            config=CONFIG,
            settings=deriving,
            now=NOW,
            output=tmp_path / "model",
            is_tracked=False,
            place=ClusterOptions("local"),
            on_fault=fail,
        )


def test_the_option_wins_over_the_setting(
    unlisted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORING_COVERAGE", "derive")

    def n_marked(*options: str) -> int:
        arguments = ["score", str(unlisted), "--model", "shipped", "--format", "jsonl", *options]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0
        return result.stdout.count(WARNING)

    assert (n_marked(), n_marked("--coverage", "listed"), n_marked("--coverage", "derive")) == (240, 0, 240)
    refused = CliRunner().invoke(
        app, ["score", str(unlisted), "--dask", "local", "--output", str(tmp_path / "o")]
    )
    assert refused.exit_code == 2
    assert "cannot be used with a cluster" in refused.stderr


def test_a_model_of_derived_coverage_warns_where_none_is_derived(
    unlisted: Path, deriving: Settings, tmp_path: Path
) -> None:
    trained(unlisted, deriving, tmp_path / "model")
    record = str(next(unlisted.glob("*.md")))
    listed = msgspec.structs.replace(deriving, coverage="listed")
    notes, as_listed = Notes(), Notes()
    for settings, reporter in ((deriving, notes), (listed, as_listed)):
        list(
            score(
                [record], model=str(tmp_path / "model"), settings=settings, on_fault=fail, reporter=reporter
            )
        )
    assert not any("not derived here" in text for text in notes.notes)
    assert any("was trained on derived coverage, which is not derived here" in t for t in as_listed.notes)
    explained = Notes()
    explain(record, model=str(tmp_path / "model"), settings=deriving, reporter=explained)
    assert any("coverage is not derived here" in text for text in explained.notes)


def test_drift_derives_it_too(deriving: Settings, tmp_path: Path) -> None:
    unlisted = tmp_path / "unlisted"
    write_sample(unlisted, n_records=300, seed=4)
    strip_lists(unlisted)
    trained(unlisted, deriving, tmp_path / "model")
    notes = Notes()
    outcome = drift(
        [str(unlisted)],
        model=str(tmp_path / "model"),
        settings=deriving,
        now=NOW,
        is_tracked=False,
        on_fault=fail,
        reporter=notes,
    )
    assert any("is derived, an estimate" in text for text in notes.notes)
    listed = drift(
        [str(unlisted)],
        model=str(tmp_path / "model"),
        settings=msgspec.structs.replace(deriving, coverage="listed"),
        now=NOW,
        is_tracked=False,
        on_fault=fail,
    )

    def moved(found: DriftOutcome) -> float:
        return next(family.distance for family in found.drift.families if family.family == "coverage")

    assert moved(outcome) < moved(listed) / 2
