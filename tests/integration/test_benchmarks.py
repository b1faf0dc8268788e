"""The benchmarks run from their commands on made-up records, and their arithmetic is right."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "experiments" / "benchmarks"


Run = Callable[..., str]


@pytest.fixture
def run(warm: str) -> Run:
    """Runs a benchmark as a program; returns what it prints, or its error."""

    def run(name: str, *arguments: str, expected: int = 0, python: str = warm) -> str:
        done = subprocess.run(
            [python, str(BENCHMARKS / name), *arguments, "--threads", "1"],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == expected, done.stderr
        return done.stdout if expected == 0 else done.stderr

    return run


def rows_of(printed: str) -> dict[str, list[str]]:
    """Cells of each row of the tables by the first of them; of several, the last."""
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in rows}


@pytest.mark.exhaustive
def test_accuracy_compares_on_the_same_records(run: Run) -> None:
    printed = run(
        "accuracy.py", "--smoke", "--sample-records", "300", "--only", "ridge on TF-IDF and columns"
    )
    rows = rows_of(printed)
    assert "252 records before the cut, 45 after it" in printed
    ours, ridge = rows["scoring"], rows["ridge on TF-IDF and columns"]
    # What the column of differences says is what the columns of errors say.
    extra = float(ridge[7].partition(" ")[0])
    assert extra == pytest.approx(float(ridge[0]) - float(ours[0]), abs=0.011)
    low, high = map(float, re.findall(r"[+-]\d+\.\d+", ridge[7])[1:])
    assert low <= extra <= high
    assert 0 < float(ours[0]) < float(ridge[0]) < 20
    assert all(0 <= float(share) <= 1 for share in (*ours[3:7], *ridge[3:7]))


@pytest.mark.exhaustive
def test_twins_count_what_agrees(run: Run) -> None:
    printed = run("twins.py", "--smoke", "--sample-records", "300")
    levels = [
        "form, provider, topics, names",
        "and matched words",
        "and the whole title",
        "and every column but time and coverage",
    ]
    with_twin = [
        int(re.search(rf"^\| {level} \| [^|]+ \| (\d+) of 300 \|", printed, re.MULTILINE)[1])  # type: ignore[index]
        for level in levels
    ]
    assert with_twin == sorted(with_twin, reverse=True)
    assert 0 < with_twin[0] < 300
    missed, later = map(int, re.search(r"^(\d+) of (\d+) records are off", printed, re.MULTILINE).groups())  # type: ignore[union-attr]
    kinds = [
        cells for line in printed.partition("| miss |")[2].splitlines() if (cells := line.split(" | "))[1:]
    ]
    assert later == 45
    assert sum(int(cells[-1].strip(" |")) for cells in kinds if cells[-1].strip(" |").isdigit()) == missed


@pytest.mark.exhaustive
def test_drift_reports_what_was_spoilt(run: Run) -> None:
    rows = rows_of(run("drift.py", "--smoke"))
    whole, renamed = rows["2018-09"], rows["2018-09, providers renamed: all unseen"]
    assert (whole[0], whole[1], renamed[0], renamed[1]) == ("6", "0", "6", "3")
    assert renamed[2].endswith("(provider)")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("read.py", ["bytes alone", "records", "features", "PyYAML's C loader"]),
        ("features.py", ["of records in memory", "from files", "from the cache"]),
        pytest.param("train.py", ["training", "its boosters alone"], marks=pytest.mark.exhaustive),
        pytest.param(
            "score.py",
            ["cold cache", "warm cache", "no cache", "one file", "--help"],
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            "one_record.py",
            ["record to scores", "its boosters, by lightgbm.Booster.predict"],
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_speed_is_reported_in_times_of_one_way(run: Run, name: str, expected: list[str]) -> None:
    page = (BENCHMARKS.parent / "RESULTS.md").read_bytes()
    printed = run(name, "--smoke", "--sample-records", "120", "--runs", "1")
    rows = rows_of(printed)
    assert set(expected) <= rows.keys()
    medians = {what: float(cells[0]) for what, cells in rows.items() if what != "what" and set(what) != {"-"}}
    (reference,) = re.findall(r"\| times '(.+?)' \|", printed)
    for what, cells in rows.items():
        if what in medians and medians[reference]:
            # Medians are printed with three decimals, ratios with two.
            least = (medians[what] - 0.0005) / (medians[reference] + 0.0005)
            most = (medians[what] + 0.0005) / (medians[reference] - 0.0005)
            assert least - 0.005 <= float(cells[2]) <= most + 0.005
    assert (BENCHMARKS.parent / "RESULTS.md").read_bytes() == page  # a dry run is no result


@pytest.mark.exhaustive
def test_growth_reports_time_and_memory_of_each_size(run: Run) -> None:
    rows = rows_of(run("growth.py", "--smoke"))
    for n_records in ("200", "400"):
        seconds, first, _, each_second, peak = (float(cell.replace(",", "")) for cell in rows[n_records])
        assert 0 < first <= seconds
        assert each_second == pytest.approx(int(n_records) / seconds, rel=0.1)
        assert 20 < peak < 2_000


@pytest.mark.exhaustive
def test_dask_is_compared_with_one_process(run: Run) -> None:
    printed = run("dask_cluster.py", "--smoke")
    rows = rows_of(printed)
    alone, cluster = (float(rows[name][0]) for name in ("one process, two threads", "Dask, two workers"))
    times = float(re.findall(r"^- JSON lines: Dask against one process: (\S+) ", printed, re.MULTILINE)[0])
    assert times == pytest.approx(cluster / alone, rel=0.01)
    bytes_each, n_partitions, each_second = (float(cell) for cell in rows["300"][:3])
    assert n_partitions == 1
    assert each_second == pytest.approx(300 / cluster / 2, rel=0.05)
    assert 1 < bytes_each < 10


@pytest.mark.parametrize("name", ["accuracy.py", "twins.py", "read.py"])
def test_archives_that_are_absent_are_named(run: Run, warm: str, name: str, tmp_path: Path) -> None:
    """One of them in a process of its own."""
    python = sys.executable if name == "accuracy.py" else warm
    message = run(name, str(tmp_path / "nowhere"), expected=2, python=python)
    assert "nowhere" in message
    assert "--smoke" in message


@pytest.mark.exhaustive
def test_changes_of_policy_are_looked_for(run: Run) -> None:
    changes = ("--changes", "as it is", "0.8 q + 12")
    printed = run("policy_changes.py", "--smoke", "--sample-records", "200", *changes)
    assert "| synthetic, default | 1 | 0 |" in printed
    assert printed.count("| quality | 60 |") == 1
    assert "change found: MAE / within 1" in printed
    assert "--smoke" in run("policy_changes.py", expected=2)


@pytest.mark.exhaustive
def test_suggested_labels_are_compared_with_random_ones(run: Run) -> None:
    printed = run("suggest.py", "--smoke", "--draws", "1")
    assert "of the other before the cut, of which 75% are drawn" in printed
    assert printed.count("| Meadow | random |") == printed.count("| Meadow | suggest |") == 1
    assert len(re.findall(r"^- .*(?:\*\*not reached\*\*|reached)\)$", printed, re.MULTILINE)) == 2
    assert "--hidden" in run("suggest.py", expected=2)


@pytest.mark.exhaustive
def test_soak_ends_well(warm: str) -> None:
    soak = BENCHMARKS.parent / "soak.py"
    options = ["--seconds", "2", "--swaps", "2", "--moves", "2", "--clients", "2"]
    done = subprocess.run([warm, str(soak), *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^3 models answered, 2 swaps", done.stdout, re.MULTILINE)
    assert "\n1 models answered, the store was moved away and back 2 times\n" in done.stdout
    lines = [line for line in done.stdout.splitlines() if " requests: " in line]
    assert len(lines) == 2
    for line in lines:
        counts = dict(re.findall(r"(\d{3}): (\d+)", line))
        assert {"200", "413", "415", "422"} <= counts.keys()
        assert int(line.split()[0].replace(",", "")) == sum(map(int, counts.values()))


@pytest.mark.exhaustive
def test_service_is_compared_with_an_endpoint_that_only_decodes(run: Run) -> None:
    """MLflow's servers take half a minute to start; tests/integration/test_pyfunc.py starts one."""
    options = ["--runs", "1", "--seconds", "0.5", "--sample-records", "30", "--without-mlflow"]
    printed = run("service.py", "--smoke", *options)
    rows = rows_of(printed)
    assert {"scoring serve", "decodes only"} <= rows.keys()
    loads = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    per_second = {
        name: float(cells[0].replace(",", "")) for name, n_clients, *cells in loads if n_clients == "8"
    }
    (ratio,) = re.findall(r"^- requests a second of decoding only, in ours: (\S+)", printed, re.MULTILINE)
    # Requests a second are printed without decimals, the ratio with three digits.
    assert float(ratio) == pytest.approx(per_second["decodes only"] / per_second["scoring serve"], rel=0.05)
    ((library, service),) = re.findall(r": (\d+) ms by the library .*, (\d+) ms by the service\.", printed)
    (batch,) = re.findall(r"^- seconds of a batch, in the library's own: (\S+)", printed, re.MULTILINE)
    assert float(batch) == pytest.approx(int(service) / int(library), rel=0.05)


