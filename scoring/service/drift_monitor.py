"""Drift of the latest scored records from the training records of the model."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from scoring.drift.detect import Drift, measure_drift
from scoring.drift.reference_profile import AS_OF
from scoring.drift.reference_windows import MIN_WINDOW
from scoring.features.sections import FIRST_TOPIC
from scoring.features.table import Row, assemble, extract
from scoring.records.record import Document, Record
from scoring.service.model_manager import Served

SECONDS = 30.0
"""Interval between drift measurements; seconds."""


class DriftWindow:
    """A window of the latest records.

    Scoring only appends records to a buffer; features are extracted when drift is measured. If more records
    arrive between two measurements than the buffer holds, the first of them represent all.

    Parameters
    ----------
    buffer_size : int
        Size of the buffer, in records.
    n_records : int
        Size of the window, in records.
    """

    def __init__(self, buffer_size: int = 256, n_records: int = 1000) -> None:
        self._buffer: list[Record] = []
        self._buffer_size = buffer_size
        self._rows: deque[Row] = deque(maxlen=n_records)
        self._sections = FIRST_TOPIC

    def add(self, documents: Sequence[Document]) -> None:
        """Add records to the buffer, while it has room."""
        if n_free := self._buffer_size - len(self._buffer):
            self._buffer.extend(document.record for document in documents[:n_free])

    def measure(self, served: Served) -> Drift | None:
        """Compare the latest records with the model's training records, in about 0.1 s.

        Parameters
        ----------
        served : Served
            The model.

        Returns
        -------
        Drift or None
            None if there are no new records, too few records, or the model has no profile.
        """
        profile = served.saved.manifest.profile
        new, self._buffer = self._buffer, []
        sections = served.scorer.sections
        if sections != self._sections:
            self._rows.clear()  # rows of another rule would look like drift
            self._sections = sections
        self._rows.extend(extract(sections.placed(record), AS_OF) for record in new)
        if not new or profile is None or len(self._rows) < MIN_WINDOW:
            return None
        table = assemble(list(self._rows))
        return measure_drift(profile, served.scorer, table, np.full(len(table), np.nan))
