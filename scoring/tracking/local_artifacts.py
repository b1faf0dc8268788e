"""MLflow artifact repository that resolves local paths in the current home.

MLflow's repository for local folders is replaced by this one in its registry. It behaves like MLflow's,
except while a store of scoring is open. Imports MLflow: imported only by :mod:`scoring.tracking.store` and by
MLflow's server.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from mlflow.store.artifact import artifact_repository_registry
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from scoring.storage.home import narrow, prepare_folder
from scoring.tracking.addresses import todays_path
from scoring.tracking.store import Store

_OPEN: ContextVar[Store | None] = ContextVar("open_store", default=None)


class HomeArtifactRepository(LocalArtifactRepository):
    """Artifacts of a run or model in a local folder, in the current home if they are there."""

    served: Store | None = None
    """The store of a process that serves a single store."""

    def __init__(self, artifact_uri: str, **options: Any) -> None:
        super().__init__(artifact_uri, **options)
        self._recorded = Path(self._artifact_dir)
        self._store = self.served

    @property
    def artifact_dir(self) -> str:
        """Current folder; the store is remembered, since MLflow caches repositories and reads in threads."""
        self._store = _OPEN.get() or self._store
        today = todays_path(self._store, self._recorded) if self._store else self._recorded
        self._artifact_dir = folder = str(today)
        return folder

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete artifacts in the current folder."""
        _ = self.artifact_dir
        super().delete_artifacts(artifact_path)  # type: ignore[no-untyped-call]  # MLflow's own

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Copy a file."""
        super().log_artifact(local_file, artifact_path)  # type: ignore[no-untyped-call]  # MLflow's own
        self._narrow(Path(self.artifact_dir, artifact_path or "", Path(local_file).name))

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Copy a folder."""
        super().log_artifacts(local_dir, artifact_path)  # type: ignore[no-untyped-call]  # MLflow's own
        self._narrow(Path(self.artifact_dir, artifact_path or ""))

    def _get_or_create_artifact_dir(self, artifact_path: str | None = None) -> str:
        home = self._home_of(folder := Path(self.artifact_dir, artifact_path or ""))
        if home is not None and ".." not in folder.parts:  # MLflow refuses ".."
            prepare_folder(home, *folder.relative_to(home).parts)
        return str(super()._get_or_create_artifact_dir(artifact_path))

    def _narrow(self, path: Path) -> None:
        if self._home_of(path) is not None:
            narrow(path)

    def _home_of(self, path: Path) -> Path | None:
        """The home, if it contains the path."""
        home = self._store.home if self._store is not None else None
        return home if home is not None and path.is_relative_to(home) else None


def register() -> None:
    """Register :class:`HomeArtifactRepository` with MLflow for local folders."""
    registry = artifact_repository_registry._artifact_repository_registry
    for scheme in ("", "file"):
        if registry.get_registered_artifact_repositories().get(scheme) is LocalArtifactRepository:
            registry.register(scheme, HomeArtifactRepository)


@contextmanager
def resolving(store: Store) -> Iterator[None]:
    """Resolve the artifacts of a store in its current home, in this thread."""
    register()
    token = _OPEN.set(store)
    try:
        yield
    finally:
        _OPEN.reset(token)
