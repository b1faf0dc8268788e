"""Editorial policy of a synthetic site: the rubric that labels its records.

Every constant is a field of :class:`Policy`, so that another site is another policy. Training never reads
this module: it learns only from labelled records.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace
from datetime import datetime

from scoring.errors import SettingsError
from scoring.records.record import Labels, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """An editorial policy: quality rubric, lead rule, heat and publication.

    The points of the rubric are summed and clipped at 0. Quality is ``scale`` times that sum plus ``shift``,
    rounded half up and clipped at 0. A record leads its story if no related record has a higher quality and
    none of the same quality was published earlier. The heat of a lead is its quality, plus ``heat_bonus`` for
    each related record if its own quality is at least ``bonus_from_quality``, plus its engagement.

    Parameters
    ----------
    provider_points : tuple of int
        Points of providers, of any sign; the domain of a provider selects one of them.
    known_provider_points : int
        For a provider of which the site has an image; points.
    section_in_title_points : int
        For a title that names the site's section; points.
    topic_points : int
        For each topic after the section; points.
    image_points, large_image_points : int
        For an image, and in addition for one of at least ``large_image_from_px``; points.
    large_image_from_px : int
        Width from which an image is large; px.
    video_points, excerpt_points : int
        For a video, and for an excerpt that is not empty; points.
    title_limit_chars, title_overrun_chars_per_point : int
        A title loses one point for each full ``title_overrun_chars_per_point`` characters beyond the limit.
    noise_ratio : float
        Share of records with noise added to their points; 0 to 1.
    noise_points : int
        Maximum of the noise, uniform in both directions; points before ``scale``.
    scale, shift : float
        Quality = ``scale`` * points + ``shift``.
    heat_bonus : int
        Heat added to a lead per related record.
    bonus_from_quality : int
        Minimum quality of a lead for that bonus.
    engagement_max_count : int
        Maximum heat from readers' engagement for a new lead; 0 disables engagement.
    engagement_half_life_hours : float
        Half-life of engagement; hours, > 0.
    published_from_heat : int
        Minimum heat to publish a record.

    Raises
    ------
    SettingsError
        If a field is outside its range.

    Examples
    --------
    A site that halves and shifts the quality, adds 7 per related record from quality 30 on, and publishes
    from a heat of 45:

    >>> other = Policy(scale=0.5, shift=4, heat_bonus=7, bonus_from_quality=30, published_from_heat=45)
    >>> other.heat(31, n_related=2), other.heat(29, n_related=2)
    (45, 29)
    """

    provider_points: tuple[int, ...] = (-14, -12, -10, -7, -3, 2, 9, 16)
    known_provider_points: int = 15
    section_in_title_points: int = 20
    topic_points: int = 20
    image_points: int = 24
    large_image_points: int = 5
    large_image_from_px: int = 1000
    video_points: int = 12
    excerpt_points: int = 4
    title_limit_chars: int = 70
    title_overrun_chars_per_point: int = 2
    noise_ratio: float = 0.3
    noise_points: int = 8
    scale: float = 1.0
    shift: float = 0.0
    heat_bonus: int = 20
    bonus_from_quality: int = 50
    engagement_max_count: int = 5
    engagement_half_life_hours: float = 12.0
    published_from_heat: int = 70

    def __post_init__(self) -> None:
        for is_valid, name, expected in (
            (len(self.provider_points) > 0, "provider_points", "at least one number"),
            (self.title_overrun_chars_per_point > 0, "title_overrun_chars_per_point", "more than 0"),
            (0 <= self.noise_ratio <= 1, "noise_ratio", "0 to 1"),
            (self.noise_points >= 0, "noise_points", "0 or more"),
            (math.isfinite(self.scale) and self.scale > 0, "scale", "more than 0"),
            (math.isfinite(self.shift), "shift", "a finite number"),
            (self.engagement_max_count >= 0, "engagement_max_count", "0 or more"),
            (self.engagement_half_life_hours > 0, "engagement_half_life_hours", "more than 0"),
        ):
            if not is_valid:
                raise SettingsError(f"policy: {name}: got {getattr(self, name)!r}, expected {expected}")

    def without_noise(self) -> Policy:
        """Return the same policy without noise and engagement."""
        return replace(self, noise_ratio=0.0, engagement_max_count=0)

    def points(self, record: Record) -> int:
        """Sum the rubric's points of a record, before noise, ``scale`` and ``shift``; may be negative.

        Related records are not used, and the provider's points depend only on its domain.
        """
        points = self.provider_points[zlib.crc32(record.provider.domain.encode()) % len(self.provider_points)]
        points += self.known_provider_points * bool(record.provider.images)
        section, *finer = record.topics or ("",)
        points += self.section_in_title_points * (bool(section) and section.lower() in record.title.lower())
        points += self.topic_points * len(finer)
        if record.images:
            is_large = (record.images[0].width or 0) >= self.large_image_from_px
            points += self.image_points + self.large_image_points * is_large
        points += self.video_points * (record.type == "video")
        points += self.excerpt_points * bool(record.excerpt)
        overrun_chars = max(0, len(record.title) - self.title_limit_chars)
        return points - overrun_chars // self.title_overrun_chars_per_point

    def noise(self, draw: float) -> int:
        """Return the noise in points for a uniform draw from [0, 1)."""
        if draw >= self.noise_ratio or not self.noise_points:
            return 0
        step = int(draw / self.noise_ratio * 2 * self.noise_points) - self.noise_points
        return step if step < 0 else step + 1

    def quality(self, record: Record, *, noise: int = 0) -> int:
        """Return the quality of a record, >= 0; ``noise`` is added to its points."""
        points = max(0, self.points(record) + noise)
        return max(0, math.floor(self.scale * points + self.shift + 0.5))

    def is_lead(self, record: Record, quality: int) -> bool:
        """Whether a record of that quality leads its story, compared with its related records."""
        for other in record.related:
            other_quality = -1 if other.quality is None else other.quality
            if other_quality > quality:
                return False
            is_dated = other.published_at is not None and record.published_at is not None
            if other_quality == quality and is_dated and other.published_at < record.published_at:  # type: ignore[operator]
                return False
        return True

    def engagement(self, draw: float, age_hours: float) -> int:
        """Return the heat from engagement, for a uniform draw from [0, 1) and an age in hours."""
        decay_ratio = 0.5 ** (max(0.0, age_hours) / self.engagement_half_life_hours)
        return int(draw * (self.engagement_max_count + 1) * decay_ratio)

    def heat(self, quality: int, *, n_related: int, engagement: int = 0) -> int:
        """Return the heat of a lead."""
        return quality + self.heat_bonus * n_related * (quality >= self.bonus_from_quality) + engagement

    def labels(self, record: Record, quality: int, *, as_of: datetime, draw: float = 0.0) -> Labels:
        """Return the labels of a record, with its related records, as of ``as_of``.

        Parameters
        ----------
        record : Record
            The record, dated.
        quality : int
            Its quality.
        as_of : datetime
            Time of the labels, aware.
        draw : float
            Uniform draw from [0, 1) for engagement.

        Returns
        -------
        Labels
            Quality, heat (-1 if another record leads) and whether it is published.

        Raises
        ------
        SettingsError
            If the record has no date.
        """
        if record.published_at is None:
            raise SettingsError("policy: publishedDateTime: got none, expected a date to compute the age")
        heat = -1
        if self.is_lead(record, quality):
            age_hours = (as_of - record.published_at).total_seconds() / 3600
            engagement = self.engagement(draw, age_hours)
            heat = self.heat(quality, n_related=len(record.related), engagement=engagement)
        return Labels(quality=quality, heat=heat, published=heat >= self.published_from_heat)


DEFAULT_POLICY = Policy()
