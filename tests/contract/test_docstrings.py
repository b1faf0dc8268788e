from __future__ import annotations

from pathlib import Path

import msgspec

from docs.check_docstrings import findings_of_object


def undescribed(path: Path) -> int:
    """Count something.

    Returns
    -------
    int
        The number.
    """
    return len(path.parts)


class Undescribed(msgspec.Struct):
    """A thing.

    Parameters
    ----------
    name : str
        Its name.
    """

    name: str
    size: int


def test_a_parameter_that_is_not_described_is_found() -> None:
    (finding,) = findings_of_object(undescribed, f"{__name__}.undescribed")
    assert finding.endswith("undescribed: PR01 Parameters {'path'} not documented")


def test_a_field_that_is_not_described_is_found() -> None:
    (finding,) = findings_of_object(Undescribed, f"{__name__}.Undescribed")
    assert finding.endswith("Undescribed: fields not described: size")
