"""Read labelled records into a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO

from scoring.errors import Fault, FieldMapError, RecordError
from scoring.features.sections import SectionRule, learn_sections, rule_named
from scoring.labels.corrections import Corrections
from scoring.labels.own_scores import OwnScores
from scoring.model.targets import TARGETS, Target, Targets, listed, needed_label
from scoring.progress import Reporter
from scoring.records.corpus import archive_names, data_sha256, read_documents
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.files import OnFault
from scoring.records.reading_warnings import has_unusable_label
from scoring.records.record import Document
from scoring.stories.derived_coverage import CoverageDeriver
from scoring.training.dataset import FeatureSource, LabelledDataset, LocalFeatures

MIN_LABELS = 15
"""Records with a label from which it is learned."""


def read_dataset(
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None,
    on_fault: OnFault,
    reporter: Reporter,
    since: datetime | None = None,
    until: datetime | None = None,
    corrections: Corrections | None = None,
    own_scores: OwnScores | None = None,
    sections: SectionRule | None = None,
    field_maps: FieldMaps | None = None,
    deriver: CoverageDeriver | None = None,
    targets: Targets | None = None,
    wanted: Targets = TARGETS,
) -> LabelledDataset:
    """Read the records that have a date and a label.

    Parameters
    ----------
    paths : sequence of str
        See :func:`scoring.records.corpus.read_documents`.
    stdin : binary file, optional
        Stream of the path ``-``.
    on_fault : callable
        Called with the error of each unreadable record, and of each unreadable line of the corrections.
    reporter : Reporter
        Receives the progress.
    since, until : datetime, optional
        Skip records published earlier, or later; aware UTC.
    corrections : Corrections, optional
        Corrected labels that replace those of the files.
    own_scores : OwnScores, optional
        Drops labels that scoring wrote itself, unless corrected; without it every label counts.
    sections : SectionRule, optional
        How the section of a record is found. Default: learned from the topics of these records, those of each
        folder by themselves.
    field_maps : FieldMaps, optional
        Field maps of the files; default: those of their archives.
    deriver : CoverageDeriver, optional
        Derives the coverage of archives without lists.
    targets : tuple of str, optional
        Labels of the model that is to be evaluated. Default: those that enough records have to be learned.
    wanted : tuple of str
        Labels to learn, if enough records have them.

    Returns
    -------
    LabelledDataset
    """
    n_faults = 0

    def count_fault(error: RecordError) -> None:
        nonlocal n_faults
        n_faults += 1
        on_fault(error)

    def report_progress(done: int, total: int) -> None:
        reporter.step("reading", done, total)

    field_maps = field_maps or FieldMaps(paths)
    documents = list(
        read_documents(
            paths, stdin=stdin, field_maps=field_maps, on_fault=count_fault, on_progress=report_progress
        )
    )
    if own_scores is not None:
        documents = own_scores.put_to(documents)
    if corrections is not None:
        for torn_line in corrections.ledger.torn:
            on_fault(RecordError(torn_line))
        documents = corrections.put_to(documents, reporter)
    if deriver is not None:
        documents = deriver.put_to(documents, paths)
    corpus = dataset_of(
        documents,
        n_faults,
        reporter=reporter,
        since=since,
        until=until,
        own_scores=own_scores,
        sections=sections or mapped_rule(field_maps) or learn_sections(archives_of(documents, paths)),
        targets=targets,
        wanted=wanted,
    )
    if len(field_maps.used) > 1:
        reporter.note(
            f"records of {len(field_maps.used)} layouts: the model has no field map; archives to score need "
            "their own"
        )
    return replace(corpus, corrections=corrections, field_map=field_maps.only, deriver=deriver)


def mapped_rule(field_maps: FieldMaps) -> SectionRule | None:
    """Rule of sections that the field maps of all records name; None if they name none.

    Raises
    ------
    FieldMapError
        If they name different ones.
    """
    names = sorted({field_map.section for field_map in field_maps.used if field_map and field_map.section})
    if len(names) > 1:
        got = f"field maps with the sections {' and '.join(map(repr, names))}"
        raise FieldMapError(Fault("section", 0, "", got, "the same in all, or --section"))
    return rule_named(names[0]) if names else None


def archives_of(documents: Sequence[Document], paths: Sequence[str]) -> list[list[tuple[str, ...]]]:
    """Topics of each document, by archive: each path that is a folder is one, all other paths are another."""
    archives: dict[str, list[tuple[str, ...]]] = {}
    for document, archive in zip(documents, archive_names(documents, paths), strict=True):
        archives.setdefault(archive, []).append(document.record.topics)
    return list(archives.values())


def dataset_of(
    read: Sequence[Document],
    n_faults: int,
    *,
    reporter: Reporter,
    since: datetime | None = None,
    until: datetime | None = None,
    extractor: FeatureSource | None = None,
    own_scores: OwnScores | None = None,
    sections: SectionRule,
    targets: Targets | None = None,
    wanted: Targets = TARGETS,
) -> LabelledDataset:
    """Dataset of the documents that have a date and the first of the targets.

    Parameters
    ----------
    read : sequence of Document
        Documents read.
    n_faults : int
        Records that could not be read.
    reporter, since, until
        See :func:`read_dataset`.
    extractor : FeatureSource, optional
        Source of the features; by default they are extracted in this process.
    own_scores : OwnScores, optional
        Has looked up the labels of each document.
    sections : SectionRule
        How the section of a record is found.
    targets, wanted
        See :func:`read_dataset`.
    """
    n_unusable = sum(has_unusable_label(document.warnings) for document in read)
    if n_unusable:
        reporter.warn(
            f"{n_unusable} records have a label that cannot be used and is taken as missing: "
            '"scoring validate" names them'
        )
    dated = [document for document in read if document.record.published_at is not None]
    targets = _learnable(dated, wanted, reporter) if targets is None else _present(dated, targets)
    needed = targets[0]
    usable = [document for document in dated if getattr(document.labels, needed) is not None]
    own_labels = own_scores.names if own_scores else [frozenset[str]()] * len(read)
    n_own_needed = sum(
        getattr(document.labels, needed) is None
        and document.record.published_at is not None
        and needed in names
        for document, names in zip(read, own_labels, strict=True)
    )
    n_unlabelled = len(read) - len(usable) - n_own_needed
    if n_unlabelled:
        reporter.note(f"{n_unlabelled} records without {needed_label(targets)} or a date are left out")
        if others := _other_labels(dated, targets):
            reporter.note(others)
    if since is not None or until is not None:
        n_usable = len(usable)
        usable = [document for document in usable if _is_between(document.record.published_at, since, until)]
        reporter.note(f"{n_usable - len(usable)} records outside the chosen period are left out")
    n_own_labels = sum(
        len(names)
        for document, names in zip(read, own_labels, strict=True)
        if (since is None and until is None) or _is_between(document.record.published_at, since, until)
    )
    if own_scores is not None:
        own_scores.note(len(usable), n_own_labels, reporter)
    usable.sort(key=_order)
    digest = data_sha256(document.sha256 for document in usable)
    return LabelledDataset(
        usable,
        n_faults,
        n_unlabelled,
        digest,
        extractor or LocalFeatures(),
        own_scores=own_scores,
        n_own_labels=n_own_labels,
        section_rule=sections,
        targets=targets,
    )


def _other_labels(documents: Sequence[Document], targets: Targets) -> str:
    """Say so if more documents have other labels of the targets than have the first, which all need."""
    counts = _label_counts(documents)
    needed, *others = targets
    more = tuple(name for name in others if counts[name] > counts[needed])
    if not more:
        return ""
    return (
        f'more records have {listed(more)} than {needed}: "labels: [{", ".join(more)}]" in the configuration '
        f"learns {listed(more)} from all of them"
    )


def _learnable(documents: Sequence[Document], wanted: Targets, reporter: Reporter) -> Targets:
    """Wanted labels that enough of the dated documents have to be learned; the others are reported."""
    counts = _label_counts(documents)
    few: dict[Target, str] = {}
    for name, count in counts.items():
        if count and name not in wanted:
            few[name] = f"{count} records have it, and the configuration does not name it"
        elif 0 < count < MIN_LABELS:
            few[name] = f"{count} records have it, {MIN_LABELS} are needed"
    if counts["heat"] and all((document.labels.heat or 0) < 0 for document in documents):
        few["heat"] = "it is -1 in all records, and the heat of leads is needed"
    learnable = tuple(name for name in TARGETS if counts[name] and name not in few)
    if not learnable:
        return _present(documents, wanted)
    for name, reason in few.items():
        report = reporter.warn if name in wanted else reporter.note
        report(f"{name} is not learned: {reason}")
    return learnable


def _present(documents: Sequence[Document], wanted: Targets) -> Targets:
    """Labels that some of the dated documents have; all that are wanted if they have none."""
    counts = _label_counts(documents)
    return tuple(name for name in TARGETS if counts[name] and name in wanted) or wanted


def _label_counts(documents: Sequence[Document]) -> dict[Target, int]:
    labels = [document.labels for document in documents]
    return {name: sum(getattr(label, name) is not None for label in labels) for name in TARGETS}


def _is_between(moment: datetime | None, since: datetime | None, until: datetime | None) -> bool:
    return moment is not None and (since is None or moment >= since) and (until is None or moment <= until)


def _order(document: Document) -> tuple[datetime, str, str, str]:
    """By date; records of one moment by what does not change with the order of their topics."""
    record = document.record
    assert record.published_at is not None  # noqa: S101 -- dataset_of skips such records
    return record.published_at, record.title, record.url, document.sha256
