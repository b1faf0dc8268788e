"""Audit: labelled records in, labels that look wrong out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from scoring.errors import ModelError
from scoring.model.audit import audit as audit_labels
from scoring.model.config import TrainConfig
from scoring.model.results import Finding
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import OnFault
from scoring.settings import Settings
from scoring.workflows.labelled import read_corpus


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
    settings: Settings,
    limit: int,
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
    settings : Settings
        Threads.
    limit : int
        Findings of each kind to give back at most; >= 0.
    stdin, on_fault, reporter
        What ``-`` reads, who hears of bad records, who hears of progress.

    Returns
    -------
    AuditOutcome

    Raises
    ------
    RecordError
        If a path names no record.
    ModelError
        If the records do not suffice.
    """
    corpus = read_corpus(paths, stdin=stdin, on_fault=on_fault, reporter=reporter)
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
    return AuditOutcome(found.findings, found.counts, len(corpus.documents), corpus.n_faults)
