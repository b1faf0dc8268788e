"""The file that MLflow runs to load the model: it is copied beside the saved model and run from there.

It imports public names alone, so that a model that was logged today loads with later versions.
"""

import warnings
from pathlib import Path

import mlflow

import scoring
from scoring import RecordModel

_FOLDER = Path(__file__).resolve().parent


def _warn_of_other_code() -> None:
    """Warn if the process has already imported other code than the model's: Python imports it only once."""
    running, own = Path(scoring.__file__).resolve().parent, _FOLDER / "code" / "scoring"
    files = [path.relative_to(own) for path in own.rglob("*.py")]
    changed = [
        file
        for file in files
        if not (running / file).is_file() or (running / file).read_bytes() != (own / file).read_bytes()
    ]
    if changed:
        version = (mlflow.models.Model.load(str(_FOLDER)).metadata or {}).get("scoring_version", "unknown")
        warnings.warn(
            f"{_FOLDER}: logged with the code of scoring {version}, but this process runs other code, from "
            f"{running} ({len(changed)} of {len(files)} files differ, as {min(changed)}): scores may differ "
            "from those of its own code; load the model first in a process of its own",
            stacklevel=2,
        )


_warn_of_other_code()
mlflow.models.set_model(RecordModel())
