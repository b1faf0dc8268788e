"""Feeds: RSS, Atom and JSON Feed documents, each entry a record."""

from __future__ import annotations

import io
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scoring.errors import RecordError
from scoring.extras import MissingExtraError
from scoring.features.cache import FeatureCache
from scoring.features.reading import read_features
from scoring.records import feeds
from scoring.records.corpus import read_documents
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.record import Document, Image

RSS = b"""<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel>
<title>Gulls &amp; co</title><link>https://www.gulls.example/</link>
<item><title>Rain &amp;amp; &lt;i&gt;more&lt;/i&gt; rain</title><link>https://gulls.example/rain</link>
<description>&lt;p&gt;The &lt;b&gt;third&lt;/b&gt; storm.&lt;/p&gt;&lt;p&gt;Again.&lt;/p&gt;</description>
<pubDate>Thu, 04 Mar 2021 08:15:00 +0100</pubDate><category>Sea</category><category>Weather</category>
<category>Sea</category>
<media:content url="https://gulls.example/a.jpg" type="image/jpeg" width="640" height="480"/></item>
<item><title>Wind</title><source url="https://wind.example/feed">Wind today</source>
<enclosure url="https://wind.example/a.mp4" type="video/mp4" length="1"/></item>
</channel></rss>
"""
ATOM = b"""<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Gulls &amp; co</title><link href="https://www.gulls.example/"/>
<entry><link href="https://gulls.example/rain"/><id>1</id>
<title type="html">Rain &amp;amp; &lt;i&gt;more&lt;/i&gt; rain</title>
<content type="html">&lt;p&gt;The &lt;b&gt;third&lt;/b&gt; storm.&lt;/p&gt;&lt;p&gt;Again.&lt;/p&gt;</content>
<updated>2021-03-04T08:15:00+01:00</updated><category term="Sea"/><category term="w" label="Weather"/>
<link rel="enclosure" type="image/jpeg" href="https://gulls.example/a.jpg"/></entry></feed>
"""
JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "Gulls & co",
    "home_page_url": "https://www.gulls.example/",
    "items": [
        {
            "id": "1",
            "url": "https://gulls.example/rain",
            "title": "Rain & more rain",
            "content_html": "<p>The <b>third</b> storm.</p><p>Again.</p>",
            "date_published": "2021-03-04T08:15:00+01:00",
            "tags": ["Sea", "Weather"],
            "image": "https://gulls.example/a.jpg",
        }
    ],
}
FORMS = {
    "a.rss": RSS,
    "a.xml": ATOM,
    "feed.json": json.dumps(JSON_FEED).encode(),
    "Feed.JSON": json.dumps(JSON_FEED, indent=1).replace("/", "\\/").encode(),
}


def read(data: bytes, name: str = "-") -> tuple[list[Document], list[str]]:
    errors: list[RecordError] = []
    if name != "-":
        Path(name).write_bytes(data)
    documents = read_documents([name], stdin=io.BytesIO(data), on_fault=errors.append)
    return list(documents), [str(error) for error in errors]


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_entry_is_a_record(name: str, is_streamed: bool) -> None:
    place = "-" if is_streamed else name
    documents, faults = read(FORMS[name], place)
    assert not faults
    document, record = documents[0], documents[0].record
    assert (document.path, document.line) == (place, 1)
    assert record.title == "Rain & more rain"
    assert record.excerpt == "The third storm. Again."
    assert record.original_url == "https://gulls.example/rain"
    assert (record.provider.name, record.provider.domain) == ("Gulls & co", "gulls.example")
    assert record.published_at == datetime(2021, 3, 4, 7, 15, tzinfo=UTC)
    assert record.topics == ("Sea", "Weather")
    assert [image.url for image in record.images] == ["https://gulls.example/a.jpg"]
    assert not document.warnings


def test_an_entry_of_an_aggregator_has_the_provider_that_it_names() -> None:
    first, second = (document.record for document in read(RSS)[0])
    assert first.images == (Image("https://gulls.example/a.jpg", 640, 480),)
    assert (second.provider.name, second.provider.domain) == ("Wind today", "wind.example")
    assert (first.type, second.type) == ("article", "video")


