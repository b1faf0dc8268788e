"""Audit: labelled records in, labels that look wrong out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from scoring.audit.finding import Finding
from scoring.audit.label_issues import audit as audit_labels
from scoring.errors import ModelError
from scoring.labels.corrections import open_corrections
from scoring.labels.own_scores import open_own_scores
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import OnFault
from scoring.records.label_positions import LABELS
from scoring.records.ledger import Correction, Digests, Ledger, digests_of
from scoring.settings import Settings
from scoring.training.config import TrainConfig
from scoring.training.dataset import read_dataset


@dataclass(frozen=True, slots=True)
class AuditOutcome:
    """What an audit found.

    Parameters
    ----------
    findings : tuple of Finding
        By kind, the worst first, at most so many of each as were asked for.
    counts : dict of str to int
        Findings of each kind in all.
    n_records, n_faults : int
        Records that were looked at, and that could not be used.
    """

    findings: tuple[Finding, ...]
    counts: dict[str, int]
    n_records: int
    n_faults: int


def audit(
    paths: list[str],
    *,
    config: TrainConfig,
    corrections: Path | None = None,
    settings: Settings,
    limit: int,
    has_own_scores: bool = False,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> AuditOutcome:
    """List the labels of records that look wrong.

    Parameters
    ----------
    paths : list of str
        As :func:`scoring.records.corpus.read_documents` takes them.
    config : TrainConfig
        How models are fitted; its split is not used, each record is held back once.
    corrections : Path, optional
        Ledger of corrections (:mod:`scoring.records.ledger`), which stand in the place of labels. Findings
        about them tell so, and those that disagree with one another are findings of their own.
    settings : Settings
        Threads, and the journal.
    limit : int
        Findings of each kind to give back at most; >= 0.
    has_own_scores : bool
        Whether labels that scoring has written count like any other: see :mod:`scoring.labels.own_scores`.
    stdin, on_fault, reporter
        What ``-`` reads, who hears of bad records, who hears of progress.

    Returns
    -------
    AuditOutcome

    Raises
    ------
    RecordError
        If a path names no record, or the ledger cannot be used.
    ModelError
        If the records do not suffice.
    """
    corpus = read_dataset(
        paths,
        stdin=stdin,
        on_fault=on_fault,
        reporter=reporter,
        corrections=open_corrections(corrections),
        own_scores=open_own_scores(settings, is_used=has_own_scores, reporter=reporter),
    )
    if not corpus.documents:
        raise ModelError("audited records: got none with a quality and a date, expected some")
    found = audit_labels(
        corpus.documents,
        corpus.training_set(np.ones(len(corpus.documents), dtype=bool)),
        config,
        limit=limit,
        num_threads=settings.threads,
        on_step=lambda done, total: reporter.step("holding back a third", done, total),
    )
    findings, counts = found.findings, dict(found.counts)
    if corpus.corrections is not None:
        history = _history(corpus.corrections.ledger)
        # A finding names a path; of several records of one file (JSON lines) it does not tell which.
        n_records = Counter(document.path for document in corpus.documents)
        digests = {
            document.path: digests_of(document.record)
            for document in corpus.documents
            if n_records[document.path] == 1
        }
        disputed = _disputed(history, digests)
        findings = (*(_with_correction(each, history, digests) for each in findings), *disputed[:limit])
        counts["correction"] = len(disputed)
    return AuditOutcome(findings, counts, len(corpus.documents), corpus.n_faults)


#: By the digest that it holds for and the label: the values that people gave, the earliest first.
_History = dict[tuple[str, str], list[tuple[int | bool, Correction]]]


def _history(ledger: Ledger) -> _History:
    """What people have said of each label since it was last taken back."""
    history: _History = {}
    for each in ledger.corrections:
        if each.value is None:
            history.pop((each.holds_for, each.field), None)
        else:
            history.setdefault((each.holds_for, each.field), []).append((each.value, each))
    return history


def _with_correction(finding: Finding, history: _History, digests: Mapping[str, Digests]) -> Finding:
    known = digests.get(finding.path)
    said = history.get((known.of(finding.field), finding.field)) if known else None
    if not said:
        return finding
    _, last = said[-1]
    return msgspec.structs.replace(finding, correction=f"corrected from {last.predicted} {_told(last)}")


def _disputed(history: _History, digests: Mapping[str, Digests]) -> tuple[Finding, ...]:
    """Labels to which people have given more than one value; the most points apart first."""
    found = []
    for path, known in digests.items():
        for field in LABELS:
            said = history.get((known.of(field), field), [])
            for other, before in reversed(said):
                holds, last = said[-1]
                if other != holds:
                    found.append(
                        Finding(
                            kind="correction",
                            path=path,
                            field=field,
                            label=holds,
                            expected=other,
                            difference=float(holds - other),
                            reason=f"corrected {_told(before)}, and {_told(last)}, which holds",
                        )
                    )
                    break
    return tuple(sorted(found, key=lambda each: (-abs(each.difference), each.path, each.field)))


def _told(correction: Correction) -> str:
    by = f" by {correction.by}" if correction.by else ""
    return f"to {correction.value} on {correction.at:%Y-%m-%d %H:%M}{by}"
