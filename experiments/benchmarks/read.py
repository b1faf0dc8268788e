"""Reading an archive: records and features, compared with PyYAML, python-frontmatter, ruamel.yaml and bytes.

python experiments/benchmarks/read.py ARCHIVE...
python experiments/benchmarks/read.py --smoke
"""

from __future__ import annotations

import os
from functools import partial

import parsers
from timing import Figure, arguments, machine, publish, ratio, records, size_of, table, take_turns

from scoring.records.files import expand

SLOW_SHARE = 20  # ruamel.yaml reads every 20th file; its seconds are scaled up by bytes


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=3)
    options = parser.parse_args()
    with records(options, parser) as folders:
        files = expand(folders)
        n = options.threads
        runs = {
            "bytes alone": partial(parsers.bare, files),
            "records": partial(parsers.scoring_reader, files),
            "features": partial(parsers.scoring_features, files),
            f"features, {n} processes": partial(parsers.scoring_features, files, n),
            "PyYAML's C loader": partial(parsers.pyyaml, files),
            f"PyYAML's C loader, {n} processes": partial(parsers.pyyaml, files, n),
        }
        rivals = parsers.installed()
        sampled_files = files[::SLOW_SHARE]
        share = sum(map(os.path.getsize, sampled_files)) / sum(map(os.path.getsize, files))
        for name, way in rivals.items():
            runs[name] = partial(way, sampled_files if name == "ruamel.yaml" else files)
        seconds = take_turns(runs, options.runs)
        notes = []
        if "ruamel.yaml" in seconds:
            seconds["ruamel.yaml"] = [value / share for value in seconds["ruamel.yaml"]]
            sample_text = f"{len(sampled_files)} files, {share:.1%} of the bytes"
            notes.append(f"ruamel.yaml read {sample_text}; its seconds are for all.")
        reference = "PyYAML's C loader"
        figure = Figure(f"records against {reference}", ratio(seconds, "records", reference), 1 / 4)
        publish(
            "read",
            [
                f"{size_of(folders)}. {machine(('python-frontmatter', 'ruamel.yaml'))}.",
                table(seconds, "records"),
                *notes,
                figure,
            ],
            options,
        )


if __name__ == "__main__":
    main()
