"""Audit labels: list those that look wrong."""

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
from scoring.explanation.policy_changes import change_sentence
from scoring.features.sections import rule_named
from scoring.labels.corrections import open_corrections
from scoring.labels.own_scores import open_own_scores
from scoring.progress import SILENT, Reporter
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.files import OnFault
from scoring.records.forms.label_positions import LABELS
from scoring.records.ledger import Correction, Digests, Ledger, digests_of
from scoring.settings import Settings
from scoring.training.config import TrainConfig
from scoring.training.read_dataset import read_dataset
from scoring.workflows.coverage import deriver_of


@dataclass(frozen=True, slots=True)
class AuditOutcome:
    """Result of an audit.

    Parameters
    ----------
    findings : tuple of Finding
        By kind, worst first, limited to the requested number of each.
    counts : dict of str to int
        Total number of findings of each kind.
    n_records, n_faults : int
        Audited and unusable records.
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
    """List the labels that look wrong.

    Parameters
    ----------
    paths : list of str
        Files, folders, globs or ``-``: see :func:`scoring.records.corpus.read_documents`.
    config : TrainConfig
        Fit options. The split is not used: the audit is cross-validated, each record is held out once.
    corrections : Path, optional
        Ledger of corrections (:mod:`scoring.records.ledger`), which replace labels. Findings about corrected
        labels name the correction; contradictory corrections are findings of their own.
    settings : Settings
        Number of threads, and the journal.
    limit : int
        Maximum number of findings of each kind; >= 0.
    has_own_scores : bool
        Whether to use labels written by scoring: see :mod:`scoring.labels.own_scores`.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    AuditOutcome

    Raises
    ------
    RecordError
        If a path has no records, or the ledger cannot be used.
    ModelError
        If there are too few records.
    """
    corpus = read_dataset(
        paths,
        stdin=stdin,
        on_fault=on_fault,
        reporter=reporter,
        corrections=open_corrections(corrections),
        own_scores=open_own_scores(settings, is_used=has_own_scores, reporter=reporter),
        sections=rule_named(settings.section),
        field_maps=field_maps_of(paths, settings),
        deriver=deriver_of(settings, reporter),
        wanted=config.labels,
    )
    if not corpus.documents:
        raise ModelError("no records with a quality and a date to audit")
    label_audit = audit_labels(
        corpus.documents,
        corpus.training_set(np.ones(len(corpus.documents), dtype=bool)),
        config,
        limit=limit,
        num_threads=settings.threads,
        on_step=lambda done, total: reporter.step("cross-validating", done, total),
    )
    for change in label_audit.changes:
        reporter.note(
            f"{change_sentence(change)}; each label is compared with the rules that held at its time"
        )
    findings, counts = label_audit.findings, dict(label_audit.counts)
    if corpus.corrections is not None:
        history = _history(corpus.corrections.ledger)
        # A finding has the name of a record, which may be that of several, such as the id of two rows.
        n_records = Counter(document.name for document in corpus.documents)
        digests = {
            document.name: digests_of(document.record)
            for document in corpus.documents
            if n_records[document.name] == 1
        }
        disputed = _disputed(history, digests)
        findings = (
            *(_with_correction(finding, history, digests) for finding in findings),
            *disputed[:limit],
        )
        counts["correction"] = len(disputed)
    return AuditOutcome(findings, counts, len(corpus.documents), corpus.n_faults)


#: By record digest and label: the values that curators set, oldest first.
_History = dict[tuple[str, str], list[tuple[int | bool, Correction]]]


def _history(ledger: Ledger) -> _History:
    """Collect the corrections of each label since its last withdrawal."""
    history: _History = {}
    for correction in ledger.corrections:
        if correction.value is None:
            history.pop((correction.holds_for, correction.field), None)
        else:
            history.setdefault((correction.holds_for, correction.field), []).append(
                (correction.value, correction)
            )
    return history


def _with_correction(finding: Finding, history: _History, digests: Mapping[str, Digests]) -> Finding:
    record_digests = digests.get(finding.path)
    corrections = history.get((record_digests.of(finding.field), finding.field)) if record_digests else None
    if not corrections:
        return finding
    _, last = corrections[-1]
    return msgspec.structs.replace(finding, correction=f"corrected from {last.predicted} {_describe(last)}")


def _disputed(history: _History, digests: Mapping[str, Digests]) -> tuple[Finding, ...]:
    """Labels with contradictory corrections, the largest difference first."""
    findings = []
    for path, record_digests in digests.items():
        for field in LABELS:
            corrections = history.get((record_digests.of(field), field), [])
            for earlier_value, earlier in reversed(corrections):
                current, latest = corrections[-1]
                if earlier_value != current:
                    findings.append(
                        Finding(
                            kind="correction",
                            path=path,
                            field=field,
                            label=current,
                            expected=earlier_value,
                            difference=float(current - earlier_value),
                            reason=f"corrected {_describe(earlier)}, then {_describe(latest)}, which is used",
                        )
                    )
                    break
    return tuple(
        sorted(findings, key=lambda finding: (-abs(finding.difference), finding.path, finding.field))
    )


def _describe(correction: Correction) -> str:
    by = f" by {correction.by}" if correction.by else ""
    return f"to {correction.value} on {correction.at:%Y-%m-%d %H:%M}{by}"
