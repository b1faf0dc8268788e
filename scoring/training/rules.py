"""The rules that a fitted model learned, each with its interval and the number of labels behind it.

The interval of an effect is that of the median of its partial residuals, from order statistics (Conover,
1999, section 3.2). It is widened by the size of the smallest effect that is listed, since other effects can
absorb that much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.cascade import NOT_LEADING, Cascade
from scoring.model.quality import QualityModel
from scoring.model.rubric import TOPICS, Rubric
from scoring.model.rules import Rule, SectionRules
from scoring.model.section_policy import LABEL_STEP
from scoring.training.cascade import CascadeLabels
from scoring.training.label_step import label_step
from scoring.training.one_hinge import one_hinge
from scoring.training.section_effects import MIN_EFFECT_RATIO
from scoring.training.story_policy import BonusRule, fit_bonus, fit_threshold
from scoring.training.training_set import TrainingSet

MIN_RECORDS = 5  # records that a rule must concern to be listed
MAX_CLASSES = 6  # groups of providers, of topics, and of words, with the same points
MAX_NAMES = 5  # names of a group that are listed
MAX_THRESHOLDS = 200  # candidate thresholds of quality or heat for an interval
MAX_KNOT_STEPS = 30  # characters on either side of a knot that its interval is searched in
_NORMAL_95 = 1.96


def learned_rules(training: TrainingSet, quality: QualityModel, cascade: Cascade) -> tuple[SectionRules, ...]:
    """List the rules of the sections that share a policy, then those of each section with its own.

    Parameters
    ----------
    training : TrainingSet
        Labelled records.
    quality : QualityModel
        Fitted on them.
    cascade : Cascade
        Fitted on them.

    Returns
    -------
    tuple of SectionRules
    """
    sections = np.array(training.sections, dtype=object)
    # Masks of the records that follow the current rules.
    of_quality = training.regimes("quality") == sections
    of_story = training.regimes("heat", "published") == sections
    own = sorted({*quality.policies, *cascade.policies} & set(sections))
    groups = [(False, ~np.isin(sections, own)), *((True, sections == name) for name in own)]
    return tuple(
        SectionRules(
            tuple(sorted({str(section) for section in sections[rows]})),
            is_own,
            int(rows.sum()),
            (
                *(
                    _quality_rules(training.take(rows & of_quality), quality)
                    if "quality" in training.targets
                    else ()
                ),
                *_story_rules(training.take(rows & of_story)),
            ),
            label_step(training.labels.quality[rows & of_quality]),
        )
        for is_own, rows in groups
        if rows.any()
    )


def _quality_rules(training: TrainingSet, model: QualityModel) -> tuple[Rule, ...]:
    """Quality rules of one section, or of the sections that share a policy; the largest first."""
    table, y = training.table, training.labels.quality
    policy = model.policies.get(str(table.text("topic_section")[0]))
    rubric = policy.rubric(model.rubric) if policy else model.rubric
    min_points = max(MIN_EFFECT_RATIO * float(y.std()), LABEL_STEP)
    is_free = y > rubric.floor_  # a label at the floor is only an upper bound of the points
    table, residual = table.take(is_free), (y - model.estimate(table)[0])[is_free]
    rules = []
    for name, points in rubric.numbers_.items():
        values = np.nan_to_num(table.number(name))
        rows = values > 0
        if abs(points) >= min_points and rows.sum() >= MIN_RECORDS:
            low, high = median_interval(points + residual[rows] / values[rows], min_points)
            low, high, most = min(low, points), max(high, points), abs(points) * float(values.max())
            rules.append(Rule("quality", name, points, low, high, int(rows.sum()), points=most))
    rules.sort(key=lambda rule: (-abs(rule.value), rule.name))
    rules += _length_rules(table, residual, rubric, min_points)
    providers, topics = (rubric.levels_.get(name, {}) for name in ("provider_domain", TOPICS))
    for kind, worths in (
        ("providers", [{name: providers.get(name, 0.0)} for name in table.text("provider_domain")]),
        ("topics", [{name: topics.get(name, 0.0) for name in row} for row in table.topics]),
        ("words", _worths_of_words(rubric, table)),
    ):
        rules += _class_rules(kind, worths, residual, min_points)
    floor, n_at_floor = rubric.floor_, int(np.count_nonzero(~is_free))
    return (*rules, Rule("quality", "floor", floor, floor, floor, n_at_floor))


def _length_rules(table: FeatureTable, residual: Floats, rubric: Rubric, min_points: float) -> Iterator[Rule]:
    """Slope and knot of each length that gives points; several knots are merged into one."""
    for name, hinges in rubric.hinges_.items():
        lengths = table.number(name)
        slope, knot = one_hinge(hinges, lengths)
        if not slope:
            continue
        length_points = sum(
            (points * np.maximum(lengths - at, 0.0) for at, points in hinges), np.zeros(len(table))
        )
        beyond = np.maximum(lengths - knot, 0.0)
        rows = beyond > 0
        if rows.sum() < MIN_RECORDS or abs(slope) * np.percentile(beyond[rows], 90) < min_points:
            continue
        partial, middle = length_points + residual, float(max(np.median(beyond[rows]), 1.0))
        far = beyond >= middle
        low, high = median_interval(partial[far] / beyond[far], LABEL_STEP / middle)
        low, high, most = min(low, slope), max(high, slope), abs(slope) * float(beyond.max())
        yield Rule("quality", name, slope, low, high, int(rows.sum()), points=most)
        knots = np.arange(max(knot - MAX_KNOT_STEPS, 0.0), knot + MAX_KNOT_STEPS + 1)

        def knot_errors(knot: float) -> Floats:
            length_points = slope * np.maximum(lengths - knot, 0.0)  # noqa: B023 -- called in this iteration
            return np.abs(partial - length_points)  # noqa: B023 -- as above

        likely = [*_as_good_as_best(knots.tolist(), knot_errors), knot]
        step = float(np.ceil(2 * LABEL_STEP / abs(slope)))  # characters per point
        yield Rule("quality", f"{name} from", knot, min(likely) - step, max(likely) + step, int(rows.sum()))


def _as_good_as_best(candidates: Sequence[float], errors_of: Callable[[float], Floats]) -> list[float]:
    """Candidates that are not significantly worse than the best; errors have the shape (n_records,)."""
    best = errors_of(min(candidates, key=lambda candidate: float(errors_of(candidate).sum())))
    as_good = []
    for candidate in candidates:
        increase = errors_of(candidate) - best
        if increase.mean() <= _NORMAL_95 * increase.std() / np.sqrt(len(increase)):
            as_good.append(candidate)
    return as_good


def _nearby(values: Floats, threshold: float) -> list[float]:
    """Candidate thresholds near one: values and values plus 1, at most :data:`MAX_THRESHOLDS`."""
    candidates = np.unique(np.concatenate([values, values + 1, [threshold]]))
    middle = int(np.searchsorted(candidates, threshold))
    near: list[float] = candidates[
        max(middle - MAX_THRESHOLDS // 2, 0) : middle + MAX_THRESHOLDS // 2
    ].tolist()
    return near


def _worths_of_words(rubric: Rubric, table: FeatureTable) -> list[dict[str, float]]:
    """Points of the title words of each record; each word is followed by its topic in brackets."""
    return [
        {f"{term} ({topic})": points for topic, term, points in rubric.matched_terms(topics, words)}
        for topics, words in zip(table.topics, table.title_words, strict=True)
    ]


def _class_rules(
    kind: str, worths: Sequence[Mapping[str, float]], residual: Floats, min_points: float
) -> list[Rule]:
    """Rules of groups of providers, topics or words with the same rounded points; the most frequent groups.

    Parameters
    ----------
    kind : str
        ``providers``, ``topics`` or ``words``.
    worths : sequence of mapping of str to float
        Points of each provider, topic or word of a record, by record.
    residual : ndarray of shape (n_records,)
        Labels minus the predicted quality; points.
    min_points : float
        Smallest number of points that is listed.
    """
    rounded = [
        {name: round(points) for name, points in row.items() if abs(points) >= min_points} for row in worths
    ]
    counts = Counter(points for row in rounded for points in set(row.values()))
    rules = []
    for points, count in counts.most_common(MAX_CLASSES):
        if count >= MIN_RECORDS:
            rows = np.array([points in row.values() for row in rounded])
            low, high = median_interval(points + residual[rows], min_points)
            names = Counter(name for row in rounded for name, value in row.items() if value == points)
            ranked = sorted(names, key=lambda name: (-names[name], name))
            frequent = tuple(ranked[:MAX_NAMES])
            name = f"{kind} {points:+d}"
            rules.append(
                Rule("quality", name, float(points), low, high, count, names=frequent, n_names=len(ranked))
            )
    return rules


def _story_rules(training: TrainingSet) -> Iterator[Rule]:
    """Rules of leads, heat and publication, as far as the labels that they relate are known."""
    table, labels, targets = training.table, training.labels, set(training.targets)
    is_known = np.isfinite(labels.heat)
    is_lead = labels.heat > NOT_LEADING
    margin = labels.quality - table.number("coverage_quality_max")
    rows = is_known & np.isfinite(margin)
    if {"quality", "heat"} <= targets and rows.sum() >= MIN_RECORDS:
        followed = float(np.mean(is_lead[rows] == (margin[rows] >= 0)))
        yield Rule("lead", "best leads", 0.0, 0.0, 0.0, int(rows.sum()), followed)
    n_related = np.nan_to_num(table.number("coverage_count"))
    rows = is_known & is_lead & (n_related > 0)
    if {"quality", "heat"} <= targets and rows.sum() >= MIN_RECORDS:
        yield from _bonus_rules(labels, rows, n_related)
    rows = is_known & np.isfinite(labels.published)
    if {"heat", "published"} <= targets and rows.sum() >= MIN_RECORDS:
        yield _published_rule(labels.heat[rows], labels.published[rows] > 0.5)


def _bonus_rules(labels: CascadeLabels, rows: NDArray[np.bool_], n_related: Floats) -> Iterator[Rule]:
    quality, heat, related = labels.quality[rows], labels.heat[rows], n_related[rows]
    rule = fit_bonus(quality, heat, related)
    error = np.abs(heat - rule.heat(quality, related))
    followed = float(np.mean(error <= 2 * LABEL_STEP + 0.05 * np.abs(heat - quality)))
    has_bonus = quality >= rule.from_quality
    low, high = median_interval(((heat - quality) / related)[has_bonus], LABEL_STEP)
    low, high = min(low, rule.bonus), max(high, rule.bonus)
    yield Rule("heat", "bonus", rule.bonus, low, high, int(has_bonus.sum()), followed)

    def bonus_errors(from_quality: float) -> Floats:
        return np.abs(heat - BonusRule(rule.bonus, from_quality).heat(quality, related))

    likely = [*_as_good_as_best(_nearby(quality, rule.from_quality), bonus_errors), rule.from_quality]
    yield Rule("heat", "bonus from", rule.from_quality, min(likely), max(likely), int(rows.sum()), followed)


def _published_rule(heat: Floats, is_published: NDArray[np.bool_]) -> Rule:
    """Rule of the heat from which records are published; the threshold is rounded up to an integer."""
    threshold = float(np.ceil(fit_threshold(heat, is_published)))

    def decision_errors(threshold: float) -> Floats:
        errors: Floats = ((heat >= threshold) != is_published).astype(np.float64)
        return errors

    likely = [*_as_good_as_best(_nearby(heat, threshold), decision_errors), threshold]
    followed = float(np.mean((heat >= threshold) == is_published))
    return Rule("published", "published from", threshold, min(likely), max(likely), len(heat), followed)


def median_interval(values: Floats, least: float) -> tuple[float, float]:
    """95 % interval of the median of `n_records` values, widened by `least` on each side.

    Examples
    --------
    >>> median_interval(np.array([19.0, 19.0] + 10 * [20.0] + [31.0, 31.0]), 0.5)
    (19.5, 20.5)
    """
    ordered = np.sort(values)
    half = _NORMAL_95 * np.sqrt(len(ordered)) / 2
    first = max(int(np.floor(len(ordered) / 2 - half)), 0)
    last = min(int(np.ceil(len(ordered) / 2 + half)), len(ordered) - 1)
    return float(ordered[first]) - least, float(ordered[last]) + least
