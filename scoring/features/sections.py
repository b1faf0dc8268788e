"""Sections of a site: the rule that finds a record's section from its topics, its folder or a field.

All records of a section have one topic in common, at any position among their topics. The section topics of
an archive are found from its topics alone: a small set of topics such that most records have exactly one of
them. Finding the best set is NP-hard, so topics are added greedily, and each one is replaced while that
improves the set.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from scoring.records.record import Record

MIN_RECORDS = 5
"""Records that a section must have; in an archive of fewer than 50 records, a tenth of them."""

MIN_COVERED_RATIO = 0.8
"""Minimum share of records with exactly one section topic; below it, the archive has no sections."""

WHOLE = "*"
"""Name of the section of all records in an archive without sections."""

_SYNONYM_RATIO = (
    0.97  # among topics with nearly the same gain, the one that is rarest in other archives is taken
)

FIELDS: Mapping[str, str] = {
    "category": "category",
    "type": "type",
    "featuredContent": "featured_content",
}
"""Fields that may name the section: name in files, name in :class:`~scoring.records.record.Record`."""

Topics = frozenset[str]


class SectionRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the section of a record is found.

    Parameters
    ----------
    by : {"first topic", "topic", "folder", "field"}
        The first topic, whichever it is; the topic that is one of `names`; the folder of the file; a field.
    names : tuple of str
        Section topics, the most frequent first.
    rest : str
        Section of the records with none of these topics; empty if their section is unknown.
    field : str
        The field, as files name it: see :data:`FIELDS`.
    """

    by: Literal["first topic", "topic", "folder", "field"] = "first topic"
    names: tuple[str, ...] = ()
    rest: str = ""
    field: str = ""

    @property
    def setting(self) -> str:
        """The setting ``section`` that leads to this rule."""
        return f"field {self.field}" if self.by == "field" else self.by if self.by == "folder" else "topic"

    def section_of(self, record: Record, path: str = "") -> str:
        """Return the section of a record; empty if unknown.

        Parameters
        ----------
        record : Record
            The record, as it was read.
        path : str
            Its file; empty or ``-`` if it has none, and then no folder either.
        """
        if self.by == "topic":
            return next((name for name in self.names if name in record.topics), self.rest)
        if self.by == "folder":
            return os.path.basename(os.path.dirname(path))
        if self.by == "field":
            value: str = getattr(record, FIELDS[self.field])
            return value
        return record.topics[0] if record.topics else ""

    def placed(self, record: Record, path: str = "") -> Record:
        """Return the record with its section, empty if unknown, as the first topic."""
        if self.by == "first topic":
            return record
        section = self.section_of(record, path)
        if record.topics[:1] == (section,):
            return record
        others = tuple(topic for topic in record.topics if topic != section)
        return msgspec.structs.replace(record, topics=(section, *others))


FIRST_TOPIC = SectionRule()
"""The first topic is the section: the rule of models that were trained before sections were learned."""


def rule_named(setting: str) -> SectionRule | None:
    """Return the rule of the setting ``section``; None if the sections are learned from topics.

    Parameters
    ----------
    setting : str
        ``topic``, ``folder`` or ``field NAME``: see :class:`scoring.settings.Settings`.
    """
    kind, _, field = setting.partition(" ")
    if kind == "folder":
        return SectionRule("folder")
    return SectionRule("field", field=field) if kind == "field" else None


def learn_sections(archives: Iterable[Sequence[tuple[str, ...]]]) -> SectionRule:
    """Find the section topics of archives; neither the order of topics nor any label matters.

    Parameters
    ----------
    archives : iterable of sequence of tuple of str
        For each archive, the topics of each of its records.

    Returns
    -------
    SectionRule
        By topic.

    Examples
    --------
    >>> learn_sections([[("tea", "rain")] * 8 + [("kites", "tea")] * 9 + [("boats",)] * 7]).names
    ('tea', 'boats')
    """
    topic_sets = [[frozenset(topics) - {""} for topics in archive] for archive in archives]
    counts = [Counter(topic for topics in archive for topic in topics) for archive in topic_sets]
    total = sum(counts, Counter[str]())
    names: set[str] = set()
    rest = ""
    for archive, count in zip(topic_sets, counts, strict=True):
        section_topics = _section_topics(archive, total - count)
        n_covered = sum(len(section_topics & topics) == 1 for topics in archive)
        if n_covered >= MIN_COVERED_RATIO * len(archive):
            names |= section_topics
        elif archive:
            rest = WHOLE
    return SectionRule("topic", tuple(sorted(names, key=lambda name: (-total[name], name))), rest)


def _section_topics(archive: Sequence[Topics], elsewhere: Mapping[str, int]) -> set[str]:
    """Topics that maximize the records with exactly one of them, minus a cost for each topic."""
    chosen = _add_topics(archive, set(), elsewhere, excluded=frozenset())
    best = _value(archive, chosen)
    is_improved = True
    while is_improved:
        is_improved = False
        for topic in sorted(chosen):
            alternative = _add_topics(archive, chosen - {topic}, elsewhere, excluded=frozenset({topic}))
            if (value := _value(archive, alternative)) > best:
                chosen, best, is_improved = alternative, value, True
                break
    return chosen


def _value(archive: Sequence[Topics], chosen: set[str]) -> float:
    return sum(len(chosen & topics) == 1 for topics in archive) - _cost(archive) * len(chosen)


def _cost(archive: Sequence[Topics]) -> float:
    return min(MIN_RECORDS, len(archive) / 10)


def _add_topics(
    archive: Sequence[Topics], chosen: set[str], elsewhere: Mapping[str, int], *, excluded: Topics
) -> set[str]:
    """Add the topic with the largest gain in records with exactly one, until no gain exceeds the cost."""
    chosen = set(chosen)
    while True:
        gains: Counter[str] = Counter()
        for topics in archive:
            n_chosen = len(chosen & topics)
            if n_chosen < 2:
                for topic in topics - chosen - excluded:
                    gains[topic] += 1 if n_chosen == 0 else -1
        best_gain = max(gains.values(), default=0)
        if best_gain <= _cost(archive):
            return chosen
        synonyms = [topic for topic, gain in gains.items() if gain >= _SYNONYM_RATIO * best_gain]
        chosen.add(min(synonyms, key=lambda topic: (elsewhere.get(topic, 0), -gains[topic], topic)))
