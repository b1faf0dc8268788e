from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.judge import is_later, section_ends
from scoring.errors import RecordError
from scoring.features.cache import FeatureCache
from scoring.features.reading import read_features
from scoring.features.sections import FIRST_TOPIC, SectionRule
from scoring.progress import SILENT
from scoring.records.record import Document
from scoring.records.synthetic.generate import write_sample
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset
from scoring.training.read_dataset import read_dataset

CONFIG = TrainConfig()
LATEST = datetime(2030, 1, 1, tzinfo=UTC)


def stop(error: RecordError) -> None:
    raise error


def read(*folders: Path, sections: SectionRule | None = None) -> LabelledDataset:
    return read_dataset(
        [str(folder) for folder in folders], stdin=None, on_fault=stop, reporter=SILENT, sections=sections
    )


def with_section_at(document: Document, position: int) -> Document:
    """The document with its first topic at another position."""
    section, *others = document.record.topics
    topics = (*others[:position], section, *others[position:])
    return msgspec.structs.replace(document, record=msgspec.structs.replace(document.record, topics=topics))


@pytest.mark.parametrize("position", [9, None], ids=["last", "at random"])
def test_where_the_section_stands_changes_no_feature_section_or_split(
    archive: Path, position: int | None
) -> None:
    corpus = read(archive)
    rng = random.Random(1)  # noqa: S311 -- not for secrets
    moved = replace(
        corpus,
        documents=[
            with_section_at(document, rng.randrange(9) if position is None else position)
            for document in corpus.documents
        ],
    )
    assert moved.sections == corpus.sections
    assert len(set(corpus.sections)) == 1
    no_records = np.zeros(len(corpus.documents), dtype=bool)
    sets = [
        dataset.training_split(no_records, {corpus.sections[0]: LATEST}, CONFIG)
        for dataset in (corpus, moved)
    ]
    first, second = (training.table for training in sets)
    np.testing.assert_array_equal(first.numbers, second.numbers)
    assert first.texts.tolist() == second.texts.tolist()
    assert (first.topics, first.title_words) == (second.topics, second.title_words)


def test_two_folders_are_two_archives(tmp_path: Path) -> None:
    for name, section in (("tea", "Tea"), ("boats", "Boats")):
        write_sample(tmp_path / name, n_records=40, seed=1, section=section)
    corpus = read(tmp_path / "tea", tmp_path / "boats")
    assert corpus.section_rule == SectionRule("topic", ("Boats", "Tea"))
    assert corpus.sections.count("Tea") == 40


def test_the_section_may_be_the_folder(tmp_path: Path) -> None:
    for name in ("tea", "boats"):
        write_sample(tmp_path / name, n_records=40, seed=1)
    corpus = read(tmp_path, sections=SectionRule("folder"))
    assert len(set(corpus.sections)) == len({Path(document.path).parent for document in corpus.documents})
    assert corpus.tags == {"section": "folder"}


def test_a_cache_keeps_the_features_of_each_rule_apart(archive: Path, tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "features.db", 10**8, 1, home=tmp_path)
    unknown = SectionRule("topic", ("no such topic",))
    rows = {}
    for sections in (FIRST_TOPIC, unknown, FIRST_TOPIC):
        records = list(read_features([str(archive)], sections=sections, cache=cache, on_fault=stop))
        rows[sections] = [features.row for features in records]
    assert {texts[-2] for texts, *_ in rows[unknown]} == {""}
    assert "" not in {texts[-2] for texts, *_ in rows[FIRST_TOPIC]}


def test_what_a_model_was_trained_on_is_found_by_the_models_own_sections(
    saved: SavedModel, archive: Path
) -> None:
    corpus = read(archive)
    assert not is_later(corpus, saved).any()
    by_folder = corpus.under(SectionRule("folder"))
    assert not is_later(by_folder, saved).any()
    latest = max(
        document.record.published_at for document in corpus.documents if document.record.published_at
    )
    assert max(section_ends(by_folder, saved).values()) == latest
    assert section_ends(by_folder, saved).keys() == set(by_folder.sections)
