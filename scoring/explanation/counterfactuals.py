"""Counterfactual explanations: single realistic edits that change a record's scores."""

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
from scoring.model.targets import TARGETS, Targets
from scoring.records.record import Coverage, Image, Record

LIMIT = 3
_TOPIC, _TITLE, _EXCERPT, _IMAGE, _COVERAGE = range(1, 6)
_PICTURE = Image(width=1200, height=675, is_cached=True)
_EXCERPT_TEXT = (
    "What is new, for whom, and from when on, told in two sentences. More is said in the full text."
)


class _Edit(NamedTuple):
    """An edit: its cost, kind and description, and the record's features after it."""

    cost: int
    kind: str
    text: str
    row: Row


def counterfactuals(
    scorer: Scorer, record: Record, as_of: AsOf = None, *, limit: int = LIMIT
) -> tuple[Change, ...]:
    """Find single edits that change a decision or, if none does, raise the score most.

    The model scores each edited record with all side effects: a title that names the section is also longer.

    Parameters
    ----------
    scorer : Scorer
        Model that scores the edits.
    record : Record
        Record to explain.
    as_of : datetime, timedelta or None
        Coverage later than this moment (aware UTC, or an age after publication) is ignored.
    limit : int
        Maximum number of changes; >= 0. Each kind has one: its edit with the largest effect.

    Returns
    -------
    tuple of Change
        By cost, then by effect, the largest first. If no decision changes: the edits that raise the expected
        heat most, then the quality (for a record that cannot lead).
    """
    current, *candidates = all_changes(scorer, record, as_of)
    kinds = groupby(candidates, key=lambda change: change.kind)
    best_of_kind = [max(changes, key=lambda change: _effect(change, current)) for _, changes in kinds]
    chosen = [change for change in best_of_kind if change.decisions]
    if not chosen:
        improvements = [change for change in best_of_kind if _score_gain(change, current) > (0, 0, 0.0)]
        chosen = sorted(improvements, key=lambda change: _score_gain(change, current), reverse=True)[:limit]
    chosen.sort(key=lambda change: (change.effort, *(-value for value in _effect(change, current))))
    return tuple(chosen[:limit])


def all_changes(scorer: Scorer, record: Record, as_of: AsOf = None) -> tuple[Change, ...]:
    """Score every sensible edit of a record; see :func:`counterfactuals`.

    Unknown topics that the same texts of the record mention are equal to the model, so only the first of them
    is dropped. The number of edits is bounded by the topics of the model, not of the record.

    Returns
    -------
    tuple of Change
        First the unedited record (kind, text and decisions are empty), then the edits by kind.
    """
    edits = _Edits(scorer, record, as_of).all()
    predictions = scorer.predict(assemble([edit.row for edit in edits]))
    return tuple(_change(edit, predictions, row, scorer.targets) for row, edit in enumerate(edits))


def _score_gain(change: Change, current: Change) -> tuple[int, int, float]:
    """Gain in expected heat, in whole points, then in quality; of a model with neither, in publication."""
    heat = round((change.expected_heat or 0.0) - (current.expected_heat or 0.0))
    quality = (change.quality or 0) - (current.quality or 0)
    if change.heat is not None or change.quality is not None:
        return heat, quality, 0.0
    return heat, quality, (change.published_probability or 0.0) - (current.published_probability or 0.0)


def _effect(change: Change, current: Change) -> tuple[int, float, float, float]:
    """Sort key: number of changed decisions, then points; losses count only with a changed decision."""
    gain = _score_gain(change, current)
    heat, quality, probability = map(abs, gain) if change.decisions else gain
    return len(change.decisions), heat, quality, probability


def _change(edit: _Edit, predictions: Predictions, row: int, targets: Targets) -> Change:
    has_quality, has_heat, has_published = (name in targets for name in TARGETS)
    decisions = {"lead": predictions.is_lead} if has_heat else {}
    decisions |= {"published": predictions.published} if has_published else {}
    probability = float(predictions.published_probability[row])
    return Change(
        kind=edit.kind,
        text=edit.text,
        effort=edit.cost,
        decisions=tuple(name for name, values in decisions.items() if values[row] != values[0]),
        quality=int(predictions.quality[row]) if has_quality else None,
        heat=int(predictions.heat[row]) if has_heat else None,
        expected_heat=float(predictions.heat_expected[row]) if has_heat else None,
        published=bool(predictions.published[row]) if has_published else None,
        published_probability=round(probability, 4) if has_published else None,
    )


class _Edits:
    """Builds the sensible edits of a record."""

    def __init__(self, scorer: Scorer, record: Record, as_of: AsOf) -> None:
        self._record, self._model = record, scorer.models.quality
        self._points = self._model.rubric.levels_.get(TOPICS, {})
        topics = {*self._model.encoder.topics_, *self._points, *self._model.rubric.terms_}
        self._features = EditedFeatures(record, as_of, topics)

    def all(self) -> list[_Edit]:
        """The unedited record, then its edits grouped by kind."""
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
        excluded_topics = {*self._record.topics, *encoder.levels_["topic_section"]}
        other_topics = [topic for topic in encoder.topics_ if topic not in excluded_topics]
        mentioned_topics = features.named_of(other_topics)
        for topic, row in zip(mentioned_topics, features.with_each_topic(mentioned_topics), strict=True):
            yield _Edit(_TOPIC, "add topic", f"add the topic {topic}, which its text mentions", row)
        if other_topics and not mentioned_topics:
            median_topic = sorted(other_topics, key=lambda topic: self._points.get(topic, 0.0))[
                len(other_topics) // 2
            ]
            (row,) = features.with_each_topic([median_topic])
            text = "add another fitting topic (assumed to have median points)"
            yield _Edit(_TOPIC, "add topic", text, row)

    def _title_edits(self) -> Iterator[_Edit]:
        title = self._record.title
        for kind, topic in zip(("name section", "name topic"), self._record.topics, strict=False):
            if words_of(topic) and not self._features.is_in_title(topic):
                role = "section" if kind == "name section" else "first finer topic"
                row = self._features.with_title(f"{topic}: {title}")
                yield _Edit(_TITLE, kind, f"name the {role} in the title: {topic}", row)
        max_chars = int(self._model.rubric.knots.get("title_chars", len(title)))
        if max_chars < len(title):
            short_title = title[: max_chars + 1].rpartition(" ")[0].rstrip(" ,;:-") or title[:max_chars]
            text = f"shorten the title from {len(title)} to {len(short_title)} characters"
            yield _Edit(_TITLE, "shorten title", text, self._features.with_title(short_title))

    def _excerpt_edits(self) -> Iterator[_Edit]:
        if not self._record.excerpt.strip():
            yield _Edit(_EXCERPT, "add excerpt", "add an excerpt", self._features.with_excerpt(_EXCERPT_TEXT))

    def _image_edits(self) -> Iterator[_Edit]:
        size = f"{_PICTURE.width} x {_PICTURE.height} px"
        images = self._record.images
        if not images:
            text = f"add an image of {size} that the site has cached"
        elif not images[0].is_cached or (images[0].width or 0) < (_PICTURE.width or 0):
            text = f"replace the first image by one of {size} that the site has cached"
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
        text = f"wait for one more related record of quality {quality}"
        return _Edit(_COVERAGE, "add coverage", text, row)
