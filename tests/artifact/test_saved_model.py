"""Model folder: equal scores after loading, and an error for any damage."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scoring.artifact import model_folder
from scoring.artifact.model_folder import FILES, MANIFEST
from scoring.artifact.saved_model import SavedModel, load_model, save_model
from scoring.errors import ModelError
from scoring.features.table import build_table
from scoring.records.synthetic.generate import sample_documents
from scoring.workflows.train import TrainOutcome


@pytest.fixture
def folder(training: TrainOutcome, tmp_path: Path) -> Path:
    """A copy of the small model that a test may damage."""
    copy = tmp_path / "model"
    shutil.copytree(training.model, copy)
    return copy


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_folder_holds_the_parts_and_nothing_else(folder: Path) -> None:
    assert sorted(contents(folder)) == sorted(FILES)


def test_saved_and_loaded_again_is_the_same_to_the_byte(
    saved: SavedModel, folder: Path, tmp_path: Path
) -> None:
    again = save_model(tmp_path / "again", saved.models, saved.manifest.training, saved.manifest.profile)
    assert contents(tmp_path / "again") == contents(folder)
    loaded = load_model(tmp_path / "again")
    assert again.sha256 == loaded.sha256 == saved.sha256
    assert again.name == loaded.name == f"small@{saved.sha256[:8]}"
    table = build_table([record for record, _ in sample_documents(n_records=100, seed=9)])
    for name, values in (
        (name, getattr(saved.scorer.predict(table), name)) for name in ("quality", "heat_expected")
    ):
        assert np.array_equal(getattr(loaded.scorer.predict(table), name), values)


def test_profile_may_be_absent(saved: SavedModel, tmp_path: Path) -> None:
    assert saved.manifest.profile is not None
    save_model(tmp_path / "bare", saved.models, saved.manifest.training)
    assert load_model(tmp_path / "bare").manifest.profile is None


def test_what_was_trained_on_is_known(saved: SavedModel, training: TrainOutcome) -> None:
    facts = saved.manifest.training
    assert (facts.name, facts.n_records, facts.data_sha256) == ("small", 400, training.data_sha256)
    assert facts.sections == {"Tessaril": 400}
    assert facts.begins_at < facts.ends_at
    assert facts.begins_at.tzinfo is not None
    assert {name: figure.value for name, figure in facts.metrics.items()} == training.metrics
    assert set(facts.baselines) == {"global median", "provider median", "plain LightGBM"}
    assert facts.config.name == "small"


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as raised:
        load_model(folder)
    message = str(raised.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [0, 1, 0.5, 0.999])
def test_file_that_is_cut_short(folder: Path, name: str, kept: float) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * kept) if kept < 1 else len(data) - 1])
    assert name in refused(folder)


@pytest.mark.parametrize("name", FILES)
def test_bit_that_flipped(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    places = np.random.default_rng(0).integers(0, len(data), 12).tolist()
    if name == MANIFEST:
        places += range(150)  # each byte of the envelope
    for offset in places:
        for bit in (0, 5, 7):
            damaged = bytearray(data)
            damaged[offset] ^= 1 << bit
            (folder / name).write_bytes(damaged)
            assert name in refused(folder)
    (folder / name).write_bytes(data)
    assert load_model(folder).name.startswith("small@")


@pytest.mark.parametrize("name", FILES)
def test_file_that_is_missing_or_a_folder(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name in refused(folder)
    (folder / name).mkdir()
    assert name in refused(folder)


def test_parts_that_changed_places(folder: Path) -> None:
    (folder / "lead.txt").rename(folder / "was_lead.txt")
    (folder / "heat.txt").rename(folder / "lead.txt")
    (folder / "was_lead.txt").rename(folder / "heat.txt")
    assert "lead.txt" in refused(folder)


def test_manifest_that_was_edited(folder: Path) -> None:
    text = (folder / MANIFEST).read_text()
    assert '"n_records": 400' in text
    (folder / MANIFEST).write_text(text.replace('"n_records": 400', '"n_records": 4000'))
    assert "other bytes than its hash names" in refused(folder)


def test_manifest_that_was_laid_out_anew(folder: Path) -> None:
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(json.dumps(json.loads(text)))
    refused(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"format_version":1', '"format_version":2'), ('"format":"scoring model"', '"format":"another model"')],
)
def test_other_format_is_named(folder: Path, old: str, new: str) -> None:
    text = (folder / MANIFEST).read_text()
    assert old in text
    (folder / MANIFEST).write_text(text.replace(old, new))
    message = refused(folder)
    assert "expected 'scoring model' version 1" in message


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"name": "An app"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"x":' * 100_000,
        b"\0" * 99,
    ],
)
def test_manifest_of_something_else(folder: Path, manifest: bytes) -> None:
    (folder / MANIFEST).write_bytes(manifest)
    assert MANIFEST in refused(folder)


def rewritten(folder: Path, **changes: object) -> None:
    """Change the manifest and update its hash, as another version of the program might write it."""
    envelope = msgspec.json.decode((folder / MANIFEST).read_bytes())
    inner = msgspec.json.format(msgspec.json.encode(envelope["manifest"] | changes, order="sorted"), indent=1)
    digest = hashlib.sha256(inner).hexdigest()
    envelope |= {"sha256": digest, "manifest": msgspec.Raw(inner)}
    (folder / MANIFEST).write_bytes(msgspec.json.encode(envelope))


def test_features_of_another_version_are_refused(folder: Path) -> None:
    rewritten(folder)
    assert load_model(folder).manifest.training.name == "small"
    rewritten(folder, feature_names=["title_chars"])
    assert "features of another version" in refused(folder)


@pytest.mark.parametrize(
    "changes", [{"cascade_names": {}}, {"files": {}}, {"files": {"../outside.txt": "0" * 64}}, {"more": 1}]
)
def test_manifest_of_another_version_is_refused(folder: Path, changes: dict[str, object]) -> None:
    rewritten(folder, **changes)
    assert MANIFEST in refused(folder)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("since", "2018-06-01T00:00:00", "since"),
        ("since", "2018-06-01T00:00:00+05:00", "since"),
        ("n_since", -1, "n_since"),
        ("effects", [{"name": "has_image", "before": 1e300, "since": 0.0}], "numbers"),
    ],
)
def test_changes_of_policy_that_no_training_finds_are_refused(
    folder: Path, field: str, value: object, named: str
) -> None:
    change = {
        "section": "Tessaril",
        "target": "quality",
        "since": "2018-06-01T00:00:00Z",
        "n_before": 30,
        "n_since": 30,
        "effects": [],
    }
    rewritten(folder, policy_changes=[change])
    assert load_model(folder).models.changes
    rewritten(folder, policy_changes=[{**change, field: value}])
    assert named in refused(folder)


def test_file_of_unlikely_size_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folder, "MAX_FILE_BYTES", 1000)
    assert "expected 1000 at most" in refused(folder)


def test_place_without_a_model(tmp_path: Path) -> None:
    assert "expected a model folder" in refused(tmp_path)
    assert "expected a model folder" in refused(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    assert "expected a model folder" in refused(tmp_path / "file")


@pytest.mark.parametrize("name", ["letters.txt", MANIFEST, "lead.txt"])
def test_folder_of_somebody_else_is_left_alone(saved: SavedModel, tmp_path: Path, name: str) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / name).write_text('{"name": "An app"}')
    with pytest.raises(ModelError, match="exists and is not a model folder"):
        save_model(other, saved.models, saved.manifest.training)
    assert contents(other) == {name: b'{"name": "An app"}'}


def test_file_of_that_name_is_left_alone(saved: SavedModel, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("x")
    with pytest.raises(ModelError, match="exists and is not a model folder"):
        save_model(tmp_path / "model", saved.models, saved.manifest.training)
    assert (tmp_path / "model").read_text() == "x"


def test_model_is_replaced_and_what_lies_beside_it_is_kept(saved: SavedModel, folder: Path) -> None:
    (folder / "MODEL_CARD.md").write_text("# About")
    (folder / "plots").mkdir()
    (folder / "plots" / "a.txt").write_text("a")
    (folder / "lead.txt").write_text("damaged")
    again = save_model(folder, saved.models, saved.manifest.training, saved.manifest.profile)
    assert load_model(folder).sha256 == again.sha256 == saved.sha256
    assert (folder / "MODEL_CARD.md").read_text() == "# About"
    assert (folder / "plots" / "a.txt").read_text() == "a"
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]  # no scratch is left


def test_place_that_cannot_be_written(saved: SavedModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelError, match="cannot write the model"):
        save_model(tmp_path / "file" / "model", saved.models, saved.manifest.training)
