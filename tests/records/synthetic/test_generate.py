"""Synthetic corpora: reproducible by seed, realistic, and labelled by the stated policy."""

from __future__ import annotations

import hashlib
import json
import math
import re
import tracemalloc
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from scoring.errors import RecordError, ScoringError, SettingsError
from scoring.records.corpus import read_documents
from scoring.records.record import Coverage, Image, Labels, Provider, Record
from scoring.records.synthetic.generate import sample_documents, sample_json_lines, write_sample
from scoring.records.synthetic.policy import Policy
from scoring.records.synthetic.stories import Site
from scoring.records.synthetic.vocabulary import TOPICS

AT = datetime(2020, 5, 1, 12, tzinfo=UTC)
Sample = list[tuple[Record, Labels]]


@pytest.fixture(scope="module")
def sample() -> Sample:
    return list(sample_documents(n_records=4000, seed=3))


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def read_front_matter(file: Path) -> dict[str, Any]:
    head, text, rest = file.read_text(encoding="utf-8").split("---\n")
    assert (head, rest) == ("", "\n")
    fields = yaml.load(text, Loader=yaml.CSafeLoader)
    assert isinstance(fields, dict)
    return fields


def refuse(error: RecordError) -> None:
    raise error


def digest(folder: Path) -> str:
    sha256 = hashlib.sha256()
    for file in sorted(folder.rglob("*.md")):
        sha256.update(f"{file.relative_to(folder)}\n".encode() + file.read_bytes())
    return sha256.hexdigest()


