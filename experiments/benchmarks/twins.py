"""Irreducible error: records with equal features but different quality labels.

    python experiments/benchmarks/twins.py ARCHIVE...
    python experiments/benchmarks/twins.py --smoke

Twins are records that agree in all features used by this kind of model. If their qualities differ, the cause
is in no column, and no model on these columns can be right on both. The words that are worth points under a
topic come from a rubric fitted on the training records: one fitted on all records would have selected words
that distinguish twins. Prints numbers and names of topics and columns, no records.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from itertools import compress

import numpy as np
from blocks import Blocks, add_arguments, describe, load, markdown
from numpy.typing import NDArray

from scoring.evaluation.metrics import mean_absolute_error, r2_score, within
from scoring.features.table import NUMBER_COLUMNS, NUMBER_INDEX, FeatureTable, Floats
from scoring.features.text import is_named, terms_of
from scoring.model.rubric import Rubric
from scoring.training.fit import fit_models

TOPIC_STEP = "title_names_topic_count"
#: Numbers that twins have in common, besides the points for a long title.
SHARED = (
    "is_provider_known",
    "host_names_section",
    "has_image",
    "has_amp",
    "has_excerpt",
    "is_video",
    "is_featured",
    "title_names_section",
    TOPIC_STEP,
)
TEXTS = ("provider_domain", "provider_section", "provider_form")
STEP_TOLERANCE = 1  # of a point; labels are integers
MAX_AMOUNTS = 4
MIN_STEP = 5.0  # points; smaller weights cause small errors only

Keys = list[Hashable]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_arguments(parser)
    options = parser.parse_args(arguments)
    blocks, config = load(options, parser)
    print(f"{describe(blocks, options.threads)}\n", flush=True)
    quality = fit_models(blocks.earlier, config, num_threads=options.threads).quality
    everything = blocks.corpus.training_set(np.ones(len(blocks.is_test), dtype=bool))
    predicted = np.round(quality.predict(quality.matrix(blocks.later.table)))
    levels = keys_by_level(everything.table, quality.rubric)
    print(f"Twins among all records\n\n{bounds(levels, everything.labels.quality, everything.sections)}\n")
    print(f"{amounts(levels, everything.labels.quality, everything.moments)}\n")
    print(f"Records after the cut with twins before it\n\n{twins_beside_model(levels, blocks, predicted)}\n")
    missed = blocks.later.labels.quality - predicted
    print(f"Misses after the cut\n\n{misses(missed, blocks.later.table, quality.rubric)}")
    return 0


def keys_by_level(table: FeatureTable, rubric: Rubric) -> dict[str, Keys]:
    """Keys of the twins by level; each level adds columns to the one before.

    Parameters
    ----------
    table : FeatureTable
        Features of `n_records` records.
    rubric : Rubric
        Rubric with the points for a long title, and for words under a topic.

    Returns
    -------
    dict of str to list
        One key per record.
    """
    overrun = np.round(rubric.parts(table)["title_chars"]) if "title_chars" in rubric.hinges_ else None
    form: Keys = []
    for row in range(len(table)):
        topics = (table.topics[row][:1], frozenset(table.topics[row][1:]))
        shared = tuple(table.numbers[row, [NUMBER_INDEX[name] for name in SHARED]])
        texts = tuple(table.text(name)[row] for name in TEXTS)
        form.append((topics, shared, texts, 0.0 if overrun is None else overrun[row]))
    words = [
        frozenset(
            (topic, term)
            for topic in topics
            for term in terms_of(list(title))
            if term in rubric.terms_.get(topic, {})
        )
        for topics, title in zip(table.topics, table.title_words, strict=True)
    ]
    own = [column.name for column in NUMBER_COLUMNS if column.family in ("provider", "topic", "content")]
    other_numbers = np.nan_to_num(table.numbers[:, [NUMBER_INDEX[name] for name in own]], nan=-1.0)
    matched: Keys = list(zip(form, words, strict=True))
    titled: Keys = list(zip(matched, table.title_words, strict=True))
    full: Keys = [(key, tuple(values)) for key, values in zip(titled, other_numbers, strict=True)]
    return {
        "form, provider, topics, names": form,
        "and matched words": matched,
        "and the whole title": titled,
        "and every column but time and coverage": full,
    }


def bounds(levels: dict[str, Keys], quality: Floats, sections: Sequence[str]) -> str:
    """Error of the group median, by level and section, as a Markdown table.

    The median of the whole group is a lower bound of any model's error; the leave-one-out median is worse
    than a model that pools information across groups. The irreducible error lies between the two.
    """
    names = np.asarray(sections, dtype=object)
    rows = []
    for level, keys in levels.items():
        for section in sorted(set(sections)):
            chosen = names == section
            groups = grouped([key for key, is_own in zip(keys, chosen, strict=True) if is_own])
            y = quality[chosen]
            own = np.concatenate([*groups, np.array([], dtype=np.intp)])
            if not len(own):
                rows.append([level, section, f"0 of {len(y)}", *"-------"])
                continue
            hindsight, left_out = np.full(len(y), np.nan), np.full(len(y), np.nan)
            for group in groups:
                hindsight[group] = _median(y[group])
                left_out[group] = [_median(np.delete(y[group], index)) for index in range(len(group))]
            split = sum(bool(np.ptp(y[group]) > STEP_TOLERANCE) for group in groups)
            rows.append(
                [
                    level,
                    section,
                    f"{len(own)} of {len(y)}",
                    f"{split} of {len(groups)}",
                    *_both(mean_absolute_error, y[own], hindsight[own], left_out[own], 2),
                    *_both(_share_off, y[own], hindsight[own], left_out[own], 3),
                    *_both(r2_score, y[own], hindsight[own], left_out[own], 3),
                    f"{_ceiling(y, groups):.3f}",
                ]
            )
    header = ["twins agree in", "section", "with a twin", "groups that differ", "MAE", "not within 1", "R2"]
    return markdown([*header, "R2 ceiling"], rows)


def amounts(levels: dict[str, Keys], quality: Floats, moments: NDArray[np.datetime64]) -> str:
    """Deviations of twins from their group median, with dates, as a Markdown table."""
    rows = []
    for level, keys in levels.items():
        days_by_deviation: dict[int, list[np.datetime64]] = defaultdict(list)
        for group in grouped(keys):
            for row, deviation in zip(group, quality[group] - _median(quality[group]), strict=True):
                if abs(deviation) > STEP_TOLERANCE:
                    days_by_deviation[abs(int(deviation))].append(moments[row].astype("datetime64[D]"))
        for deviation, days in sorted(days_by_deviation.items(), key=lambda item: -len(item[1]))[
            :MAX_AMOUNTS
        ]:
            rows.append([level, str(deviation), str(len(days)), f"{min(days)} to {max(days)}"])
    return markdown(["twins agree in", "points off their median", "records", "published"], rows)


def twins_beside_model(levels: dict[str, Keys], blocks: Blocks, predicted: Floats) -> str:
    """Median of a record's earlier twins compared with the model's prediction, as a Markdown table."""
    y = blocks.later.labels.quality
    rows = []
    for level, keys in levels.items():
        earlier: dict[Hashable, list[float]] = defaultdict(list)
        for key, label in zip(compress(keys, blocks.is_earlier), blocks.earlier.labels.quality, strict=True):
            earlier[key].append(float(label))
        later = list(compress(keys, blocks.is_test))
        has_twin = np.array([key in earlier for key in later])
        looked_up = np.array([_median(np.array(earlier[key])) for key in later if key in earlier])
        if has_twin.any():
            figures = [
                f"{figure(y[has_twin], predictions):.{digits}f}"
                for figure, digits in ((mean_absolute_error, 2), (_share_off, 3))
                for predictions in (looked_up, predicted[has_twin])
            ]
            rows.append([level, f"{has_twin.sum()} of {len(later)}", *figures])
    header = ["twins agree in", "with an earlier twin", "MAE of its median", "MAE of scoring"]
    return markdown([*header, "its median not within 1", "scoring not within 1"], rows)


def misses(missed: Floats, table: FeatureTable, rubric: Rubric) -> str:
    """Compare prediction errors with the steps that the rubric has learned.

    Parameters
    ----------
    missed : ndarray of shape (n_records,)
        Label minus prediction; whole points.
    table : FeatureTable
        Features of the same records.
    rubric : Rubric
        Rubric with the steps.
    """
    step = abs(rubric.numbers_.get(TOPIC_STEP, 0.0))
    steps = {
        name: abs(weight)
        for name, weight in rubric.numbers_.items()
        if name in SHARED and abs(weight) >= MIN_STEP
    }
    wrong = np.flatnonzero(np.abs(missed) > STEP_TOLERANCE)
    is_topic = np.array([_is_multiple(missed[row], step) for row in wrong], dtype=bool)
    counts: Counter[str] = Counter()
    for row, is_own in zip(wrong, is_topic, strict=True):
        counts[_credit(missed[row], int(row), table, rubric) if is_own else _cause(missed[row], steps)] += 1
    total = np.abs(missed).sum()
    by_chance = np.mean([_is_multiple(points, step) for points in range(2, 62)])
    lines = [
        f"{len(wrong)} of {len(missed)} records are off by more than {STEP_TOLERANCE} point, "
        f"{np.abs(missed[wrong]).sum():.0f} of {total:.0f} points in all. "
        f"{is_topic.sum()} of them ({np.abs(missed[wrong[is_topic]]).sum():.0f} points) are off by a "
        f"multiple of the {step:.1f} points for naming a topic, to the point; by chance {by_chance:.0%} "
        "would be.",
        "",
        markdown(["miss", "records"], [[cause, str(count)] for cause, count in counts.most_common()]),
    ]
    return "\n".join(lines)


def grouped(keys: Keys) -> list[NDArray[np.intp]]:
    """Rows of each key that at least two records share.

    Examples
    --------
    >>> grouped(["a", "b", "a"])
    [array([0, 2])]
    """
    rows: dict[Hashable, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        rows[key].append(row)
    return [np.array(group, dtype=np.intp) for group in rows.values() if len(group) > 1]


def _median(values: Floats) -> float:
    """Lower median: an actual label, unlike the mean of the two middle ones."""
    return float(np.sort(values)[(len(values) - 1) // 2])


def _share_off(truth: Floats, predicted: Floats) -> float:
    return 1.0 - within(truth, predicted, STEP_TOLERANCE)


def _both(
    figure: Callable[[Floats, Floats], float], y: Floats, hindsight: Floats, left_out: Floats, digits: int
) -> list[str]:
    return [f"{figure(y, hindsight):.{digits}f} to {figure(y, left_out):.{digits}f}"]


def _ceiling(y: Floats, groups: Sequence[NDArray[np.intp]]) -> float:
    """R2 of the true group means: 1 minus the unbiased share of within-group variance."""
    own = np.concatenate(groups)
    spread = sum(float(np.sum((y[group] - y[group].mean()) ** 2)) for group in groups)
    total = float(y[own].var())
    return 1.0 - spread / (len(own) - len(groups)) / total if total else float("nan")


def _is_multiple(points: float, step: float) -> bool:
    times = round(abs(points) / step) if step >= MIN_STEP else 0
    return times > 0 and abs(abs(points) - times * step) <= STEP_TOLERANCE


def _cause(points: float, steps: dict[str, float]) -> str:
    """Name the column whose step equals an error, if any."""
    near = [name for name, size in steps.items() if abs(abs(points) - size) <= STEP_TOLERANCE]
    if near:
        return f"as large as {' or '.join(near)}: {points:+.0f}"
    return f"another amount: {points:+.0f}"


def _credit(points: float, row: int, table: FeatureTable, rubric: Rubric) -> str:
    """Describe the credit behind an error of topic steps: for a word, a name, both, or none."""
    title, words = " ".join(table.title_words[row]), terms_of(list(table.title_words[row]))
    by_word = {
        topic
        for topic in table.topics[row]
        for term in words
        if rubric.terms_.get(topic, {}).get(term, 0.0) >= MIN_STEP
    }
    by_name = {topic for topic in table.topics[row] if is_named(topic, title)}
    if by_word & by_name:
        given = f"{', '.join(sorted(by_word & by_name))}: credited for its name and for a word"
    elif by_word:
        given = f"{', '.join(sorted(by_word))}: credited for a word"
    else:
        given = "names alone are credited" if by_name else "nothing is credited"
    return f"{'less' if points < 0 else 'more'} than predicted by topic steps; {given}"


if __name__ == "__main__":
    sys.exit(main())
