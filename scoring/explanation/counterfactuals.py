"""What would change a record's scores: single realistic edits, tried through the model itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from statistics import median
from typing import NamedTuple

from scoring.explanation.results import Change
from scoring.features.as_of import AsOf
from scoring.features.edited import EditedFeatures
from scoring.features.table import Row, assemble
from scoring.features.text import words_of
from scoring.model.rubric import TOPICS
from scoring.model.scorer import Predictions, Scorer
from scoring.records.record import Coverage, Image, Record

LIMIT = 3
_TOPIC, _TITLE, _EXCERPT, _IMAGE, _OTHERS = range(1, 6)
_PICTURE = Image(width=1200, height=675, is_cached=True)
_EXCERPT_TEXT = (
    "What is new, for whom, and from when on, told in two sentences. More is said in the full text."
)


class _Edit(NamedTuple):
    """A record's features after one edit: how big that is, and what it is: its kind, and in words."""

    effort: int
    kind: str
    text: str
    row: Row


def counterfactuals(
    scorer: Scorer, record: Record, as_of: AsOf = None, *, limit: int = LIMIT
) -> tuple[Change, ...]:
    """Single edits that would turn a decision over or, where none does, raise the score most.

    Each edit is scored by the model as any record is, with all that hangs on it: a title that names
    the section is longer too.

    Parameters
    ----------
    scorer : Scorer
        The model.
    record : Record
        The record as it stands.
    as_of : datetime, timedelta or None
        Coverage newer than this moment (aware UTC, or so long after publication) is unseen.
    limit : int
        Changes to give back at most; >= 0. There is one of each kind: the topic whose loss does most,
        not every topic.

    Returns
    -------
    tuple of Change
        By the size of the edit, then by what it does, the most first. Where no decision turns, those
        that raise the expected heat most, then the quality (for a record that cannot lead).
    """
    now, *possible = possible_changes(scorer, record, as_of)
    kinds = groupby(possible, key=lambda change: change.kind)
    best = [max(same, key=lambda change: _effect(change, now)) for _, same in kinds]
    chosen = [change for change in best if change.decisions]
    if not chosen:
        raising = [change for change in best if _gain(change, now) > (0, 0)]
        chosen = sorted(raising, key=lambda change: _gain(change, now), reverse=True)[:limit]
    chosen.sort(key=lambda change: (change.effort, *(-each for each in _effect(change, now))))
    return tuple(chosen[:limit])


def possible_changes(scorer: Scorer, record: Record, as_of: AsOf = None) -> tuple[Change, ...]:
    """Every edit that makes sense for a record, whatever it does; see :func:`counterfactuals`.

    Topics of which the model knows nothing, and which the same of the record's texts name, are the same to
    it: of those the loss of the first stands for all. So there are as many edits as the model has topics at
    most, however many the record has.

    Returns
    -------
    tuple of Change
        First the record as it stands (kind, text and decisions are empty), then the edits by kind.
    """
    edits = _Edits(scorer, record, as_of).all()
    predictions = scorer.predict(assemble([edit.row for edit in edits]))
    return tuple(_change(edit, predictions, row) for row, edit in enumerate(edits))


def _gain(change: Change, now: Change) -> tuple[int, int]:
    """What a change adds: to the expected heat, to whole points, then to the quality."""
    return round(change.expected_heat - now.expected_heat), change.quality - now.quality


def _effect(change: Change, now: Change) -> tuple[int, float, float]:
    """What a change does: a decision counts before points, and only with one is less as much as more."""
    gains = _gain(change, now)
    heat, quality = map(abs, gains) if change.decisions else gains
    return len(change.decisions), heat, quality


def _change(edit: _Edit, predictions: Predictions, row: int) -> Change:
    decisions = {"lead": predictions.is_lead, "published": predictions.published}
    return Change(
        kind=edit.kind,
        text=edit.text,
        effort=edit.effort,
        decisions=tuple(name for name, values in decisions.items() if values[row] != values[0]),
        quality=int(predictions.quality[row]),
        heat=int(predictions.heat[row]),
        expected_heat=float(predictions.heat_expected[row]),
        published=bool(predictions.published[row]),
        published_probability=round(float(predictions.published_probability[row]), 4),
    )