@pytest.mark.exhaustive
def test_hostile_connections_are_measured(run: Run) -> None:
    kinds = ["one header value", "small chunks"]
    rows = rows_of(run("hostile.py", "--smoke", "--seconds", "0.3", "--kinds", *kinds))
    for kind in kinds:
        n_connections, sent_mb, n_probes, *_, growth_mb = rows[kind]
        assert int(n_connections.replace(",", "")) >= 10
        assert float(sent_mb.replace(",", "")) >= 1
        assert int(n_probes.replace(",", "")) >= 1
        assert float(growth_mb) < 50


@pytest.mark.exhaustive
def test_keys_of_the_desk_are_measured(run: Run) -> None:
    printed = run("desk.py", "--smoke")
    rows = rows_of(printed)
    for key in ("`a`, accept", "`j`, next record", "`u`, undo"):
        assert all(float(cell) > 0 for cell in rows[key])
    assert re.search(r"^- a new file shown, s, worst: ", printed, re.MULTILINE)


@pytest.mark.exhaustive
def test_related_records_are_compared_with_the_hidden_lists(run: Run) -> None:
    printed = run("relate.py", "--smoke", "--sample-records", "800")
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| both")]
    by = {cells[1]: [float(cell) for cell in cells[2:]] for cells in rows}
    for precision, recall, f1 in by.values():
        assert f1 == pytest.approx(2 * precision * recall / max(precision + recall, 1e-9), abs=0.002)
    assert by["links"][2] > by["TF-IDF of titles"][2]
    assert by["a perfect choice among the compared pairs"][2] == max(cells[2] for cells in by.values())
    leads = rows_of(printed)
    assert float(leads["listed coverage"][0]) > float(leads["derived coverage"][0])
    assert float(leads["derived coverage"][0]) > float(leads["no coverage"][0])


