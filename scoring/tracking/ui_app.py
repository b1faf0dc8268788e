"""MLflow's app for a store whose home may have moved, served by `scoring ui`.

Imported only by MLflow's server, through the entry point ``mlflow.app`` of this package.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.tracking.local_artifacts import HomeArtifactRepository, register
from scoring.tracking.store import Store
from scoring.tracking.ui import HOME_VARIABLE

if TYPE_CHECKING:
    from fastapi import FastAPI


def create_app() -> FastAPI:
    """Return MLflow's app, with artifacts resolved in the current home of the store."""
    from mlflow.server import fastapi_app

    register()
    home = Path(os.environ[HOME_VARIABLE])
    HomeArtifactRepository.served = Store(os.environ["MLFLOW_BACKEND_STORE_URI"], home)
    app: FastAPI = fastapi_app.app
    return app
