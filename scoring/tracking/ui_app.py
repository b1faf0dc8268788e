"""MLflow's own pages on a store whose home may have moved: the app that `scoring ui` has MLflow serve.

Only MLflow's server imports it, by the entry point ``mlflow.app`` of this package.
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
    """MLflow's app, which finds the artifacts of the store in its home of today."""
    from mlflow.server import fastapi_app

    register()
    home = Path(os.environ[HOME_VARIABLE])
    HomeArtifactRepository.served = Store(os.environ["MLFLOW_BACKEND_STORE_URI"], home)
    app: FastAPI = fastapi_app.app
    return app
