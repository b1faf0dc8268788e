"""Saved models: save and load the fitted components of a model folder."""

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
from scoring.model.baselines import Baselines
from scoring.model.booster import Booster
from scoring.model.cascade import Cascade
from scoring.model.components import FittedComponents
from scoring.model.forecast import Forecast
from scoring.model.quality import RUBRIC_COLUMN, QualityModel
from scoring.model.scorer import Scorer
from scoring.model.targets import TARGETS
from scoring.stories.derivation import DerivedCoverage

_FORECAST_NAMES = {"settled_lead": forecast.SETTLED_LEAD_NAMES, "growth": forecast.GROWTH_NAMES}


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A fitted model with its manifest.

    Parameters
    ----------
    sha256 : str
        Hex digest of the manifest, and through it of every file.
    manifest : Manifest
        Manifest of the model.
    models : FittedComponents
        Fitted components.
    """

    sha256: str
    manifest: Manifest
    models: FittedComponents

    @property
    def name(self) -> str:
        """Name and version, as in each score."""
        return f"{self.manifest.training.name}@{self.sha256[:8]}"

    @property
    def scorer(self) -> Scorer:
        """Scorer of the model."""
        return Scorer(self.name, self.models)


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that determine a model's bytes."""
    libraries = {name: version(name) for name in ("lightgbm", "numpy", "scipy")}
    return {"python": platform.python_version(), **libraries, "scoring": scoring.__version__}


def boosters_of(models: FittedComponents) -> dict[str, Booster]:
    """Boosters by name of the part."""
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
    """Column names of each booster that scores."""
    return {
        "quality": models.quality.names,
        "spread": models.quality.names,
        **models.cascade.names,
        **_FORECAST_NAMES,
    }


def save_model(
    folder: Path,
    models: FittedComponents,
    training: TrainingFacts,
    profile: Profile | None = None,
    *,
    derived_coverage: DerivedCoverage | None = None,
    admit: Callable[[str], None] | None = None,
) -> SavedModel:
    """Write a model folder, or replace an existing one atomically.

    Parameters
    ----------
    folder : Path
        Target; refused if it holds anything but a model.
    models : FittedComponents
        Fitted components.
    training : TrainingFacts
        Training metadata.
    profile : Profile or None
        Reference profile for drift detection, if any.
    derived_coverage : DerivedCoverage or None
        What coverage of the training records is derived, if any.
    admit : callable, optional
        Called with the digest of the model before anything is written; an exception leaves the folder
        unchanged.

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
        cascade_names=_listed(models.cascade.names),
        encoder=models.quality.encoder,
        rubric=models.quality.rubric,
        errors=models.quality.errors,
        policies=dict(models.quality.policies),
        story_policies=dict(models.cascade.policies),
        rules=models.rules,
        policy_changes=models.changes,
        field_map=models.field_map,
        label_steps=models.quality.steps,
        # The default itself, which is left out of the file.
        targets=TARGETS if models.targets == TARGETS else models.targets,
        thresholds=models.thresholds,
        medians=models.baselines.medians,
        files=hashes_of(parts),
        profile=profile,
        derived_coverage=derived_coverage,
        leaders=models.leaders,
    )
    inner = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1)
    files = with_manifest(str(folder), inner, parts)
    write_files(folder, files.contents, admit=None if admit is None else lambda: admit(files.sha256))
    return SavedModel(files.sha256, manifest, models)


def load_model(folder: Path) -> SavedModel:
    """Load a model folder and verify its format and hashes.

    Parameters
    ----------
    folder : Path
        Folder written by :func:`save_model`.

    Returns
    -------
    SavedModel

    Raises
    ------
    ModelError
        If it is not a model folder, has another format, or is damaged.
    """
    return open_files(read_files(folder))


def open_files(files: ModelFiles, *, is_whole: bool = True) -> SavedModel:
    """Build a model from its files.

    Parameters
    ----------
    files : ModelFiles
        Files of a model folder.
    is_whole : bool
        Whether to load the baseline boosters now. Scoring does not need them; otherwise each is checked and
        loaded on first use.

    Raises
    ------
    ModelError
        If they are of another version of this package, or have invalid values.
    """
    path = f"{files.place}/{MANIFEST}"
    manifest: Manifest = decoded(path, files.manifest, Manifest)
    check_manifest(manifest, path)
    encoder, cascade_names, targets = manifest.encoder, manifest.cascade_names, manifest.targets
    names = (*encoder.names, RUBRIC_COLUMN)
    cascade_encoder = encoder if cascade.is_wide(targets) else None
    expected_names = _listed(cascade.names_of(targets, cascade_encoder))
    if list(names) != manifest.feature_names or cascade_names != expected_names:
        raise ModelError(
            f"{path}: got the features of another version of scoring; train again or use that version"
        )
    quality, spread = (_booster(files, part, len(names)) for part in ("quality", "spread"))
    boosters = {part: _booster(files, part, len(columns)) for part, columns in cascade_names.items()}
    cascade_model = Cascade(
        boosters["lead"],
        boosters["heat"],
        boosters["published"],
        manifest.story_policies,
        cascade_encoder,
        targets,
    )
    baselines = _BaselineBoosters(files, len(encoder.names))
    return SavedModel(
        files.sha256,
        manifest,
        FittedComponents(
            QualityModel(
                encoder,
                manifest.rubric,
                quality,
                spread,
                manifest.errors,
                manifest.policies,
                manifest.label_steps,
            ),
            cascade_model,
            Forecast(cascade_model, boosters["settled_lead"], boosters["growth"]),
            manifest.thresholds,
            Baselines(manifest.medians, dict(baselines) if is_whole else baselines),
            manifest.rules,
            manifest.policy_changes,
            manifest.field_map,
            manifest.leaders,
            targets,
        ),
    )


def _listed(names: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Columns of the boosters of the cascade and of the forecast, as the manifest has them."""
    return {part: list(columns) for part, columns in {**names, **_FORECAST_NAMES}.items()}


class _BaselineBoosters(Mapping[str, Booster]):
    """Baseline boosters by target, checked and loaded on first use."""

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
    text, path = files.text_of(part), f"{files.place}/{part}.txt"
    # Growth is exponentiated.
    check_text(text, path, MAX_EXPONENT if part == "growth" else MAX_TOTAL)
    booster = Booster(text)
    if booster.n_features != n_features:
        raise ModelError(f"{path}: got {booster.n_features} features, expected {n_features}")
    return booster


def load_scorer(folder: Path) -> Scorer:
    """Load the scorer of a model folder without its baselines; see :func:`load_model`."""
    return open_files(read_files(folder), is_whole=False).scorer
