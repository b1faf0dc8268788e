"""What coverage of a dataset is derived, as the manifest of a model has it."""

from __future__ import annotations

import msgspec


class DerivedCoverage(msgspec.Struct, frozen=True):
    """Derived coverage of a dataset, an estimate.

    Parameters
    ----------
    links : str
        Name and version of the links that found it.
    n_records : int
        Records whose coverage was derived, those without any included.
    n_related : int
        Related records found, each counted for each record that has it.
    """

    links: str
    n_records: int
    n_related: int
