"""A site with a champion of its own, whose store, registry, files and copy can be broken one by one."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from scoring.artifact.model_folder import FILES as MODEL_FILES
from scoring.artifact.saved_model import SavedModel, save_model
from scoring.deployment.champion_copy import copy_folder
from scoring.settings import Settings, load_settings
from scoring.workflows.promote import promote
from scoring.workflows.train import TrainOutcome

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def stop(error: Exception) -> None:
    raise error


def save_variant(folder: Path, saved: SavedModel, *, name: str, points: float) -> SavedModel:
    """The small model under another name, so many points off."""
    quality = saved.models.quality
    rubric = msgspec.structs.replace(quality.rubric, intercept_=quality.rubric.intercept_ + points)
    models = replace(saved.models, quality=replace(quality, rubric=rubric))
    return save_model(folder, models, msgspec.structs.replace(saved.manifest.training, name=name))


@dataclass(frozen=True)
class Site:
    """A home in which the small model is the champion, and what its parts were when all was well.

    Parameters
    ----------
    settings : Settings
        Home and store.
    kept : Path
        Copies of the store's file, by what its registry has, and of the copy of the champion.
    folder : Path
        Another model's folder.
    model : Path
        The champion's folder in the store.
    """

    settings: Settings
    kept: Path
    folder: Path
    model: Path

    @property
    def home(self) -> Path:
        return self.settings.home

    @property
    def database(self) -> Path:
        return self.home / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        return self.home / "artifacts"

    @property
    def away(self) -> Path:
        return self.home / "artifacts.away"

    @property
    def key(self) -> str:
        """Name of the folder of the champion's copy."""
        return copy_folder(self.settings, "scoring").name

    def restore(self) -> None:
        """All is well again, but that nothing is cached and no copy is there."""
        for folder in ("cache", "champions"):
            shutil.rmtree(self.home / folder, ignore_errors=True)
        if not self.artifacts.exists():
            self.away.rename(self.artifacts)
        for name in MODEL_FILES:
            content = (self.kept / "champions" / self.key / name).read_bytes()
            (self.model / name).write_bytes(content)
        self.set_store(has_alias=True, has_version=True)

    def remove_artifacts(self) -> None:
        """Have the files of the store gone."""
        self.artifacts.rename(self.away)

    def set_store(self, *, has_alias: bool, has_version: bool) -> None:
        """Have the registry with or without alias and version."""
        shutil.copy(self.kept / f"{has_alias}-{has_version}.db", self.database)

    def add_copy(self) -> None:
        """Have the copy of the champion that was kept when all was well."""
        shutil.copytree(self.kept / "champions", self.home / "champions")


@pytest.fixture(scope="module")
def built_site(
    training: TrainOutcome, saved: SavedModel, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Site:
    base = tmp_path_factory.mktemp("site")
    settings = load_settings(home=base / "home", threads=1)
    settings.home.mkdir()
    shutil.copy(template, settings.home)
    save_variant(base / "other", saved, name="other", points=30)
    promote(training.model, reason="a test", settings=settings, now=NOW, on_fault=stop)
    (manifest,) = (settings.home / "artifacts").rglob("manifest.json")
    site = Site(settings, base / "kept", base / "other", manifest.parent)
    site.kept.mkdir()
    shutil.copytree(settings.home / "champions", site.kept / "champions")
    statements = {"alias": "DELETE FROM registered_model_aliases", "version": "DELETE FROM model_versions"}
    for has_alias in (True, False):
        for has_version in (True, False):
            file = site.kept / f"{has_alias}-{has_version}.db"
            shutil.copy(site.database, file)
            with closing(sqlite3.connect(file)) as store:
                for is_kept, statement in zip((has_alias, has_version), statements.values(), strict=True):
                    if not is_kept:
                        assert store.execute(statement).rowcount == 1
                store.commit()
    return site


@pytest.fixture
def site(built_site: Site) -> Iterator[Site]:
    """The site, with all well, nothing cached and no copy kept."""
    built_site.restore()
    yield built_site
    built_site.restore()
