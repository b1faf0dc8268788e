"""Suggest the unlabelled records to label first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import msgspec
import numpy as np

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.open_model import open_model
from scoring.errors import ModelError, RecordError
from scoring.extras import naming_extras
from scoring.features.extraction import tables_of
from scoring.features.story import stories
from scoring.inbox.labels_to_give import section_rule
from scoring.labels.own_scores import open_own_scores
from scoring.model.scorer import Scorer
from scoring.model.targets import needed_label
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import read_documents
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.files import OnFault
from scoring.records.record import Document
from scoring.settings import Settings
from scoring.training.label_suggestions import MAX_RECORDS, suggest_labels
from scoring.training.read_dataset import archives_of
from scoring.workflows.coverage import deriver_of
from scoring.workflows.displayed import Displayed

if TYPE_CHECKING:
    import pandas as pd


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A record to label.

    Parameters
    ----------
    rank : int
        Rank, from 1, the most useful.
    path : str
        File of the record.
    line : int
        Its line, from 1, if the file has several records, else 0.
    title : str
        Its title.
    section : str
        Its section; empty if unknown.
    reasons : tuple of str
        Reasons for labelling it, the most important first.
    """

    rank: int
    path: str
    line: int
    title: str
    section: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class SuggestOutcome(Displayed):
    """Result of a suggestion.

    Parameters
    ----------
    suggestions : tuple of Suggestion
        The most useful first.
    n_labelled, n_unlabelled : int
        Dated records with and without the label that is suggested: a quality, if the model has it.
    n_faults : int
        Unusable records.
    """

    suggestions: tuple[Suggestion, ...]
    n_labelled: int
    n_unlabelled: int
    n_faults: int

    def _summary(self) -> str:
        return f"with {len(self.suggestions)} of {self.n_unlabelled:,} unlabelled records"

    @naming_extras("frames")
    def to_frame(self) -> pd.DataFrame:
        """Return the suggestions, one per row, the most useful first.

        Returns
        -------
        DataFrame of shape (n_suggestions, n_fields)
            The fields of a suggestion: ``rank``, ``path``, ``line``, ``title``, ``section`` and ``reasons``,
            joined by ``"; "``.
        """
        import pandas as pd

        rows = [msgspec.structs.asdict(row) | {"reasons": "; ".join(row.reasons)} for row in self.suggestions]
        return pd.DataFrame(rows, columns=list(Suggestion.__struct_fields__))


def suggest(
    paths: Sequence[str],
    *,
    count: int,
    model: str | SavedModel | None = None,
    settings: Settings,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> SuggestOutcome:
    """Suggest the unlabelled records whose labels would teach the model the most.

    Labels that scoring itself wrote do not count.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, globs or ``-``: see :func:`scoring.records.corpus.read_documents`. They hold the
        labelled records too, if there are any.
    count : int
        Maximum number of suggestions; 1 or more.
    model : str or SavedModel, optional
        The model that the labels are for, or its name: see :func:`scoring.deployment.resolve_model.resolve`.
    settings : Settings
        Home, store, journal and the rule of sections.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    SuggestOutcome

    Raises
    ------
    ValueError
        If `count` is below 1.
    ModelError, TrackingError
        If the model cannot be used, or every record with a date has a quality.
    RecordError
        If a path has no records.
    """
    if count < 1:
        raise ValueError(f"count: got {count}, expected 1 or more")
    if not isinstance(model, SavedModel):
        model = open_model(model, settings, reporter, is_whole=False)
    documents, n_faults = _read(paths, model.scorer, settings, stdin, on_fault, reporter)
    targets = model.scorer.targets
    is_labelled = np.array(
        [getattr(document.labels, targets[0]) is not None for document in documents], dtype=bool
    )
    if is_labelled.all():
        text = needed_label(targets)
        raise ModelError(f"no records with a date and without {text}: there is nothing to label")
    quality = model.scorer.models.quality
    rule = section_rule(model.scorer.sections, archives_of(documents, paths), settings.section)
    (table,) = tables_of(documents, [[None] * len(documents)], rule)
    of_section = Counter(table.text("topic_section")[~is_labelled])
    for section, n_unlabelled in sorted(of_section.items()):
        if n_unlabelled > MAX_RECORDS:
            name = f"section {section}" if section else "records of no section"
            reporter.note(
                f"{name}: only {MAX_RECORDS:,} of {n_unlabelled:,} unlabelled records are considered, evenly "
                "spaced in time"
            )
    facts = model.manifest.training
    suggestions = suggest_labels(
        quality,
        table,
        is_labelled,
        stories([document.record for document in documents]),
        count,
        facts.config.model.sections,
        facts.sections,
    )
    return SuggestOutcome(
        tuple(
            Suggestion(
                rank=rank,
                path=document.path,
                line=document.line_in_path,
                title=document.record.title,
                section=suggestion.section,
                reasons=suggestion.reasons,
            )
            for rank, suggestion in enumerate(suggestions, start=1)
            for document in [documents[suggestion.row]]
        ),
        int(is_labelled.sum()),
        int((~is_labelled).sum()),
        n_faults,
    )


def _read(
    paths: Sequence[str],
    scorer: Scorer,
    settings: Settings,
    stdin: BinaryIO | None,
    on_fault: OnFault,
    reporter: Reporter,
) -> tuple[list[Document], int]:
    """Dated records in order of date, without labels that scoring wrote; number of unusable records."""
    n_faults = 0

    def count_fault(error: RecordError) -> None:
        nonlocal n_faults
        n_faults += 1
        on_fault(error)

    read = read_documents(
        paths,
        stdin=stdin,
        field_maps=field_maps_of(paths, settings).with_model_map(scorer.field_map),
        on_fault=count_fault,
        on_progress=lambda done, total: reporter.step("reading", done, total),
    )
    own_scores = open_own_scores(settings, is_used=False, reporter=reporter)
    documents = own_scores.put_to(read)
    if (deriver := deriver_of(settings, reporter)) is not None:
        documents = deriver.put_to(documents, paths)
    own_scores.note(len(documents), sum(map(len, own_scores.names)), reporter)
    dated = [document for document in documents if document.record.published_at is not None]
    if len(dated) < len(documents):
        reporter.note(f"{len(documents) - len(dated)} records without a date are left out")
    dated.sort(key=_order)
    return dated, n_faults


def _order(document: Document) -> tuple[float, str, int, str]:
    moment = document.record.published_at
    return moment.timestamp() if moment else 0.0, document.record.title, document.line, document.sha256
