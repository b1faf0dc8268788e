"""The file of learned links: read as it was written, or refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from scoring.artifact.links_file import load_links, save_links
from scoring.errors import ModelError
from scoring.stories.links import LinkModel
from scoring.stories.title_index import FEATURES


def test_links_are_read_as_they_were_written(links: LinkModel, tmp_path: Path) -> None:
    saved = save_links(tmp_path / "links.json", links)
    loaded = load_links(tmp_path / "links.json")
    assert loaded.name == saved.name
    assert loaded.model.rule == links.rule
    X = np.random.default_rng(0).random((50, len(FEATURES)))
    np.testing.assert_array_equal(loaded.model.booster.predict(X), links.booster.predict(X))


def test_links_are_shipped() -> None:
    assert load_links().model.rule.n_links_ > 10_000


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("format", "scoring model", "got format 'scoring model'"),
        ("format_version", 2, "version 2"),
        ("booster", "tree", "expected a LightGBM 4 model|links.json"),
        ("rule", {"window_hours_": 1e9}, "rule: got an invalid value"),
        ("rule", {"threshold_": 1.5}, "rule: got an invalid value"),
        ("rule", {"words_": 3}, "damaged manifest"),
    ],
)
def test_other_files_are_refused(
    field: str,
    value: object,
    expected: str,
    links: LinkModel,
    tmp_path: Path,
) -> None:
    file = tmp_path / "links.json"
    save_links(file, links)
    content = msgspec.json.decode(file.read_bytes())
    content[field] = content[field] | value if isinstance(value, dict) else value
    file.write_bytes(msgspec.json.encode(content))
    with pytest.raises(ModelError, match=expected):
        load_links(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere.json.* cannot read"):
        load_links(tmp_path / "nowhere.json")
