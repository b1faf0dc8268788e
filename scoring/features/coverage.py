"""Coverage features: number, quality, providers and times of the related records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

from scoring.features.column import Column
from scoring.features.recency import hours_between
from scoring.features.text import NEAR_IDENTICAL_RATIO, similarity, word_set
from scoring.records.record import Coverage, Record

NEAR_MARGIN_RATIO = 0.9

COLUMNS = (
    Column("coverage_count", "coverage", "count", "records", ">= 0", "related records known at as_of"),
    Column(
        "coverage_quality_max",
        "coverage",
        "number",
        "points",
        "any, missing",
        "highest quality of the coverage",
    ),
    Column(
        "coverage_quality_mean",
        "coverage",
        "number",
        "points",
        "any, missing",
        "mean quality of the coverage",
    ),
    Column(
        "coverage_quality_median",
        "coverage",
        "number",
        "points",
        "any, missing",
        "median quality of the coverage",
    ),
    Column(
        "coverage_quality_spread",
        "coverage",
        "number",
        "points",
        ">= 0, missing",
        "highest minus lowest quality of the coverage",
    ),
    Column(
        "coverage_near_max_count",
        "coverage",
        "count",
        "records",
        ">= 0",
        "coverage within a tenth of the highest quality",
    ),
    Column(
        "coverage_best_lead_hours",
        "coverage",
        "number",
        "hours",
        "any, missing",
        "from the (earliest) coverage of highest quality to the record: above 0 if the coverage came first",
    ),
    Column(
        "coverage_own_provider_count", "coverage", "count", "records", ">= 0", "coverage of the same provider"
    ),
    Column(
        "coverage_own_provider_quality_max",
        "coverage",
        "number",
        "points",
        "any, missing",
        "highest quality of the coverage by the same provider",
    ),
    Column(
        "coverage_own_provider_quality_mean",
        "coverage",
        "number",
        "points",
        "any, missing",
        "mean quality of the coverage by the same provider",
    ),
    Column(
        "coverage_provider_count",
        "coverage",
        "count",
        "providers",
        ">= 0",
        "distinct providers of the coverage",
    ),
    Column(
        "coverage_known_provider_ratio",
        "coverage",
        "number",
        "",
        "0 to 1, missing",
        "share of the coverage from providers that the site knows",
    ),
    Column(
        "coverage_image_ratio",
        "coverage",
        "number",
        "",
        "0 to 1, missing",
        "share of the coverage with an image",
    ),
    Column(
        "coverage_span_hours",
        "coverage",
        "number",
        "hours",
        ">= 0, missing",
        "from the earliest to the latest coverage",
    ),
    Column(
        "coverage_same_title_count",
        "coverage",
        "count",
        "records",
        ">= 0",
        "coverage with nearly the same title",
    ),
    Column(
        "coverage_same_title_quality_max",
        "coverage",
        "number",
        "points",
        "any, missing",
        "highest quality of the coverage with nearly the same title",
    ),
)
_NAN = float("nan")
_LATEST = datetime.max.replace(tzinfo=UTC)


def best_of(coverage: Sequence[Coverage]) -> Coverage | None:
    """Return the coverage of highest quality, the earliest of several; None if none has a quality."""
    scored = [entry for entry in coverage if entry.quality is not None]
    return min(scored, key=_rank, default=None)


def _rank(entry: Coverage) -> tuple[int, datetime]:
    """Sort key: best first, then earliest, undated last."""
    return -(entry.quality or 0), entry.published_at or _LATEST


def extract(record: Record, coverage: Sequence[Coverage], title_words: list[str]) -> tuple[float, ...]:
    """Compute the values of :data:`COLUMNS` for one record.

    Parameters
    ----------
    record : Record
        The record.
    coverage : sequence of Coverage
        Its known coverage.
    title_words : list of str
        Words of its title.

    Returns
    -------
    tuple of float
    """
    count = len(coverage)
    own_domain = record.provider.domain.lower()
    qualities, own_qualities = [], []
    domains, dates = set(), []
    n_own = n_known = n_pictured = 0
    for entry in coverage:
        domain = entry.provider.domain.lower()
        domains.add(domain)
        n_known += bool(entry.provider.images)
        n_pictured += bool(entry.images)
        is_own = bool(own_domain) and domain == own_domain
        n_own += is_own
        if entry.published_at is not None:
            dates.append(entry.published_at)
        if entry.quality is not None:
            quality = float(entry.quality)
            qualities.append(quality)
            if is_own:
                own_qualities.append(quality)
    best = best_of(coverage)
    highest = max(qualities, default=_NAN)
    return (
        float(count),
        highest,
        sum(qualities) / len(qualities) if qualities else _NAN,
        median(qualities) if qualities else _NAN,
        highest - min(qualities) if qualities else _NAN,
        float(sum(quality >= highest - abs(highest) * (1 - NEAR_MARGIN_RATIO) for quality in qualities)),
        hours_between(best.published_at, record.published_at) if best else _NAN,
        float(n_own),
        max(own_qualities, default=_NAN),
        sum(own_qualities) / len(own_qualities) if own_qualities else _NAN,
        float(len(domains)),
        n_known / count if count else _NAN,
        n_pictured / count if count else _NAN,
        hours_between(min(dates), max(dates)) if dates else _NAN,
        *same_title_values(coverage, title_words),
    )


def same_title_values(coverage: Sequence[Coverage], title_words: list[str]) -> tuple[float, float]:
    """Compute the last two of :data:`COLUMNS`, the only ones that depend on the record's title."""
    own_words = frozenset(title_words)
    same = [
        entry for entry in coverage if similarity(own_words, word_set(entry.title)) >= NEAR_IDENTICAL_RATIO
    ]
    qualities = [float(entry.quality) for entry in same if entry.quality is not None]
    return float(len(same)), max(qualities, default=_NAN)
