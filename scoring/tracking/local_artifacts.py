"""MLflow's folder of artifacts, looked for in today's home.

MLflow asks its registry of repositories for whoever reads and writes the artifacts at an address. The one
for this machine's folders is replaced by one that does as MLflow's does, until a store of scoring is open.
Imports MLflow: only :mod:`scoring.tracking.store` and the server of MLflow's pages import it.
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
    """Artifacts of a run or of a model, in a folder; in today's home where that has them."""

    served: Store | None = None
    """The store of a process that serves one store to its end."""

    def __init__(self, artifact_uri: str, **options: Any) -> None:
        super().__init__(artifact_uri, **options)
        self._recorded = Path(self._artifact_dir)
        self._store = self.served

    @property
    def artifact_dir(self) -> str:
        """The folder today. MLflow keeps repositories, and reads in threads, which know no open store."""
        self._store = _OPEN.get() or self._store
        today = todays_path(self._store, self._recorded) if self._store else self._recorded
        self._artifact_dir = folder = str(today)
        return folder

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete what is there today."""
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
        if home is not None and ".." not in folder.parts:  # which MLflow refuses
            prepare_folder(home, *folder.relative_to(home).parts)
        return str(super()._get_or_create_artifact_dir(artifact_path))

    def _narrow(self, path: Path) -> None:
        if self._home_of(path) is not None:
            narrow(path)

    def _home_of(self, path: Path) -> Path | None:
        """The home, where the path lies in it."""
        home = self._store.home if self._store is not None else None
        return home if home is not None and path.is_relative_to(home) else None


def register() -> None:
    """Have MLflow use :class:`HomeArtifactRepository` in the place of its own for this machine's folders."""
    registry = artifact_repository_registry._artifact_repository_registry
    for scheme in ("", "file"):
        if registry.get_registered_artifact_repositories().get(scheme) is LocalArtifactRepository:
            registry.register(scheme, HomeArtifactRepository)


@contextmanager
def resolving(store: Store) -> Iterator[None]:
    """Have MLflow find the artifacts of a store in its home of today, in this thread."""
    register()
    token = _OPEN.set(store)
    try:
        yield
    finally:
        _OPEN.reset(token)