class _Edits:
    """The edits that make sense for a record."""

    def __init__(self, scorer: Scorer, record: Record, as_of: AsOf) -> None:
        self._record, self._model = record, scorer.models.quality
        self._points = self._model.rubric.levels_.get(TOPICS, {})
        topics = {*self._model.encoder.topics_, *self._points, *self._model.rubric.terms_}
        self._features = EditedFeatures(record, as_of, topics)

    def all(self) -> list[_Edit]:
        """The record as it stands, then its edits; those of one kind stand together."""
        return [
            _Edit(0, "", "", self._features.row),
            *self._topic_edits(),
            *self._title_edits(),
            *self._excerpt_edits(),
            *self._image_edits(),
            self._coverage_edit(),
        ]

    def _topic_edits(self) -> Iterator[_Edit]:
        if not self._record.topics:
            return
        features, encoder = self._features, self._model.encoder
        for topic, row in features.without_topics():
            yield _Edit(_TOPIC, "drop topic", f"drop the topic {topic}", row)
        held = {*self._record.topics, *encoder.levels_["topic_section"]}
        others = [topic for topic in encoder.topics_ if topic not in held]
        named = features.named_of(others)
        for topic, row in zip(named, features.with_each_topic(named), strict=True):
            yield _Edit(_TOPIC, "add topic", f"add the topic {topic}, which its text names", row)
        if others and not named:
            middle = sorted(others, key=lambda topic: self._points.get(topic, 0.0))[len(others) // 2]
            (row,) = features.with_each_topic([middle])
            text = "add a further topic that fits (with the points that most topics have)"
            yield _Edit(_TOPIC, "add topic", text, row)

    def _title_edits(self) -> Iterator[_Edit]:
        title = self._record.title
        for kind, topic in zip(("name section", "name topic"), self._record.topics, strict=False):
            if words_of(topic) and not self._features.is_in_title(topic):
                what = "section" if kind == "name section" else "first finer topic"
                row = self._features.with_title(f"{topic}: {title}")
                yield _Edit(_TITLE, kind, f"name the {what} in the title: {topic}", row)
        limit = int(self._model.rubric.knots.get("title_chars", len(title)))
        if limit < len(title):
            short = title[: limit + 1].rpartition(" ")[0].rstrip(" ,;:-") or title[:limit]
            text = f"shorten the title from {len(title)} to {len(short)} characters"
            yield _Edit(_TITLE, "shorten title", text, self._features.with_title(short))

    def _excerpt_edits(self) -> Iterator[_Edit]:
        if not self._record.excerpt.strip():
            yield _Edit(_EXCERPT, "add excerpt", "add an excerpt", self._features.with_excerpt(_EXCERPT_TEXT))

    def _image_edits(self) -> Iterator[_Edit]:
        size = f"{_PICTURE.width} x {_PICTURE.height} px"
        images = self._record.images
        if not images:
            text = f"add an image of {size} that the site holds"
        elif not images[0].is_cached or (images[0].width or 0) < (_PICTURE.width or 0):
            text = f"put an image of {size} that the site holds in the place of the first"
        else:
            return
        yield _Edit(_IMAGE, "add image", text, self._features.with_images((_PICTURE, *images[1:])))

    def _coverage_edit(self) -> _Edit:
        known, moment = self._features.coverage, self._features.moment
        qualities = [entry.quality for entry in known if entry.quality is not None]
        quality = round(median(qualities) if qualities else self._model.encoder.providers_.mean_)
        dates = [self._record.published_at, *(entry.published_at for entry in known)]
        latest = max((date for date in dates if date is not None), default=None)
        row = self._features.with_coverage(Coverage(published_at=moment or latest, quality=quality))
        text = f"wait for one more related record, of quality {quality}"
        return _Edit(_OTHERS, "add coverage", text, row)
