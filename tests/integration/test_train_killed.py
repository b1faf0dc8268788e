"""`scoring train` killed at any moment: models and runs are complete, or completed or removed later.

``SCORING_KILLS=100`` asks for so many kills.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scoring.artifact.saved_model import load_model
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings
from scoring.tracking import Store, champion, resolve_model
from scoring.tracking.store import opened
from tests.integration.forks import Forks
from tests.workflows.test_reproduce import CONFIG

N_KILLS = 10
MANY = int(os.environ.get("SCORING_KILLS", N_KILLS))  # read here: no test sees the settings of who runs it


@pytest.fixture
def store(settings: Settings, template: Path) -> Store:
    settings.home.mkdir()
    shutil.copy(template, settings.home)
    return Store(settings.tracking_uri, settings.home)


def trainings(folder: Path, model: Path) -> list[list[object]]:
    """Two commands that train different models, and put them in the same place."""
    (folder / "tiny.yaml").write_bytes(msgspec.yaml.encode(msgspec.structs.replace(CONFIG, n_bootstrap=0)))
    options = ["--config", folder / "tiny.yaml", "--output", model, "--overwrite", "--register", "site"]
    for seed in (1, 2):
        write_sample(folder / f"news {seed}", n_records=60, seed=seed)
    return [["train", folder / f"news {seed}", *options] for seed in (1, 2)]


def version(model: Path) -> str:
    """Which model is there, loaded; empty where none is."""
    return load_model(model).sha256 if model.exists() else ""


def runs(store: Store) -> list[Any]:
    with opened(store, "read", writes=False) as client:
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(experiments, max_results=10_000))


def folders(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if path.is_dir()) if place.exists() else []


@pytest.mark.exhaustive
def test_killed_at_any_moment(forks: Forks, store: Store, tmp_path: Path) -> None:
    # Arrow's memory has a thread, and minds forks: pthread_atfork(3).
    assert set(forks.threads) - {"jemalloc_bg_thd"} == {Path(sys.executable).name[:15]}
    assert len(forks.threads) <= 2
    model, pending = tmp_path / "models" / "site", store.home / "pending"
    commands, whole, seconds = trainings(tmp_path, model), [], 0.0
    for command in commands:
        ended = forks.run(*command)
        assert ended.code == 0
        whole.append(version(model))
        seconds = ended.seconds
    assert whole[0] != whole[1]
    with opened(store, "prepare", writes=True) as client:
        client.set_registered_model_alias("site", "champion", "1")

    # The later the denser, since the end is where most is written.
    rng = random.Random(7)  # noqa: S311 -- moments, not secrets
    shares = [((place + rng.random()) / MANY) ** 0.5 for place in range(MANY)]
    rng.shuffle(shares)
    seen: Counter[str] = Counter()
    for number, share in enumerate(shares):
        if number % 4 == 0:
            shutil.rmtree(model, ignore_errors=True)
        before = version(model)
        ended = forks.run(*commands[number % 2], kill_at=share * seconds)
        assert ended.code in (0, -signal.SIGKILL)
        if ended.code == 0:  # the machine has become faster: its moments come sooner
            seconds = min(seconds, ended.seconds)
        after = version(model)
        assert after in (before, whole[number % 2])
        assert champion(store, "site") == "models:/site/1"
        assert version(resolve_model(store, "models:/site@champion")) == whole[0]
        # Who begins a run first ends those of the dead.
        states = Counter(run.info.status for run in runs(store))
        assert states["RUNNING"] <= 1
        assert set(states) <= {"RUNNING", "FINISHED", "KILLED"}
        assert len([name for name in folders(pending) if name.startswith(".")]) <= 1
        assert set(folders(model.parent)) <= {"site", ".site.scoring"}
        seen.update(killed=ended.code != 0, old=after == before, new=after != before)
        seen.update(running=states["RUNNING"], pending=len(folders(pending)))
    assert seen["killed"] > MANY / 2  # some end before their moment comes
    assert min(seen[state] for state in ("old", "new", "running", "pending")) > 0, seen

    forks.run("runs", "sync", kill_at=seconds / 3)
    assert forks.run(*commands[1]).code == 0
    assert forks.run("runs", "sync").code == 0
    uploaded = runs(store)
    assert {run.info.status for run in uploaded} == {"FINISHED"}
    assert len({run.data.tags["upload_id"] for run in uploaded}) == len(uploaded)
    with opened(store, "read", writes=False) as client:
        versions = client.search_model_versions("name = 'site'")
    assert sorted(str(entry.run_id) for entry in versions) == sorted(run.info.run_id for run in uploaded)
    assert {version(resolve_model(store, f"models:/site/{entry.version}")) for entry in versions} == set(
        whole
    )
    assert version(model) == whole[1]
    assert (folders(model.parent), folders(pending)) == (["site"], [])
    assert folders(store.home) == ["artifacts", "pending"]
