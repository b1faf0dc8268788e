"""Provider features: domain, host, URL section, and whether the site knows the provider."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from scoring.features.column import Column
from scoring.records.record import Record

_LOCALE = re.compile(r"[a-z]{2}([-_][a-z]{2,4})?", re.IGNORECASE)

TEXT_COLUMNS = (
    Column("provider_domain", "provider", "category", "", "text, missing", "domain of the provider", False),
    Column("provider_host", "provider", "category", "", "text, missing", "host of the record's URL", False),
    Column(
        "provider_section",
        "provider",
        "category",
        "",
        "text, missing",
        "host and first part of the path (after a language part, if any)",
        False,
    ),
    Column(
        "provider_form",
        "provider",
        "category",
        "",
        "text",
        "domain of the provider with the kinds of URL that the record has",
        False,
    ),
)
COLUMNS = (
    Column("is_provider_known", "provider", "bool", "", "0, 1", "the site has images of the provider"),
    Column(
        "provider_image_count",
        "provider",
        "count",
        "pictures",
        ">= 0",
        "images of the provider that the site has",
    ),
    Column("has_provider_domain", "provider", "bool", "", "0, 1", "the provider's domain is given"),
    Column("is_host_provider", "provider", "bool", "", "0, 1", "the URL is on the provider's own domain"),
    Column(
        "host_names_section",
        "provider",
        "bool",
        "",
        "0, 1",
        "published on the section's own subdomain",
    ),
    Column(
        "host_depth",
        "provider",
        "count",
        "labels",
        ">= 0",
        "number of labels before the provider's domain in the host",
    ),
    Column("url_depth", "provider", "count", "parts", ">= 0", "number of parts of the URL's path"),
)


def _split_url(url: str) -> tuple[str, list[str]]:
    """Split a URL into host and path parts; both empty if it is invalid."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", []
    return parts.hostname or "", [part for part in parts.path.split("/") if part]


def extract(record: Record) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Compute the texts of :data:`TEXT_COLUMNS` and values of :data:`COLUMNS` for one record.

    Parameters
    ----------
    record : Record
        The record, which has no labels.

    Returns
    -------
    texts : tuple of str
        Empty if unknown.
    values : tuple of float
    """
    domain = record.provider.domain.lower()
    host, parts = _split_url(record.url)
    if parts and _LOCALE.fullmatch(parts[0]):
        parts = parts[1:]
    section = f"{host}/{parts[0]}" if host and len(parts) > 1 else host
    is_own = bool(domain) and (host == domain or host.endswith(f".{domain}"))
    return (
        (domain, host, section, f"{domain} {_form(record)}"),
        (
            float(bool(record.provider.images)),
            float(len(record.provider.images)),
            float(bool(domain)),
            float(is_own),
            float(is_own and bool(record.topics) and _names_section(host[: -len(domain)], record.topics[0])),
            float(host[: -len(domain)].count(".")) if is_own else 0.0,
            float(len(parts)),
        ),
    )


def _names_section(labels: str, section: str) -> bool:
    """Whether one of a host's labels is a section's name without spaces and punctuation."""
    name = "".join(character for character in section.lower() if character.isalnum())
    return bool(name) and name in labels.split(".")


def _form(record: Record) -> str:
    """Kinds of URL that a record has besides the plain one."""
    forms = [name for name, url in (("original", record.original_url), ("amp", record.amp_web_url)) if url]
    return "+".join(forms) or "plain"
