"""Extras agree with pyproject.toml; an absent one is one line, with the command that installs it."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest
import typer.main
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scoring.cli.app import app
from scoring.errors import ScoringError
from scoring.extras import EXTRAS, MissingExtraError, missing_extra, naming_extras, require
from scoring.records.synthetic.generate import write_sample
from tests.without_packages import ROOT, Done, run_without

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
GROUPS = {
    name: list(map(Requirement, requirements))
    for name, requirements in PROJECT["optional-dependencies"].items()
    if name not in ("dev", "benchmarks")
}
ALL_MODULES = {module for extra in EXTRAS.values() for module in extra.modules}
# Of packages that one of the extra's own brings.
BROUGHT = {"ui": {"flask"}, "dask": {"distributed"}}

CASES = {
    "train": ("train", "archive"),
    "track": ("promote", "shipped"),
    "report": ("evaluate", "archive", "--model", "shipped", "--no-track", "--output", "evaluation"),
    "parquet": ("features", "archive", "--output", "features.parquet"),
    "serve": ("serve", "--port", "0"),
    "dask": ("score", "archive", "--model", "shipped", "--dask", "local", "--output", "scores"),
    "tune": ("tune", "archive", "--no-track"),
    "ui": ("ui",),
    "feeds": ("validate", "feed.xml"),
    "frames": ("-c", "import scoring; scoring.extract_features({'title': 'Rain'})"),
    "sklearn": ("-c", "import scoring.sklearn"),
}
"""For each extra a run that needs it."""
FAULTS = {
    "remote": ("validate", "memory://archive"),
}
HELPS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
CORE = {
    "score": ("score", "inbox", "--model", "shipped"),
    "table": ("score", "inbox", "--model", "shipped", "--format", "table"),
    "write": ("score", "inbox", "--model", "shipped", "--write"),
    "validate": ("validate", "archive"),
    "explain": ("explain", "archive/0.md", "--model", "shipped"),
    "relate": ("relate", "archive"),
    "catalogue": ("features", "--catalogue"),
    "library": (
        "-c",
        "import scoring; [s] = scoring.score([{'title': 'Rain'}], model='shipped'); print(s.quality)",
    ),
    "star": (
        "-c",
        "from scoring import *; print(Record(title='Rain').title, *read_records({'title': 'Rain'}))",
    ),
}
"""What the core does alone."""


@functools.cache
def distributions_of_modules() -> Mapping[str, list[str]]:
    """Distributions of each module that is installed."""
    return metadata.packages_distributions()


def names_of(extra: str) -> set[str]:
    """Distributions that an extra names, with those of the extras that it names."""
    names = set()
    for need in GROUPS[extra]:
        if need.name == PROJECT["name"]:
            names |= {name for other in need.extras for name in names_of(other)}
        else:
            names.add(canonicalize_name(need.name))
    return names


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """Outcome of each run, without the modules of its extra; those of the core without any."""
    folder = tmp_path_factory.mktemp("runs")
    write_sample(folder / "archive", n_records=20, seed=1)
    write_sample(folder / "inbox", n_records=3, seed=2, is_labelled=False)
    (folder / "archive" / "0.md").write_text("---\ntitle: Rain\n---\n", "utf-8")
    (folder / "feed.xml").write_text(
        '<rss version="2.0"><channel><item><title>a</title></item></channel></rss>'
    )
    runs = {
        **{name: (EXTRAS[name].modules, arguments) for name, arguments in (CASES | FAULTS).items()},
        **{f"core: {name}": (ALL_MODULES, arguments) for name, arguments in CORE.items()},
        **{f"help: {name}": (ALL_MODULES, (name, "--help")) for name in HELPS},
    }
    return dict(zip(runs, run_without(list(runs.values()), folder), strict=True))


def test_extras_are_those_of_the_project() -> None:
    assert set(GROUPS) == {*EXTRAS, "all"}
    [everything] = GROUPS["all"]
    assert everything.name == PROJECT["name"]
    assert everything.extras == set(EXTRAS)


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_installs_its_modules(extra: str) -> None:
    distributions = distributions_of_modules()
    for module in set(EXTRAS[extra].modules) - BROUGHT.get(extra, set()):
        assert {canonicalize_name(name) for name in distributions[module]} & names_of(extra), module


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_package_of_an_extra_is_looked_for(extra: str) -> None:
    distributions = distributions_of_modules()
    found = {canonicalize_name(name) for module in EXTRAS[extra].modules for name in distributions[module]}
    assert names_of(extra) - found <= {"uvloop"}  # not on Windows


@pytest.mark.parametrize("extra", CASES)
def test_an_absent_extra_is_one_line_with_the_command(results: dict[str, Done], extra: str) -> None:
    done = results[extra]
    message = f"{EXTRAS[extra].needs}: pip install 'news-scoring[{extra}]'"
    if CASES[extra][0] == "-c":
        assert done.stderr.splitlines()[-1].endswith(f"MissingExtraError: {message}")
    else:
        assert (done.code, done.stderr.splitlines()[-1]) == (2, f"error: {message}")
        assert "Traceback" not in done.stderr


def test_without_fsspec_an_address_is_refused(results: dict[str, Done]) -> None:
    expected = f"memory://archive: {EXTRAS['remote'].needs}: pip install 'news-scoring[remote]'"
    assert (results["remote"].code, results["remote"].stderr) == (2, f"error: {expected}\n")


@pytest.mark.parametrize("name", CORE)
def test_the_core_works_alone(results: dict[str, Done], name: str) -> None:
    done = results[f"core: {name}"]
    assert (done.code, "Traceback" in done.stderr) == (0, False), done.stderr
    assert done.stdout


@pytest.mark.parametrize("name", HELPS)
def test_help_needs_no_extra(results: dict[str, Done], name: str) -> None:
    assert results[f"help: {name}"].code == 0
    assert results[f"help: {name}"].stdout.startswith("Usage: scoring")


def test_one_command_installs_all_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'news-scoring\[feeds,tune\]'$") as caught:
        require("feeds", "tune")
    assert isinstance(caught.value, ScoringError | ImportError)


def test_another_missing_module_is_not_of_an_extra() -> None:
    error = ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere")
    assert missing_extra(error) is None
    with pytest.raises(ModuleNotFoundError) as caught, naming_extras():
        raise error
    assert caught.value is error


def test_the_extra_that_is_given_comes_first() -> None:
    with pytest.raises(MissingExtraError, match=r"\[report\]"), naming_extras("report"):
        raise ModuleNotFoundError("No module named 'pandas.core'", name="pandas.core")


def test_files_of_the_documentation_name_only_extras_that_exist() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "Makefile", *(ROOT / "docs").glob("*.md")]
    pages += [ROOT / "deploy" / "Dockerfile", *Path(ROOT, "scoring").rglob("*.py")]
    named = {
        extra
        for page in pages
        for extras in re.findall(r"news-scoring\[([a-z,]+)\]", page.read_text("utf-8"))
        for extra in extras.split(",")
    }
    assert named <= {*GROUPS, "dev", "benchmarks"}
