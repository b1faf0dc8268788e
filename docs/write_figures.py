"""Write the figures of the model that ships, from the model itself, into the pages that show them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from scoring.artifact.saved_model import SavedModel, boosters_of, columns_of, load_model
from scoring.evaluation.metrics import MEANINGS, mean_absolute_error
from scoring.features.table import build_table
from scoring.records.synthetic.generate import sample_documents

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "figures.md", ROOT / "models" / "MODEL_CARD.md")
SHOWN = (
    "quality_mae",
    "quality_r2",
    "quality_within_1",
    "quality_within_5",
    "quality_interval_coverage",
    "quality_interval_width",
    "lead_accuracy",
    "heat_within_5",
    "published_precision",
    "published_recall",
    "published_f1",
)
HEADLINES = (
    "quality_mae",
    "quality_interval_coverage",
    "lead_accuracy",
    "heat_within_5",
    "published_f1",
)
BASELINES = ("plain LightGBM", "provider median", "global median")
N_COLUMNS = 3
BLOCK = re.compile(r"(<!-- (?P<name>\w+): by docs/write_figures.py -->\n).*?(<!-- end -->)", re.DOTALL)


def figures(saved: SavedModel) -> Iterator[str]:
    """Figures on the held-back block with their intervals, beside the baselines'."""
    training = saved.manifest.training
    yield f"| metric | model | 95 % interval | {' | '.join(BASELINES)} | meaning |"
    yield "|---|" + "--:|" * (len(BASELINES) + 2) + "---|"
    for name in SHOWN:
        figure = training.metrics[name]
        others = " | ".join(_number(training.baselines[baseline].get(name)) for baseline in BASELINES)
        interval = f"{_number(figure.low)} to {_number(figure.high)}"
        yield f"| `{name}` | {_number(figure.value)} | {interval} | {others} | {MEANINGS[name]} |"


def headlines(saved: SavedModel) -> Iterator[str]:
    """Five of the figures, beside those of the best baseline, LightGBM."""
    training = saved.manifest.training
    yield f"| metric | scoring | 95 % interval | {BASELINES[0]} | meaning |"
    yield "|---|--:|--:|--:|---|"
    for name in HEADLINES:
        figure = training.metrics[name]
        interval = f"{_number(figure.low)} to {_number(figure.high)}"
        other = _number(training.baselines[BASELINES[0]].get(name))
        yield f"| `{name}` | {_number(figure.value)} | {interval} | {other} | {MEANINGS[name]} |"


def data(saved: SavedModel) -> Iterator[str]:
    """What the model was fitted on, and with what."""
    training = saved.manifest.training
    sections = ", ".join(f"{name} {count:,}" for name, count in training.sections.items())
    yield "| | |"
    yield "|---|---|"
    yield f"| name | `{saved.name}` |"
    yield f"| records | {training.n_records:,} ({sections}) |"
    yield f"| published | {training.begins_at:%Y-%m-%d} to {training.ends_at:%Y-%m-%d} |"
    yield f"| SHA-256 of their content | `{training.data_sha256}` |"
    yield f"| versions | {', '.join(f'{name} {which}' for name, which in training.versions.items())} |"


def columns(saved: SavedModel) -> Iterator[str]:
    """The columns that bear most of each booster's gain."""
    yield "| booster | trees | columns with the most gain, and their share of it |"
    yield "|---|--:|---|"
    names = columns_of(saved.models)
    for part, booster in boosters_of(saved.models).items():
        if part in names:
            gains = dict(zip(names[part], booster.importances()[0], strict=True))
            whole = sum(gains.values())
            first = sorted(gains, key=lambda name: -gains[name])[:N_COLUMNS]
            shares = ", ".join(f"`{name}` {gains[name] / whole:.0%}" for name in first)
            yield f"| {part} | {booster.num_trees} | {shares} |"


def foreign(saved: SavedModel) -> Iterator[str]:
    """How wrong the model is on the site that ``scoring sample later --records 100 --seed 3`` invents."""
    records, labels = zip(*sample_documents(n_records=100, seed=3), strict=True)
    quality = np.array([float(each.quality) for each in labels])
    said = saved.scorer.predict(build_table(records))
    n_held = int(((said.quality_low <= quality) & (quality <= said.quality_high)).sum())
    error = mean_absolute_error(quality, said.quality)
    yield "On 100 synthetic records (`scoring sample later --records 100 --seed 3`) its mean"
    yield f"absolute error of quality is {error:.1f} points, and {n_held} lie in their 90 % intervals"
    yield "(`scoring evaluate later --no-track`)."


WRITERS = {"headlines": headlines, "figures": figures, "data": data, "columns": columns, "foreign": foreign}


def fill(page: str, saved: SavedModel) -> str:
    """A page with each of its blocks written anew."""

    def write(block: re.Match[str]) -> str:
        lines = WRITERS[block["name"]](saved)
        return "\n".join([block[1], *lines, "", block[3]])

    return BLOCK.sub(write, page)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    saved = load_model(ROOT / "models" / "default")
    for path in PAGES:
        path.write_text(fill(path.read_text("utf-8"), saved), "utf-8")
