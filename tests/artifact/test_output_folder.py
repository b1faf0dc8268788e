"""Output folders: other models are refused early and never replaced without --overwrite."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from scoring.artifact.model_folder import MANIFEST
from scoring.artifact.output_folder import ModelOutput
from scoring.artifact.saved_model import SavedModel, load_model, save_model
from scoring.cli import app
from scoring.errors import ModelError
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings
from scoring.workflows import train as training_module
from scoring.workflows.export import export_model, import_model
from scoring.workflows.train import TrainOutcome, train
from tests.workflows.test_train import QUICK, Listener

NOW = datetime(2019, 1, 1, tzinfo=UTC)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="scoring")


def stop(error: Exception) -> None:
    raise error


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def other(saved: SavedModel, tmp_path: Path) -> Path:
    """A folder with another model than the small one."""
    facts = msgspec.structs.replace(saved.manifest.training, name="other")
    save_model(tmp_path / "other", saved.models, facts)
    return tmp_path / "other"


@pytest.fixture
def exported(training: TrainOutcome, settings: Settings, tmp_path: Path) -> Path:
    file = tmp_path / "small.zip"
    file.write_bytes(export_model(training.model, settings=settings).data)
    return file


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with fast training."""
    plain = msgspec.to_builtins(QUICK)
    del plain["name"]
    file = tmp_path / "quick.yaml"
    file.write_bytes(msgspec.yaml.encode(plain))
    return file


@pytest.fixture
def news(tmp_path: Path) -> Callable[[int], Path]:
    """A folder with the labelled records of a seed."""

    def make(seed: int) -> Path:
        folder = tmp_path / f"news-{seed}"
        if not folder.exists():
            write_sample(folder, n_records=60, seed=seed)
        return folder

    return make


def test_training_onto_another_model_is_refused_before_anything_is_read(
    other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object, **__: object) -> None:
        raise AssertionError("records are read")

    monkeypatch.setattr(training_module, "read_training", read)
    before, name = contents(other), load_model(other).name
    done = run("train", "nowhere", "--output", other, "--no-track")
    expected = f"error: {other}: already holds {name}: --overwrite replaces it\n"
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", expected)
    assert contents(other) == before


@pytest.mark.parametrize("is_overwrite", [False, True])
def test_anything_but_a_model_is_refused_before_anything_is_read(tmp_path: Path, is_overwrite: bool) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("Dear")
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / MANIFEST).write_text('{"name": "a page of the web"}')
    (tmp_path / "file").write_text("notes")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    option = ["--overwrite"] if is_overwrite else []
    for name in ("letters", "page", "file", "link"):
        done = run("train", "nowhere", "--output", name, "--no-track", *option)
        expected = f"error: {name}: exists and is not a model folder\n"
        assert (done.exit_code, done.stderr) == (2, expected)
    assert (tmp_path / "letters" / "a.txt").read_text() == "Dear"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "letters", "link", "page"]


def test_overwrite_replaces_a_model_and_reports_it(
    other: Path, config: Path, news: Callable[[int], Path]
) -> None:
    name = load_model(other).name
    done = run("train", news(2), "--config", config, "--output", other, "--no-track", "--overwrite")
    assert done.exit_code == 0, done.output
    assert f"{other}: {name} is replaced\n" in done.stderr
    assert load_model(other).name.startswith("quick@")


