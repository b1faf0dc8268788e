"""Guess the field map of an archive from a survey of its keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scoring.records.field_maps.field_map import FieldMap, FieldSource, LabelRule
from scoring.records.mapped_record import parse_date
from scoring.records.reader import FIRST_YEAR, LAST_YEAR
from scoring.records.survey.archive_survey import KeySummary, Survey
from scoring.records.survey.label_guess import CERTAIN_RATIO, LABEL_NAMES, normal_name, numbers_of

MIN_SHARE = 0.02
"""A key in fewer of the files is not used."""

_UNIX_DIGITS = 9  # of seconds since 1970, from 1973 on
_DATE_FORMATS = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y%m%d", "%d-%m-%Y", "%d.%m.%y"),
    *("%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y", "%d %B %Y", "%d %b %Y", "%Y-%m", "%Y", "unix"),
)

# Names of keys for each field, the likeliest first, in lower case without separators.
_NAMES: dict[str, tuple[str, ...]] = {
    "title": ("title", "headline", "name", "heading", "subject"),
    "published_at": (
        *("publisheddatetime", "publishedat", "publishdate", "pubdate", "datepublished", "published", "date"),
        *(
            "datetime",
            "postedat",
            "posted",
            "createdat",
            "created",
            "dateadded",
            "added",
            "datecreated",
            "time",
        ),
        *("finished", "dateread", "watched", "readat"),
    ),
    "original_url": (
        *(
            "originalurl",
            "link",
            "url",
            "linkurl",
            "externalurl",
            "externallink",
            "href",
            "sourceurl",
            "address",
        ),
        *("website", "uri", "bookmarkof", "permalink"),
    ),
    "provider.name": (
        *("providername", "sourcename", "provider", "source", "publisher", "publication", "outlet", "site"),
        *("sitename", "via", "author", "authorname"),
        *("authors", "creator", "director", "feed", "channel"),
    ),
    "provider.domain": ("domain", "host", "hostname", "providerdomain", "sourcedomain"),
    "topics": (
        "topics",
        "tags",
        "tag",
        "topic",
        "categories",
        "keywords",
        "genres",
        "genre",
        "subjects",
        "category",
    ),
    "excerpt": (
        "excerpt",
        "description",
        "summary",
        "abstract",
        "teaser",
        "subtitle",
        "dek",
        "lead",
        "intro",
    ),
    "images": (
        *(
            "images",
            "image",
            "cover",
            "thumbnail",
            "featuredimage",
            "coverimage",
            "heroimage",
            "photo",
            "picture",
        ),
        *("poster", "banner", "thumb", "ogimage", "imageurl", "imagesrc", "coverurl", "coversrc"),
    ),
    "related": ("related", "coverage", "seealso"),
    "type": ("type", "mediatype", "kind"),
}
_KINDS: dict[str, tuple[str, ...]] = {
    "title": ("text", "number", "boolean", "date", "address"),
    "original_url": ("address",),
    "provider.name": ("text", "texts", "mappings"),
    "provider.domain": ("text", "address"),
    "topics": ("text", "texts", "mappings"),
    "excerpt": ("text",),
    "images": ("text", "texts", "address", "mappings"),
    "related": ("mappings", "texts"),
    "type": ("text",),
}
_ITEMS = {
    "topics": ("name", "title", "label", "slug"),
    "images": ("url", "src", "path", "file"),
    "provider.name": ("name", "title", "label"),
}


@dataclass(frozen=True, slots=True)
class Guess:
    """A guessed field or label with its reason, in words."""

    name: str
    value: tuple[FieldSource, ...] | LabelRule
    reason: str


@dataclass(frozen=True, slots=True)
class GuessedMap:
    """Guesses of an archive.

    Parameters
    ----------
    fields, labels : tuple of Guess
        Of each field and label for which something was found.
    unused : tuple of KeySummary
        Keys that no field uses, the most frequent first.
    """

    fields: tuple[Guess, ...]
    labels: tuple[Guess, ...]
    unused: tuple[KeySummary, ...]

    @property
    def field_map(self) -> FieldMap:
        """The map of the guesses."""
        fields = {guess.name: guess.value for guess in self.fields if isinstance(guess.value, tuple)}
        labels = {guess.name: guess.value for guess in self.labels if isinstance(guess.value, LabelRule)}
        return FieldMap(fields, labels)


def guess_field_map(survey: Survey) -> GuessedMap:
    """Guess which key holds which field and label.

    Parameters
    ----------
    survey : Survey
        Of at least one file.
    """
    guesser = _Guesser(survey)
    dates = guesser.dates()  # first, since "published" may be a date or a label
    labels = tuple(guesser.labels())
    fields = (*dates, *guesser.fields())
    used = {guess_key.partition(".")[0] for guess_key in guesser.used}
    unused = [key for key in survey.keys.values() if "." not in key.key and key.key not in used]
    return GuessedMap(fields, labels, tuple(sorted(unused, key=lambda key: (-key.n_files, key.key))))


def is_own_layout(survey: Survey) -> bool:
    """Whether most files have the date and provider of scoring's own layout."""
    own = [survey.keys.get(key) for key in ("title", "publishedDateTime", "provider")]
    return all(summary is not None and summary.n_files > survey.n_read / 2 for summary in own)


