"""File names: those of records, and names as reversible, printable text."""

from __future__ import annotations

import re

# Control characters, invisible characters and those that change the writing direction, surrogates that stand
# for undecodable bytes, and the backslash that begins an escape.
_ESCAPED = re.compile(
    "[\\\\\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
RECORD_EXTENSIONS = (".md", ".markdown", ".mdx", ".qmd")
"""Extensions of Markdown files, in lower case, whose front matter is a record."""

_ESCAPE = re.compile(r"\\(?:\\|x([0-9a-f]{2})|u([0-9a-f]{4}))")


def is_markdown(path: str) -> bool:
    """Whether a file is Markdown by its extension, in any case.

    Examples
    --------
    >>> is_markdown("news/a.md"), is_markdown("a.MDX"), is_markdown("a.jsonl")
    (True, True, False)
    """
    return path.lower().endswith(RECORD_EXTENSIONS)


def name_of(path: str) -> str:
    r"""Escape a path as printable text; different paths have different names.

    Bytes that are not UTF-8 become ``\xe9``, control characters and those that change the writing direction
    ``\u202e``, and a backslash is doubled. Other paths are unchanged.

    Parameters
    ----------
    path : str
        Path as the system gives it.

    Examples
    --------
    >>> print(name_of("caf\udce9.md"), name_of("a\u202edm.md"), name_of("café.md"))
    caf\xe9.md a\u202edm.md café.md
    """
    return _ESCAPED.sub(_escape, path)


def path_of(name: str) -> str:
    """Invert :func:`name_of`.

    Examples
    --------
    >>> path_of(name_of("a\\n\\\\b\\udce9.md")) == "a\\n\\\\b\\udce9.md"
    True
    """
    return _ESCAPE.sub(_unescape, name)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] == "\\":
        return r"\\"
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _unescape(match: re.Match[str]) -> str:
    byte, character = match.groups()
    if byte:
        return chr(0xDC00 + int(byte, 16))
    return chr(int(character, 16)) if character else "\\"
