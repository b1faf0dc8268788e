"""A model as a folder: LightGBM text files and one manifest, checked before anything is loaded."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightgbm as lgb
import msgspec

from scoring.errors import ModelError
from scoring.features.encoding import Encoder
from scoring.model import cascade, forecast
from scoring.model.baselines import TARGETS, Baselines, Medians
from scoring.model.boosters import from_text, to_text
from scoring.model.cascade import Cascade
from scoring.model.config import TrainConfig
from scoring.model.fit import Models, Thresholds
from scoring.model.forecast import Forecast
from scoring.model.intervals import ErrorDistribution
from scoring.model.profile import Profile
from scoring.model.quality import QualityModel
from scoring.model.results import Figure
from scoring.model.rubric import Rubric
from scoring.model.scorer import Scorer

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
MAX_FILE_BYTES = 256 * 2**20
PARTS = (
    *("quality", "spread", "lead", "heat", "published", "settled_lead", "growth"),
    *(f"baseline_{target}" for target in TARGETS),
)


class TrainingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a model was made of.

    Parameters
    ----------
    name : str
        The configuration's name.
    data_sha256 : str
        Hex digest of the records' content, whatever their order and place.
    n_records : int
        Records that the model was fitted on.
    begins_at, ends_at : datetime
        First and last date of publication among them, aware UTC.
    sections : dict of str to int
        Records of each section.
    section_ends_at : dict of str to datetime
        By section: the last moment that the training knew of, coverage included, aware UTC.
    config : TrainConfig
        The resolved configuration.
    versions : dict of str to str
        Of Python and of the libraries that decide on the bytes.
    metrics : dict of str to Figure
        Figures on the block that was held back before the last fit.
    baselines : dict of str to dict of str to float
        The same of the baselines.
    """

    name: str
    data_sha256: str
    n_records: int
    begins_at: datetime
    ends_at: datetime
    sections: dict[str, int]
    section_ends_at: dict[str, datetime]
    config: TrainConfig
    versions: dict[str, str]
    metrics: dict[str, Figure]
    baselines: dict[str, dict[str, float]]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything of a model but its trees; see the fitted parts for what each field holds."""

    training: TrainingFacts
    feature_names: list[str]
    cascade_names: dict[str, list[str]]
    encoder: Encoder
    rubric: Rubric
    errors: ErrorDistribution
    thresholds: Thresholds
    medians: Medians
    files: dict[str, str]
    profile: Profile | None = None


class _Envelope(msgspec.Struct, frozen=True):
    format: str
    format_version: int
    sha256: str
    manifest: msgspec.Raw


_FORMAT = "scoring model"
_BEGINNING = f'{{"format":"{_FORMAT}",'.encode()
_CASCADE_NAMES = {
    "lead": list(cascade.LEAD_NAMES),
    "heat": list(cascade.HEAT_NAMES),
    "published": list(cascade.PUBLISHED_NAMES),
    "settled_lead": list(forecast.SETTLED_LEAD_NAMES),
    "growth": list(forecast.GROWTH_NAMES),
}


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A model with what is known of it.

    Parameters
    ----------
    sha256 : str
        Hex digest of the manifest, and through it of every file.
    manifest : Manifest
        What is known of it.
    models : Models
        The fitted parts.
    """

    sha256: str
    manifest: Manifest
    models: Models

    @property
    def name(self) -> str:
        """Name and version, as they stand in each score."""
        return f"{self.manifest.training.name}@{self.sha256[:8]}"

    @property
    def scorer(self) -> Scorer:
        """What scores with it."""
        return Scorer(self.name, self.models)


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide on a model's bytes."""
    libraries = ("lightgbm", "numpy", "scipy", "scoring")
    return {"python": platform.python_version(), **{name: version(name) for name in libraries}}


def boosters_of(models: Models) -> dict[str, lgb.Booster]:
    """Each booster by the name of its part."""
    return {
        "quality": models.quality.booster,
        "spread": models.quality.spread,
        "lead": models.cascade.lead,
        "heat": models.cascade.heat,
        "published": models.cascade.published,
        "settled_lead": models.forecast.lead,
        "growth": models.forecast.growth,
        **{f"baseline_{target}": models.baselines.boosters[target] for target in TARGETS},
    }


def columns_of(models: Models) -> dict[str, tuple[str, ...]]:
    """Names of the columns of each booster that scores."""
    return {
        "quality": models.quality.names,
        "spread": models.quality.names,
        "lead": cascade.LEAD_NAMES,
        "heat": cascade.HEAT_NAMES,
        "published": cascade.PUBLISHED_NAMES,
        "settled_lead": forecast.SETTLED_LEAD_NAMES,
        "growth": forecast.GROWTH_NAMES,
    }