class TestDraw:
    def test_same_arguments_give_the_same_records(self) -> None:
        draw = partial(sample_documents, n_records=300)
        assert list(draw(seed=5)) == list(draw(seed=5))
        assert list(draw(seed=5)) != list(draw(seed=6))

    @pytest.mark.parametrize("n_records", [1, 2, 7, 501])
    def test_gives_as_many_records_as_asked(self, n_records: int) -> None:
        documents = list(sample_documents(n_records=n_records))
        assert len(documents) == n_records
        assert len({record.url for record, _ in documents}) == n_records

    def test_records_come_by_date_within_the_days(self) -> None:
        begins_at = datetime(2021, 3, 1, 1, tzinfo=timezone(timedelta(hours=2)))
        dates = [r.published_at for r, _ in sample_documents(n_records=600, begins_at=begins_at, days=50)]
        known = [date for date in dates if date is not None]
        assert len(known) == 600
        assert known == sorted(known)
        assert known[0] == datetime(2021, 2, 28, 23, tzinfo=UTC)
        assert timedelta(days=48) < known[-1] - known[0] <= timedelta(days=50)

    def test_many_records_last_longer_than_a_year(self) -> None:
        assert Site(1000).span == timedelta(days=365)
        assert Site(1_000_000).span == timedelta(days=2000)

    def test_section_is_the_first_topic_and_named(self) -> None:
        records = [record for record, _ in sample_documents(n_records=200, section="Moss & Fern")]
        assert {record.topics[0] for record in records} == {"Moss & Fern"}
        assert 0.5 < share(["Moss & Fern" in record.title for record in records]) < 0.9

    def test_invented_domains_only(self, sample: Sample) -> None:
        texts = [json.dumps(msgspec.to_builtins(record)) for record, _ in sample]
        hosts = {host for text in texts for host in re.findall(r"https://([^/]+)/", text)}
        assert len(hosts) > 100
        assert all(host.endswith(".example") for host in hosts)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n_records": 0}, "sample: n_records: got 0, expected 1 or more"),
            ({"days": 0}, "sample: days: got 0, expected 1 or more"),
            ({"section": " "}, "sample: section: got ' ', expected a name"),
            ({"begins_at": datetime(2020, 1, 1)}, "expected a time with a zone"),
        ],
    )
    def test_refuses_what_makes_no_corpus(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(SettingsError, match=re.escape(message)):
            sample_documents(**options)

    def test_memory_does_not_grow_with_the_records(self) -> None:
        @cache
        def peak_bytes(n_records: int) -> int:
            tracemalloc.start()
            n_drawn = sum(1 for _ in sample_documents(n_records=n_records))
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert n_drawn == n_records
            return peak

        peak_bytes(100)  # what is cached once
        # Names and weights of the providers grow with the root of the records; the records are let go.
        assert peak_bytes(4000) < 4 * peak_bytes(500)
        assert peak_bytes(4000) < 3e6


class TestShape:
    def test_providers_have_a_few_large_and_a_long_tail(self, sample: Sample) -> None:
        counts = Counter(record.provider.domain for record, _ in sample).most_common()
        assert 250 < len(counts) < 500
        assert 0.35 < counts[0][1] / len(sample) < 0.5
        assert 0.01 < counts[1][1] / len(sample) < 0.05
        assert sum(count == 1 for _, count in counts) > 60

    def test_some_providers_are_known(self, sample: Sample) -> None:
        known = {r.provider.domain for r, _ in sample if r.provider.images}
        unknown = {r.provider.domain for r, _ in sample if not r.provider.images}
        assert not known & unknown
        assert 15 < len(known) < 80
        assert 0.45 < share([bool(r.provider.images) for r, _ in sample]) < 0.75

    def test_some_providers_and_topics_first_appear_late(self, sample: Sample) -> None:
        early, late = sample[:3200], sample[3200:]
        known = {record.provider.domain for record, _ in early}
        assert 0.04 < share([record.provider.domain not in known for record, _ in late]) < 0.25
        firsts = {topic: i for i, (r, _) in reversed(list(enumerate(sample))) for topic in r.topics[1:]}
        assert set(firsts) <= set(TOPICS)
        assert any(first > 1500 for first in firsts.values())

    def test_topics(self, sample: Sample) -> None:
        counts = Counter(len(record.topics) for record, _ in sample)
        assert 0.6 < counts[1] / len(sample) < 0.8
        assert 0.15 < counts[2] / len(sample) < 0.3
        assert max(counts) >= 4

    def test_coverage(self, sample: Sample) -> None:
        counts = [len(record.related) for record, _ in sample]
        assert 0.15 < share([count == 0 for count in counts]) < 0.27
        assert 0.35 < share([1 <= count <= 10 for count in counts]) < 0.7
        assert 60 < max(counts) < 120
        by_url = {record.web_url: record for record, _ in sample}
        quality = {record.web_url: labels.quality for record, labels in sample}
        n_after = 0
        for record, _ in sample:
            known = [other.quality for other in record.related if other.quality is not None]
            assert known == sorted(known, reverse=True)
            for other in record.related:
                listed = by_url[other.web_url]
                assert (other.title, other.quality) == (listed.title, quality[other.web_url])
                assert record.published_at is not None
                assert other.published_at is not None
                assert record.published_at != other.published_at
                assert abs(record.published_at - other.published_at) <= timedelta(hours=120)
                n_after += other.published_at > record.published_at
        assert n_after * 2 == sum(counts)

    def test_press_releases_repeat_titles_across_providers(self, sample: Sample) -> None:
        same = near = 0
        for record, _ in sample:
            for other in record.related:
                if other.provider.domain != record.provider.domain:
                    same += other.title == record.title
                    near += other.title != record.title and other.title.lower() == record.title.lower()
        assert same > 50
        assert near > 50

    def test_texts_links_and_pictures(self, sample: Sample) -> None:
        records = [record for record, _ in sample]
        assert 0.02 < share([record.excerpt == "" for record in records]) < 0.06
        assert 0.35 < share([len(record.title) > 70 for record in records]) < 0.6
        assert 0.01 < share(["&" in record.title for record in records]) < 0.15
        assert 0.3 < share([not record.images for record in records]) < 0.5
        assert 0.01 < share([record.type == "video" for record in records]) < 0.04
        assert 0.1 < share([record.amp_web_url != "" for record in records]) < 0.35
        assert all(bool(record.amp_web_url) == bool(record.cdn_amp_web_url) for record in records)
        assert not any(record.original_url for record in records[:1000])
        assert all(record.original_url for record in records[2000:])

    def test_labels_are_spread_like_those_of_a_real_site(self, sample: Sample) -> None:
        quality = sorted(labels.quality or 0 for _, labels in sample)
        heat = [labels.heat for _, labels in sample if labels.heat is not None]
        assert 45 < quality[2000] < 60
        assert 3 < quality[200] < 20
        assert 84 < quality[3800] < 105
        assert len(heat) == len(sample)
        assert 0.3 < share([value >= 0 for value in heat]) < 0.5
        assert max(heat) > 500
        assert 0.13 < share([labels.published is True for _, labels in sample]) < 0.28


class TestPolicy:
    record = Record(
        title="Tessaril " + "x" * 65,
        published_at=AT,
        provider=Provider(name="Anvil Post", domain="anvil-post.example", images=(Image(),)),
        topics=("Tessaril", "Orchards", "Grafting"),
        images=(Image(width=1200, height=630),),
    )
    nothing = Policy(
        provider_points=(0,),
        known_provider_points=0,
        section_in_title_points=0,
        topic_points=0,
        image_points=0,
        large_image_points=0,
        video_points=0,
        excerpt_points=0,
        title_limit_chars=1000,
    )

    @pytest.mark.parametrize(
        ("option", "value", "expected"),
        [
            ("provider_points", (31,), 31),
            ("known_provider_points", 8, 8),
            ("section_in_title_points", 5, 5),
            ("topic_points", 9, 18),
            ("image_points", 6, 6),
            ("large_image_points", 3, 3),
            ("title_limit_chars", 69, -2),
        ],
    )
    def test_each_option_adds_its_points(self, option: str, value: Any, expected: int) -> None:
        assert len(self.record.title) == 74
        assert self.nothing.points(self.record) == 0
        assert replace(self.nothing, **{option: value}).points(self.record) == expected

    def test_points_of_what_only_some_records_have(self) -> None:
        video = msgspec.structs.replace(
            self.record, type="video", excerpt="Short.", images=(Image(width=999),)
        )
        policy = replace(self.nothing, video_points=7, excerpt_points=4, large_image_points=100)
        assert policy.points(video) == 11
        assert policy.points(self.record) == 100
        assert replace(policy, large_image_from_px=999).points(video) == 111
        bare = Record(title="Tessaril", published_at=AT)
        assert replace(self.nothing, section_in_title_points=5, topic_points=5).points(bare) == 0

    def test_long_titles_cost_by_full_steps(self) -> None:
        policy = replace(self.nothing, title_limit_chars=70, title_overrun_chars_per_point=3)
        assert [policy.points(Record(title="x" * n)) for n in (70, 72, 73, 75, 76)] == [0, 0, -1, -1, -2]
        assert policy.quality(Record(title="x" * 90)) == 0

    def test_providers_differ_by_domain_alone(self) -> None:
        policy = replace(self.nothing, provider_points=(1, 20, 300))
        worth = {policy.points(Record(provider=Provider(domain=f"p{i}.example"))) for i in range(50)}
        assert worth == {1, 20, 300}
        record = Record(title="A", provider=Provider(name="A", domain="p.example"))
        assert policy.points(record) == policy.points(msgspec.structs.replace(record, title="B", excerpt="C"))

    def test_noise_is_even_over_its_range_on_its_share(self) -> None:
        policy = Policy(noise_ratio=0.5, noise_points=2)
        drawn = Counter(policy.noise(i / 1000) for i in range(1000))
        assert drawn == {-2: 125, -1: 125, 1: 125, 2: 125, 0: 500}
        assert {Policy(noise_ratio=1, noise_points=0).noise(i / 10) for i in range(10)} == {0}

    @pytest.mark.parametrize(
        ("scale", "shift", "expected"), [(1, 0, 25), (0.5, 0, 13), (0.5, 10, 23), (2, -60, 0), (0.1, 0.0, 3)]
    )
    def test_scale_and_shift_round_half_up(self, scale: float, shift: float, expected: int) -> None:
        policy = replace(self.nothing, excerpt_points=25, scale=scale, shift=shift)
        assert policy.quality(Record(excerpt="x")) == expected

    @pytest.mark.parametrize(
        ("others", "expected"),
        [
            ([], True),
            ([(49, -5), (12, 5)], True),
            ([(51, 5)], False),
            ([(50, -5)], False),
            ([(50, 5)], True),
            ([(50, 0)], True),
            ([(None, -5)], True),
        ],
    )
    def test_leads_where_none_is_better_or_as_good_and_earlier(
        self, others: list[tuple[int | None, int]], expected: bool
    ) -> None:
        related = tuple(Coverage(published_at=AT + timedelta(hours=h), quality=q) for q, h in others)
        assert Policy().is_lead(Record(published_at=AT, related=related), 50) is expected

    def test_heat_and_publication(self) -> None:
        related = (Coverage(published_at=AT, quality=20),) * 3
        record = Record(published_at=AT, related=related)
        calm = Policy().without_noise()
        assert calm.labels(record, 50, as_of=AT) == Labels(quality=50, heat=110, published=True)
        assert calm.labels(record, 49, as_of=AT) == Labels(quality=49, heat=49, published=False)
        assert calm.labels(record, 19, as_of=AT) == Labels(quality=19, heat=-1, published=False)
        low = replace(calm, published_from_heat=49, bonus_from_quality=49, heat_bonus=1)
        assert low.labels(record, 49, as_of=AT) == Labels(quality=49, heat=52, published=True)
        with pytest.raises(SettingsError, match="expected a date"):
            calm.labels(Record(), 1, as_of=AT)

    def test_engagement_decays(self) -> None:
        policy = Policy(engagement_max_count=5, engagement_half_life_hours=10)
        assert [policy.engagement(0.9999, hours) for hours in (-1, 0, 10, 20, 40)] == [5, 5, 2, 1, 0]
        assert policy.engagement(0.0, 0) == 0
        lead = policy.labels(Record(published_at=AT), 50, as_of=AT + timedelta(hours=10), draw=0.9999)
        assert lead.heat == 52

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("provider_points", ()),
            ("title_overrun_chars_per_point", 0),
            ("noise_ratio", 1.5),
            ("noise_points", -1),
            ("scale", 0.0),
            ("scale", math.nan),
            ("shift", math.inf),
            ("engagement_max_count", -1),
            ("engagement_half_life_hours", 0.0),
        ],
    )
    def test_refuses_values_out_of_range(self, option: str, value: Any) -> None:
        with pytest.raises(SettingsError, match=f"policy: {option}: got "):
            Policy(**{option: value})

    def test_default_noise_falls_on_a_share_of_the_records(self, sample: Sample) -> None:
        policy = Policy()
        errors = [(labels.quality or 0) - policy.quality(record) for record, labels in sample]
        assert {abs(error) for error in errors} == set(range(9))
        assert 0.24 < share([error != 0 for error in errors]) < 0.34


