"""Plots as SVG in a page: reproducible text, theme colours, unique ids, bounded size."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from scoring.evaluation.results import Evaluation
from scoring.plots import evaluation_figures, importance_figure, to_svg
from scoring.plots.evaluation import quality_figure


def bars(names: list[str]) -> Figure:
    return importance_figure([(name, "quality", 1.0, 1) for name in names])


def cloud(n: int) -> Figure:
    rng = np.random.default_rng(1)
    quality = rng.integers(0, 130, n)
    return quality_figure({"quality": quality, "quality_predicted": quality + rng.normal(0, 9, n)})


def test_element_is_an_image_with_a_label() -> None:
    root = ElementTree.fromstring(to_svg(bars(["age_hours"]), name="gain", label='<b> & "more"'))  # noqa: S314 -- our own
    assert root.tag == "svg"
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", '<b> & "more"')
    assert "age_hours" in [text.text for text in root.iter("text")]


def test_same_figure_gives_the_same_text() -> None:
    assert to_svg(cloud(200), name="a", label="b") == to_svg(cloud(200), name="a", label="b")


def test_text_is_escaped() -> None:
    svg = to_svg(bars(["</svg><script>alert(1)</script>"]), name="a", label="b")
    assert "<script" not in svg
    assert "&lt;/svg&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in svg


def test_ids_are_used_and_have_the_name() -> None:
    svg = to_svg(cloud(20), name="cloud", label="b")
    ids = re.findall(r' id="([^"]*)"', svg)
    used = re.findall(r'href="#([^"]*)"', svg) + re.findall(r"url\(#([^)]*)\)", svg)
    assert len(ids) == len(set(ids)) > 0
    assert set(ids) == set(used)
    assert all(id_.startswith("cloud-") for id_ in ids)


def test_colours_are_variables_and_no_rule_leaks() -> None:
    svg = to_svg(cloud(20), name="a", label="b")
    assert re.findall(r"(?:fill|stroke): (#\w+)", svg) == []
    assert {"var(--orange)", "var(--ink)", "var(--paper)", "var(--line)"} <= set(
        re.findall(r"var\(.*?\)", svg)
    )
    assert "<style" not in svg


def test_size_does_not_grow_with_the_records() -> None:
    small, large = (len(to_svg(cloud(n), name="a", label="b")) for n in (5_000, 50_000))
    assert small < 200_000
    assert large < 300_000


def test_settings_are_as_before() -> None:
    before = str(matplotlib.rcParams)
    to_svg(bars([]), name="a", label="b")
    assert str(matplotlib.rcParams) == before


def test_every_plot_of_no_records_can_be_drawn() -> None:
    names = ("quality", "quality_predicted", "heat", "heat_predicted", "lead", "published", "provider")
    columns = {name: np.array([]) for name in names} | {"published_at": np.array([], dtype="datetime64[us]")}
    for name, figure in evaluation_figures(Evaluation(0, None, None, {}, {}, (), columns)).items():
        assert "no data" in to_svg(figure, name=name, label=name)
