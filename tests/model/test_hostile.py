"""Model folders with correct hashes and malicious content: a clear error, no crash."""

from __future__ import annotations

import copy
import random
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from scoring.artifact.model_folder import FILES, MANIFEST, hashes_of, read_files, with_manifest
from scoring.artifact.saved_model import load_model, load_scorer
from scoring.drift.detect import measure_drift
from scoring.errors import ModelError
from scoring.features.table import build_table
from scoring.records.synthetic.generate import sample_documents
from scoring.workflows.train import TrainOutcome

N_MUTATIONS = 120
TABLE = build_table([record for record, _ in sample_documents(n_records=40, seed=9)], timedelta(0))


@pytest.fixture
def folder(training: TrainOutcome, tmp_path: Path) -> Path:
    copied = tmp_path / "model"
    shutil.copytree(training.model, copied)
    return copied


@pytest.fixture(scope="module")
def manifest(training: TrainOutcome) -> Any:
    return msgspec.json.decode(read_files(Path(training.model)).manifest)


def save(folder: Path, manifest: Any, parts: dict[str, bytes] | None = None) -> None:
    """Write a model with valid hashes, as an attacker would."""
    contents = {name: (folder / name).read_bytes() for name in FILES if name != MANIFEST} | (parts or {})
    inner = msgspec.json.encode(manifest | {"files": hashes_of(contents)})
    for name, data in with_manifest("hostile", inner, contents).contents.items():
        (folder / name).write_bytes(data)


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as raised:
        load_model(folder)
    message = str(raised.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    return message


@pytest.mark.parametrize("text", [b"", b"tree\n", b"\xff\xfe", b"tree\nversion=v4\n" * 9, b"\0" * 99])
@pytest.mark.parametrize("name", ["lead.txt", "baseline_heat.txt"])
def test_text_that_is_none(folder: Path, manifest: Any, name: str, text: bytes) -> None:
    save(folder, manifest, {name: text})
    assert f"/{name}: got " in refused(folder)


def test_baseline_is_refused_when_it_is_asked_for(folder: Path, manifest: Any) -> None:
    save(folder, manifest, {"baseline_heat.txt": b"tree\n"})
    scorer = load_scorer(folder)
    assert np.isfinite(scorer.predict(TABLE).quality).all()
    boosters = scorer.models.baselines.boosters
    assert boosters["quality"] is boosters["quality"]
    with pytest.raises(ModelError, match=r"/baseline_heat\.txt: got "):
        dict(boosters)


def test_parts_that_changed_places(folder: Path, manifest: Any) -> None:
    lead, quality = ((folder / f"{part}.txt").read_bytes() for part in ("lead", "quality"))
    save(folder, manifest, {"lead.txt": quality, "quality.txt": lead})
    assert "quality.txt: got 6 features, expected" in refused(folder)
    save(folder, manifest, {"lead.txt": lead, "quality.txt": quality, "growth.txt": quality})
    assert "growth.txt: got " in refused(folder)


def test_every_part_that_is_cut_short(folder: Path, manifest: Any) -> None:
    for name in FILES[1:]:
        data = (folder / name).read_bytes()
        for share in (0.1, 0.5, 0.9, 0.99):
            save(folder, manifest, {name: data[: int(len(data) * share)]})
            assert f"/{name}: " in refused(folder)
        save(folder, manifest, {name: data})


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Path of each value of a manifest, parents before children."""
    if way:
        yield way
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner_value in inner:
        yield from places(inner_value, (*way, key))


LEARNED = (
    "encoder",
    "rubric",
    "errors",
    "thresholds",
    "medians",
    "profile",
    "feature_names",
    "cascade_names",
)
ODD: tuple[Any, ...] = (
    0,
    -1,
    1e300,
    -1e300,
    10**30,
    "",
    "x",
    None,
    True,
    [],
    {},
    [0.0],
    [[]],
    {"x": 1.0},
    0.5,
)


def damaged(manifest: Any, ways: list[tuple[Any, ...]], rng: random.Random) -> Any:
    changed = copy.deepcopy(manifest)
    *way, last = rng.choice(ways)
    node = changed
    for key in way:
        node = node[key]
    kind = rng.randrange(4)
    if kind == 0:
        del node[last]
    elif kind == 1 and isinstance(node, list):
        node.insert(last, node[last])
    elif kind == 2 and isinstance(node[last], list):
        rng.shuffle(node[last])
    else:
        node[last] = rng.choice(ODD)
    return changed


def test_manifests_damaged_at_random(folder: Path, manifest: Any) -> None:
    """Each is refused, or scores and measures drift without an error."""
    rng = random.Random(5)  # noqa: S311 -- damage, not secrets
    ways = [way for name in LEARNED for way in places(manifest[name], (name,))]
    shallow = [way for way in ways if len(way) <= 3]
    n_refused = 0
    for number in range(N_MUTATIONS):
        save(folder, damaged(manifest, shallow if number % 2 else ways, rng))
        try:
            saved = load_model(folder)
        except ModelError as error:
            n_refused += str(error).startswith(str(folder))
            continue
        predictions = saved.scorer.predict(TABLE)
        assert np.isfinite(predictions.quality).all()
        assert np.isfinite(predictions.heat).all()
        assert np.isfinite(predictions.heat_settled).all()
        saved.models.baselines.predict(TABLE, saved.models.quality.encoder.transform(TABLE))
        if saved.manifest.profile is not None:
            measure_drift(saved.manifest.profile, saved.scorer, TABLE, predictions.quality)
    assert n_refused > N_MUTATIONS // 3


@pytest.mark.parametrize(
    ("way", "value", "field"),
    [
        (("rubric", "intercept_"), 1e300, "numbers"),
        (("rubric", "numbers_"), {"no_feature": 1.0}, "rubric.numbers_"),
        (("rubric", "hinges_"), {"title_chars": []}, "rubric.hinges_"),
        (("rubric", "levels_"), {"no_feature": {}}, "rubric.levels_"),
        (("encoder", "levels_"), {}, "encoder.levels_"),
        (("encoder", "topics_"), ["b", "a"], "encoder: topics_"),
        (("encoder", "providers_", "strength"), 0, "encoder.providers_"),
        (("errors", "atoms_"), [], "errors.atoms_"),
        (("errors", "weights_"), [[2.0]], "errors.atoms_"),
        (("thresholds", "lead"), 2.0, "thresholds"),
        (("medians", "of_all_"), {}, "medians"),
        (("profile", "columns_"), {}, "profile.columns_"),
        (("profile", "unseen_", "sizes_"), [], "profile.unseen_"),
    ],
)
def test_what_could_not_have_been_learned_is_named(
    folder: Path, manifest: Any, way: tuple[str, ...], value: Any, field: str
) -> None:
    changed = copy.deepcopy(manifest)
    node = changed
    for key in way[:-1]:
        node = node[key]
    node[way[-1]] = value
    save(folder, changed)
    assert f"{MANIFEST}: {field}" in refused(folder)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2020-01-01T00:00:00"])
def test_facts_may_be_odd(folder: Path, manifest: Any, moment: str) -> None:
    """They are only displayed, never used in a computation."""
    facts = manifest["training"] | {"ends_at": moment, "n_records": -5, "name": "x\x1b[31m"}
    save(folder, manifest | {"training": facts})
    assert load_model(folder).manifest.training.n_records == -5
