"""Baseline script: python-frontmatter, a pandas data frame, and `LGBMRegressor.predict`.

    python experiments/benchmarks/obvious.py fit FOLDER MODEL
    python experiments/benchmarks/obvious.py score FOLDER MODEL

`score.py` compares with it, so it is deliberately simple.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import frontmatter
import pandas as pd
from lightgbm import LGBMRegressor

LABELS = ("quality", "heat", "published")


def row_of(post: dict[str, Any]) -> dict[str, Any]:
    """Simple features and labels of a record."""
    related = post.get("related") or []
    qualities = [entry["quality"] for entry in related if entry.get("quality") is not None]
    images = post.get("images") or []
    return {
        "provider": (post.get("provider") or {}).get("domain", ""),
        "section": (post.get("topics") or [""])[0],
        "n_topics": len(post.get("topics") or []),
        "title_chars": len(post["title"]),
        "excerpt_chars": len(post.get("excerpt") or ""),
        "has_image": bool(images),
        "image_width": images[0].get("width") if images else None,
        "is_video": post.get("type") == "video",
        "n_related": len(related),
        "related_max": max(qualities, default=None),
        "related_mean": sum(qualities) / len(qualities) if qualities else None,
        **{label: float(post.get(label) or 0) for label in LABELS},
    }


def main(verb: str, folder: str, model: str) -> None:
    """Fit three regressors on a folder's records, or print their predictions."""
    posts = [frontmatter.load(str(file)).metadata for file in sorted(Path(folder).glob("*.md"))]
    frame = pd.DataFrame([row_of(post) for post in posts])
    frame[["image_width", "related_max", "related_mean"]] = frame[
        ["image_width", "related_max", "related_mean"]
    ].astype(float)
    X = frame.drop(columns=list(LABELS))
    if verb == "fit":
        levels = {name: sorted(X[name].unique()) for name in ("provider", "section")}
    else:
        levels, models = pickle.loads(Path(model).read_bytes())  # noqa: S301 -- our own
    for name, values in levels.items():
        X[name] = pd.Categorical(X[name], categories=values)
    if verb == "fit":
        models = {
            label: LGBMRegressor(n_estimators=300, verbosity=-1).fit(X, frame[label]) for label in LABELS
        }
        Path(model).write_bytes(pickle.dumps((levels, models)))
    else:
        predictions = pd.DataFrame({label: regressor.predict(X) for label, regressor in models.items()})
        for line in predictions.to_dict("records"):
            print(json.dumps(line))


if __name__ == "__main__":
    main(*sys.argv[1:])
