"""LightGBM prediction through the C API (``LightGBM/c_api.h``), without importing the Python package.

`import lightgbm` takes two seconds, since it imports pandas and scikit-learn, which scoring does not need.
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
    """A fitted LightGBM booster.

    Parameters
    ----------
    text : str
        LightGBM text model, written by LightGBM or checked by
        :mod:`scoring.artifact.lightgbm_validation`: a malformed one crashes the process.

    Raises
    ------
    ModelError
        If LightGBM rejects the model.
    """

    def __init__(self, text: str) -> None:
        # The text must not depend on the number of training threads.
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
        """Predictions, shape (n_samples,); one thread by default, the fastest for one record.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Features, float64; NaN is missing.
        num_threads : int
        is_raw : bool
            Return raw scores (log-odds of a binary objective).
        """
        return self._predict(X, _RAW if is_raw else _NORMAL, num_threads, 1).ravel()

    def staged_raw(self, X: Floats, every: int, num_threads: int = 1) -> Iterator[tuple[int, Floats]]:
        """Yield the raw scores of the first trees after each `every` trees, and after all of them.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            As in :meth:`predict`.
        every : int
            Number of trees between two stages; >= 1.
        num_threads : int

        Yields
        ------
        tuple of int and ndarray of shape (n_samples,)
            Number of trees, and their raw scores.
        """
        scores = np.zeros(len(X))
        for first in range(0, self.num_trees, every):
            n_trees = min(every, self.num_trees - first)
            scores = scores + self._predict(X, _RAW, num_threads, 1, first, n_trees).ravel()
            yield first + n_trees, scores

    def contributions(self, X: Floats) -> Floats:
        """SHAP values (Lundberg et al., 2020), the base value last; shape (n_samples, n_features + 1)."""
        return self._predict(X, _CONTRIBUTIONS, 1, self.n_features + 1)

    def importances(self) -> tuple[Floats, Floats]:
        """Total gain and number of splits of each feature; shapes (n_features,)."""
        gains, splits = np.zeros(self.n_features), np.zeros(self.n_features)
        for values, kind in ((gains, _GAINS), (splits, _SPLITS)):
            _call("LGBM_BoosterFeatureImportance", self._handle, 0, kind, _doubles(values))
        return gains, splits

    def _predict(
        self, X: Floats, kind: int, num_threads: int, n_columns: int, first: int = 0, n_trees: int = -1
    ) -> Floats:
        X = np.ascontiguousarray(X, dtype=np.float64)
        if X.shape[1] != self.n_features:
            raise ModelError(f"features: got {X.shape[1]} columns, expected {self.n_features}")
        predictions = np.empty((len(X), n_columns))
        if not len(X):
            return predictions
        n_predictions = ctypes.c_int64()
        _call(
            "LGBM_BoosterPredictForMat",
            self._handle,
            _doubles(X),
            _FLOAT64,
            ctypes.c_int32(len(X)),
            ctypes.c_int32(X.shape[1]),
            _ROWS,
            kind,
            first,
            n_trees,
            f"num_threads={num_threads}".encode(),
            ctypes.byref(n_predictions),
            _doubles(predictions),
        )
        if n_predictions.value != predictions.size:
            raise ModelError(f"booster: got {n_predictions.value} predictions, expected {predictions.size}")
        return predictions


@contextmanager
def capped_threads(most: int) -> Iterator[None]:
    """Cap the number of LightGBM threads in this process.

    LightGBM keeps the number in a global variable, so concurrent calls with different numbers overflow each
    other's buffers. They are safe under a cap that all of them reach.
    """
    _call("LGBM_SetMaxThreads", most)
    try:
        yield
    finally:
        _call("LGBM_SetMaxThreads", -1)


def _doubles(values: Floats) -> ctypes.c_void_p:
    # Three times as fast as `values.ctypes`.
    return ctypes.c_void_p(values.__array_interface__["data"][0])


@functools.cache
def library() -> ctypes.CDLL:
    """Load LightGBM's compiled library without importing its Python package.

    Raises
    ------
    ModelError
        If the installed package has no library.
    """
    spec = importlib.util.find_spec("lightgbm")
    folders = [Path(location) for location in (spec.submodule_search_locations or ())] if spec else []
    names = ("lib/lib_lightgbm.so", "lib/lib_lightgbm.dylib", "bin/lib_lightgbm.dll")
    paths = [folder / name for folder in folders for name in names if (folder / name).is_file()]
    if not paths:
        raise ModelError(f"LightGBM: got no {' or '.join(names)} in {folders}; reinstall lightgbm")
    handle = ctypes.CDLL(str(paths[0]))
    handle.LGBM_GetLastError.restype = ctypes.c_char_p
    handle.LGBM_RegisterLogCallback(_LOG_CALL)
    return handle


def _log(message: bytes) -> None:
    _LOG.debug("LightGBM: %s", message.decode(errors="replace").strip())


# By default LightGBM prints to stdout, where results go.
_LOG_CALL = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(_log)


def _call(name: str, *arguments: Any) -> None:
    if getattr(library(), name)(*arguments):
        reason = library().LGBM_GetLastError().decode(errors="replace")
        raise ModelError(f"LightGBM cannot use this model: {reason}")
