"""Content features: lengths, punctuation, images, and URL kinds of the record itself."""

from __future__ import annotations

from collections.abc import Callable

from scoring.features.column import Column
from scoring.records.record import Record

COLUMNS = (
    Column("title_chars", "content", "count", "characters", ">= 0", "length of the title"),
    Column("title_word_count", "content", "count", "words", ">= 0", "words of the title"),
    Column("excerpt_chars", "content", "count", "characters", ">= 0", "length of the excerpt"),
    Column("excerpt_word_count", "content", "count", "words", ">= 0", "words of the excerpt"),
    Column("has_excerpt", "content", "bool", "", "0, 1", "the excerpt is not empty"),
    Column("is_excerpt_cut", "content", "bool", "", "0, 1", "the excerpt ends in the middle of a sentence"),
    Column("has_excerpt_break", "content", "bool", "", "0, 1", "the excerpt has a line break"),
    Column("is_title_in_excerpt", "content", "bool", "", "0, 1", "the excerpt repeats the title"),
    Column("has_title_question", "content", "bool", "", "0, 1", "the title has a question mark"),
    Column("has_title_exclamation", "content", "bool", "", "0, 1", "the title has an exclamation mark"),
    Column("has_title_colon", "content", "bool", "", "0, 1", "the title has a colon"),
    Column("has_title_dash", "content", "bool", "", "0, 1", "the title has a dash between words or a bar"),
    Column("has_title_quote", "content", "bool", "", "0, 1", "the title has quotation marks"),
    Column("is_title_cut", "content", "bool", "", "0, 1", "the title ends in an ellipsis"),
    Column("title_digit_count", "content", "count", "digits", ">= 0", "digits in the title"),
    Column("title_upper_ratio", "content", "number", "", "0 to 1", "share of its letters that are capitals"),
    Column("has_image", "content", "bool", "", "0, 1", "the record has an image"),
    Column("image_count", "content", "count", "images", ">= 0", "images of the record"),
    Column("image_width_px", "content", "number", "px", "> 0, missing", "width of the first image"),
    Column("image_height_px", "content", "number", "px", "> 0, missing", "height of the first image"),
    Column("image_aspect_ratio", "content", "number", "", "> 0, missing", "its width over its height"),
    Column("is_image_cached", "content", "bool", "", "0, 1", "the site has a copy of the image"),
    Column("is_video", "content", "bool", "", "0, 1", "the record is a video"),
    Column("has_amp", "content", "bool", "", "0, 1", "there is an AMP page"),
    Column("has_amp_cache", "content", "bool", "", "0, 1", "there is an AMP page in a cache"),
    Column("has_original_url", "content", "bool", "", "0, 1", "the original URL is given"),
    Column("has_web_url", "content", "bool", "", "0, 1", "the web URL is given"),
    Column("is_featured", "content", "bool", "", "0, 1", "the record features a piece of content"),
)
_NAN = float("nan")
_ASCII: dict[Callable[[str], bool], bytes] = {
    is_kind: "".join(filter(is_kind, map(chr, range(128)))).encode()
    for is_kind in (str.isalpha, str.isdigit, str.isupper)
}
_SENTENCE_ENDS = (".", "!", "?", "。", '"', "”", ")")
_ELLIPSES = ("...", "…")


def _count(text: str, is_kind: Callable[[str], bool]) -> int:
    """Count the characters of a kind in a text; ASCII, the usual case, takes a tenth of the time."""
    if text.isascii():
        return len(text) - len(text.encode().translate(None, _ASCII[is_kind]))
    return sum(map(is_kind, text))


def extract(record: Record, title_words: list[str], excerpt_words: list[str]) -> tuple[float, ...]:
    """Compute the values of :data:`COLUMNS` for one record.

    Parameters
    ----------
    record : Record
        The record.
    title_words, excerpt_words : list of str
        Its words, from :func:`scoring.features.text.words_of`.

    Returns
    -------
    tuple of float
    """
    title, excerpt = record.title, record.excerpt.strip()
    letters = _count(title, str.isalpha)
    image = record.images[0] if record.images else None
    width = float(image.width) if image and image.width else _NAN
    height = float(image.height) if image and image.height else _NAN
    return (
        float(len(title)),
        float(len(title_words)),
        float(len(excerpt)),
        float(len(excerpt_words)),
        float(bool(excerpt)),
        float(bool(excerpt) and (not excerpt.endswith(_SENTENCE_ENDS) or excerpt.endswith(_ELLIPSES))),
        float("\n" in excerpt),
        float(bool(title) and title in excerpt),
        float("?" in title),
        float("!" in title),
        float(":" in title),
        float(any(mark in title for mark in ("—", " - ", " – ", "|"))),  # noqa: RUF001 -- searches for dashes
        float(any(mark in title for mark in ('"', "“", "”", "‘"))),  # noqa: RUF001 -- searches for quotes
        float(title.rstrip().endswith(_ELLIPSES)),
        float(_count(title, str.isdigit)),
        _count(title, str.isupper) / letters if letters else 0.0,
        float(image is not None),
        float(len(record.images)),
        width,
        height,
        width / height,
        float(bool(image and image.is_cached)),
        float(record.type == "video"),
        float(bool(record.amp_web_url)),
        float(bool(record.cdn_amp_web_url)),
        float(bool(record.original_url)),
        float(bool(record.web_url)),
        float(bool(record.featured_content)),
    )
