"""Plan of a write: the outcome of each label of a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from scoring.errors import Fault, RecordError
from scoring.labels.journal import RecordKeys
from scoring.model.score import Score
from scoring.records.file_names import is_markdown
from scoring.records.forms.label_positions import LABELS
from scoring.records.label_spelling import Spelling
from scoring.records.record import Document, Labels, Record

Outcome = Literal["filled", "renewed", "replaced", "left alone", "unchanged"]
"""Outcome of a label: it was missing; it was scoring's own and changes; it was a person's and is overwritten,
or kept; or it is scoring's own and equals the score already."""


class Plan(NamedTuple):
    """Planned write of one file.

    Parameters
    ----------
    score : Score
        The score to write.
    path, target : str
        The file as the user named it, and with links resolved.
    document : Document
        The record as read.
    keys : RecordKeys
        Its keys in the journal.
    old, new : bytes
        The file before and after the write.
    diff : str
        Unified diff.
    outcomes : dict of str to Outcome
        Outcome by label.
    before : dict of str to bool, int or str
        Spelling of the labels before; see :func:`scoring.records.label_spelling.spellings_of`.
    labels : Labels
        Labels after the write.
    unusable : frozenset of str
        Labels whose value cannot be used.
    """

    score: Score
    path: str
    target: str
    document: Document
    keys: RecordKeys
    old: bytes
    new: bytes
    diff: str
    outcomes: dict[str, Outcome]
    before: dict[str, Spelling]
    labels: Labels
    unusable: frozenset[str]

    @property
    def is_changed(self) -> bool:
        """Whether any byte differs."""
        return self.old != self.new

    @property
    def n_unusable(self) -> int:
        """Number of labels that are left alone though they cannot be used."""
        return sum(self.outcomes.get(name) == "left alone" for name in self.unusable)

    def given(self) -> dict[str, int | bool]:
        """Return the labels that people gave and that are left alone, but for those that cannot be used."""
        return {
            name: getattr(self.labels, name)
            for name, outcome in self.outcomes.items()
            if outcome == "left alone" and name not in self.unusable
        }

    def own(self) -> dict[str, int | bool]:
        """Return the labels that are scoring's own after the write."""
        return {
            name: getattr(self.labels, name)
            for name, outcome in self.outcomes.items()
            if outcome != "left alone"
        }


def outcomes_of(
    labels: Labels,
    score: Score,
    own: frozenset[str],
    *,
    unusable: Collection[str] = (),
    is_overwriting: bool,
) -> dict[str, Outcome]:
    """Decide the outcome of each label that the score has.

    A label that the model has not learned is never touched.

    Parameters
    ----------
    labels : Labels
        Current labels of the file.
    score : Score
        Predicted labels.
    own : frozenset of str
        Labels that scoring wrote and that nobody has changed since.
    unusable : collection of str
        Labels whose value cannot be used, and so is a person's.
    is_overwriting : bool
        Whether to replace labels that people gave.
    """
    outcomes: dict[str, Outcome] = {}
    for name in LABELS:
        value, predicted = getattr(labels, name), getattr(score, name)
        if predicted is None:
            if name in own:  # it stays scoring's own
                outcomes[name] = "unchanged"
        elif value is None and name not in unusable:
            outcomes[name] = "filled"
        elif value == predicted:
            outcomes[name] = "unchanged" if name in own else "left alone"
        elif name in own:
            outcomes[name] = "renewed"
        else:
            outcomes[name] = "replaced" if is_overwriting else "left alone"
    return outcomes


def wanted_labels(score: Score, outcomes: Mapping[str, Outcome]) -> Labels:
    """Return the labels to write; None for unchanged ones."""
    values = {
        name: getattr(score, name)
        for name, outcome in outcomes.items()
        if outcome not in ("left alone", "unchanged")
    }
    return msgspec.convert(values, Labels)


def unknown_of(record: Record) -> str:
    """Describe what a record lacks to be scored reliably; empty if nothing.

    Examples
    --------
    >>> unknown_of(Record(title="Rain"))
    'neither a date nor a provider nor topics'
    >>> unknown_of(Record(title="Rain", topics=("Weather",)))
    ''
    """
    if not record.title.strip():
        return "no title"
    provider = record.provider.name or record.provider.domain
    if record.published_at is None and not provider and not record.topics:
        return "neither a date nor a provider nor topics"
    return ""


def file_of(score: Score, names: Callable[[], Mapping[str, Sequence[str]]] | None) -> str:
    """Return the file of a score, whose path may be escaped.

    Parameters
    ----------
    score : Score
        The score.
    names : callable or None
        Returns the files by displayed path: :func:`scoring.records.files.shown_names`; None if the scores
        have unescaped paths.

    Raises
    ------
    RecordError
        If there is no such file, or it is not a Markdown file.
    """
    path = score.path
    if not is_markdown(path):
        got = "a record that is not in a Markdown file"
        raise RecordError(
            Fault(path, 0, "", got, "a Markdown file, the only form that scores are written to")
        )
    if names is None or "\\" not in path:
        return path
    files = names()[path]
    if len(files) > 1:
        raise RecordError(Fault(path, 0, "", "a displayed name that two files share", "distinct names"))
    return files[0]
