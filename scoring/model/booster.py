"""Fitted trees: LightGBM's own library behind a few calls, without the Python package around it.

`import lightgbm` costs two seconds, since it brings pandas and scikit-learn, which no score needs.
What predicts is the same compiled library, through its C interface (``LightGBM/c_api.h``).
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from scoring.errors import ModelError
from scoring.features.table import Floats

_LOG = logging.getLogger(__name__)
_FLOAT64 = 1  # C_API_DTYPE_FLOAT64
_ROWS = 1  # row-major
_NORMAL, _RAW, _CONTRIBUTIONS = 0, 1, 3  # C_API_PREDICT_*
_SPLITS, _GAINS = 0, 1  # C_API_FEATURE_IMPORTANCE_*
_THREADS = re.compile(r"\[num_threads: \d+\]")


class Booster:
    """A fitted booster.

    Parameters
    ----------
    text : str
        LightGBM's text model, of LightGBM itself or checked by :mod:`.tree_text`: on any other LightGBM ends
        the process.

    Raises
    ------
    ModelError
        If LightGBM cannot take it.
    """

    def __init__(self, text: str) -> None:
        # The same for any number of threads that it was trained on.
        self.text = _THREADS.sub("[num_threads: 0]", text)
        self._handle = ctypes.c_void_p()
        n_iterations = ctypes.c_int()
        _call(
            "LGBM_BoosterLoadModelFromString",
            ctypes.c_char_p(self.text.encode()),
            ctypes.byref(n_iterations),
            ctypes.byref(self._handle),
        )
        self.num_trees = n_iterations.value
        n_features = ctypes.c_int()
        _call("LGBM_BoosterGetNumFeature", self._handle, ctypes.byref(n_features))
        self.n_features = n_features.value

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            library().LGBM_BoosterFree(self._handle)

    def __reduce__(self) -> tuple[type[Booster], tuple[str]]:
        return Booster, (self.text,)

    def predict(self, X: Floats, num_threads: int = 1, *, is_raw: bool = False) -> Floats:
        """Predictions, shape (n_samples,); one thread by default, since records come one by one.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Features, float64; NaN is missing.
        num_threads : int
        is_raw : bool
            Give what the trees add up to (log-odds of a binary objective).
        """
        return self._predict(X, _RAW if is_raw else _NORMAL, num_threads, 1).ravel()

    def contributions(self, X: Floats) -> Floats:
        """SHAP values (Lundberg et al., 2020), the base last; shape (n_samples, n_features + 1)."""
        return self._predict(X, _CONTRIBUTIONS, 1, self.n_features + 1)

    def importances(self) -> tuple[Floats, Floats]:
        """Summed gain, and count of splits, of each column; shapes (n_features,)."""
        gains, splits = np.zeros(self.n_features), np.zeros(self.n_features)
        for values, kind in ((gains, _GAINS), (splits, _SPLITS)):
            _call("LGBM_BoosterFeatureImportance", self._handle, 0, kind, _doubles(values))
        return gains, splits

    def _predict(self, X: Floats, kind: int, num_threads: int, n_columns: int) -> Floats:
        X = np.ascontiguousarray(X, dtype=np.float64)
        if X.shape[1] != self.n_features:
            raise ModelError(f"features: got {X.shape[1]} columns, expected {self.n_features}")
        found = np.empty((len(X), n_columns))
        if not len(X):
            return found
        n_found = ctypes.c_int64()
        _call(
            "LGBM_BoosterPredictForMat",
            self._handle,
            _doubles(X),
            _FLOAT64,
            ctypes.c_int32(len(X)),
            ctypes.c_int32(X.shape[1]),
            _ROWS,
            kind,
            0,
            -1,
            f"num_threads={num_threads}".encode(),
            ctypes.byref(n_found),
            _doubles(found),
        )
        if n_found.value != found.size:
            raise ModelError(f"booster: got {n_found.value} predictions, expected {found.size}")
        return found


@contextmanager
def capped_threads(most: int) -> Iterator[None]:
    """Have LightGBM use no more threads than this, whatever it is asked for, in the whole process.

    It keeps their number in one variable of the process. So calls at once that ask for different numbers
    write beyond each other's buffers: they are safe under a cap that all of them reach.
    """
    _call("LGBM_SetMaxThreads", most)
    try:
        yield
    finally:
        _call("LGBM_SetMaxThreads", -1)


def _doubles(values: Floats) -> ctypes.c_void_p:
    # `values.ctypes` tells the same, in three times the time.
    return ctypes.c_void_p(values.__array_interface__["data"][0])


@functools.cache
def library() -> ctypes.CDLL:
    """LightGBM's compiled library, found without importing the package that it comes in.

    Raises
    ------
    ModelError
        If LightGBM is not installed as its wheels install it.
    """
    spec = importlib.util.find_spec("lightgbm")
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    names = ("lib/lib_lightgbm.so", "lib/lib_lightgbm.dylib", "bin/lib_lightgbm.dll")
    found = [folder / name for folder in folders for name in names if (folder / name).is_file()]
    if not found:
        raise ModelError(f"LightGBM: got no library in {folders}, expected {' or '.join(names)}")
    loaded = ctypes.CDLL(str(found[0]))
    loaded.LGBM_GetLastError.restype = ctypes.c_char_p
    loaded.LGBM_RegisterLogCallback(_LOG_CALL)
    return loaded


def _log(message: bytes) -> None:
    _LOG.debug("LightGBM: %s", message.decode(errors="replace").strip())


# Its own way is to print on stdout, where results go.
_LOG_CALL = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(_log)


def _call(name: str, *arguments: Any) -> None:
    if getattr(library(), name)(*arguments):
        reason = library().LGBM_GetLastError().decode(errors="replace")
        raise ModelError(f"LightGBM cannot use this model: {reason}")
