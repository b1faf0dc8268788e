"""Cache of models on a worker, by digest: sent and loaded once for all tasks."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from scoring.artifact.model_folder import checked
from scoring.artifact.saved_model import open_files
from scoring.errors import ModelError
from scoring.model.scorer import Scorer

_LOCK = Lock()
_HOLDERS: dict[str, set[str]] = {}
_CONTENTS: dict[str, Mapping[str, bytes]] = {}
_SCORERS: dict[str, Scorer] = {}


def hold(sha256: str, contents: Mapping[str, bytes], holder: str) -> None:
    """Keep the files of a model for a holder."""
    with _LOCK:
        _HOLDERS.setdefault(sha256, set()).add(holder)
        _CONTENTS[sha256] = contents


def release(sha256: str, holder: str) -> None:
    """Release a model; it is dropped with its last holder."""
    with _LOCK:
        holders = _HOLDERS.get(sha256, set())
        holders.discard(holder)
        if not holders:
            for cache in (_HOLDERS, _CONTENTS, _SCORERS):
                cache.pop(sha256, None)


def scorer_of(sha256: str) -> Scorer:
    """Return the scorer of a model on this worker.

    Raises
    ------
    ModelError
        If it was not sent to this worker, or arrived damaged.
    """
    with _LOCK:
        if sha256 not in _SCORERS:
            contents = _CONTENTS.get(sha256)
            if contents is None:
                raise ModelError(
                    f"model {sha256[:12]}: got none on this worker, expected it to be sent first"
                )
            files = checked(f"model {sha256[:12]}", contents.__getitem__)
            if files.sha256 != sha256:
                raise ModelError(f"model {sha256[:12]}: got {files.sha256[:12]}, expected itself")
            _SCORERS[sha256] = open_files(files).scorer
        return _SCORERS[sha256]
