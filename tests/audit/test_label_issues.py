"""Label issues: planted errors are found, with few false positives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import pytest

from scoring.audit.finding import Finding
from scoring.audit.label_issues import KINDS, Audit, audit
from scoring.audit.out_of_fold import OutOfFold, out_of_fold
from scoring.errors import ModelError
from scoring.records.record import Coverage, Document, Labels
from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.policy import DEFAULT_POLICY
from scoring.training.config import TrainConfig
from scoring.training.training_set import TrainingSet

POLICY = DEFAULT_POLICY.without_noise()
BIG = "wendlow.example"  # the provider with the most records, so that models know what it is worth
CONFIG = TrainConfig()


def documents(n_records: int = 400) -> list[Document]:
    sample = sample_documents(n_records=n_records, seed=1, policy=POLICY)
    return [
        Document(f"{index:03}.md", 0, "0" * 64, record, labels)
        for index, (record, labels) in enumerate(sample)
    ]


def relabelled(document: Document, **labels: Any) -> Document:
    return msgspec.structs.replace(document, labels=msgspec.structs.replace(document.labels, **labels))


@dataclass
class Planted:
    """A sample in which some labels are wrong: paths by kind."""

    documents: list[Document]
    wrong: dict[str, str]

    def plant_error(
        self, kind: str, where: Callable[[Document], bool], **labels: Callable[[Document], Any]
    ) -> None:
        """Change labels of the first matching record without a planted error."""
        taken = self.wrong.values()
        at, chosen = next(
            (index, document)
            for index, document in enumerate(self.documents)
            if where(document) and document.path not in taken
        )
        self.documents[at] = relabelled(chosen, **{name: of(chosen) for name, of in labels.items()})
        self.wrong[kind] = chosen.path


def is_lead(document: Document) -> bool:
    return (document.labels.heat or 0) > -1


def quality(document: Document) -> int:
    assert document.labels.quality is not None
    return document.labels.quality


def margin(document: Document) -> int:
    return quality(document) - max((entry.quality or 0 for entry in document.record.related), default=-99)


def plant() -> Planted:
    planted = Planted(documents(), {})
    planted.plant_error(
        "quality",
        lambda document: (
            not is_lead(document) and document.record.provider.domain == BIG and quality(document) > 80
        ),
        quality=lambda document: quality(document) - 50,
    )
    planted.plant_error(
        "lead",
        lambda document: is_lead(document) and margin(document) > 10 and bool(document.record.related),
        heat=lambda document: -1,
        published=lambda document: False,
    )
    planted.plant_error(
        "false lead",
        lambda document: not is_lead(document) and margin(document) < -20 and quality(document) > 70,
        heat=lambda document: quality(document) + 20 * len(document.record.related),
        published=lambda document: True,
    )
    planted.plant_error(
        "lists itself",
        lambda document: not document.record.related and quality(document) > 60,
        heat=lambda document: -1,
        published=lambda document: False,
    )
    at = next(
        index
        for index, document in enumerate(planted.documents)
        if document.path == planted.wrong["lists itself"]
    )
    alone = planted.documents[at]
    itself = Coverage(web_url=alone.record.web_url, quality=quality(alone))
    record = msgspec.structs.replace(alone.record, related=(itself,))
    planted.documents[at] = msgspec.structs.replace(alone, record=record)
    planted.plant_error(
        "heat",
        lambda document: (
            is_lead(document) and len(document.record.related) == 0 and 75 < quality(document) < 90
        ),
        heat=lambda document: quality(document) + 60,
    )
    planted.plant_error(
        "hidden", lambda document: (document.labels.heat or 0) > 90, published=lambda document: False
    )
    planted.plant_error(
        "shown", lambda document: 20 < (document.labels.heat or 0) < 50, published=lambda document: True
    )
    twin = next(
        document
        for document in planted.documents
        if margin(document) < -30
        and len(document.record.title.split()) > 7
        and document.path not in planted.wrong.values()
    )
    record = msgspec.structs.replace(twin.record, title=twin.record.title + " too")
    other = msgspec.structs.replace(twin, path="999.md", record=record)
    planted.documents.append(relabelled(other, quality=quality(twin) + 21))
    planted.wrong["twin"] = twin.path
    return planted


@dataclass
class Audited:
    planted: Planted
    result: Audit

    @cached_property
    def by_kind(self) -> dict[str, list[Finding]]:
        return {kind: [finding for finding in self.result.findings if finding.kind == kind] for kind in KINDS}


@pytest.fixture(scope="module")
def training_of(make_training: Callable[[Any], TrainingSet]) -> Callable[[Iterable[Document]], TrainingSet]:
    return lambda documents: make_training([(document.record, document.labels) for document in documents])


@pytest.fixture(scope="module")
def audited(training_of: Callable[[Iterable[Document]], TrainingSet]) -> Audited:
    planted = plant()
    return Audited(planted, audit(planted.documents, training_of(planted.documents), CONFIG, limit=50))


def first(findings: list[Finding], path: str, within: int = 1) -> Finding:
    """The finding of a record, which is among the first ones."""
    by_path = {finding.path: finding for finding in findings[:within]}
    assert path in by_path, [(finding.path, finding.difference) for finding in findings]
    return by_path[path]


def test_wrong_quality_is_found_first(audited: Audited) -> None:
    finding = first(audited.by_kind["quality"], audited.planted.wrong["quality"])
    assert finding.field == "quality"
    assert finding.difference == pytest.approx(-50, abs=12)
    assert finding.difference == finding.label - finding.expected
    assert finding.low is not None
    assert finding.high is not None
    assert finding.label < finding.low < finding.expected < finding.high
    assert finding.reason.startswith(
        f"{-finding.difference:.0f} points below the prediction from the other records: "
    )
    assert finding.reason.count(";") == 2


def test_wrong_leads_are_found(audited: Audited) -> None:
    wrong, leads = audited.planted.wrong, audited.by_kind["lead"]
    hidden, false, alone = (
        first(leads, wrong[kind], within=3) for kind in ("lead", "false lead", "lists itself")
    )
    assert (alone.label, alone.reason.partition("; ")[2]) == (-1, "no coverage has a quality")
    assert (hidden.label, false.expected) == (-1, -1)
    assert hidden.expected > 0
    assert hidden.difference == -1 - hidden.expected
    assert "does not lead, although no coverage reaches its quality" in hidden.reason
    assert "although the story has better coverage; the best is '" in false.reason
    assert min(hidden.probability or 0, false.probability or 0) > 0.95


def test_wrong_heat_is_found(audited: Audited) -> None:
    finding = first(audited.by_kind["heat"], audited.planted.wrong["heat"])
    assert finding.difference == pytest.approx(60, abs=1)
    assert f"heat {finding.label} is +60 from a quality of " in finding.reason
    assert finding.reason.endswith("and 0 related records have +0")


def test_wrong_published_is_found(audited: Audited) -> None:
    wrong, findings = audited.planted.wrong, audited.by_kind["published"]
    hidden, shown = (first(findings, wrong[kind], within=3) for kind in ("hidden", "shown"))
    assert (hidden.label, hidden.expected, hidden.difference) == (False, True, -1)
    assert (shown.label, shown.expected, shown.difference) == (True, False, 1)
    assert shown.reason.endswith("this one is published, others are not")


def test_twin_of_another_quality_is_found(audited: Audited) -> None:
    finding = audited.by_kind["twin"][0]
    assert {finding.path, finding.other} == {audited.planted.wrong["twin"], "999.md"}
    assert finding.field == "quality"
    assert abs(finding.difference) == 21
    assert finding.other in finding.reason


def test_each_kind_is_counted_and_limited(
    audited: Audited,
    training_of: Callable[[Iterable[Document]], TrainingSet],
) -> None:
    assert list(audited.result.counts) == list(KINDS)
    assert audited.result.counts == {kind: len(finding) for kind, finding in audited.by_kind.items()}
    again = audit(audited.planted.documents, training_of(audited.planted.documents), CONFIG, limit=1)
    assert again.counts == audited.result.counts
    assert list(again.findings) == [finding[0] for finding in audited.by_kind.values()]


def test_labels_without_noise_are_hardly_ever_doubted(
    training_of: Callable[[Iterable[Document]], TrainingSet],
) -> None:
    right = documents()
    steps: list[tuple[int, int]] = []
    result = audit(right, training_of(right), CONFIG, limit=400, on_step=lambda *step: steps.append(step))
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert sum(result.counts.values()) <= 0.03 * len(right)
    # Who leads and what is shown are exact rules; twins agree.
    assert [result.counts[kind] for kind in ("lead", "published", "twin")] == [0, 0, 0]


def test_quality_alone_is_enough(training_of: Callable[[Iterable[Document]], TrainingSet]) -> None:
    bare = [
        msgspec.structs.replace(document, labels=Labels(quality=document.labels.quality))
        for document in documents(120)
    ]
    result = audit(bare, training_of(bare), CONFIG, limit=5)
    assert [result.counts[kind] for kind in ("lead", "heat", "published")] == [0, 0, 0]


def test_label_changes_nothing_of_its_own_opinion(
    training_of: Callable[[Iterable[Document]], TrainingSet],
) -> None:
    right = documents(120)
    wrong = [relabelled(right[0], quality=999), *right[1:]]

    def out_of_fold_of(of: list[Document]) -> OutOfFold:
        return out_of_fold(training_of(of), CONFIG)

    before, after = out_of_fold_of(right), out_of_fold_of(wrong)
    same_fold = before.folds == before.folds[0]
    assert before.quality[same_fold].tolist() == after.quality[same_fold].tolist()
    assert not np.array_equal(before.quality, after.quality)


@pytest.mark.parametrize("count", [5, 30], ids=["few", "one text"])
def test_too_little_is_refused(count: int, training_of: Callable[[Iterable[Document]], TrainingSet]) -> None:
    few = documents(count)
    if count == 30:
        few = [
            msgspec.structs.replace(
                document, record=msgspec.structs.replace(document.record, title="Same", excerpt="Again")
            )
            for document in few
        ]
    with pytest.raises(
        ModelError, match=rf"audited records: got {count} \({5 if count == 5 else 1} without copies\)"
    ):
        audit(few, training_of(few), CONFIG, limit=5)
