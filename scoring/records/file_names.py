"""Names of files as text that every page, store and line can hold, whatever bytes a name is made of."""

from __future__ import annotations

import re

# What ends a line or moves a terminal, what turns the direction of writing or is not seen, the halves of
# characters that stand for bytes which are no text, and what begins a spelling.
_SPELLED = re.compile(
    "[\\\\\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_SPELLING = re.compile(r"\\(?:\\|x([0-9a-f]{2})|u([0-9a-f]{4}))")


def name_of(path: str) -> str:
    r"""A file's path as text: each path has another name, and an ordinary one is its own.

    Bytes that are no UTF-8 are spelled ``\xe9``; control characters and those that turn the direction of
    writing ``\u202e``; a backslash is doubled.

    Parameters
    ----------
    path : str
        As the system gives it.

    Examples
    --------
    >>> print(name_of("caf\udce9.md"), name_of("a\u202edm.md"), name_of("café.md"))
    caf\xe9.md a\u202edm.md café.md
    """
    return _SPELLED.sub(_spell, path)


def path_of(name: str) -> str:
    """The path that :func:`name_of` gave a name.

    Examples
    --------
    >>> path_of(name_of("a\\n\\\\b\\udce9.md")) == "a\\n\\\\b\\udce9.md"
    True
    """
    return _SPELLING.sub(_read, name)


def _spell(found: re.Match[str]) -> str:
    code = ord(found[0])
    if found[0] == "\\":
        return r"\\"
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _read(found: re.Match[str]) -> str:
    byte, character = found.groups()
    if byte:
        return chr(0xDC00 + int(byte, 16))
    return chr(int(character, 16)) if character else "\\"