def test_a_fault_names_its_entry_and_the_others_are_read() -> None:
    feed = RSS.replace(b"<title>Wind</title>", b"").replace(b"Thu, 04 Mar 2021", b"the other day,")
    documents, faults = read(feed, "a.rss")
    assert not documents
    assert [fault.partition(",")[0] for fault in faults] == [
        "a.rss:1: publishedDateTime: got the text 'the other day",
        "a.rss:2: title: got no text",
    ]
    items = [{"title": ["Rain"]}, {"title": "Wind", "tags": "Air"}]
    documents, faults = read(json.dumps(JSON_FEED | {"items": items}).encode())
    assert [document.record.topics for document in documents] == [("Air",)]
    assert faults == ["-:1: title: got a list, expected text"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<rss", "a.xml: got XML that does not parse (line 1: unclosed token), expected an RSS"),
        (b"<html><body>Rain</body></html>", "a.xml: got a document of another kind, expected an RSS"),
        (b"", "a.xml: got a document of another kind, expected an RSS"),
        (b"<rss version='2.0'><channel></channel></rss>", "a.xml: got a feed without entries, expected"),
    ],
)
def test_a_document_that_is_no_feed_is_one_fault(data: bytes, expected: str) -> None:
    documents, (fault,) = read(data, "a.xml")
    assert not documents
    assert fault.startswith(expected)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"version": ', "feed.json: got JSON that does not parse ("),
        (b"[1]", "feed.json: items: got no list, expected an RSS, Atom or JSON feed"),
        (b'{"items": [1]}', "feed.json:1: got an item of type int, expected an object"),
        (b'{"items": []}', "feed.json: got a feed without entries"),
        (b"\xff{}", "feed.json: got JSON that does not parse ("),
    ],
)
def test_a_json_document_that_is_no_feed_is_one_fault(data: bytes, expected: str) -> None:
    documents, (fault,) = read(data, "feed.json")
    assert not documents
    assert fault.startswith(expected)


def test_damaged_xml_with_entries_is_read_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(read(RSS.replace(b"third", b"fourth"), "a.rss")[0]) == 2
        assert not caplog.messages
        documents, faults = read(RSS.replace(b"<title>Wind</title>", b"<title>Wind & sea</title>"), "a.rss")
    assert [document.record.title for document in documents] == ["Rain & more rain", "Wind & sea"]
    assert not faults
    assert caplog.messages == [
        "a.rss: the XML is damaged (line 9: not well-formed (invalid token)); 2 entries were read"
    ]


def test_nothing_outside_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("the secret")
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network"))
    head = (
        b'<?xml version="1.0"?>\n<!DOCTYPE rss SYSTEM "http://192.0.2.1/a.dtd" [\n<!ENTITY x SYSTEM "secret">'
    )
    for declaration in (b"\n]>", b"<!ENTITY y SYSTEM 'http://192.0.2.1/y'>]>"):
        rest = RSS.partition(b"\n")[2].replace(b"third", b"third &x;")
        documents, _ = read(head + declaration + rest)
        assert all("secret" not in repr(document) for document in documents)
    address = read(b"http://192.0.2.1/feed\n")
    assert not address[0]


def test_entities_do_not_grow_without_bound() -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    head = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l0 "lol">{entities}]>'.encode()
    documents, _ = read(head + RSS.partition(b"\n")[2].replace(b"Wind", b"&l9;"))
    assert all(len(document.record.title) < 10**6 for document in documents)


def test_a_large_feed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MAX_FEED_BYTES", 100)
    assert read(RSS, "a.xml") == ([], ["a.xml: got a feed of more than 100 bytes, expected a smaller one"])


def test_without_the_package_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "feedparser", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'news-scoring\[feeds\]'"):
        read(RSS, "a.xml")
    assert len(read(FORMS["feed.json"])[0]) == 1


def test_other_streams_are_read_as_before() -> None:
    lines = b'{"title": "Rain", "excerpt": "See https://jsonfeed.org/version/1"}\n{"title": "Wind"}\n'
    assert [document.line for document in read(lines)[0]] == [1, 2]
    assert [document.line for document in read(b"{\n" + lines)[0]] == [2, 3]
    assert [document.line for document in read(b"---\ntitle: Rain\n---\n")[0]] == [0]


def test_a_field_map_and_the_cache_do_not_touch_entries(tmp_path: Path) -> None:
    data = FORMS["feed.json"]
    maps = FieldMaps(given=FieldMap({}, {}))
    cache = FeatureCache(tmp_path / "cache.db", 10**7, 0)
    read_all = [
        list(
            read_features(
                ["-"], field_maps=maps, cache=cache, stdin=io.BytesIO(data), on_fault=lambda _: None
            )
        )
        for _ in range(2)
    ]
    assert len(read_all[0]) == 1
    assert repr(read_all[0]) == repr(read_all[1])


def test_a_bad_item_leaves_the_others() -> None:
    documents, faults = read(b'{"items": [{"title": "Rain"}, 1, {"title": "Snow"}]}', "feed.json")
    assert [document.record.title for document in documents] == ["Rain", "Snow"]
    assert faults == ["feed.json:2: got an item of type int, expected an object"]


@pytest.mark.parametrize(
    ("reference", "n_replaced"),
    [("&#xD800;", 1), ("&#56320;", 1), ("&#x00DFFF;", 1), ("&#57343;", 1), ("&#xE9;", 0), ("&#57344;", 0)],
)
def test_half_of_a_character_is_replaced_and_counted(
    reference: str, n_replaced: int, caplog: pytest.LogCaptureFixture
) -> None:
    item = f"<item><title>x {reference}</title></item>"
    feed = f'<rss version="2.0"><channel><title>F</title>{item}</channel></rss>'
    documents, faults = read(feed.encode(), "feed.xml")
    assert not faults
    assert documents[0].record.title.endswith("\N{REPLACEMENT CHARACTER}") == bool(n_replaced)
    assert ("halves of characters, replaced by U+FFFD: 1" in caplog.text) == bool(n_replaced)
