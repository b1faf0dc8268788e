"""Feature extraction of an archive: one process, several processes, and from the cache.

python experiments/benchmarks/features.py ARCHIVE...
python experiments/benchmarks/features.py --smoke
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from timing import arguments, machine, publish, records, size_of, table, take_turns

from scoring.errors import RecordError
from scoring.features.cache import FeatureCache
from scoring.features.reading import read_features
from scoring.features.table import assemble, extract
from scoring.records.corpus import read_documents


def _stop(error: RecordError) -> None:
    raise error


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=5)
    options = parser.parse_args()
    with records(options, parser) as folders:
        documents = list(read_documents(folders, on_fault=_stop))
        cache = FeatureCache(Path(os.environ["SCORING_HOME"]) / "features.db", 10**9, 0)
        n = options.threads

        def read(n_processes: int, kept: FeatureCache | None = None) -> None:
            for _ in read_features(folders, n_processes=n_processes, cache=kept, on_fault=_stop):
                pass

        def keep() -> None:
            cache.clear()
            read(n, cache)

        seconds = take_turns(
            {
                "of records in memory": lambda: assemble(
                    [extract(document.record) for document in documents]
                ),
                "from files": partial(read, 1),
                f"from files, {n} processes": partial(read, n),
                f"from files, {n} processes, kept": keep,
                f"from the cache, {n} processes": partial(read, n, cache),
                "from the cache": partial(read, 1, cache),
            },
            options.runs,
        )
        publish("features", [f"{size_of(folders)}. {machine()}.", table(seconds, "from files")], options)


if __name__ == "__main__":
    main()
