"""Provenance of a run: machine, versions and commit."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy
import pytest
import scipy

from scoring import __version__
from scoring.tracking import machine_tags, provenance, version_tags
from scoring.tracking.provenance import environment_tags

CPUINFO = "processor\t: 0\nmodel name\t: Abacus 3 @ 2 Hz\nflags\t\t: fpu\nmodel name\t: Other\n"


def test_versions_of_all_that_decides_on_the_bytes() -> None:
    tags = version_tags()
    assert tags["version.numpy"] == numpy.__version__
    assert tags["version.scipy"] == scipy.__version__
    assert tags["version.python"] == platform.python_version()
    assert tags["version.scoring"] == __version__
    assert "version.lightgbm" in tags


@pytest.mark.parametrize(
    ("cpuinfo", "processor", "cpu"),
    [
        (CPUINFO, "", "Abacus 3 @ 2 Hz"),
        ("Hardware : none\n", "aarch64", "aarch64"),
        ("", "", "unknown"),
        (None, "i386", "i386"),
    ],
)
def test_processor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cpuinfo: str | None, processor: str, cpu: str
) -> None:
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(provenance, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "processor", lambda: processor)
    assert machine_tags() == {
        "platform": platform.platform(),
        "architecture": platform.machine(),
        "cpu": cpu,
    }


def test_a_run_has_them_all() -> None:
    tags = environment_tags("train")
    assert tags["mlflow.source.name"] == "scoring train"
    assert version_tags().items() | machine_tags().items() <= tags.items()
