"""Provider features: domains, hosts and sections of addresses, also unusual ones."""

from __future__ import annotations

import pytest

from scoring.features.table import build_table
from scoring.records.record import Image, Provider, Record


def texts(record: Record) -> tuple[str, str, str]:
    table = build_table([record])
    names = ("provider_domain", "provider_host", "provider_section")
    domain, host, section = (str(table.text(name)[0]) for name in names)
    return domain, host, section


def values(record: Record, *names: str) -> list[float]:
    table = build_table([record])
    return [float(table.number(name)[0]) for name in names]


@pytest.mark.parametrize(
    ("url", "host", "section", "depth", "host_depth", "is_own"),
    [
        ("https://example.org/birds/gulls", "example.org", "example.org/birds", 2, 0, 1),
        ("https://a.b.example.org/birds/gulls/", "a.b.example.org", "a.b.example.org/birds", 2, 2, 1),
        ("https://example.org/en-us/birds/gulls", "example.org", "example.org/birds", 2, 0, 1),
        ("https://example.org/birds", "example.org", "example.org", 1, 0, 1),  # a page is no section
        ("https://EXAMPLE.org:8443/", "example.org", "example.org", 0, 0, 1),
        ("https://somebody@example.org/", "example.org", "example.org", 0, 0, 1),
        ("https://notexample.org/a/b", "notexample.org", "notexample.org/a", 2, 0, 0),
        (
            "https://example.org.example.com/a/b",
            "example.org.example.com",
            "example.org.example.com/a",
            2,
            0,
            0,
        ),
        ("//example.org//x//y", "example.org", "example.org/x", 2, 0, 1),
        ("birds/gulls", "", "", 2, 0, 0),
        ("mailto:gull@example.org", "", "", 1, 0, 0),
        ("https://[broken", "", "", 0, 0, 0),
        ("", "", "", 0, 0, 0),
    ],
)
def test_places(url: str, host: str, section: str, depth: float, host_depth: float, is_own: float) -> None:
    record = Record(web_url=url, provider=Provider("Example", "Example.org"))
    assert texts(record) == ("example.org", host, section)
    assert values(record, "url_depth", "host_depth", "is_host_provider") == [depth, host_depth, is_own]


def test_original_address_goes_before_the_web_address() -> None:
    record = Record(original_url="https://example.org/a", web_url="https://example.com/b")
    assert texts(record)[1] == "example.org"


def test_provider_that_the_site_knows_has_pictures() -> None:
    picture = Image("https://example.org/a.png")
    names = ("is_provider_known", "provider_image_count", "has_provider_domain")
    assert values(Record(provider=Provider("E", "example.org", (picture, picture))), *names) == [1, 2, 1]
    assert values(Record(provider=Provider("E")), *names) == [0, 0, 0]


def test_nobody_has_no_place_of_their_own() -> None:
    record = Record(web_url="https://example.org/a/b")
    assert texts(record) == ("", "example.org", "example.org/a")
    assert values(record, "is_host_provider", "host_depth") == [0, 0]
