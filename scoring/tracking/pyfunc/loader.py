"""The file that MLflow runs to load the model: it is copied beside the saved model and run from there.

It imports only public names, so that a model logged today loads with later versions.
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
            f"{_FOLDER}: logged with the code of scoring {version}, but this process has imported other code "
            f"from {running} ({len(changed)} of {len(files)} files differ, such as {min(changed)}): scores "
            "may differ; to use the model's own code, load it in a new process before importing scoring",
            stacklevel=2,
        )


_warn_of_other_code()
mlflow.models.set_model(RecordModel())