class TestOtherSite:
    other = Policy(scale=0.5, shift=6, heat_bonus=7, bonus_from_quality=30, published_from_heat=45)

    def test_policy_changes_labels_only(self, sample: Sample) -> None:
        def bare(record: Record) -> Record:
            return msgspec.structs.replace(record, related=())

        documents = list(sample_documents(n_records=4000, seed=3, policy=self.other))
        assert [bare(record) for record, _ in documents] == [bare(record) for record, _ in sample]
        assert [{c.web_url for c in r.related} for r, _ in documents] == [
            {c.web_url for c in r.related} for r, _ in sample
        ]

    def test_quality_is_half_and_shifted(self, sample: Sample) -> None:
        documents = list(sample_documents(n_records=4000, seed=3, policy=self.other))
        before = [labels.quality or 0 for _, labels in sample]
        assert [labels.quality for _, labels in documents] == [math.floor(q / 2 + 6.5) for q in before]

    def test_bonus_and_publication(self) -> None:
        calm = self.other.without_noise()
        n_with_bonus = n_without = 0
        for record, labels in sample_documents(n_records=3000, seed=4, policy=calm):
            assert labels.quality is not None
            assert labels.heat is not None
            if labels.heat >= 0 and record.related:
                is_worth = labels.quality >= 30
                n_with_bonus, n_without = n_with_bonus + is_worth, n_without + (not is_worth)
                assert labels.heat - labels.quality == (7 * len(record.related) if is_worth else 0)
            assert labels.published == (labels.heat >= 45)
        assert n_with_bonus > 100
        assert n_without > 20


