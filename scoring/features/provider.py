"""Who published: domain, host and part of the site, and whether the site knows the provider."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from scoring.features.column import Column
from scoring.records.record import Record

_LOCALE = re.compile(r"[a-z]{2}([-_][a-z]{2,4})?", re.IGNORECASE)

TEXT_COLUMNS = (
    Column("provider_domain", "provider", "category", "", "text, missing", "domain of the provider", False),
    Column(
        "provider_host", "provider", "category", "", "text, missing", "host of the record's address", False
    ),
    Column(
        "provider_section",
        "provider",
        "category",
        "",
        "text, missing",
        "host and first part of the path (a language part is passed over)",
        False,
    ),
    Column(
        "provider_form",
        "provider",
        "category",
        "",
        "text",
        "domain of the provider with the forms of address that came with the record",
        False,
    ),
)
COLUMNS = (
    Column("is_provider_known", "provider", "bool", "", "0, 1", "the site holds pictures of the provider"),
    Column(
        "provider_image_count",
        "provider",
        "count",
        "pictures",
        ">= 0",
        "pictures of the provider that the site holds",
    ),
    Column("has_provider_domain", "provider", "bool", "", "0, 1", "the provider's domain is given"),
    Column(
        "is_host_provider", "provider", "bool", "", "0, 1", "the address lies on the provider's own domain"
    ),
    Column(
        "host_names_section",
        "provider",
        "bool",
        "",
        "0, 1",
        "the host before the provider's domain is the name of the record's section: the section's own site",
    ),
    Column(
        "host_depth", "provider", "count", "labels", ">= 0", "labels of the host before the provider's domain"
    ),
    Column("url_depth", "provider", "count", "parts", ">= 0", "parts of the address's path"),
)


def _place(url: str) -> tuple[str, list[str]]:
    """Host and path parts of an address; an address that cannot be read has neither."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", []
    return parts.hostname or "", [part for part in parts.path.split("/") if part]


def extract(record: Record) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Texts of :data:`TEXT_COLUMNS` and values of :data:`COLUMNS` for one record.

    Parameters
    ----------
    record : Record
        The record; its labels are not part of it.

    Returns
    -------
    texts : tuple of str
        Empty where unknown.
    values : tuple of float
    """
    domain = record.provider.domain.lower()
    host, parts = _place(record.url)
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
    """Whether one of a host's labels is a section's name, run together."""
    return "".join(character for character in section.lower() if character.isalnum()) in labels.split(".")


def _form(record: Record) -> str:
    """Which addresses a record bears besides the plain one."""
    forms = [name for name, url in (("original", record.original_url), ("amp", record.amp_web_url)) if url]
    return "+".join(forms) or "plain"
