"""The last records that were scored, held against the training records of the model."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from scoring.drift.detect import Drift, measure_drift
from scoring.drift.reference_profile import AS_OF
from scoring.drift.reference_windows import MIN_WINDOW
from scoring.features.table import Row, assemble, extract
from scoring.records.record import Document, Record
from scoring.service.model_manager import Served

SECONDS = 30.0
"""How often the last records are looked at; seconds."""


class DriftWindow:
    """A bounded number of the last records.

    Records are only put aside while they are scored. What is known of them is made when they are looked at:
    where more come in between than are put aside, the first of them stand for all.

    Parameters
    ----------
    n_aside : int
        Records that are put aside.
    n_records : int
        Records that are looked at.
    """

    def __init__(self, n_aside: int = 256, n_records: int = 1000) -> None:
        self._aside: list[Record] = []
        self._n_aside = n_aside
        self._rows: deque[Row] = deque(maxlen=n_records)

    def add(self, documents: Sequence[Document]) -> None:
        """Put records aside."""
        if n_free := self._n_aside - len(self._aside):
            self._aside.extend(document.record for document in documents[:n_free])

    def measure(self, served: Served) -> Drift | None:
        """Hold the last records against the model's training records; it takes a tenth of a second.

        Parameters
        ----------
        served : Served
            The model.

        Returns
        -------
        Drift or None
            None where nothing is new, there are too few records, or the model has no profile.
        """
        profile = served.saved.manifest.profile
        new, self._aside = self._aside, []
        self._rows.extend(extract(record, AS_OF) for record in new)
        if not new or profile is None or len(self._rows) < MIN_WINDOW:
            return None
        table = assemble(list(self._rows))
        return measure_drift(profile, served.scorer, table, np.full(len(table), np.nan))
