"""Archives whose records have some of the labels."""

from __future__ import annotations

import re
from pathlib import Path

from scoring.model.targets import TARGETS, Targets
from scoring.records.synthetic.generate import write_sample


def write_archive(folder: Path, targets: Targets, *, n_records: int = 200, seed: int = 2) -> Path:
    """Write a sampled archive with these labels alone; related records have a quality if the records have."""
    write_sample(folder, n_records=n_records, seed=seed)
    for file in folder.iterdir():
        text = file.read_text("utf-8")
        for name in TARGETS:
            if name not in targets:
                text = re.sub(rf"^{name}: .*\n", "", text, flags=re.MULTILINE)
        if "quality" not in targets:
            text = re.sub(r"^ +quality: .*\n", "", text, flags=re.MULTILINE)
        file.write_text(text, "utf-8")
    return folder
