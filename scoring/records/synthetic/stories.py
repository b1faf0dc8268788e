"""Generate stories of a synthetic site: providers, times, texts, coverage and labels."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

import msgspec

from scoring.errors import SettingsError
from scoring.records.record import Coverage, Image, Labels, Provider, Record
from scoring.records.synthetic import vocabulary as words
from scoring.records.synthetic.policy import DEFAULT_POLICY, Policy

Story = list[tuple[Record, Labels]]

BEGINS_AT = datetime(2018, 1, 1, tzinfo=UTC)

_MAX_STORY_COUNT = 120  # maximum records of a story
_COVERAGE_SECONDS = 120 * 3600  # maximum time between records of a story that list each other
_N_PHASES = 40  # time steps at which new providers and topics appear
_ORIGINAL_URL_FROM = 0.35  # share of the time span after which records have an original URL
_IMAGE_WIDTHS = (1200, 1024, 600, 1280, 800, 700, 300, 400, 1600, 1920)
_IMAGE_WEIGHTS = (516, 202, 120, 105, 86, 84, 68, 65, 50, 35)


@dataclass(frozen=True, slots=True)
class _Outlet:
    """A provider and its publishing habits."""

    provider: Provider
    has_amp: bool
    image_ratio: float


@dataclass(frozen=True, slots=True)
class Site:
    """Parameters of a synthetic corpus.

    Parameters
    ----------
    n_records : int
        Number of records, at least 1.
    seed : int
        Random seed.
    policy : Policy
        Labelling policy; it changes no record, only quality and labels.
    begins_at : datetime
        Time of the first records, aware.
    days : int or None
        Time span in days; None means a year, or more to stay below 500 records per day.
    section : str
        The site's section, first topic of each record.

    Raises
    ------
    SettingsError
        If a value is outside its range.
    """

    n_records: int
    seed: int = 0
    policy: Policy = DEFAULT_POLICY
    begins_at: datetime = BEGINS_AT
    days: int | None = None
    section: str = words.SECTION

    def __post_init__(self) -> None:
        for is_valid, name, expected in (
            (self.n_records >= 1, "n_records", "1 or more"),
            (self.begins_at.tzinfo is not None, "begins_at", "a time with a zone"),
            (self.days is None or self.days >= 1, "days", "1 or more"),
            (bool(self.section.strip()), "section", "a name"),
        ):
            if not is_valid:
                raise SettingsError(f"sample: {name}: got {getattr(self, name)!r}, expected {expected}")

    @property
    def span(self) -> timedelta:
        """Time span of the corpus."""
        return timedelta(days=self.days or max(365, math.ceil(self.n_records / 500)))

    @property
    def as_of(self) -> datetime:
        """End of the corpus and time of its labels; aware UTC."""
        return self.begins_at.astimezone(UTC) + self.span

    def stories(self) -> Iterator[Story]:
        """Yield stories in order of their first record, each with its records by time.

        Only one story is in memory at a time. Records of a later story may precede those of an earlier one,
        but never its first record.
        """
        return _Newsroom(self).stories()


def utc_offset_hours(domain: str) -> int:
    """Return a provider's offset from UTC in hours; 0 for most."""
    return {0: -8, 1: 2}.get(zlib.crc32(domain.encode()) // 8 % 12, 0)


def _story_count(rng: Random, limit: int) -> int:
    """Draw the number of records of a story: mostly one, with a long tail."""
    if rng.random() < 0.55:
        return 1
    return min(limit, 1 + int(rng.paretovariate(1.25)))


class _Newsroom:
    """Draws the stories of one site, in order."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.rng = Random(f"scoring sample {site.seed}")  # noqa: S311 -- nothing to keep secret
        self.span_seconds = int(site.span.total_seconds())
        self.begins_at = site.begins_at.astimezone(UTC).replace(microsecond=0)
        self.companies = words.shuffled_names(self.rng, 240)
        self.outlets = self._outlets()
        # Zipf with a flat top: a few large outlets and a long tail. The maker ranks first.
        tail = [(rank + 8.0) ** -1.15 for rank in range(1, len(self.outlets))]
        self.outlet_weights = self._phases([0.5 * sum(tail), *tail], late_ratio=0.55)
        finer = [1 / (rank + 4.0) for rank in range(len(words.TOPICS))]
        self.topic_weights = self._phases(finer, late_ratio=0.3)

    def _outlets(self) -> list[_Outlet]:
        count = max(8, min(8000, int(8 * math.sqrt(self.site.n_records))))
        names = [words.MAKER_NAME, *words.outlet_names(self.rng, count - 1)]
        folder = words.slug(self.site.section)
        outlets = []
        for rank, name in enumerate(names):
            domain = words.MAKER_DOMAIN if rank == 0 else name.lower().replace(" ", "-") + ".example"
            url = f"https://news.example/{folder}/organizations/{domain}-50x50.jpg"
            is_known = rank == 0 or self.rng.random() < 0.55 * 0.985**rank
            has_amp = self.rng.random() < 0.4 and rank > 0
            ratio = 0.4 if rank == 0 else self.rng.triangular(0.3, 1.0, 0.9)
            provider = Provider(name, domain, (Image(url, 50, 50),) if is_known else ())
            outlets.append(_Outlet(provider, has_amp, ratio))
        return outlets

    def _phases(self, weights: list[float], late_ratio: float) -> list[list[float]]:
        """Cumulative weights in each phase; a late item (never the first) has weight 0 before it appears."""
        firsts = [self.rng.random() if self.rng.random() < late_ratio else 0.0 for _ in weights]
        firsts[0] = 0.0
        phases = []
        for phase in range(_N_PHASES):
            is_present = [first * _N_PHASES <= phase for first in firsts]
            phases.append(
                list(accumulate(w * present for w, present in zip(weights, is_present, strict=True)))
            )
        return phases

    def stories(self) -> Iterator[Story]:
        n_records, n_done = self.site.n_records, 0
        limit = min(_MAX_STORY_COUNT, max(4, n_records // 25))
        while n_done < n_records:
            count = min(_story_count(self.rng, limit), n_records - n_done)
            yield self._story(count, n_done)
            n_done += count

    def _story(self, count: int, serial: int) -> Story:
        """Generate ``count`` records of one story; the first has number ``serial`` in the corpus."""
        rng, policy, as_of = self.rng, self.site.policy, self.site.as_of
        seconds = self._seconds(count, serial)
        drafts = self._drafts(seconds, serial)
        scored = [(record, policy.quality(record, noise=policy.noise(rng.random()))) for record in drafts]
        listed = [_coverage(record, quality) for record, quality in scored]
        order = sorted(zip(seconds, listed, strict=True), key=lambda item: (-(item[1].quality or 0), item[0]))
        story = []
        for second, (record, quality) in zip(seconds, scored, strict=True):
            # Records of a story have different seconds, so a distance of 0 is the record itself.
            related = tuple([other for t, other in order if 0 < abs(t - second) <= _COVERAGE_SECONDS])
            full = msgspec.structs.replace(record, related=related)
            story.append((full, policy.labels(full, quality, as_of=as_of, draw=rng.random())))
        return story

    def _drafts(self, seconds: list[int], serial: int) -> list[Record]:
        """Draw the records of a story without coverage, by time; some share a press release."""
        rng, section = self.rng, self.site.section
        facts = words.story_facts(rng, self.companies)
        phase = serial * _N_PHASES // self.site.n_records
        topics = list(dict.fromkeys(rng.choices(words.TOPICS, cum_weights=self.topic_weights[phase], k=8)))
        has_release = rng.random() < 0.35
        release_title = words.compose_title(rng, facts, section=section, topic=topics[0])
        release_text = words.compose_excerpt(rng, facts)
        drafts = []
        for offset, second in enumerate(seconds):
            outlet = rng.choices(self.outlets, cum_weights=self.outlet_weights[phase])[0]
            finer = topics[: self._finer_count()]
            if has_release and rng.random() < 0.4:
                title = words.vary_title(rng, release_title, outlet.provider.name)
                excerpt = release_text
            else:
                details = words.angle(rng, facts)
                named_section = section if rng.random() < 0.68 else ""
                named_topic = finer[0] if finer and rng.random() < 0.8 else ""
                title = words.compose_title(rng, details, section=named_section, topic=named_topic)
                excerpt = words.compose_excerpt(rng, details)
            drafts.append(self._record(outlet, title, excerpt, finer, second, serial + offset))
        return drafts

    def _seconds(self, count: int, serial: int) -> list[int]:
        """Draw the times of a story's records: seconds since the corpus begins, ascending and distinct."""
        begins = self.span_seconds * serial // self.site.n_records
        mean_seconds = 3600 * min(60.0, 10.0 + count)
        seconds = {begins}
        while len(seconds) < count:
            second = begins + int(self.rng.expovariate(1 / mean_seconds))
            if second > self.span_seconds:
                # Keep stories of the last days inside the corpus.
                second = begins + int((self.span_seconds - begins + count) * self.rng.random())
            seconds.add(second)
        return sorted(seconds)

    def _finer_count(self) -> int:
        """Draw the number of topics after the section."""
        draw = self.rng.random()
        return 0 if draw < 0.7 else 1 if draw < 0.93 else 2 if draw < 0.98 else 3 if draw < 0.995 else 5

    def _images(self, outlet: _Outlet, slug: str) -> tuple[Image, ...]:
        rng = self.rng
        if rng.random() >= outlet.image_ratio:
            return ()
        width = rng.choices(_IMAGE_WIDTHS, weights=_IMAGE_WEIGHTS)[0]
        height = int(width * rng.choice((0.525, 0.5625, 0.667, 0.75)))
        return (Image(f"https://media.{outlet.provider.domain}/{slug}.jpg", width, height, is_cached=True),)

    def _record(
        self, outlet: _Outlet, title: str, excerpt: str, topics: list[str], second: int, serial: int
    ) -> Record:
        published_at = self.begins_at + timedelta(seconds=second)
        domain, slug = outlet.provider.domain, f"{words.slug(title)}-n{serial}"
        address = f"www.{domain}/{published_at.year}/{published_at.month:02}/{slug}/"
        amp = f"{address}amp/" if outlet.has_amp else ""
        host = domain.replace("-", "--").replace(".", "-")
        return Record(
            title=title,
            excerpt=excerpt,
            published_at=published_at,
            type="video" if self.rng.random() < 0.02 else "article",
            original_url=f"https://{address}" if second >= _ORIGINAL_URL_FROM * self.span_seconds else "",
            web_url=f"https://{address}",
            amp_web_url=f"https://{amp}" if amp else "",
            cdn_amp_web_url=f"https://www-{host}.amp-cache.example/c/s/{amp}" if amp else "",
            provider=outlet.provider,
            topics=(self.site.section, *topics),
            images=self._images(outlet, slug),
        )


def _coverage(record: Record, quality: int) -> Coverage:
    """Return the record as the other records of its story list it."""
    return Coverage(
        title=record.title,
        excerpt=record.excerpt,
        published_at=record.published_at,
        web_url=record.web_url,
        amp_web_url=record.amp_web_url,
        cdn_amp_web_url=record.cdn_amp_web_url,
        type=record.type,
        provider=msgspec.structs.replace(record.provider, images=()),
        images=record.images,
        quality=quality,
    )
