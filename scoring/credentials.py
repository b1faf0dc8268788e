"""Credentials in URLs: which parts are secret, and how they are masked."""

from __future__ import annotations

import re

# User and password before a host, also where pathlib has removed a slash.
_USER = re.compile(r"(?<=[a-z0-9+.\-]:)//?[^/\s]+@", re.IGNORECASE)
_PARAMETER = re.compile(r"(?<=[?&;#])([^=&;#?/\s]+)=([^&;#\s]*)")
_SECRETS = re.compile(
    "signature|passw|^pwd$|secret|token|jwt|credential|^auth|^sig$|(access|api)[_-]?key|^key$|^code$",
    re.IGNORECASE,
)


def has_secret_parameter(url: str) -> bool:
    """Whether a parameter of a URL is a secret by its name.

    Examples
    --------
    >>> has_secret_parameter("https://a.example/b?X-Amz-Signature=0"), has_secret_parameter("s3://a/b?page=2")
    (True, False)
    """
    return any(_SECRETS.search(match[1]) for match in _PARAMETER.finditer(url))


def mask_credentials(text: str) -> str:
    """Mask user names, passwords and secret parameters in the URLs of a text.

    Examples
    --------
    >>> mask_credentials("https://me:hidden@mlflow.example.com/api?token=abc&page=2")
    'https://***@mlflow.example.com/api?***&page=2'
    >>> mask_credentials("https://me:p@ss@mlflow.example.com")
    'https://***@mlflow.example.com'
    >>> from pathlib import Path
    >>> mask_credentials(str(Path("https://me:hidden@files.example.com/journal")))
    'https://***@files.example.com/journal'
    """
    return _PARAMETER.sub(_masked, _USER.sub("//***@", text))


def _masked(match: re.Match[str]) -> str:
    return "***" if _SECRETS.search(match[1]) else match[0]
