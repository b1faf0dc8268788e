"""Two policies in one archive: the error of each design on a section with its own, by number of labels.

    python experiments/benchmarks/policies.py ARCHIVE... --of-section NAME
    python experiments/benchmarks/policies.py --smoke

The labels of one section are changed to another policy, in memory: all by a scale and a shift, or by points
of single features. Random draws of its labels train a model of each design, together with all labels of the
other sections (``--counts 0`` leaves the section out), or ``--alone``. Designs are chosen on the validation
block, the latest records before the test block; ``--block test`` measures the test block. Prints figures, no
records.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from blocks import CONFIG, Blocks, add_arguments, cut, describe, markdown
from numpy.typing import NDArray

from scoring.model.quality import QualityModel
from scoring.records.synthetic.generate import write_sample
from scoring.training.config import TrainConfig
from scoring.training.fit import fit_quality
from scoring.training.splits import latest_mask
from scoring.training.training_set import TrainingSet
from scoring.workflows.train import load_config

DESIGNS = ("default", "sections-shared", "sections-affine", "sections-apart")


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the labels of a section: points of an image, of a named topic, and of long titles."""

    scale: float = 1.0
    shift: float = 0.0
    image: float = 0.0
    named: float = 0.0
    long_from: float = 70.0

    def labels(self, training: TrainingSet, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Changed qualities of some records, shape (n_records,)."""
        table, quality = training.table, training.labels.quality
        chars = table.number("title_chars")
        points = self.image * table.number("has_image") + self.named * table.number("title_names_topic_count")
        points += np.maximum(chars - 70, 0) // 2 - np.maximum(chars - self.long_from, 0) // 2
        changed = np.maximum(np.round(np.round(self.scale * quality + self.shift) + points), 0)
        return np.where(rows, changed, quality)


CHANGES = {
    "as it is": Change(),
    "0.8 q + 12": Change(scale=0.8, shift=12),
    "1.3 q - 10": Change(scale=1.3, shift=-10),
    "0.5 q + 30": Change(scale=0.5, shift=30),
    "image -12, named +9, long from 60": Change(image=-12, named=9, long_from=60),
    "image +8, named -6, long from 85": Change(image=8, named=-6, long_from=85),
    "q + 5, image -20, named +4, long from 50": Change(shift=5, image=-20, named=4, long_from=50),
}


def changed(training: TrainingSet, change: Change, section: str) -> TrainingSet:
    """The records with the changed labels of a section."""
    rows = np.array(training.sections) == section
    return replace(training, labels=replace(training.labels, quality=change.labels(training, rows)))


def fitted(training: TrainingSet, config: TrainConfig, threads: int) -> QualityModel:
    """Quality model of labelled records."""
    return fit_quality(training, config, num_threads=threads).model


def figures(model: QualityModel, later: TrainingSet, rows: NDArray[np.bool_]) -> list[float]:
    """Mean absolute error, share within a point, coverage and width of the interval."""
    part = later.take(rows)
    quality, spread = model.estimate(part.table)
    low, high = model.interval(part.table, quality, spread)
    quality, labels = np.round(quality), part.labels.quality
    low, high = np.minimum(low.round(1), quality), np.maximum(high.round(1), quality)
    errors = np.abs(labels - quality)
    is_covered = (low <= labels) & (labels <= high)
    return [float(values.mean()) for values in (errors, errors <= 1, is_covered, high - low)]


def measure(blocks: Blocks, options: argparse.Namespace, config: TrainConfig) -> list[list[str]]:
    """A row for each change, design and number of labels."""
    rows = []
    earlier, later = blocks.earlier, blocks.later
    if options.block == "validation":
        is_later = latest_mask(earlier.moments, earlier.sections, config.split.validation_ratio)
        earlier, later = earlier.take(~is_later), earlier.take(is_later)
    section = options.of_section or min(set(later.sections), key=list(later.sections).count)
    is_tested = np.array(later.sections) == section
    is_few = np.array(earlier.sections) == section
    for name in options.changes or CHANGES:
        training, test = (changed(records, CHANGES[name], section) for records in (earlier, later))
        for design in options.designs:
            model_config = load_config(CONFIG.with_name(f"{design}.yaml")).model
            design_config = msgspec.structs.replace(config, model=model_config)
            for count in (*(count for count in options.counts if count < is_few.sum()), int(is_few.sum())):
                measured = []
                for draw in range(1 if count in (0, is_few.sum()) else options.draws):
                    drawn = np.random.default_rng(draw).permutation(np.flatnonzero(is_few))[:count]
                    mask = np.zeros_like(is_few) if options.alone else ~is_few
                    mask[drawn] = True
                    model = fitted(training.take(mask), design_config, options.threads)
                    others = np.nan if options.alone else figures(model, test, ~is_tested)[0]
                    measured.append([*figures(model, test, is_tested), others])
                table = np.array(measured)
                middle, worst, means = np.median(table, axis=0), table[:, 0].max(), table.mean(axis=0)
                cells = [f"{middle[0]:.2f}", f"{worst:.2f}", f"{middle[1]:.3f}", f"{means[2]:.2f}"]
                cells += [f"{means[3]:.1f}", f"{middle[4]:.2f}"]
                rows.append([name, design, str(count), *cells])
                print("\t".join(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Measure the designs, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--of-section", metavar="NAME", help="section whose labels are changed; the smallest")
    parser.add_argument("--block", choices=("validation", "test"), default="validation")
    parser.add_argument("--designs", nargs="+", default=DESIGNS, help="configurations in experiments/")
    parser.add_argument("--changes", nargs="+", choices=tuple(CHANGES), help="changes of the labels; all")
    parser.add_argument("--counts", nargs="+", type=int, default=[20, 50, 100, 200])
    parser.add_argument("--alone", action="store_true", help="without the labels of other sections")
    parser.add_argument("--draws", type=int, default=3, help="random draws of each number of labels")
    options = parser.parse_args()
    if options.archives:
        config = load_config(options.config)
        blocks = cut(options.archives, config)
    elif options.smoke:
        config = load_config(None)
        with tempfile.TemporaryDirectory() as folder:
            for section, share in (("Harbour", 0.7), ("Meadow", 0.3)):
                n_records = int(options.sample_records * share)
                write_sample(Path(folder) / section, n_records=n_records, seed=len(section), section=section)
            blocks = cut([f"{folder}/Harbour", f"{folder}/Meadow"], config)
        options.counts, options.draws = options.counts[:1], 1
    else:
        parser.error("archives: got none, expected folders of records (or --smoke)")
    print(f"{describe(blocks, options.threads)}; {options.block} block\n")
    rows = measure(blocks, options, config)
    header = ["policy", "design", "labels", "MAE", "worst", "within 1", "coverage", "width", "MAE of others"]
    print("\n" + markdown(header, rows))


if __name__ == "__main__":
    main()
