"""Near-duplicates: records of one provider with nearly the same title and otherwise equal features."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from scoring.features.table import FeatureTable
from scoring.features.text import similar_pairs

SAME_TEXTS = ("provider_domain", "provider_host", "provider_form")
SAME_NUMBERS = (
    *("has_image", "image_width_px", "image_height_px", "is_image_cached", "is_video", "has_excerpt"),
    *("is_provider_known", "topic_count", "title_names_section", "title_names_topic_count"),
)


def near_duplicates(table: FeatureTable) -> list[tuple[int, int]]:
    """Pairs of near-duplicates, which should have the same labels.

    Their titles have nearly the same words, and provider, topics, picture and form of address are equal.

    Parameters
    ----------
    table : FeatureTable
        Features of `n_records` records.

    Returns
    -------
    list of tuple of int
        Rows of each pair, the smaller first, sorted.
    """
    groups: defaultdict[object, list[int]] = defaultdict(list)
    texts = [table.text(name) for name in SAME_TEXTS]
    numbers = np.nan_to_num(np.column_stack([table.number(name) for name in SAME_NUMBERS]), nan=-1.0)
    for row in range(len(table)):
        if texts[0][row] and table.title_words[row]:
            key = (*(text[row] for text in texts), frozenset(table.topics[row]), numbers[row].tobytes())
            groups[key].append(row)
    return sorted(
        (rows[first], rows[second])
        for rows in groups.values()
        for first, second in similar_pairs([set(table.title_words[row]) for row in rows])
    )
