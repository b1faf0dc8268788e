"""Latency of one record in process, compared with the bare predictions of the same boosters.

python experiments/benchmarks/one_record.py ARCHIVE...
python experiments/benchmarks/one_record.py --smoke
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence

import lightgbm as lgb
import numpy as np
from timing import Figure, Seconds, arguments, machine, publish, ratio, records, table

from scoring.artifact.saved_model import boosters_of, load_model
from scoring.errors import RecordError
from scoring.features.extraction import Extracted, extracted
from scoring.features.table import Floats, assemble
from scoring.model.booster import Booster
from scoring.model.scorer import Scorer
from scoring.records.corpus import read_documents
from scoring.records.record import Document
from scoring.settings import default_model_folder

MOST_RECORDS = 300

#: Calls of boosters for one record: the booster, and its input rows.
BoosterCalls = list[tuple[Booster, Floats]]


def _stop(error: RecordError) -> None:
    raise error


def booster_calls(scorer: Scorer, record: Extracted) -> BoosterCalls:
    """Record the booster calls for a record's scores."""
    calls: BoosterCalls = []
    predict = Booster.predict

    def listen(self: Booster, X: Floats, num_threads: int = 1, *, is_raw: bool = False) -> Floats:
        calls.append((self, np.ascontiguousarray(X)))
        return predict(self, X, num_threads, is_raw=is_raw)

    Booster.predict = listen  # type: ignore[method-assign]
    try:
        scorer.predict(assemble([record.row]))
    finally:
        Booster.predict = predict  # type: ignore[method-assign]
    return calls


def timed(call: Callable[[int], object], n_records: int) -> list[float]:
    """Seconds of a call for each record, after a warm-up round."""
    for _ in range(2):
        seconds = []
        for index in range(n_records):
            begins = time.perf_counter()
            call(index)
            seconds.append(time.perf_counter() - begins)
    return seconds


def measure(scorer: Scorer, documents: Sequence[Document], boosters: Sequence[Booster]) -> Seconds:
    """Seconds of each record, by measured step."""
    features = [extracted(document, None, scorer.sections) for document in documents]
    calls = [booster_calls(scorer, record) for record in features]
    native_boosters = {id(booster): lgb.Booster(model_str=booster.text) for booster in boosters}

    def bare(index: int) -> None:
        for booster, X in calls[index]:
            native_boosters[id(booster)].predict(X, num_threads=1)

    def own(index: int) -> None:
        for booster, X in calls[index]:
            booster.predict(X)

    gc.freeze()
    n_records = len(documents)
    return {
        "record to scores": timed(lambda index: list(scorer.score([documents[index]])), n_records),
        "record to features": timed(
            lambda index: extracted(documents[index], None, scorer.sections), n_records
        ),
        "features to scores": timed(lambda index: list(scorer.score_features([features[index]])), n_records),
        "its boosters, by lightgbm.Booster.predict": timed(bare, n_records),
        "its boosters, by LightGBM's C interface": timed(own, n_records),
    }


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=1)
    options = parser.parse_args()
    saved = load_model(default_model_folder())
    with records(options, parser) as folders:
        documents = list(read_documents(folders, on_fault=_stop))
    chosen = documents[:: max(len(documents) // MOST_RECORDS, 1)]
    seconds = measure(saved.scorer, chosen, list(boosters_of(saved.models).values()))
    whole, bare = "record to scores", "its boosters, by lightgbm.Booster.predict"
    trees = ratio(seconds, "its boosters, by LightGBM's C interface", whole)
    n_rows = statistics.median(
        sum(len(X) for _, X in booster_calls(saved.scorer, extracted(document, None, saved.scorer.sections)))
        for document in chosen
    )
    figures = [
        Figure("record to scores at the median, ms", 1000 * statistics.median(seconds[whole]), 1.0),
        Figure(
            "features to scores, times the bare predictions", ratio(seconds, "features to scores", bare), 3.0
        ),
    ]
    publish(
        "one record",
        [
            f"{len(chosen)} records, one after the other, one thread; the boosters are asked "
            f"{n_rows:.0f} rows of one at the median. {machine()}.",
            table(seconds, whole, unit="ms", scale=1000),
            "\n".join(f"- {figure}" for figure in figures),
            f"Compiled trees (lleaves, treelite) could save {trees:.0%} of a record's time at most, if they "
            "cost nothing at all, and each model would have to be compiled anew: there is no extra for them.",
        ],
        options,
    )


if __name__ == "__main__":
    main()
