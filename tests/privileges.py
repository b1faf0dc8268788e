"""Run a test without root's right to ignore file modes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

# linux/capability.h
_VERSION_3 = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1 << 1, 1 << 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _call(name: str, sets: ctypes.Array[_Sets]) -> None:
    header = _Header(_VERSION_3, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(ctypes.byref(header), sets):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


@contextmanager
def held_by_modes() -> Iterator[None]:
    """Hold this thread to the modes of files, which root may otherwise pass over.

    The user stays the same, so that files which only root may read, such as an environment in a home of root,
    can be read on.
    """
    if os.geteuid() != 0:
        yield
        return
    if not hasattr(ctypes.CDLL(None), "capset"):
        pytest.skip("root cannot be held to the modes of files here")
    before, held = (_Sets * 2)(), (_Sets * 2)()
    _call("capget", before)
    _call("capget", held)
    held[0].effective &= ~(_DAC_OVERRIDE | _DAC_READ_SEARCH)
    _call("capset", held)
    try:
        yield
    finally:
        _call("capset", before)
