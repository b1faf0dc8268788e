"""Comparison of runs and models, on their test records or on named ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scoring.artifact.saved_model import SavedModel, load_model, save_model
from scoring.errors import ModelError, RecordError, ScoringError, TrackingError
from scoring.evaluation.comparison import Comparison, Side, ValueDiff
from scoring.evaluation.paired_figures import compare_predictions
from scoring.explanation.policy import PolicyComparison
from scoring.model.policy_change import PolicyChange
from scoring.records.corpus import read_documents
from scoring.records.synthetic.generate import write_sample
from scoring.settings import default_model_folder
from scoring.workflows import compare as workflow
from scoring.workflows.compare import compare
from scoring.workflows.train import TrainOutcome
from tests.conftest import KeptRuns
from tests.workflows.test_evaluate import Notes

SHIPPED = str(default_model_folder())


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "N_DRAWS", 30)
    monkeypatch.setattr(workflow, "N_PART_DRAWS", 10)


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> str:
    """60 records after those of the small model; the last 20 have no labels."""
    folder = tmp_path_factory.mktemp("records") / "later"
    write_sample(folder, n_records=40, seed=1, begins_at=datetime(2019, 3, 1, tzinfo=UTC))
    write_sample(
        folder / "new", n_records=20, seed=2, begins_at=datetime(2020, 1, 1, tzinfo=UTC), is_labelled=False
    )
    return str(folder)


def stop(error: RecordError) -> None:
    raise error


def run(
    arguments: Sequence[str], kept_runs: KeptRuns, notes: Notes | None = None, limit: int = 20
) -> tuple[Comparison, ...]:
    settings = kept_runs.settings
    return compare(arguments, settings=settings, limit=limit, on_fault=stop, reporter=notes or Notes())


def test_runs_are_compared_on_what_they_held_back(
    kept_runs: KeptRuns, saved: SavedModel, training: TrainOutcome
) -> None:
    (comparison,) = run([kept_runs.trained, kept_runs.judged], kept_runs)
    assert comparison.first == Side(f"small {kept_runs.trained[:8]}", kept_runs.trained, saved.name)
    assert comparison.second == Side(f"other {kept_runs.judged[:8]}", kept_runs.judged, "other@1")
    assert comparison.parameters == (ValueDiff("name", "small", "other"), ValueDiff("seed", "0", "7"))
    other = f"other {kept_runs.judged[:8]}"
    assert comparison.policy.fault == f"{other} has no model that can be opened"
    assert run([kept_runs.trained, kept_runs.trained], kept_runs)[0].policy == PolicyComparison()
    assert (comparison.data, comparison.features, comparison.notes) == ((), (), ())
    assert (comparison.n_records, comparison.n_labelled) == (60, 60)
    assert (comparison.begins_at, comparison.ends_at) == (
        training.evaluation.begins_at,
        training.evaluation.ends_at,
    )
    error = comparison.differences["quality_mae"]
    assert (error.first, error.second) == (training.metrics["quality_mae"], 0.0)
    assert error.verdict == "better"
    assert {part.family for part in comparison.slices} == {"provider", "coverage", "month"}
    predictions = training.evaluation.predictions
    n_wrong = int((predictions["published_predicted"] != predictions["published"]).sum())
    counts = comparison.flip_counts
    assert (counts.n_flips, counts.n_first_right, counts.n_second_right) == (n_wrong + 1, 1, n_wrong)
    assert len(comparison.flips) == counts.n_flips
    assert [flip.right for flip in comparison.flips].count("first") == 1
    assert {flip.reasons for flip in comparison.flips} == {()}
    (limited,) = run([kept_runs.trained, kept_runs.judged], kept_runs, limit=1)
    assert (limited.flips, limited.flip_counts) == (comparison.flips[:1], counts)


def test_only_records_that_all_have_count(kept_runs: KeptRuns) -> None:
    notes = Notes()
    first, second = run([kept_runs.trained, kept_runs.judged, kept_runs.fewer], kept_runs, notes)
    assert notes.notes == [
        f"small {kept_runs.trained[:8]}: 40 of its 60 test records are shared",
        f"other {kept_runs.judged[:8]}: 40 of its 60 test records are shared",
    ]
    assert first.notes == second.notes == tuple(notes.notes)
    assert first.n_records == second.n_records == 40
    assert (first.second.run_id, second.second.run_id) == (kept_runs.judged, kept_runs.fewer)
    assert {difference.verdict for difference in second.differences.values()} == {"same"}
    assert second.data == (ValueDiff("n_evaluated", "60", "40"),)
    assert second.flip_counts.n_flips == 0


def test_models_score_records_that_are_named(
    kept_runs: KeptRuns, training: TrainOutcome, saved: SavedModel, later: str
) -> None:
    notes = Notes()
    (comparison,) = run([training.model, SHIPPED, later], kept_runs, notes, limit=3)
    shipped = load_model(Path(SHIPPED))
    assert (comparison.first, comparison.second) == (
        Side(saved.name, None, saved.name),
        Side(shipped.name, None, shipped.name),
    )
    assert (comparison.n_records, comparison.n_labelled) == (60, 40)
    until = shipped.manifest.training.ends_at
    assert notes.notes == [
        f"{shipped.name}: 60 of 60 records are not newer than its training records (to {until:%Y-%m-%d}); "
        "on these the metrics are in-sample"
    ]
    data = {difference.name: (difference.first, difference.second) for difference in comparison.data}
    assert data["n_all"] == ("400", str(shipped.manifest.training.n_records))
    assert data["trained_to"][1] == f"{until:%Y-%m-%d}"
    assert [feature.parts for feature in comparison.features] == [("quality", "spread")]
    only_shipped = set(shipped.manifest.feature_names) - set(saved.manifest.feature_names)
    assert set(comparison.features[0].only_second) == only_shipped != set()
    assert comparison.differences["quality_mae"].verdict == "worse"  # it was made for another site
    documents = {document.path: document for document in read_documents([later], on_fault=stop)}
    assert len(comparison.flips) == min(3, comparison.flip_counts.n_flips) > 0
    for flip in comparison.flips:
        document = documents[flip.path]
        assert flip.label == document.labels.published
        assert [flip.first] == list(saved.scorer.score([document]))
        assert [flip.second] == list(shipped.scorer.score([document]))
        assert {pair.target for pair in flip.reasons} == {"quality", "lead", "published"}


def test_labels_from_before_a_known_change_are_counted(
    kept_runs: KeptRuns, training: TrainOutcome, saved: SavedModel, later: str, tmp_path: Path
) -> None:
    """The 20 records without labels do not count; neither do changes of other sections."""
    since = datetime(2021, 3, 1, tzinfo=UTC)
    section = next(iter(saved.manifest.training.sections))
    changes = tuple(PolicyChange(name, "heat", since, 30, 30, ()) for name in (section, "Elsewhere"))
    knowing = save_model(
        tmp_path / "knowing", replace(saved.models, changes=changes), saved.manifest.training
    )
    notes = Notes()
    run([training.model, str(tmp_path / "knowing"), later], kept_runs, notes)
    assert notes.notes == [
        f"40 labels are from before a change of policy that {knowing.name} knows, and follow earlier rules: "
        "name only records since 2021-03-01T00:00:00Z to leave them out"
    ]


def test_labels_from_before_a_known_change_are_counted_in_test_periods(
    kept_runs: KeptRuns, saved: SavedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (section,) = saved.manifest.training.sections
    change = PolicyChange(section, "quality", datetime(2030, 1, 1, tzinfo=UTC), 400, 10, ())
    knowing = replace(saved, models=replace(saved.models, changes=(change,)))
    monkeypatch.setattr(workflow, "open_model", lambda *_, **__: knowing)
    notes = Notes()
    (comparison,) = run([kept_runs.trained, kept_runs.trained], kept_runs, notes)
    note = "60 labels are from before a change of policy that small "
    assert [text.startswith(note) for text in notes.notes] == [True, True]
    assert comparison.notes == tuple(notes.notes)


def test_figures_are_those_of_the_records_with_labels(
    kept_runs: KeptRuns, training: TrainOutcome, later: str
) -> None:
    labelled, whole = (
        run([training.model, SHIPPED, path], kept_runs)[0] for path in (f"{later}/*.md", later)
    )
    assert labelled.n_records == labelled.n_labelled == 40
    assert labelled.differences == whole.differences
    assert labelled.slices == whole.slices


def test_records_without_labels_have_decision_changes_and_no_figures(
    kept_runs: KeptRuns, training: TrainOutcome, later: str
) -> None:
    (comparison,) = run([training.model, SHIPPED, f"{later}/new"], kept_runs)
    assert (comparison.n_records, comparison.n_labelled) == (20, 0)
    assert (comparison.differences, comparison.slices) == ({}, ())
    assert comparison.flip_counts.n_flips > 0
    assert (comparison.flip_counts.n_first_right, comparison.flip_counts.n_second_right) == (0, 0)
    assert {flip.label for flip in comparison.flips} == {None}


def test_one_model_by_any_of_its_names(kept_runs: KeptRuns, training: TrainOutcome, later: str) -> None:
    names = [
        training.model,
        kept_runs.trained[:6],
        f"runs:/{kept_runs.trained}",
        f"runs:/{kept_runs.trained}/model",
        "models:/scoring/1",
        "models:/scoring@champion",
    ]
    comparisons = run([*names, f"{later}/new"], kept_runs)
    assert [comparison.second.run_id for comparison in comparisons] == [kept_runs.trained] * 5
    for result in comparisons:
        assert result.first.model == result.second.model
        assert (result.parameters, result.data, result.features, result.flips) == (
            (),
            (),
            (),
            (),
        )
    held = run(names[1:], kept_runs)
    assert [comparison.n_records for comparison in held] == [60] * 4


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["TRAINED"], ModelError, "runs to compare: got runs:/.*, expected two or more"),
        (["later"], ModelError, "runs to compare: got none, expected two or more"),
        (
            ["TRAINED", "MODEL"],
            ModelError,
            "small: got a model folder, which has no logged predictions",
        ),
        (
            ["TRAINED", "000000"],
            TrackingError,
            "no run or file '000000' in .*: .scoring runs. lists the runs",
        ),
        (
            ["runs:/" + "0" * 32, "TRAINED"],
            TrackingError,
            "no run or file 'runs:/0000.*",
        ),
        (["runs:/x", "TRAINED"], TrackingError, "no run or file 'runs:/x'"),
        (
            ["models:/scoring", "TRAINED"],
            TrackingError,
            "got 'models:/scoring', expected models:/NAME/",
        ),
        (["models:/scoring/9", "TRAINED"], TrackingError, "cannot find the run of models:/scoring/9"),
        (["TRAINED", "JUDGED", "LATER"], TrackingError, "runs:/.* has no model"),
        (["TRAINED", "MODEL", "absent"], RecordError, "absent: got no such file or folder"),
        (["TRAINED", "MODEL", "empty"], ScoringError, "empty: got "),
    ],
)
def test_what_cannot_be_compared(
    kept_runs: KeptRuns,
    training: TrainOutcome,
    later: str,
    tmp_path: Path,
    arguments: list[str],
    error: type[Exception],
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    names = {
        "TRAINED": kept_runs.trained,
        "JUDGED": kept_runs.judged,
        "MODEL": training.model,
        "LATER": later,
    }
    with pytest.raises(error, match=message):
        run([names.get(argument, argument) for argument in arguments], kept_runs)


def test_a_folder_may_be_called_like_a_run(
    kept_runs: KeptRuns, training: TrainOutcome, tmp_path: Path
) -> None:
    write_sample(tmp_path / "abcdef0", n_records=3, seed=4)
    (comparison,) = run([training.model, SHIPPED, "abcdef0"], kept_runs)
    assert comparison.n_records == 3


def test_intervals_are_drawn_from_the_seed(kept_runs: KeptRuns, training: TrainOutcome) -> None:
    (comparison,) = run([kept_runs.trained, kept_runs.judged], kept_runs)
    first = training.evaluation.predictions
    second = dict(first, quality_predicted=first["quality"])
    again = compare_predictions(first, second, n_draws=30, seed=kept_runs.settings.seed)
    assert comparison.differences["quality_mae"] == again["quality_mae"]
    other = compare(
        [kept_runs.trained, kept_runs.judged],
        settings=msgspec.structs.replace(kept_runs.settings, seed=5),
        on_fault=stop,
    )
    assert other[0].differences["quality_mae"] != again["quality_mae"]


def test_a_comparison_is_json(kept_runs: KeptRuns) -> None:
    (comparison,) = run([kept_runs.trained, kept_runs.judged], kept_runs)
    assert msgspec.json.decode(msgspec.json.encode(comparison), type=Comparison) == comparison
    assert np.isfinite(comparison.differences["quality_mae"].gain)
