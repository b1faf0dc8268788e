"""Tune: the search never sees the test block, can be resumed with the same result, and is tracked."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import optuna
import pytest
from filelock import FileLock
from typer.testing import CliRunner

from scoring.cli import app
from scoring.errors import HomeError, ModelError, ScoringError
from scoring.progress import SILENT
from scoring.records.record import Coverage, Document, Labels
from scoring.records.synthetic.generate import sample_documents
from scoring.settings import Settings, load_settings
from scoring.training.config import BoosterConfig, ModelConfig, RubricConfig, SplitConfig, TrainConfig
from scoring.training.read_dataset import read_dataset
from scoring.tuning.search_space import space_around, values_of, with_values
from scoring.tuning.study import Search, opened_study, run_trial, trials_of
from scoring.workflows import tune as tune_module
from scoring.workflows.train import load_config
from scoring.workflows.tune import TuneOutcome, split_blocks, tune

pytestmark = pytest.mark.usefixtures("undrawn_plots")

NOW = datetime(2019, 1, 1, tzinfo=UTC)
TINY = BoosterConfig(8, {"objective": "regression_l1", "num_leaves": 4, "min_data_in_leaf": 5})
CONFIG = TrainConfig(
    name="tiny",
    split=SplitConfig(test_ratio=0.2, validation_ratio=0.2),
    model=ModelConfig(rubric=RubricConfig(n_passes=3, n_term_rounds=1), quality=TINY, spread=TINY, n_folds=2),
)
N_RECORDS, N_BEFORE_TEST, N_VALIDATION = 320, 256, 51
N_TRAINING = 168  # of the 205 before the validation block: the others lie in the gap, or are copies


def stop(error: Exception) -> None:
    raise error


def lines(documents: list[Document]) -> bytes:
    rows = [
        msgspec.to_builtins(document.record) | msgspec.to_builtins(document.labels) for document in documents
    ]
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def sampled() -> list[Document]:
    made = sample_documents(n_records=N_RECORDS, seed=8, days=20)
    return [Document("-", index, "0" * 64, record, labels) for index, (record, labels) in enumerate(made)]


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return sampled()


@pytest.fixture(scope="module")
def records(documents: list[Document]) -> bytes:
    return lines(documents)


def run(records: bytes, settings: Settings, n_trials: int, **options: Any) -> TuneOutcome:
    values: dict[str, Any] = {
        "config": CONFIG,
        "settings": settings,
        "now": NOW,
        "on_fault": stop,
        "is_tracked": False,
    }
    return tune(["-"], n_trials=n_trials, stdin=io.BytesIO(records), **(values | options))


@pytest.fixture(scope="module")
def four(records: bytes, tmp_path_factory: pytest.TempPathFactory) -> TuneOutcome:
    return run(records, load_settings(home=tmp_path_factory.mktemp("four"), threads=1), 4)


@pytest.fixture
def search(records: bytes) -> Search:
    corpus = read_dataset(["-"], stdin=io.BytesIO(records), on_fault=stop, reporter=SILENT)
    return Search("tiny", split_blocks(corpus, CONFIG), CONFIG, 1)


def test_the_first_trial_is_what_was_given_and_the_best_is_no_worse(four: TuneOutcome) -> None:
    assert [trial.number for trial in four.trials] == [0, 1, 2, 3]
    assert four.given == four.trials[0]
    assert four.given.values == values_of(CONFIG.model, space_around(CONFIG.model))
    assert four.given.values["quality.params.learning_rate"] == 0.1  # LightGBM's own: it is not given
    errors = [trial.quality_mae for trial in four.trials if trial.quality_mae is not None]
    assert four.best.quality_mae == min(errors)
    assert len(set(errors)) > 1, "all trials are alike: nothing is searched"
    assert (four.n_training, four.n_validation) == (N_TRAINING, N_VALIDATION)
    # Errors are of whole points.
    assert all(abs(error * N_VALIDATION - round(error * N_VALIDATION)) < 1e-9 for error in errors)
    assert sum(four.importances.values()) == pytest.approx(1)
    assert set(four.importances) == set(four.given.values)


def test_a_study_that_is_taken_up_again_ends_the_same(
    four: TuneOutcome, records: bytes, settings: Settings
) -> None:
    begun = run(records, settings, 2)
    assert begun.trials == four.trials[:2]
    ended = run(records, settings, 4)
    assert ended.trials == four.trials
    assert ended.importances == four.importances
    again = run(records, settings, 1)
    assert again.trials == four.trials, "a study that is done was searched further, or forgotten"


def test_the_test_block_changes_nothing(
    four: TuneOutcome, documents: list[Document], settings: Settings
) -> None:
    cut = documents[N_BEFORE_TEST].record.published_at
    assert cut is not None

    def changed(entry: Coverage) -> Coverage:
        is_later = entry.published_at is not None and entry.published_at >= cut
        return msgspec.structs.replace(entry, quality=888, title="Other") if is_later else entry

    results, n_stories_that_go_on = [], 0
    for index, document in enumerate(documents):
        record, labels = document.record, document.labels
        related = [changed(entry) for entry in record.related]
        if index >= N_BEFORE_TEST:
            record = msgspec.structs.replace(record, title="Another title", excerpt="", images=())
            labels = Labels(quality=1, heat=4321, published=True)
        elif related != list(record.related):
            n_stories_that_go_on += 1
            related.append(Coverage("New", published_at=cut + timedelta(hours=3), quality=999))
        record = msgspec.structs.replace(record, related=tuple(related))
        results.append(msgspec.structs.replace(document, record=record, labels=labels))
    assert n_stories_that_go_on > 0, "no story goes on over the cut: the test would prove little"
    other = run(lines(results), settings, 4)
    assert other.trials == four.trials
    assert other.best == four.best


def test_the_validation_block_decides(
    four: TuneOutcome, documents: list[Document], settings: Settings
) -> None:
    """The test above can fail."""
    changed = list(documents)
    for index in range(N_BEFORE_TEST - N_VALIDATION, N_BEFORE_TEST):
        labels = msgspec.structs.replace(documents[index].labels, quality=500)
        changed[index] = msgspec.structs.replace(documents[index], labels=labels)
    other = run(lines(changed), settings, 1)
    assert other.given.quality_mae is not None
    assert four.given.quality_mae is not None
    assert other.given.quality_mae > 300 > four.given.quality_mae


def test_the_best_configuration_is_a_file_for_a_training(four: TuneOutcome) -> None:
    config = load_config(Path(four.best_config))
    assert config.name == "tiny-best"
    assert config.model == with_values(CONFIG.model, four.best.values)
    assert (config.split, config.seed) == (CONFIG.split, CONFIG.seed)
    expected = f"quality MAE {four.best.quality_mae:.3f} on the validation block, trial {four.best.number}."
    assert config.description == f"Best of 4 trials: {expected}"


def test_other_records_or_limits_need_another_study(
    records: bytes, documents: list[Document], settings: Settings
) -> None:
    run(records, settings, 1)
    with pytest.raises(ModelError, match="study 'tiny': got other records than it was begun with"):
        run(lines(documents[1:]), settings, 2)
    other = msgspec.structs.replace(CONFIG, seed=5)
    with pytest.raises(ModelError, match="study 'tiny': got other configuration than it was begun with"):
        run(records, settings, 2, config=other)
    assert len(run(records, settings, 1, config=other, study="other").trials) == 1
    with pytest.raises(ModelError, match=r"study: got '../x', expected letters"):
        run(records, settings, 1, study="../x")


def test_one_process_at_a_time(records: bytes, settings: Settings) -> None:
    (settings.home / "studies").mkdir(parents=True)
    with (
        FileLock(settings.home / "studies" / "tiny.in-use"),
        pytest.raises(ModelError, match="study 'tiny': another process is using it"),
    ):
        run(records, settings, 1)


def test_time_that_is_up_ends_the_search(records: bytes, settings: Settings) -> None:
    outcome = run(records, settings, 5, timeout_minutes=0)
    assert len(outcome.trials) == 1
    assert outcome.importances == {}
    assert outcome.best == outcome.given


def test_a_trial_that_was_broken_off_is_made_up_for(
    four: TuneOutcome, search: Search, settings: Settings
) -> None:
    with opened_study(search, settings.home / "studies", NOW) as study:
        study.ask()  # and the process is gone
    with opened_study(search, settings.home / "studies", NOW) as study:
        run_trial(study, search, 0)
        (trial,) = trials_of(study)
        states = [trial.state.name for trial in study.trials]
    assert states == ["FAIL", "COMPLETE"]
    assert (trial.values, trial.quality_mae) == (four.given.values, four.given.quality_mae)


def test_a_trial_whose_rubric_is_far_off_is_given_up(search: Search, settings: Settings) -> None:
    with opened_study(search, settings.home / "studies", NOW) as study:
        run_trial(study, search, 0)
        given = study.trials[0]
        for _ in range(4):
            study.add_trial(
                optuna.trial.create_trial(
                    params=given.params,
                    distributions=given.distributions,
                    value=0.0,
                    intermediate_values={0: 0.0},
                    user_attrs={"rubric_mae": 0.0, "n_trees": 1},
                )
            )
        run_trial(study, search, 5)
        last = trials_of(study)[-1]
    assert last.quality_mae is None
    assert last.n_trees is None
    assert last.rubric_mae > 0


def test_limits_hold_what_is_given() -> None:
    params = {"objective": "quantile", "num_leaves": 255, "learning_rate": 0.001}
    config = ModelConfig(rubric=RubricConfig(level_ridge=0), quality=BoosterConfig(9, params))
    space = {parameter.path: parameter for parameter in space_around(config)}
    assert space["quality.params.objective"].choices == ("regression_l1", "huber", "regression", "quantile")
    assert (space["quality.params.num_leaves"].low, space["quality.params.num_leaves"].high) == (4, 255)
    assert space["quality.params.learning_rate"].low == 0.001
    assert (space["rubric.level_ridge"].low, space["rubric.level_ridge"].is_log) == (0, False)


def test_without_optuna_the_error_says_what_to_install(
    records: bytes, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ScoringError, match=r"tuning needs Optuna: pip install 'news-scoring\[tune\]'"):
        run(records, settings, 1)


def test_too_few_records_are_named(documents: list[Document], settings: Settings) -> None:
    with pytest.raises(ModelError, match="got 4 in the validation block, expected 5 or more"):
        run(lines(documents[:30]), settings, 1)


def test_command_prints_trials_and_parameters(records: bytes, tmp_path: Path) -> None:
    (tmp_path / "new.jsonl").write_bytes(records)
    (tmp_path / "tiny.yaml").write_text(msgspec.yaml.encode(msgspec.to_builtins(CONFIG)).decode())
    arguments = ["tune", "new.jsonl", "--trials", "2", "--config", "tiny.yaml", "--no-track"]
    done = CliRunner().invoke(app, [*arguments, "--output", "found/best.yaml"], prog_name="scoring")
    assert done.exit_code == 0, done.output
    assert "quality.params.num_leaves" in done.stdout
    assert "trial 0: quality MAE" in done.stderr
    quiet = CliRunner().invoke(app, [*arguments, "--json", "--quiet"], prog_name="scoring")
    output = json.loads(quiet.stdout)
    assert [trial["number"] for trial in output["trials"]] == [0, 1]
    assert f"{output['best']['quality_mae']:.3f}" in done.stdout
    assert load_config(tmp_path / "found" / "best.yaml").name == "best"


def test_a_file_that_the_study_has_not_written_is_refused_before_the_first_trial(
    records: bytes, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("description: by hand\n")
    with monkeypatch.context() as patch:
        patch.setattr(tune_module, "run_trial", lambda *_: pytest.fail("a trial was begun"))
        with pytest.raises(ModelError, match=r"mine\.yaml: got a file that study 'tiny' has not written"):
            run(records, settings, 1, output=file)
    assert file.read_text() == "description: by hand\n"
    run(records, settings, 1, output=file, is_overwrite=True)
    first = file.read_text()
    run(records, settings, 2, output=file)  # its own file, taken up again
    assert file.read_text() != first
    file.write_text(first)  # as where the process was killed before it wrote
    run(records, settings, 2, output=file)
    file.write_text(first.replace("Best of", "Best, I say, of"))
    with pytest.raises(ModelError, match="has not written, expected none: --overwrite replaces it"):
        run(records, settings, 3, output=file)
    file.write_bytes(b"\xff")
    with pytest.raises(ModelError, match="has not written"):
        run(records, settings, 3, output=file)


def test_a_study_of_a_newer_format_is_refused(search: Search, settings: Settings) -> None:
    folder = settings.home / "studies"
    folder.mkdir(parents=True)
    with opened_study(search, folder, NOW) as study:
        assert study.user_attrs["format"] == 1
        study.set_user_attr("format", 2)
    with (
        pytest.raises(HomeError, match=r"^study 'tiny': format 2 is newer than .*: upgrade scoring$"),
        opened_study(search, folder, NOW),
    ):
        pass
