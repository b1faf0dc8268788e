"""Tables of a reproduction's outcome."""

from __future__ import annotations

import io

import msgspec
from rich.console import Console

from scoring.artifact.reproducibility import FigureChange, Reproduction
from scoring.cli.tables.reproducibility import reproduction
from scoring.evaluation.comparison import ValueDiff

SAME = Reproduction(
    run_id="476aacb29fe049e3",
    run_name="strong-shrinkage",
    model="strong-shrinkage@1",
    n_records=600,
    is_trained=True,
    is_same=True,
    data=(),
    code=(),
    versions=(),
    machine=(),
    parts=(),
    figures=(),
)


def lines(outcome: Reproduction) -> list[str]:
    console = Console(width=110, file=io.StringIO())
    console.print(reproduction(outcome))
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue().splitlines()
    assert max(map(len, printed)) <= 110
    return [" ".join(line.split()) for line in printed]


def test_the_same_bytes() -> None:
    assert lines(SAME) == [
        "run 476aacb strong-shrinkage, strong-shrinkage@1, 600 records",
        "the same bytes: 11 files, and every metric",
    ]


def test_the_same_bytes_by_other_means() -> None:
    outcome = msgspec.structs.replace(SAME, versions=(ValueDiff("numpy", "1.0", "2.0"),))
    assert lines(outcome)[1:] == [
        "what differs run now",
        "versions numpy 1.0 2.0",
        "the same bytes: 11 files, and every metric",
    ]


def test_other_records() -> None:
    data = (ValueDiff("sha256", "a" * 64, "b" * 64),)
    printed = lines(msgspec.structs.replace(SAME, is_trained=False, is_same=False, data=data))
    assert printed[1] == "what differs run now"
    assert "".join(printed[2:-1]).count("b") == 64
    assert printed[-1] == "the records differ, nothing was trained: --ignore-data-mismatch trains anyway"


def test_all_that_can_differ() -> None:
    figures = (
        FigureChange("baseline.global_median.quality_mae", 4.5, None),
        *(FigureChange(f"figure_{number}", 0.1 + 0.2, 0.3) for number in range(20)),
    )
    outcome = msgspec.structs.replace(
        SAME,
        is_same=False,
        code=(ValueDiff("commit", "abc+", "-"),),
        machine=(ValueDiff("cpu", None, "An abacus [3]"),),
        parts=(ValueDiff("quality", "4 trees, sha256 01234567", "5 trees, sha256 89abcdef"),),
        figures=figures,
    )
    printed = lines(outcome)
    assert printed[1:7] == [
        "what differs run now",
        "code commit abc+ -",
        "machine cpu - An abacus [3]",
        "model quality 4 trees, sha256 01234567 5 trees, sha256 89abcdef",
        "metric run now",
        "figure_0 0.30000000000000004 0.3",
    ]
    assert printed[-2:] == [
        "6 more: --json has them",
        "not the same: 1 parts of the model and 21 metrics differ",
    ]
    few = lines(msgspec.structs.replace(outcome, figures=figures[:2]))
    assert few[-2] == "baseline.global_median.quality_mae 4.5 -"
