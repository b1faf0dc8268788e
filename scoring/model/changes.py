"""What would change a record's scores: single realistic edits, tried through the model itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from statistics import median
from typing import NamedTuple

import msgspec

from scoring.features.moment import AsOf, known_coverage, moment_of
from scoring.features.table import assemble, extract
from scoring.features.text import is_named, words_of
from scoring.model.results import Change
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
    """A record after one edit: how big that is, and what it is: its kind, and in words."""

    effort: int
    kind: str
    text: str
    record: Record


def cheapest_changes(
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
    """Every edit that makes sense for a record, whatever it does; see :func:`cheapest_changes`.

    Returns
    -------
    tuple of Change
        First the record as it stands (kind, text and decisions are empty), then the edits by kind.
    """
    edits = [_Edit(0, "", "", record), *_edits(scorer, record, as_of)]
    predictions = scorer.predict(assemble([extract(edit.record, as_of) for edit in edits]))
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


def _edits(scorer: Scorer, record: Record, as_of: AsOf) -> Iterator[_Edit]:
    """The edits that make sense for a record; those of one kind stand together."""
    yield from _topic_edits(scorer, record)
    yield from _title_edits(scorer, record)
    if not record.excerpt.strip():
        yield _Edit(_EXCERPT, "add excerpt", "add an excerpt", _with(record, excerpt=_EXCERPT_TEXT))
    yield from _image_edits(record)
    yield from _coverage_edits(scorer, record, as_of)


def _topic_edits(scorer: Scorer, record: Record) -> Iterator[_Edit]:
    for at, topic in enumerate(record.topics[1:], start=1):
        rest = record.topics[:at] + record.topics[at + 1 :]
        yield _Edit(_TOPIC, "drop topic", f"drop the topic {topic}", _with(record, topics=rest))
    if not record.topics:
        return
    model = scorer.models.quality
    held = {*record.topics, *model.encoder.levels_["topic_section"]}
    others = [topic for topic in model.encoder.topics_ if topic not in held]
    named = [topic for topic in others if is_named(topic, record.title) or is_named(topic, record.excerpt)]
    for topic in named:
        text = f"add the topic {topic}, which its text names"
        yield _Edit(_TOPIC, "add topic", text, _with(record, topics=(*record.topics, topic)))
    if others and not named:
        points = model.rubric.levels_.get(TOPICS, {})
        middle = sorted(others, key=lambda topic: points.get(topic, 0.0))[len(others) // 2]
        text = "add a further topic that fits (of the worth that most have)"
        yield _Edit(_TOPIC, "add topic", text, _with(record, topics=(*record.topics, middle)))


def _title_edits(scorer: Scorer, record: Record) -> Iterator[_Edit]:
    for kind, topic in zip(("name section", "name topic"), record.topics, strict=False):
        if words_of(topic) and not is_named(topic, record.title):
            title = f"{topic}: {record.title}"
            what = "section" if kind == "name section" else "first finer topic"
            yield _Edit(_TITLE, kind, f"name the {what} in the title: {topic}", _with(record, title=title))
    limit = int(scorer.models.quality.rubric.knots.get("title_chars", len(record.title)))
    if limit < len(record.title):
        title = record.title[: limit + 1].rpartition(" ")[0].rstrip(" ,;:-") or record.title[:limit]
        text = f"shorten the title from {len(record.title)} to {len(title)} characters"
        yield _Edit(_TITLE, "shorten title", text, _with(record, title=title))


def _image_edits(record: Record) -> Iterator[_Edit]:
    size = f"{_PICTURE.width} x {_PICTURE.height} px"
    first = record.images[0] if record.images else None
    if first is None:
        text = f"add an image of {size} that the site holds"
    elif not first.is_cached or (first.width or 0) < (_PICTURE.width or 0):
        text = f"put an image of {size} that the site holds in the place of the first"
    else:
        return
    yield _Edit(_IMAGE, "add image", text, _with(record, images=(_PICTURE, *record.images[1:])))


def _coverage_edits(scorer: Scorer, record: Record, as_of: AsOf) -> Iterator[_Edit]:
    moment = moment_of(record, as_of)
    known = known_coverage(record, moment)
    qualities = [entry.quality for entry in known if entry.quality is not None]
    quality = round(median(qualities) if qualities else scorer.models.quality.encoder.providers_.mean_)
    dates = [record.published_at, *(entry.published_at for entry in known)]
    latest = max((date for date in dates if date is not None), default=None)
    entry = Coverage(published_at=moment or latest, quality=quality)
    text = f"wait for one more related record, of quality {quality}"
    yield _Edit(_OTHERS, "add coverage", text, _with(record, related=(*record.related, entry)))


_with: Callable[..., Record] = msgspec.structs.replace
