"""Feature rows of edited copies of a record; only values that an edit changes are recomputed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

import msgspec

from scoring.features import body, content, coverage, provider, recency, topics
from scoring.features.as_of import AsOf, known_coverage, moment_of
from scoring.features.mentions import mentioned
from scoring.features.table import NUMBER_INDEX, TEXT_NAMES, Row
from scoring.features.text import words_of
from scoring.records.record import Coverage, Image, Record

_FIRST_TOPIC = TEXT_NAMES.index("topic_first")
_COUNT = NUMBER_INDEX["topic_count"]
_NAMED_COUNTS = [NUMBER_INDEX[f"{text}_names_topic_count"] for text in ("title", "excerpt", "url")]
_TITLE, _EXCERPT, _URL = range(3)
_Values = tuple[float, ...]


class EditedFeatures:
    """Features of a record, and of copies with one edit.

    Each row equals :func:`scoring.features.table.extract` of the edited record, except that it lists only the
    topics that the model uses, so that its length is bounded by the model.

    Parameters
    ----------
    record : Record
        The record, its section placed first: see :meth:`scoring.features.sections.SectionRule.placed`.
    as_of : datetime, timedelta or None
        As for :func:`scoring.features.table.extract`.
    model_topics : set of str
        Topics that the model uses.
    """

    def __init__(self, record: Record, as_of: AsOf, model_topics: Set[str]) -> None:
        self.record, self.moment = record, moment_of(record, as_of)
        self.coverage = known_coverage(record, self.moment)
        self._words = words_of(record.title), words_of(record.excerpt)
        self._title_words = tuple(self._words[_TITLE])  # shared by all rows
        self._names = topics.names_of(record.topics)
        self._texts = topics.searched_texts(record, *self._words)
        self._flags = [mentioned(self._names[1:], text) for text in self._texts]
        self._first_indices = _first_two_indices(record.topics, model_topics)
        self._provider = provider.extract(record)
        self._recency = recency.extract(record, self.coverage, self.moment)
        self._coverage = coverage.extract(record, self.coverage, self._words[_TITLE])
        self._content = content.extract(record, *self._words)
        self._body = body.extract(record)
        self._topics = self._topic_values(self._texts)
        self.row = self._row()

    def with_title(self, title: str) -> Row:
        """Return the features with another title."""
        words = words_of(title)
        record = msgspec.structs.replace(self.record, title=title)
        same_title = coverage.same_title_values(self.coverage, words)
        return self._row(
            topic_values=self._topic_values((f" {' '.join(words)}", *self._texts[1:])),
            coverage_values=(*self._coverage[: -len(same_title)], *same_title),
            content_values=content.extract(record, words, self._words[_EXCERPT]),
            title_words=tuple(words),
        )

    def with_excerpt(self, excerpt: str) -> Row:
        """Return the features with another excerpt."""
        words = words_of(excerpt)
        record = msgspec.structs.replace(self.record, excerpt=excerpt)
        return self._row(
            topic_values=self._topic_values((self._texts[_TITLE], f" {' '.join(words)}", self._texts[_URL])),
            content_values=content.extract(record, self._words[_TITLE], words),
        )

    def with_images(self, images: tuple[Image, ...]) -> Row:
        """Return the features with other images."""
        record = msgspec.structs.replace(self.record, images=images)
        return self._row(content_values=content.extract(record, *self._words))

    def with_coverage(self, entry: Coverage) -> Row:
        """Return the features with one more related record, added last."""
        extended = msgspec.structs.replace(self.record, related=(entry,))
        known = (*self.coverage, *known_coverage(extended, self.moment))
        return self._row(
            recency_values=recency.extract(self.record, known, self.moment),
            coverage_values=coverage.extract(self.record, known, self._words[_TITLE]),
        )

    def without_topics(self) -> Iterator[tuple[str, Row]]:
        """Yield each finer topic with the features without it; of equivalent topics only the first.

        Topics are equivalent if the model uses neither and the same texts of the record name both.
        """
        seen = set()
        for index, (topic, *flags) in enumerate(zip(self.record.topics[1:], *self._flags, strict=True), 1):
            indices = self._first_indices.get(topic, [])
            is_first = indices[:1] == [index]
            kind = (topic if indices else None, is_first, index == 1, *flags)
            if kind in seen:
                continue
            seen.add(kind)
            first = self.record.topics[2:3] if index == 1 else self.record.topics[1:2]
            yield topic, self._with_topics(first, self._listed(topic if is_first else None), -1, flags)

    def with_each_topic(self, added: Sequence[str]) -> Iterator[Row]:
        """Yield the features with each additional topic of the model, appended to the record's own."""
        for topic, *flags in zip(added, *self._named(added), strict=True):
            yield self._with_topics((*self.record.topics[1:2], topic), (*self._listed(), topic), 1, flags)

    def is_in_title(self, topic: str) -> bool:
        """Whether the title names a topic."""
        return mentioned(topics.names_of([topic]), self._texts[_TITLE]) == [True]

    def named_of(self, some_topics: Sequence[str]) -> list[str]:
        """Return the topics that the title or the excerpt names."""
        flags = zip(some_topics, *self._named(some_topics), strict=True)
        return [topic for topic, is_in_title, is_in_excerpt, _ in flags if is_in_title or is_in_excerpt]

    def _named(self, some_topics: Sequence[str]) -> list[list[bool]]:
        names = topics.names_of(some_topics)
        return [mentioned(names, text) for text in self._texts]

    def _topic_values(self, texts: Sequence[str]) -> _Values:
        """Numbers of the topic family, for the record's texts or edited ones."""
        counts = [
            sum(self._flags[index] if text is self._texts[index] else mentioned(self._names[1:], text))
            for index, text in enumerate(texts)
        ]
        return topics.values_of(topics.topic_count(self.record), self._names, texts, counts)

    def _row(
        self,
        *,
        topic_values: _Values | None = None,
        recency_values: _Values | None = None,
        coverage_values: _Values | None = None,
        content_values: _Values | None = None,
        title_words: tuple[str, ...] | None = None,
    ) -> Row:
        """Assemble a row; omitted values are those of the record."""
        provider_texts, provider_values = self._provider
        return (
            (*provider_texts, *topics.texts_of(self.record)),
            (
                *provider_values,
                *(self._topics if topic_values is None else topic_values),
                *(self._recency if recency_values is None else recency_values),
                *(self._coverage if coverage_values is None else coverage_values),
                *(self._content if content_values is None else content_values),
                *self._body,
            ),
            self._listed(),
            self._title_words if title_words is None else title_words,
        )

    def _with_topics(
        self, first: Sequence[str], listed: tuple[str, ...], step: int, flags: Sequence[bool]
    ) -> Row:
        """Row with one topic more or less; `flags` has which texts name it."""
        texts, numbers = list(self.row[0]), list(self.row[1])
        texts[_FIRST_TOPIC] = first[0] if first else ""
        numbers[_COUNT] += step
        for index, is_named in zip(_NAMED_COUNTS, flags, strict=True):
            numbers[index] += step * is_named
        return tuple(texts), tuple(numbers), listed, self.row[3]

    def _listed(self, removed: str | None = None) -> tuple[str, ...]:
        """The model's topics by first position, after removal of the first occurrence of one."""
        first = [(indices[topic == removed :][:1], topic) for topic, indices in self._first_indices.items()]
        return tuple(topic for index, topic in sorted(first) if index)


def _first_two_indices(listed: Sequence[str], wanted: Set[str]) -> dict[str, list[int]]:
    """The first two indices of each wanted topic."""
    indices: dict[str, list[int]] = {}
    for index, topic in enumerate(listed):
        if topic in wanted and len(topic_indices := indices.setdefault(topic, [])) < 2:
            topic_indices.append(index)
    return indices
