"""Backtest by number of labels: the verb and its command."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

import scoring
from scoring.cli import app
from scoring.errors import ModelError
from scoring.evaluation.learning_curve import MAX_FULL_FITS
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings, load_settings
from scoring.tracking import Store
from scoring.tracking.store import opened
from scoring.workflows.learning_curve import learning_curve
from tests.evaluation.test_learning_curve import CONFIG

NOW = datetime(2019, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def two_sections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sections")
    write_sample(folder / "tea", n_records=220, seed=3, days=90, section="Tea")
    write_sample(folder / "rain", n_records=40, seed=4, days=90, section="Rain")
    return folder


def stop(error: Exception) -> None:
    raise error


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.yaml"
    file.write_text(msgspec.yaml.encode(msgspec.to_builtins(CONFIG)).decode())
    return file


def invoke(*arguments: object) -> Result:
    command = ["backtest", *map(str, arguments)]
    return CliRunner().invoke(app, command, prog_name="scoring")


def message(result: Result) -> str:
    return " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.exhaustive
def test_command_prints_a_row_for_each_section_and_number(
    two_sections: Path, config: Path, tmp_path: Path
) -> None:
    arguments = [two_sections, "--by", "labels", "--counts", "12,90", "--draws", 4, "--config", config]
    done = invoke(*arguments, "--no-track", "--output", tmp_path / "curve")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert " ".join(lines[0].split()) == ("section labels draws MAE median MAE worst within 1 coverage width")
    rows = [line.split() for line in lines if line.startswith(("Rain", "Tea"))]
    assert [row[:-5] for row in rows] == [
        ["Rain", "12", "4"],
        ["Rain", "all", "33", "1"],
        # 12 labels are more than a fifth of those of the other section: each draw fits everything.
        *[["Tea", size, str(MAX_FULL_FITS)] for size in ("12", "90")],
    ]
    result = json.loads(invoke(*arguments, "--no-track", "--json", "--quiet").stdout)
    assert (result["by"], result["run_id"], result["n_records"]) == ("labels", None, 260)
    point = result["points"][0]
    assert (point["section"], point["n_labels"], point["n_pool"], point["n_records"]) == ("Rain", 12, 33, 6)
    assert len(point["draws"]) == 4
    assert rows[0][3:5] == [f"{point['figures'][name]:.3f}" for name in ("quality_mae", "quality_mae_worst")]
    with (tmp_path / "curve" / "labels.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [float(row["quality_mae"]) for row in table] == [
        point["figures"]["quality_mae"] for point in result["points"]
    ]
    assert (tmp_path / "curve" / "plots" / "learning_curve.png").read_bytes().startswith(b"\x89PNG")


def test_python_returns_the_points(two_sections: Path, tmp_path: Path) -> None:
    outcome = scoring.backtest(
        two_sections, by="labels", counts=[12], draws=2, of_section="Rain", config=CONFIG, tracked=False
    )
    frame = outcome.to_frame()
    assert frame[["section", "n_labels", "n_draws"]].to_numpy().tolist() == [["Rain", 12, 2]]
    assert frame["quality_mae"].notna().all()
    assert repr(outcome) == "<LearningCurveOutcome by labels of 1 section(s), on 260 labelled records>"
    outcome.save(tmp_path / "curve")
    assert len(list((tmp_path / "curve").iterdir())) >= 2
    with pytest.raises(ValueError, match=r"counts: got \[12\] with by=\"month\", expected by=\"labels\""):
        scoring.backtest(two_sections, counts=[12])  # type: ignore[call-overload]
    with pytest.raises(ValueError, match='by: got \'week\', expected "month", "section" or "labels"'):
        scoring.backtest(two_sections, by="week")  # type: ignore[call-overload]


def test_a_run_is_logged(two_sections: Path, settings: Settings) -> None:
    steps, notes = [], []

    class Kept:
        def step(self, name: str, done: int, total: int | None) -> None:
            steps.append((name, done, total))

        def note(self, text: str) -> None:
            notes.append(text)

        def warn(self, text: str) -> None:
            raise AssertionError(text)

    outcome = learning_curve(
        [str(two_sections)],
        counts=(12, 20),
        n_draws=2,
        section="Rain",
        config=CONFIG,
        settings=settings,
        now=NOW,
        on_fault=stop,
        reporter=Kept(),
    )
    assert [step for step in steps if step[0] == "backtest by labels"] == [
        ("backtest by labels", done, 2) for done in (0, 1, 2)
    ]
    assert notes[-2:] == [
        f"Rain: {point.n_labels} labels: 2 draws, quality MAE {point.figures['quality_mae']:.3f} on 6 records"
        for point in outcome.points
    ]
    assert outcome.run_id is not None
    with opened(Store(settings.tracking_uri, settings.home), "read", writes=False) as client:
        metrics = client.get_metric_history(outcome.run_id, "labels/quality_mae")
        run = client.get_run(outcome.run_id)
    assert sorted((metric.step, metric.value) for metric in metrics) == [
        (point.n_labels, point.figures["quality_mae"]) for point in outcome.points
    ]
    assert run.data.params["counts"] == "[12, 20]"
    assert (run.data.params["draws"], run.data.params["of_section"]) == ("2", "Rain")


def test_what_cannot_be_trained_is_a_row(two_sections: Path, config: Path) -> None:
    arguments = ["--by", "labels", "--counts", "5,30", "--draws", 1, "--config", config, "--no-track"]
    done = invoke(two_sections / "rain", *arguments)
    assert done.exit_code == 0, done.output
    first, second = (line for line in done.stdout.splitlines() if line.startswith("Rain"))
    assert first.split()[:3] == ["Rain", "5", "0"]
    assert "training records: got 5 with" in first
    assert second.split()[:3] == ["Rain", "30", "1"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--by", "labels", "--counts", "0,20"], "'--counts': got '0,20', expected numbers above 0"),
        (["--by", "labels", "--counts", "-5"], "'--counts': got '-5', expected numbers above 0"),
        (["--by", "labels", "--counts", "many"], "'--counts': got 'many', expected numbers above 0"),
        (["--by", "labels", "--counts", "20,,50"], "'--counts': got '20,,50', expected numbers above 0"),
        (["--by", "labels", "--counts", ""], "'--counts': got '', expected numbers above 0"),
        (["--by", "labels", "--draws", "0"], "'--draws': got '0', expected a whole number, 1 or more"),
        (["--by", "labels", "--since", "2018-03"], "--since requires --by month"),
        (["--counts", "20"], "--counts requires --by labels"),
        (["--by", "section", "--draws", "20"], "--draws requires --by labels"),
        (["--by", "month", "--of-section", "Tea"], "--of-section requires --by labels"),
        (["--by", "labels", "--of-section", "Fog"], "section: got 'Fog', expected one of: Rain, Tea"),
    ],
)
def test_what_makes_no_sense_is_refused(two_sections: Path, arguments: list[str], expected: str) -> None:
    done = invoke(two_sections, *arguments, "--no-track")
    assert done.exit_code == 2
    assert expected in message(done)


@pytest.mark.parametrize(("counts", "n_draws"), [((), 1), ((20, 0), 1), ((20,), 0)])
def test_numbers_below_1_are_refused(tmp_path: Path, counts: tuple[int, ...], n_draws: int) -> None:
    with pytest.raises(ModelError, match="expected 1 or more"):
        learning_curve(
            ["nowhere"],
            counts=counts,
            n_draws=n_draws,
            config=CONFIG,
            settings=load_settings(home=tmp_path, threads=1),
            now=NOW,
            on_fault=stop,
        )
