"""A model as a folder: what stands in its files, and the fitted parts made of them."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec

import scoring
from scoring.artifact.lightgbm_validation import MAX_EXPONENT, MAX_TOTAL, check_text
from scoring.artifact.manifest import Manifest, TrainingFacts
from scoring.artifact.manifest_validation import check_manifest
from scoring.artifact.model_folder import (
    MANIFEST,
    ModelFiles,
    decoded,
    hashes_of,
    read_files,
    with_manifest,
    write_files,
)
from scoring.drift.reference_profile import Profile
from scoring.errors import ModelError
from scoring.model import cascade, forecast
from scoring.model.baselines import TARGETS, Baselines
from scoring.model.booster import Booster
from scoring.model.cascade import Cascade
from scoring.model.components import FittedComponents
from scoring.model.forecast import Forecast
from scoring.model.quality import RUBRIC_COLUMN, QualityModel
from scoring.model.scorer import Scorer

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
    models : FittedComponents
        The fitted parts.
    """

    sha256: str
    manifest: Manifest
    models: FittedComponents

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
    libraries = {name: version(name) for name in ("lightgbm", "numpy", "scipy")}
    return {"python": platform.python_version(), **libraries, "scoring": scoring.__version__}


def boosters_of(models: FittedComponents) -> dict[str, Booster]:
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


def columns_of(models: FittedComponents) -> dict[str, tuple[str, ...]]:
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
    folder: Path,
    models: FittedComponents,
    training: TrainingFacts,
    profile: Profile | None = None,
    *,
    admit: Callable[[str], None] | None = None,
) -> SavedModel:
    """Write a model folder; one that is there is replaced whole, or not at all.

    Parameters
    ----------
    folder : Path
        Where; a folder that holds anything but a model is refused.
    models : FittedComponents
        The fitted parts.
    training : TrainingFacts
        What they were made of.
    profile : Profile or None
        What the training records looked like; None where that was not looked at.
    admit : callable, optional
        Called with the digest of the model before anything is written; what it raises leaves the folder as
        it is.

    Returns
    -------
    SavedModel

    Raises
    ------
    ModelError
        If the folder holds something else, or cannot be written.
    """
    parts = {f"{part}.txt": booster.text.encode() for part, booster in boosters_of(models).items()}
    manifest = Manifest(
        training=training,
        feature_names=list(models.quality.names),
        cascade_names=_CASCADE_NAMES,
        encoder=models.quality.encoder,
        rubric=models.quality.rubric,
        errors=models.quality.errors,
        thresholds=models.thresholds,
        medians=models.baselines.medians,
        files=hashes_of(parts),
        profile=profile,
    )
    inner = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1)
    files = with_manifest(str(folder), inner, parts)
    write_files(folder, files.contents, admit=None if admit is None else lambda: admit(files.sha256))
    return SavedModel(files.sha256, manifest, models)


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
    return open_files(read_files(folder))


def open_files(files: ModelFiles, *, is_whole: bool = True) -> SavedModel:
    """Make a model of its files.

    Parameters
    ----------
    files : ModelFiles
        Those of a model folder.
    is_whole : bool
        Whether the boosters of the baselines are looked at now. No score needs them; else each is checked
        and loaded when it is first asked for.

    Raises
    ------
    ModelError
        If they are of another version of this package, or hold what could not have been learned.
    """
    path = f"{files.place}/{MANIFEST}"
    manifest: Manifest = decoded(path, files.manifest, Manifest)
    check_manifest(manifest, path)
    encoder, cascade_names = manifest.encoder, manifest.cascade_names
    names = (*encoder.names, RUBRIC_COLUMN)
    if list(names) != manifest.feature_names or cascade_names != _CASCADE_NAMES:
        raise ModelError(f"{path}: got the features of another version of scoring, expected this one's")
    quality, spread = (_booster(files, part, len(names)) for part in ("quality", "spread"))
    of_rules = {part: _booster(files, part, len(columns)) for part, columns in cascade_names.items()}
    rules = Cascade(of_rules["lead"], of_rules["heat"], of_rules["published"])
    baselines = _BaselineBoosters(files, len(encoder.names))
    return SavedModel(
        files.sha256,
        manifest,
        FittedComponents(
            QualityModel(encoder, manifest.rubric, quality, spread, manifest.errors),
            rules,
            Forecast(rules, of_rules["settled_lead"], of_rules["growth"]),
            manifest.thresholds,
            Baselines(manifest.medians, dict(baselines) if is_whole else baselines),
        ),
    )


class _BaselineBoosters(Mapping[str, Booster]):
    """The boosters of the baselines by target, each checked and loaded when it is first asked for."""

    def __init__(self, files: ModelFiles, n_features: int) -> None:
        self._files = files
        self._n_features = n_features
        self._opened: dict[str, Booster] = {}

    def __getitem__(self, target: str) -> Booster:
        if target not in self._opened:
            self._opened[target] = _booster(self._files, f"baseline_{target}", self._n_features)
        return self._opened[target]

    def __iter__(self) -> Iterator[str]:
        return iter(TARGETS)

    def __len__(self) -> int:
        return len(TARGETS)


def _booster(files: ModelFiles, part: str, n_features: int) -> Booster:
    text, place = files.text_of(part), f"{files.place}/{part}.txt"
    # Growth is an exponent.
    check_text(text, place, MAX_EXPONENT if part == "growth" else MAX_TOTAL)
    booster = Booster(text)
    if booster.n_features != n_features:
        raise ModelError(f"{place}: got {booster.n_features} features, expected {n_features}")
    return booster


def load_scorer(folder: Path) -> Scorer:
    """Load what scores from a model folder: see :func:`load_model`; its baselines are not looked at."""
    return open_files(read_files(folder), is_whole=False).scorer
