"""Without extras: importing a module of the core imports nothing that the core does not install."""

from __future__ import annotations

import fnmatch
import json
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.without_packages import ROOT, run_without

OUTSIDE = {
    "scoring.distributed.cluster",
    "scoring.distributed.lightgbm_trainer",
    "scoring.distributed.training_data",
    "scoring.features.parquet_schema",
    "scoring.model.score_schema",
    "scoring.plots",
    "scoring.plots.*",
    "scoring.report",
    "scoring.report.*",
    "scoring.service.*",
    "scoring.sklearn",
    "scoring.sklearn.*",
    "scoring.tracking.local_artifacts",
    "scoring.tracking.pyfunc.dataframe",
    "scoring.tracking.pyfunc.loader",
    "scoring.tracking.pyfunc.record_model",
    "scoring.tracking.rows",
    "scoring.tracking.ui_app",
}
"""Modules that need an extra; all others are the core."""

PROGRAM = """
import importlib, json
outside = {{}}
for name in {names!r}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        outside[name] = str(error)
print(json.dumps(outside))
"""


def core_distributions() -> set[str]:
    """Distributions that the project installs without extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found: set[str] = set()
    left = [Requirement(text) for text in project["dependencies"]]
    while left:
        need = left.pop()
        name = canonicalize_name(need.name)
        if name in found or (need.marker is not None and not need.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        left += map(Requirement, metadata.requires(name) or ())
    return found


def test_the_core_is_small() -> None:
    """`make smoke` checks the number and the size of the installed packages."""
    assert len(core_distributions()) + 1 <= 30


def test_modules_of_the_core_import_nothing_else(tmp_path: Path) -> None:
    core = core_distributions()
    missing = {
        module
        for module, distributions in metadata.packages_distributions().items()
        if not core & {canonicalize_name(name) for name in distributions}
    }
    missing -= {"scoring", *sys.stdlib_module_names}
    files = (ROOT / "scoring").rglob("*.py")
    names = sorted(
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files
    )
    names.remove("scoring.__main__")
    [done] = run_without([(missing, ("-c", PROGRAM.format(names=names)))], tmp_path)
    assert done.code == 0, done.stderr
    refused: dict[str, str] = json.loads(done.stdout)
    unexpected = {
        name: error
        for name, error in refused.items()
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in OUTSIDE)
    }
    assert unexpected == {}
    assert len(refused) < len(names) / 4
    unneeded = {pattern for pattern in OUTSIDE if not fnmatch.filter(refused, pattern)}
    assert unneeded == set()