class TestFiles:
    def test_same_arguments_give_the_same_bytes(self, tmp_path: Path) -> None:
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            assert write_sample(tmp_path / name, n_records=150, seed=seed) == 150
        assert digest(tmp_path / "a") == digest(tmp_path / "b")
        assert digest(tmp_path / "a") != digest(tmp_path / "c")

    def test_bytes_are_those_of_any_machine(self, tmp_path: Path) -> None:
        write_sample(tmp_path / "a", n_records=40, seed=11)
        assert digest(tmp_path / "a") == "dd7b3081e852df2d0fcd787e3a798c5055749b98efbe5836198713aad376ef9b"

    def test_files_read_back_as_the_records(self, tmp_path: Path) -> None:
        faults: list[RecordError] = []
        write_sample(tmp_path / "a", n_records=400, seed=2, section="Moss & Fern: No. 1")
        documents = list(read_documents([str(tmp_path / "a")], on_fault=faults.append))
        drawn = sample_documents(n_records=400, seed=2, section="Moss & Fern: No. 1")
        assert faults == []
        assert {d.warnings for d in documents} == {()}
        assert {d.record.url: (d.record, d.labels) for d in documents} == {r.url: (r, n) for r, n in drawn}

    def test_policy_recomputed_from_the_files_gives_their_labels(self, tmp_path: Path) -> None:
        calm = Policy().without_noise()
        write_sample(tmp_path / "a", n_records=800, seed=9, policy=calm)
        n_bonus = 0
        for document in read_documents([str(tmp_path / "a")], on_fault=refuse):
            record, labels = document.record, document.labels
            rivals = [c.quality or 0 for c in record.related]
            quality = calm.quality(record)
            assert labels == calm.labels(record, quality, as_of=Site(800).as_of)
            # The rule of the lead, said a second time.
            assert (labels.heat == -1) <= (quality <= max(rivals, default=-1))
            assert (labels.heat != -1) <= (quality >= max(rivals, default=-1))
            n_bonus += labels.heat not in (-1, quality)
        assert n_bonus > 30

    def test_looks_like_a_file_of_a_site(self, tmp_path: Path) -> None:
        write_sample(tmp_path / "a", n_records=300, seed=1)
        keys: Counter[str] = Counter()
        order = ["category", "title", "excerpt", "publishedDateTime", "originalUrl", "webUrl", "ampWebUrl",
                 "cdnAmpWebUrl", "type", "quality", "heat", "published", "provider", "topics", "images",
                 "related", "secured"]  # fmt: skip
        inner = ["title", "excerpt", "publishedDateTime", "webUrl", "ampWebUrl", "cdnAmpWebUrl", "type",
                 "provider", "quality", "images"]  # fmt: skip
        for file in (tmp_path / "a").iterdir():
            fields = read_front_matter(file)
            assert list(fields) == [key for key in order if key in fields]
            assert re.fullmatch(r"\d{4}-\d\d-\d\d-[a-z0-9-]+\.md", file.name)
            for other in fields.get("related", ()):
                assert list(other) == [key for key in inner if key in other]
                assert list(other["provider"]) == ["name", "domain"]
            text = file.read_text(encoding="utf-8")
            assert re.search(r'^title: ".*"$', text, re.MULTILINE)
            assert re.search(r"^published: (true|false)\n\nprovider:\n  name: \w", text, re.MULTILINE)
            assert re.search(r'\n\nsecured: "[A-Za-z0-9+/=]{300,};[A-Za-z0-9+/=]{24}"\n---\n\n$', text)
            keys.update(list(fields))
        assert set(keys) == set(order)
        assert keys["images"] < keys["secured"] == 300

    def test_some_dates_have_offsets_and_some_titles_entities(self, tmp_path: Path) -> None:
        write_sample(tmp_path / "a", n_records=300, seed=1)
        texts = [file.read_text(encoding="utf-8") for file in (tmp_path / "a").iterdir()]
        zones = Counter(re.findall(r"^publishedDateTime: \S{19}(\S+)$", "".join(texts), re.MULTILINE))
        assert set(zones) == {"Z", "-08:00", "+02:00"}
        assert zones["Z"] > 200
        assert any(re.search(r'^title: ".*&amp;', text, re.MULTILINE) for text in texts)
        assert not any(re.search(r"&(?!amp;|rsquo;)", text) for text in texts)

    def test_unlabelled_leaves_out_the_records_own_labels_only(self, tmp_path: Path) -> None:
        write_sample(tmp_path / "a", n_records=100, seed=1, is_labelled=False)
        write_sample(tmp_path / "b", n_records=100, seed=1)
        for file in (tmp_path / "b").iterdir():
            labelled = read_front_matter(file)
            own = {key: labelled.pop(key) for key in ("quality", "heat", "published")}
            assert None not in own.values()
            assert read_front_matter(tmp_path / "a" / file.name) == labelled

    def test_many_records_go_to_a_folder_a_month(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("scoring.records.synthetic.generate._FOLDER_COUNT", 99)
        write_sample(tmp_path / "a", n_records=99, days=60)
        write_sample(tmp_path / "b", n_records=100, days=60)
        assert {file.suffix for file in (tmp_path / "a").iterdir()} == {".md"}
        assert sorted(folder.name for folder in (tmp_path / "b").iterdir()) == [
            "2018-01",
            "2018-02",
            "2018-03",
        ]
        files = list((tmp_path / "b").glob("*/*.md"))
        assert len(files) == 100
        assert all(file.name.startswith(file.parent.name) for file in files)

    def test_reports_how_far_it_is(self, tmp_path: Path) -> None:
        steps: list[tuple[int, int]] = []
        write_sample(
            tmp_path / "a", n_records=1200, on_progress=lambda done, total: steps.append((done, total))
        )
        assert 1000 <= steps[0][0] < 1100
        assert steps[1:] == [(1200, 1200)]

    def test_refuses_a_folder_with_content(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        assert write_sample(tmp_path / "a", n_records=3) == 3
        before = digest(tmp_path / "a")
        with pytest.raises(ScoringError, match="expected a new or empty folder"):
            write_sample(tmp_path / "a", n_records=3)
        with pytest.raises(ScoringError, match="expected a new or empty folder"):
            write_sample(next((tmp_path / "a").iterdir()), n_records=3)
        assert digest(tmp_path / "a") == before


class TestJsonLines:
    def test_lines_hold_what_the_files_hold(self, tmp_path: Path) -> None:
        (tmp_path / "a.jsonl").write_bytes(b"".join(sample_json_lines(n_records=200, seed=2)))
        documents = read_documents([str(tmp_path / "a.jsonl")], on_fault=refuse)
        assert [(d.record, d.labels) for d in documents] == list(sample_documents(n_records=200, seed=2))

    def test_unlabelled(self) -> None:
        line = json.loads(next(sample_json_lines(n_records=50, is_labelled=False)))
        assert line["category"] == "news"
        assert {"quality", "heat", "published"}.isdisjoint(line)
