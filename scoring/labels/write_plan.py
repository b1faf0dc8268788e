"""What is to become of each label of a file that a score is to be written into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from scoring.errors import Fault, RecordError
from scoring.labels.journal import RecordKeys
from scoring.model.score import Score
from scoring.records.label_positions import LABELS
from scoring.records.label_spelling import Spelling
from scoring.records.record import Document, Labels, Record

Outcome = Literal["filled", "renewed", "replaced", "left alone", "unchanged"]
"""What becomes of a label: it was missing; it was scoring's own; it was people's, and is overwritten, or
is not; or it is scoring's own and has the score already."""


class Plan(NamedTuple):
    """A file that was read, and what is to be done with it.

    Parameters
    ----------
    score : Score
        What is to be written.
    path, target : str
        The file as the user named it, and without links.
    document : Document
        What was read.
    keys : RecordKeys
        What the journal knows it by.
    old, new : bytes
        The file as it is, and as it is to be.
    diff : str
        Unified diff of the lines that differ.
    outcomes : dict of str to Outcome
        By label.
    before : dict of str to bool, int or str
        How the labels are spelled now; see :func:`scoring.records.label_spelling.spellings_of`.
    labels : Labels
        What stands there afterwards.
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

    @property
    def is_changed(self) -> bool:
        """Whether any byte differs."""
        return self.old != self.new

    def given(self) -> dict[str, int | bool]:
        """The labels that people gave, and that are left alone."""
        return {name: getattr(self.labels, name) for name in LABELS if self.outcomes[name] == "left alone"}

    def own(self) -> dict[str, int | bool]:
        """The labels that are scoring's own afterwards."""
        return {name: getattr(self.labels, name) for name in LABELS if self.outcomes[name] != "left alone"}


def outcomes_of(
    labels: Labels, score: Score, own: frozenset[str], *, is_overwriting: bool
) -> dict[str, Outcome]:
    """What is to become of each label.

    Parameters
    ----------
    labels : Labels
        What the file has.
    score : Score
        What the model says.
    own : frozenset of str
        Labels that scoring itself wrote, and that nobody has changed since.
    is_overwriting : bool
        Whether labels that people gave are replaced.
    """
    outcomes: dict[str, Outcome] = {}
    for name in LABELS:
        value = getattr(labels, name)
        if value is None:
            outcomes[name] = "filled"
        elif value == getattr(score, name):
            outcomes[name] = "unchanged" if name in own else "left alone"
        elif name in own:
            outcomes[name] = "renewed"
        else:
            outcomes[name] = "replaced" if is_overwriting else "left alone"
    return outcomes


def wanted_labels(score: Score, outcomes: Mapping[str, Outcome]) -> Labels:
    """The labels that are to be written; None for those that stay."""
    values = {
        name: getattr(score, name) for name in LABELS if outcomes[name] not in ("left alone", "unchanged")
    }
    return msgspec.convert(values, Labels)


def unknown_of(record: Record) -> str:
    """What a record lacks so that a model knows nothing of it that counts; empty where it lacks nothing.

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
    """The file of a score, whose path may have been spelled out.

    Parameters
    ----------
    score : Score
        The score.
    names : callable or None
        Gives the files by what stands for each in scores: :func:`scoring.records.corpus.shown_names`; None
        where the scores have the paths as the system gives them.

    Raises
    ------
    RecordError
        If there is no such file, or it is no Markdown file.
    """
    path = score.path
    if not path.endswith(".md"):
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
