"""Near-twins: records of one provider with nearly the same title and nothing else to tell them apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np

from scoring.features.coverage import NEAR_IDENTICAL_RATIO, similarity
from scoring.features.table import FeatureTable

SAME_TEXTS = ("provider_domain", "provider_host", "provider_form")
SAME_NUMBERS = (
    *("has_image", "image_width_px", "image_height_px", "is_image_cached", "is_video", "has_excerpt"),
    *("is_provider_known", "topic_count", "title_names_section", "title_names_topic_count"),
)


def near_twins(table: FeatureTable) -> list[tuple[int, int]]:
    """Pairs of records that a site would be expected to judge alike.

    They have a title of nearly the same words, and the same provider, topics, picture and form of
    address. Not all pairs are compared: titles of a similarity of ``t`` share one of the rarest words
    of both, among as many as ``1 - t`` of their words leave (prefix filter; Chaudhuri et al., 2006).

    Parameters
    ----------
    table : FeatureTable
        Features of `n_records` records.

    Returns
    -------
    list of tuple of int
        Rows of each pair, the smaller first, in order.
    """
    groups: defaultdict[object, list[int]] = defaultdict(list)
    texts = [table.text(name) for name in SAME_TEXTS]
    numbers = np.nan_to_num(np.column_stack([table.number(name) for name in SAME_NUMBERS]), nan=-1.0)
    for row in range(len(table)):
        if texts[0][row] and table.title_words[row]:
            key = (*(text[row] for text in texts), frozenset(table.topics[row]), numbers[row].tobytes())
            groups[key].append(row)
    counts = Counter(word for words in table.title_words for word in set(words))
    pairs: set[tuple[int, int]] = set()
    for rows in groups.values():
        pairs.update(_alike(rows, [set(table.title_words[row]) for row in rows], counts))
    return sorted(pairs)


def _alike(
    rows: Sequence[int], titles: Sequence[set[str]], counts: Counter[str]
) -> Iterator[tuple[int, int]]:
    """Pairs of nearly the same title among some records; their rows ascend."""
    seen: defaultdict[str, list[int]] = defaultdict(list)
    for at, words in enumerate(titles):
        n_rarest = len(words) - ceil(NEAR_IDENTICAL_RATIO * len(words)) + 1
        rarest = sorted(words, key=lambda word: (counts[word], word))[:n_rarest]
        for other in sorted({earlier for word in rarest for earlier in seen[word]}):
            if similarity(words, titles[other]) >= NEAR_IDENTICAL_RATIO:
                yield rows[other], rows[at]
        for word in rarest:
            seen[word].append(at)