def test_an_empty_folder_is_taken(config: Path, news: Callable[[int], Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("train", news(2), "--config", config, "--output", "empty", "--no-track")
    assert done.exit_code == 0, done.output
    assert load_model(tmp_path / "empty").name.startswith("quick@")


def test_a_model_that_comes_during_a_training_is_left_alone(
    other: Path, news: Callable[[int], Path], settings: Settings, tmp_path: Path
) -> None:
    class Copier(Listener):
        """Saves another model there during the training."""

        def step(self, name: str, done: int, total: int | None) -> None:
            if name.startswith("training") and not (tmp_path / "model").exists():
                shutil.copytree(other, tmp_path / "model")

    with pytest.raises(ModelError, match=r"already holds .*: --overwrite"):
        train(
            [str(news(2))],
            config=QUICK,
            settings=settings,
            now=NOW,
            output=tmp_path / "model",
            is_tracked=False,
            on_fault=stop,
            reporter=Copier(),
        )
    assert contents(tmp_path / "model") == contents(other)


@pytest.mark.slow
def test_a_training_replaces_its_own_model_in_the_default_folder_and_no_other(
    other: Path, config: Path, news: Callable[[int], Path], tmp_path: Path
) -> None:
    folder = tmp_path / ".scoring" / "models" / "quick"
    options = ["--config", config, "--no-track"]
    assert run("train", news(2), *options).exit_code == 0
    home = tmp_path / ".scoring"
    assert [str(path) for path in (home, *home.rglob("*")) if path.stat().st_mode & 0o077] == []
    first = load_model(folder).name
    repeated = run("train", news(2), *options)
    assert (repeated.exit_code, "is replaced" in repeated.stderr) == (0, False)  # the same bytes
    done = run("train", news(3), *options)
    assert (done.exit_code, f"{folder}: {first} is replaced\n" in done.stderr) == (0, True)

    shutil.rmtree(folder)
    shutil.copytree(other, folder)
    name = load_model(folder).name
    refused = run("train", news(2), *options)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"error: {folder}: got {name}, which was not saved there by a training: "
        "--overwrite replaces it, --output DIR saves elsewhere\n"
    )
    assert contents(folder) == contents(other)
    taken = run("train", news(2), *options, "--overwrite")
    assert (taken.exit_code, f"{name} is replaced\n" in taken.stderr) == (0, True)
    assert run("train", news(3), *options).exit_code == 0


def test_the_default_folder_stays_the_trainings_own_wherever_one_is_killed(
    saved: SavedModel, tmp_path: Path
) -> None:
    folder = tmp_path / "models" / "small"
    first = save_model(folder, saved.models, saved.manifest.training)
    output = ModelOutput(folder, is_default=True)
    with pytest.raises(ModelError, match="which was not saved there by a training"):
        output.check()
    output.admit(first.sha256)
    output.check()
    output.admit("0" * 64)  # the process ends before the folder is replaced
    output.check()
    facts = msgspec.structs.replace(saved.manifest.training, name="next")
    save_model(folder, saved.models, facts, admit=output.admit)
    output.check()


def test_import_onto_another_model_is_refused(
    other: Path, exported: Path, training: TrainOutcome, tmp_path: Path
) -> None:
    before, name = contents(other), load_model(other).name
    refused = run("import", exported, "--output", other)
    expected = f"error: {other}: already holds {name}: --overwrite replaces it\n"
    assert (refused.exit_code, refused.stdout, refused.stderr) == (2, "", expected)
    assert contents(other) == before
    done = run("import", exported, "--output", other, "--overwrite")
    assert (done.exit_code, done.stdout) == (0, f"{other}\n")
    assert done.stderr.startswith(f"{other}: {name} is replaced\n")
    assert contents(other) == contents(Path(training.model))
    repeated = run("import", exported, "--output", other)  # the same model
    assert (repeated.exit_code, "is replaced" in repeated.stderr) == (0, False)


def test_import_leaves_what_was_trained_in_the_default_folder(
    other: Path, exported: Path, settings: Settings
) -> None:
    folder = settings.home / "models" / "small"
    shutil.copytree(other, folder)
    with pytest.raises(ModelError, match=r"already holds .*: --overwrite replaces it"):
        import_model(exported, settings=settings)
    assert contents(folder) == contents(other)
    listener = Listener()
    import_model(exported, settings=settings, is_overwrite=True, reporter=listener)
    assert [note.endswith("is replaced") for note in listener.notes] == [True]


def test_a_damaged_model_is_another_one(other: Path, exported: Path) -> None:
    (other / MANIFEST).write_bytes((other / MANIFEST).read_bytes()[:-100])
    refused = run("import", exported, "--output", other)
    assert (refused.exit_code, "already holds a model with a damaged manifest" in refused.stderr) == (2, True)
    assert run("import", exported, "--output", other, "--overwrite").exit_code == 0


def test_export_onto_another_file_is_refused(exported: Path, training: TrainOutcome, tmp_path: Path) -> None:
    file = tmp_path / "file.zip"
    file.write_text("notes")
    refused = run("export", training.model, file)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"error: {file}: the file exists and has other content: use --overwrite to replace it\n"
    )
    assert file.read_text() == "notes"
    assert run("export", training.model, file, "--overwrite").exit_code == 0
    assert file.read_bytes() == exported.read_bytes()
    assert run("export", training.model, file).exit_code == 0  # the same bytes