def save_model(
    folder: Path, models: Models, training: TrainingFacts, profile: Profile | None = None
) -> SavedModel:
    """Write a model folder; one that is there is replaced whole, or not at all.

    Parameters
    ----------
    folder : Path
        Where; a folder that holds anything but a model is refused.
    models : Models
        The fitted parts.
    training : TrainingFacts
        What they were made of.
    profile : Profile or None
        What the training records looked like; None where that was not looked at.

    Returns
    -------
    SavedModel

    Raises
    ------
    ModelError
        If the folder holds something else, or cannot be written.
    """
    if folder.exists() and not _may_be_replaced(folder):
        raise ModelError(f"{folder}: got something that is not a model, expected a model folder or none")
    contents = {f"{part}.txt": to_text(booster).encode() for part, booster in boosters_of(models).items()}
    manifest = Manifest(
        training=training,
        feature_names=list(models.quality.names),
        cascade_names=_CASCADE_NAMES,
        encoder=models.quality.encoder,
        rubric=models.quality.rubric,
        errors=models.quality.errors,
        thresholds=models.thresholds,
        medians=models.baselines.medians,
        files={name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
        profile=profile,
    )
    inner = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1)
    sha256 = hashlib.sha256(inner).hexdigest()
    contents[MANIFEST] = msgspec.json.encode(_Envelope(_FORMAT, FORMAT_VERSION, sha256, msgspec.Raw(inner)))
    try:
        _write_folder(folder, contents)
    except OSError as error:
        raise ModelError(f"{folder}: cannot write the model: {error.strerror or error}") from error
    return SavedModel(sha256, manifest, models)


def _may_be_replaced(folder: Path) -> bool:
    """Whether a folder is empty or holds a model; others have a manifest.json as well."""
    if not folder.is_dir():
        return False
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return not any(folder.iterdir())
    with manifest.open("rb") as file:
        return file.read(len(_BEGINNING)) == _BEGINNING


def _write_folder(folder: Path, contents: dict[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        fresh = Path(scratch) / "new"
        fresh.mkdir()
        for name, data in contents.items():
            with (fresh / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        if folder.exists():
            for kept in folder.iterdir():
                if kept.name not in contents and kept.name.removesuffix(".txt") not in PARTS:
                    shutil.copy2(kept, fresh / kept.name) if kept.is_file() else shutil.copytree(
                        kept, fresh / kept.name
                    )
            folder.rename(Path(scratch) / "old")
        try:
            fresh.rename(folder)
        except OSError:
            if (Path(scratch) / "old").exists():
                (Path(scratch) / "old").rename(folder)
            raise


def load_model(folder: Path) -> SavedModel:
    """Load a model folder, after its format and every hash were found right.

    Parameters
    ----------
    folder : Path
        As :func:`save_model` wrote it.

    Returns
    -------
    SavedModel

    Raises
    ------
    ModelError
        If it is no model folder, is of another format, or is damaged.
    """
    sha256, manifest = _read_manifest(folder)
    if sorted(manifest.files) != sorted(f"{part}.txt" for part in PARTS):
        raise ModelError(
            f"{folder}/{MANIFEST}: files: got {sorted(manifest.files)}, expected one of each part"
        )
    boosters = {}
    for part in PARTS:
        name = f"{part}.txt"
        data = _read(folder / name)
        if hashlib.sha256(data).hexdigest() != manifest.files[name]:
            raise ModelError(
                f"{folder / name}: got other bytes than the manifest names, expected the saved model's"
            )
        boosters[part] = from_text(data.decode())
    quality = QualityModel(
        manifest.encoder, manifest.rubric, boosters["quality"], boosters["spread"], manifest.errors
    )
    if list(quality.names) != manifest.feature_names or manifest.cascade_names != _CASCADE_NAMES:
        raise ModelError(
            f"{folder}/{MANIFEST}: got the features of another version of scoring, expected this one's"
        )
    rules = Cascade(boosters["lead"], boosters["heat"], boosters["published"])
    return SavedModel(
        sha256,
        manifest,
        Models(
            quality,
            rules,
            Forecast(rules, boosters["settled_lead"], boosters["growth"]),
            manifest.thresholds,
            Baselines(manifest.medians, {target: boosters[f"baseline_{target}"] for target in TARGETS}),
        ),
    )


def load_scorer(folder: Path) -> Scorer:
    """Load what scores from a model folder: see :func:`load_model`."""
    return load_model(folder).scorer


def _read_manifest(folder: Path) -> tuple[str, Manifest]:
    path = folder / MANIFEST
    if not path.is_file():
        raise ModelError(f"{folder}: got no {MANIFEST}, expected a model folder")
    envelope = _decode(path, _read(path), _Envelope)
    if envelope.format != _FORMAT or envelope.format_version != FORMAT_VERSION:
        raise ModelError(
            f"{path}: got format {envelope.format!r} version {envelope.format_version}, "
            f"expected {_FORMAT!r} version {FORMAT_VERSION}"
        )
    inner = bytes(envelope.manifest)
    if hashlib.sha256(inner).hexdigest() != envelope.sha256:
        raise ModelError(f"{path}: got other bytes than its hash names, expected a manifest as it was saved")
    manifest: Manifest = _decode(path, inner, Manifest)
    return envelope.sha256, manifest


def _decode(path: Path, data: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(
            f"{path}: got a damaged manifest ({error}), expected JSON as it was saved"
        ) from error


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ModelError(f"{path}: got {size} bytes, expected {MAX_FILE_BYTES} at most")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model: {error.strerror or error}") from error
