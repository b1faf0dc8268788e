"""Fuzz one target: python -m tests.fuzz.run TARGET SECONDS.

New inputs are looked for by coverage, with atheris (libFuzzer). An input that breaks a promise, takes over a
second or over 200 MB is written beside the corpus, and ends the run with an exit code other than 0.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

MAX_BYTES = 100_000  # larger inputs are tests/records/test_limits.py's
TIMEOUT_SECONDS, MEMORY_MB = 1, 1000  # the interpreter with its libraries included


def main(name: str, seconds: str) -> None:
    """Fuzz until the time is over or a failure is found."""
    import atheris

    with atheris.instrument_imports(include=["scoring"]):
        from tests.fuzz.targets import CORPUS, TARGETS

    folder = Path("build", "fuzz")
    folder.mkdir(parents=True, exist_ok=True)
    # The first folder takes what is new: not the one with the tests.
    with tempfile.TemporaryDirectory() as scratch:
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={MAX_BYTES}",
            f"-timeout={TIMEOUT_SECONDS}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-artifact_prefix={folder}/{name}-",
            "-print_final_stats=1",
            "-verbosity=1",
            scratch,
            str(CORPUS / name),
        ]
        atheris.Setup([sys.argv[0], *options], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