class _Guesser:
    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._by_name: dict[str, list[KeySummary]] = {}
        for summary in survey.keys.values():
            if summary.n_files >= MIN_SHARE * survey.n_read:
                self._by_name.setdefault(normal_name(summary.key), []).append(summary)
        self._formats = {
            summary.key: formats
            for name in _NAMES["published_at"]
            for summary in self._by_name.get(name, ())
            if (formats := date_formats(list(summary.values))) is not None
        }
        self.used: set[str] = set()
        self._addresses: list[KeySummary] = []

    def dates(self) -> tuple[Guess, ...]:
        """The guess of the date."""
        return tuple(self._fields(["published_at"]))

    def fields(self) -> Iterator[Guess]:
        """Guesses of all other fields."""
        return self._fields([field for field in _NAMES if field != "published_at"])

    def _fields(self, names: Sequence[str]) -> Iterator[Guess]:
        for field in names:
            summaries = self._of(field)
            sources = tuple(self._source(field, summary) for summary in summaries)
            reason = "; ".join(map(self._seen, summaries))
            if field == "provider.domain" and not sources:
                yield from self._domain()
                continue
            if field == "excerpt" and self._survey.n_body:
                sources = (*sources, FieldSource("body", "first paragraph"))
                body = f"the text below, in {self._percent(self._survey.n_body)}"
                reason = "; else ".join(filter(None, (reason, body)))
            if field == "published_at" and not sources and self._survey.n_path_dates:
                sources = (FieldSource("file", "date", zone="UTC"),)
                reason = f"the date in the path, in {self._percent(self._survey.n_path_dates)}"
            if field == "title" and not sources:
                sources, reason = (
                    (FieldSource("file", "name"),),
                    "the name of the file: no key looks like a title",
                )
            if field == "original_url":
                self._addresses = summaries
            if sources:
                self.used.update(summary.key for summary in summaries)
                yield Guess(field, sources, reason)

    def _domain(self) -> Iterator[Guess]:
        if self._addresses:
            sources = tuple(FieldSource("host", summary.key) for summary in self._addresses)
            yield Guess("provider.domain", sources, "the host of the address")

    def _of(self, field: str) -> list[KeySummary]:
        """Keys that may hold a field: the likeliest one, and others only for records without it."""
        candidates = [
            summary
            for name in _NAMES[field]
            for summary in self._by_name.get(name, ())
            if summary.key not in self.used and self._may_hold(summary, field)
        ]
        if not candidates and field in ("published_at", "original_url"):
            candidates = self._of_kind("date" if field == "published_at" else "address")
        if field not in ("published_at", "original_url", "excerpt", "title"):
            return candidates[:1]
        chosen = candidates[:1]
        if chosen and chosen[0].n_files < CERTAIN_RATIO * self._survey.n_read:
            chosen += candidates[1:2]
        return chosen

    def _of_kind(self, kind: str) -> list[KeySummary]:
        """Keys whatever their names whose values are of a kind, the most frequent first."""
        pictures = {summary.key for name in _NAMES["images"] for summary in self._by_name.get(name, ())}
        summaries = [
            summary
            for summary in self._survey.keys.values()
            if summary.key not in self.used | pictures and summary.share_of(kind) >= CERTAIN_RATIO
        ]
        return sorted(summaries, key=lambda summary: -summary.n_files)

    def _may_hold(self, summary: KeySummary, field: str) -> bool:
        if field == "published_at":
            return summary.key in self._formats
        return summary.share_of(*_KINDS[field]) >= CERTAIN_RATIO

    def _source(self, field: str, summary: KeySummary) -> FieldSource:
        item = next((name for name in _ITEMS.get(field, ()) if name in summary.items), "")
        if field == "published_at":
            return FieldSource(name=summary.key, formats=self._formats.get(summary.key, ()), zone="UTC")
        if field == "topics" and summary.share_of("text") >= CERTAIN_RATIO:
            return FieldSource(name=summary.key, separator=_separator(summary))
        if field == "provider.domain" and summary.kind == "address":
            return FieldSource("host", summary.key)
        return FieldSource(name=summary.key, item=item if item != "url" else "")

    def labels(self) -> Iterator[Guess]:
        for label, (names, rule_of) in LABEL_NAMES.items():
            for summary in (summary for name in names for summary in self._by_name.get(name, ())):
                rule = rule_of(summary)
                if rule is not None and summary.key not in self.used:
                    self.used.add(summary.key)
                    yield Guess(label, rule, self._seen(summary))
                    break

    def _seen(self, summary: KeySummary) -> str:
        numbers = numbers_of(summary)
        if summary.kind == "number" and numbers:
            example = f"{_short(min(numbers))} to {_short(max(numbers))}"
        else:
            example = summary.example
        return f"{summary.key}: in {self._percent(summary.n_files)}" + (
            f", such as {example}" if example else ""
        )

    def _percent(self, n_files: int) -> str:
        return f"{100 * n_files / max(self._survey.n_read, 1):.0f} %"


def date_formats(texts: Sequence[str]) -> tuple[str, ...] | None:
    """Return the format of the dates of nearly all texts; empty for ISO 8601, None if they are no dates.

    Examples
    --------
    >>> date_formats(["04.03.2021", "24.12.2021"]), date_formats(["2021-03-04"]), date_formats(["rain"])
    (('%d.%m.%Y',), (), None)
    """
    for formats in ((), *((format_,) for format_ in _DATE_FORMATS)):
        if formats == ("unix",) and min(map(len, texts), default=0) < _UNIX_DIGITS:
            continue
        n_dates = sum(
            (date := parse_date(text, formats)) is not None and FIRST_YEAR <= date.year <= LAST_YEAR
            for text in texts
        )
        if texts and n_dates >= CERTAIN_RATIO * len(texts):
            return formats
    return None


def _separator(summary: KeySummary) -> str:
    texts = list(summary.values)
    return next(
        (mark for mark in (",", ";", "|") if sum(mark in text for text in texts) >= 0.1 * len(texts)), ""
    )


def _short(number: float) -> str:
    return f"{number:g}"
