"""Unusual archives: each trains a model, or is refused with the reason in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml

from scoring.artifact.saved_model import load_model
from scoring.errors import RecordError, ScoringError
from scoring.records.corpus import read_documents
from scoring.records.synthetic.generate import write_sample
from scoring.settings import load_settings
from scoring.training.config import TrainConfig
from scoring.workflows.train import train
from tests.integration.test_commands import SMALL
from tests.known import known

N_RECORDS = 90
NOW = datetime(2019, 1, 1, tzinfo=UTC)


def label(name: str, value: str) -> Callable[[str, int], str]:
    return lambda text, _: re.sub(rf"^{name}: .*$", f"{name}: {value}", text, flags=re.MULTILINE)


def without_related(text: str, _: int) -> str:
    return re.sub(r"^related:\n(?:  .*\n)+", "", text, flags=re.MULTILINE)


def some_unlabelled(text: str, number: int) -> str:
    for index, name in enumerate(("quality", "heat", "published")):
        if number % 4 == index:
            text = re.sub(rf"^{name}: .*\n", "", text, flags=re.MULTILINE)
    return text


def one_provider(text: str, _: int) -> str:
    return re.sub(r"^  (name|domain): .*$", r"  \1: one.example", text, flags=re.MULTILINE)


def own_topics(text: str, number: int) -> str:
    topics = "".join(f"  - Topic {number} {index}\n" for index in range(9_999 // N_RECORDS + 1))
    return re.sub(r"^topics:\n(?:  - .*\n)+", f"topics:\n  - Sea\n{topics}", text, flags=re.MULTILINE)


def dates(*years: int) -> Callable[[str, int], str]:
    return lambda text, number: re.sub(
        r"^( *publishedDateTime: )\d{4}", rf"\g<1>{years[number % len(years)]}", text, flags=re.MULTILINE
    )


def everything_alike(text: str, number: int) -> str:
    moment = f"2018-01-{1 + number % 28:02d}T00:00:00Z"
    fields = f"publishedDateTime: {moment}\ntopics: [Sea]\nquality: 5\nheat: 5\npublished: true"
    return f"---\ntitle: Gulls\n{fields}\n---\n"


def one_title(text: str, _: int) -> str:
    return re.sub(r"^title: .*$", "title: The weekly roundup of the harbour", text, flags=re.MULTILINE)


ARCHIVES: dict[str, Callable[[str, int], str]] = {
    "constant quality": label("quality", "50"),
    "constant heat": label("heat", "50"),
    "none leads": label("heat", "-1"),
    "none published": label("published", "false"),
    "all published": label("published", "true"),
    "quality at its bounds": lambda text, number: label("quality", ("999999999", "-999999999")[number % 2])(
        text, 0
    ),
    "no related": without_related,
    "labels missing on some": some_unlabelled,
    "one provider": one_provider,
    "no provider": lambda text, _: re.sub(r"^provider:\n(?:  .*\n)+", "", text, flags=re.MULTILINE),
    "10,000 topics": own_topics,
    "absurd dates": dates(1970, 2199, 2018),
    "all on one day": lambda text, _: re.sub(
        r"^(publishedDateTime: ).*$", r"\g<1>2018-01-01T00:00:00Z", text, flags=re.MULTILINE
    ),
    "one title": one_title,
    "everything alike": everything_alike,
}


def make(folder: Path, change: Callable[[str, int], str], n_records: int = N_RECORDS) -> None:
    write_sample(folder, n_records=n_records, seed=1)
    for number, file in enumerate(sorted(folder.iterdir())):
        file.write_text(change(file.read_text(), number))


def learned(folder: Path, home: Path) -> str:
    """The error message of a training, or an empty text if it succeeds."""
    faults: list[RecordError] = []
    values = yaml.safe_load(SMALL) | {"name": "odd", "n_bootstrap": 0}
    del values["model"][
        "sections"
    ]  # sections with policies of their own, and changes of policy, are looked for
    config = msgspec.convert(values, TrainConfig)
    settings = load_settings(home=home, threads=1)
    try:
        outcome = train(
            [str(folder)], config=config, settings=settings, now=NOW, is_tracked=False, on_fault=faults.append
        )
    except ScoringError as error:
        return str(error)
    scorer = load_model(Path(outcome.model)).scorer
    scores = list(scorer.score(read_documents([str(folder)], on_fault=faults.append)))
    assert len(scores) == len(list(folder.iterdir()))
    numbers = [[known(score.quality), known(score.quality_high)] for score in scores]
    if "heat" in scorer.targets:
        numbers += [[known(score.heat), known(score.heat_settled)] for score in scores]
    assert np.isfinite(numbers).all()
    assert faults == []
    return ""


REFUSED = {
    "all on one day": "split: got no record before the test block, expected some to train on",
    # All but one are copies of those that are held back.
    "everything alike": "training records: got 0 with a quality and a date, expected 15 or more: 75 of 75 "
    "earlier records are not in the evaluated fit: copies of test records; first: "
    "...ways-to-keep-bees-close-n0.md, of ...rafting-arm-of-kelvofo-n23.md",
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_it_is_learned_from_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    make(tmp_path / "news", ARCHIVES[name])
    assert learned(tmp_path / "news", tmp_path / "home") == REFUSED.get(name, "")
    assert (tmp_path / "home" / "models").exists() == (name not in REFUSED)


@pytest.mark.parametrize(("n_records"), [1, 2, 3])
def test_a_handful_is_refused_in_one_line(n_records: int, tmp_path: Path) -> None:
    make(tmp_path / "news", lambda text, _: text, n_records)
    output = learned(tmp_path / "news", tmp_path / "home")
    assert "expected" in output
    assert "\n" not in output
    assert not (tmp_path / "home" / "models").exists()
