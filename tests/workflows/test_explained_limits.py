"""One megabyte of any input is explained and previewed in time proportional to its size."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import msgspec
import numpy as np
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.explanation.attribution import explain
from scoring.features import mentions
from scoring.features.story import stories
from scoring.features.table import FeatureTable
from scoring.inbox.preview import UploadedFile, preview
from scoring.inbox.rows import record_details
from scoring.model.scorer import Predictions, Scorer
from scoring.records.decode import decode_json
from scoring.records.record import Record
from scoring.records.synthetic.vocabulary import TOPICS
from tests.records.test_limits import MEGABYTE, check

HEAD = {
    "title": "Rain",
    "publishedDateTime": "2021-03-04T05:06:07Z",
    "provider": {"name": "Daily", "domain": "x.example"},
}
KNOWN = ["Tessaril", *TOPICS]


def filled(make: Callable[[int], Any], n_bytes: int) -> list[Any]:
    """As many entries as fit."""
    entries: list[Any] = []
    for at in count():
        entries.append(make(at))
        n_bytes -= len(json.dumps(entries[-1])) + 2
        if n_bytes < 0:
            return entries
    raise AssertionError


def covering(at: int) -> dict[str, Any]:
    return {"title": f"Rain on day {at}", "quality": at % 90, "originalUrl": f"https://x.example/{at}"}


KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "topics": lambda n: {"topics": filled(lambda at: f"t{at}", n)},
    "topics, those of the model first": lambda n: {"topics": KNOWN + filled(lambda at: f"t{at}", n)},
    "one topic again and again": lambda n: {"topics": filled(lambda at: TOPICS[0], n)},
    "topics, and an excerpt": lambda n: {
        "topics": filled(lambda at: f"t{at}", n // 2),
        "excerpt": " ".join(filled(lambda at: f"w{at}", n // 2)),
    },
    "topics that the excerpt nearly names": lambda n: {
        "topics": filled(lambda at: f"a{at % 60} b{at // 60 % 60} c{at // 3600}", n // 2),
        "excerpt": " ".join(filled(lambda at: f"a{at % 60} b{at // 60 % 60} c{at % 50}", n // 2)),
    },
    "topics within each other": lambda n: {
        "topics": ["a " * length for length in range(1, int(n**0.5))],
        "excerpt": "a " * (n // 4),
    },
    "title": lambda n: {"topics": KNOWN, "title": " ".join(filled(lambda at: f"w{at}", n))},
    "title of one word": lambda n: {"topics": KNOWN, "title": "a" * n},
    "title of short words": lambda n: {"topics": KNOWN, "title": "a " * (n // 2)},
    "title of topics": lambda n: {"topics": KNOWN, "title": (" ".join(KNOWN) + " ") * (n // 400)},
    "excerpt": lambda n: {"topics": KNOWN[:1], "excerpt": (" ".join(KNOWN) + ". ") * (n // 400)},
    "coverage": lambda n: {"topics": KNOWN[:2], "related": filled(covering, n)},
    "empty coverage": lambda n: {"topics": KNOWN[:2], "related": [{}] * (n // 4)},
    "images": lambda n: {"topics": KNOWN[:2], "images": filled(lambda at: {"url": f"u{at}", "width": 9}, n)},
    "unknown fields": lambda n: {"topics": KNOWN[:2], **{f"k{index}": index for index in range(n // 14)}},
    "address": lambda n: {"topics": KNOWN, "originalUrl": "https://x.example/" + "a-b/" * (n // 4)},
}


def line(kind: str, n_bytes: int) -> bytes:
    return json.dumps(HEAD | KINDS[kind](n_bytes)).encode()


# Each way that the text takes through the explanation; `make test-all` has all kinds.
BRIEF = ("topics", "title", "coverage", "topics that the excerpt nearly names")
kinds = pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[] if kind in BRIEF else [pytest.mark.exhaustive]) for kind in KINDS],
)


@kinds
def test_a_megabyte_is_explained_and_previewed(saved: SavedModel, kind: str) -> None:
    content = line(kind, MEGABYTE)
    document = decode_json(content, "a.jsonl", 1)
    assert check(lambda: record_details(document, saved)) == "done"
    assert check(lambda: preview([UploadedFile("a.jsonl", content.decode(), 1)], saved)) == "done"


def work_of(work: Callable[[], object]) -> int:
    """Number of function calls, including C functions, of a callable."""
    counts = [0]

    def count_call(*_: object) -> None:
        counts[0] += 1

    sys.setprofile(count_call)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counts[0]


@kinds
def test_four_times_the_bytes_are_four_times_the_work(
    saved: SavedModel, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mentions, "_SMALL", 0)  # both sizes go the way of the large one
    few, many = (decode_json(line(kind, n), "a.jsonl", 1) for n in (40_000, 160_000))
    record_details(few, saved)  # what is kept from then on
    calls = [work_of(partial(record_details, document, saved)) for document in (few, many)]
    assert calls[1] < 5 * calls[0]


def test_the_rows_that_are_predicted_are_bounded_by_the_model(
    saved: SavedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    topics: list[int] = []
    predict = Scorer.predict

    def counted(scorer: Scorer, table: FeatureTable, num_threads: int = 1) -> Predictions:
        rows.append(len(table))
        topics.append(sum(map(len, table.topics)))
        return predict(scorer, table, num_threads)

    monkeypatch.setattr(Scorer, "predict", counted)
    for n in (3000, 12_000):
        record = decode_json(line("topics", 10 * n), "a.jsonl", 1)
        assert len(record.record.topics) > n
        rows.clear()
        explain(saved.scorer, record)
        assert max(rows) <= len(saved.models.quality.encoder.topics_) + 20


def test_what_the_model_does_not_know_is_all_reported(saved: SavedModel) -> None:
    document = decode_json(line("topics", 100_000), "a.jsonl", 1)
    explanation = explain(saved.scorer, document)
    n_topics = len(set(document.record.topics))
    assert (
        sum("topic unknown to the model" in warning for warning in explanation.score.warnings)
        == n_topics
        > 5000
    )
    (reason,) = [reason for reason in explanation.reasons["quality"] if reason.feature == "topic_count"]
    assert f"{n_topics:,} topics" in reason.text


def test_equal_titles_are_one_story_by_as_many_comparisons_as_there_are_titles() -> None:
    title = "Tide tables for the northern harbours are out again"
    few, many = (
        [Record(title=title, web_url=f"https://{index}.example") for index in range(n)] for n in (200, 800)
    )
    calls = [work_of(partial(stories, records)) for records in (few, many)]
    assert calls[1] < 5 * calls[0]
    assert np.unique(stories([*few, msgspec.structs.replace(few[0], title="Bees", web_url="b")])).size == 2
