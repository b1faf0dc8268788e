"""Models on a worker: loaded once, released after use, and refused if damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring.artifact.model_folder import ModelFiles, read_files
from scoring.distributed.worker_model import hold, release, scorer_of
from scoring.errors import ModelError
from scoring.workflows.train import TrainOutcome


@pytest.fixture
def files(training: TrainOutcome) -> Iterator[ModelFiles]:
    contents = read_files(Path(training.model))
    yield contents
    for holder in ("one", "other"):
        release(contents.sha256, holder)


def test_a_model_is_loaded_once_and_kept_while_it_is_held(files: ModelFiles) -> None:
    hold(files.sha256, files.contents, "one")
    hold(files.sha256, files.contents, "other")
    scorer = scorer_of(files.sha256)
    assert scorer.name.startswith("small@")
    release(files.sha256, "one")
    assert scorer_of(files.sha256) is scorer
    release(files.sha256, "other")
    with pytest.raises(ModelError, match="got none on this worker, expected it to be sent first"):
        scorer_of(files.sha256)


def test_a_damaged_model_is_refused(files: ModelFiles) -> None:
    hold(files.sha256, files.contents | {"quality.txt": b"tree"}, "one")
    with pytest.raises(ModelError, match=r"quality\.txt: got other bytes than the manifest names"):
        scorer_of(files.sha256)


def test_another_model_under_its_digest_is_refused(files: ModelFiles) -> None:
    hold("0" * 64, files.contents, "one")
    try:
        with pytest.raises(ModelError, match=f"model 000000000000: got {files.sha256[:12]}"):
            scorer_of("0" * 64)
    finally:
        release("0" * 64, "one")