@pytest.mark.exhaustive
def test_growth_of_relating_prints_its_exponent(run: Run) -> None:
    printed = run("relate_growth.py", "--smoke")
    assert re.search(r"to the power -?\d+\.\d{3}", printed)
    assert {"300", "600"} <= rows_of(printed).keys()


@pytest.mark.exhaustive
def test_texts_of_one_title_are_counted(run: Run) -> None:
    printed = run("same_texts.py", "--smoke")
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| one title")]
    assert [row[1] for row in rows] == ["100", "200"]
    for row in rows:
        n_records, n_links, n_texts = int(row[1]), int(row[4]), int(row[5])
        assert n_texts == n_records - n_links  # no link joins what is joined
        assert n_texts > 0.8 * n_records


@pytest.mark.exhaustive
def test_decoding_is_measured_with_and_without_remembered_entries(run: Run) -> None:
    rows = rows_of(run("decode.py", "--smoke"))
    assert {
        "as read",
        "without remembered entries",
        "rapidyaml alone",
        "scoring score, warm cache",
    } <= rows.keys()


@pytest.mark.exhaustive
def test_events_of_a_watch_are_measured(run: Run) -> None:
    rows = rows_of(run("watch.py", "--smoke"))
    for what in ("first", "sweep", "event"):
        assert all(float(cell) > 0 for cell in rows[what][:2])


@pytest.mark.exhaustive
def test_commands_on_whole_archives_print_their_exponents(run: Run) -> None:
    printed = run("verbs.py", "--smoke", "--sizes", "60", "120", "--verbs", "evaluate")
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| evaluate")]
    assert [row[1] for row in rows] == ["60", "120"]
    assert re.search(r"^- evaluate: exponent of the time: ", printed, re.MULTILINE)


@pytest.mark.exhaustive
def test_listing_of_runs_is_measured_against_mlflow(run: Run) -> None:
    rows = rows_of(run("runs.py", "--smoke"))
    for name in ("import MLflow", "scoring runs", "scoring runs --sort quality_mae"):
        n_runs, seconds, megabytes = map(float, rows[name])
        assert (n_runs, seconds > 0, megabytes > 50) == (4, True, True)


@pytest.mark.exhaustive
def test_labels_are_compared_with_lightgbm(run: Run) -> None:
    printed = run("labels.py", "--smoke", "--sample-records", "300")
    titles = re.findall(r"^### (.+)$", printed, re.MULTILINE)
    assert titles == [
        "Labels of published",
        "Labels of heat and published",
        "Labels of quality and published",
        "Labels of heat",
        "Ratings alone",
    ]
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| sample")]
    assert {row[1] for row in rows} == {"252, 45"}
    errors = {row[2]: float(row[3]) for row in rows[-4:]}
    assert errors["scoring"] < errors["plain LightGBM"] < errors["the median"]
