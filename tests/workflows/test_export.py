"""Export and import: equal scores elsewhere, and nothing written if anything is wrong."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import msgspec
import pytest

from scoring.artifact.model_folder import MANIFEST, read_files, with_manifest
from scoring.artifact.zip_export import pack
from scoring.cli.formats import to_json
from scoring.errors import ModelError, TrackingError
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings, load_settings
from scoring.workflows.export import export_model, import_model
from scoring.workflows.score import score
from scoring.workflows.train import TrainOutcome
from tests.conftest import KeptRuns


@pytest.fixture
def exported(training: TrainOutcome, settings: Settings, tmp_path: Path) -> Path:
    file = tmp_path / "small.zip"
    file.write_bytes(export_model(training.model, settings=settings).data)
    return file


def with_facts(training: TrainOutcome, path: Path, **facts: object) -> None:
    """An export with other training facts in its manifest, and valid hashes."""
    files = read_files(Path(training.model))
    manifest = msgspec.json.decode(files.manifest)
    manifest["training"] |= facts
    parts = {name: data for name, data in files.contents.items() if name != MANIFEST}
    path.write_bytes(pack(with_manifest("", msgspec.json.encode(manifest), parts)))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def scores(model: str, settings: Settings, folder: Path) -> str:
    def stop(error: Exception) -> None:
        raise error

    return "\n".join(map(to_json, score([str(folder)], model=model, settings=settings, on_fault=stop)))


def test_imported_model_gives_the_same_bytes_of_scores(
    training: TrainOutcome, exported: Path, settings: Settings, tmp_path: Path
) -> None:
    write_sample(tmp_path / "inbox", n_records=40, seed=9, is_labelled=False)
    elsewhere = load_settings(home=tmp_path / "elsewhere", threads=1)
    imported = import_model(exported, settings=elsewhere)
    assert imported.folder == tmp_path / "elsewhere" / "models" / "small"
    assert imported.name == export_model(training.model, settings=settings).name
    assert contents(imported.folder) == contents(Path(training.model))
    imported_scores = scores(str(imported.folder), elsewhere, tmp_path / "inbox")
    assert len(imported_scores.splitlines()) == 40
    assert imported_scores == scores(training.model, settings, tmp_path / "inbox")
    assert not (elsewhere.home / "mlflow.db").exists()


def test_wherever_the_model_is_the_file_is_the_same(
    kept_runs: KeptRuns, exported: Path, tmp_path: Path, training: TrainOutcome
) -> None:
    digest = hashlib.sha256(exported.read_bytes()).hexdigest()
    for spec in ("models:/scoring@champion", "models:/scoring/1", f"runs:/{kept_runs.trained}", None):
        data = export_model(spec, settings=kept_runs.settings).data
        assert hashlib.sha256(data).hexdigest() == digest
    beside = tmp_path / "beside"
    shutil.copytree(training.model, beside)
    (beside / "secret.txt").write_text("not the model's")
    assert export_model(str(beside), settings=kept_runs.settings).data == exported.read_bytes()


def test_model_that_cannot_be_exported(training: TrainOutcome, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="model: got 'nowhere', expected a folder"):
        export_model("nowhere", settings=settings)
    with pytest.raises(TrackingError):
        export_model("models:/scoring@champion", settings=settings)
    shutil.copytree(training.model, tmp_path / "damaged")
    with (tmp_path / "damaged" / "lead.txt").open("a") as file:
        file.write("\n")
    with pytest.raises(ModelError, match=r"lead\.txt: got other bytes than the manifest names"):
        export_model(str(tmp_path / "damaged"), settings=settings)


def test_model_that_is_there_is_replaced(
    training: TrainOutcome, exported: Path, settings: Settings, tmp_path: Path
) -> None:
    output = tmp_path / "model"
    shutil.copytree(training.model, output)
    (output / "lead.txt").write_text("damaged")
    (output / "MODEL_CARD.md").write_text("# About")
    assert import_model(exported, settings=settings, output=output).folder == output
    assert contents(output) == contents(Path(training.model)) | {"MODEL_CARD.md": b"# About"}
    assert not settings.home.exists()


def test_something_else_is_left_alone(exported: Path, settings: Settings, tmp_path: Path) -> None:
    output = tmp_path / "letters"
    output.mkdir()
    (output / "a.txt").write_text("Dear")
    with pytest.raises(ModelError, match="exists and is not a model folder"):
        import_model(exported, settings=settings, output=output)
    assert contents(output) == {"a.txt": b"Dear"}
    with pytest.raises(ModelError, match="exists and is not a model folder"):
        import_model(exported, settings=settings, output=exported)
    with pytest.raises(ModelError, match="cannot write the model"):
        import_model(exported, settings=settings, output=exported / "model")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../outside", "/tmp/outside", "a/b", "a\nb", "a\0b", "x" * 300],  # noqa: S108 -- refused
)
def test_names_that_lead_elsewhere(
    training: TrainOutcome, settings: Settings, tmp_path: Path, name: str
) -> None:
    with_facts(training, tmp_path / "odd.zip", name=name)
    with pytest.raises(ModelError) as caught:
        import_model(tmp_path / "odd.zip", settings=settings)
    assert ("which is not a valid folder name" in str(caught.value)) is (len(name) < 300)
    assert list(settings.home.rglob("*.txt")) == []
    assert [path.name for path in tmp_path.iterdir() if path != settings.home] == ["odd.zip"]
    folder = import_model(tmp_path / "odd.zip", settings=settings, output=tmp_path / "named").folder
    assert (folder / MANIFEST).is_file()


def test_model_of_another_version_is_not_written(
    training: TrainOutcome, settings: Settings, tmp_path: Path
) -> None:
    with_facts(training, tmp_path / "new.zip", n_records="many")
    with pytest.raises(ModelError, match=rf"new\.zip/{MANIFEST}: got a damaged manifest"):
        import_model(tmp_path / "new.zip", settings=settings)
    assert not settings.home.exists()


def test_nothing_is_written_of_a_file_that_is_damaged(
    exported: Path, settings: Settings, tmp_path: Path
) -> None:
    exported.write_bytes(exported.read_bytes()[:-100])
    with pytest.raises(ModelError, match="got something else or damaged"):
        import_model(exported, settings=settings, output=tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == [exported.name]
