"""When and how kernels are compiled: the only place that decides about Numba.

A kernel has two homes with the same functions: a module of Numba kernels, and a module of slow, obvious NumPy twins
that give the same results. `choose` picks one for a call:

* the first small call of a process (at most `SMALL` elements) takes the twin, because importing Numba costs 0.3 s and
  compiling a kernel for the first time 1 s or more, which one call never earns back;
* every later call, and any larger one, takes the kernels, and stays with them;
* `one_shot` raises the number of small calls that take the twins, for programs that make a few and end;
* with ``NUMBA_DISABLE_JIT=1`` in the environment every call takes the twins.

`loaded` is for calls that are too short to import Numba for: the kernels once an earlier call has loaded any, else the
twins. Which one is taken depends on the earlier calls and on the size, never on a clock.

Kernels take plain arrays of fixed dtypes and check nothing: the Python face in front of them does. A module of
kernels must not use intrinsics or kernels of another module, since Numba's cache watches one file only and would keep
machine code made from an old version of the other.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar, cast

SMALL = 2**25
"""Largest call, in elements, that may take a NumPy twin."""

_loaded: dict[str, ModuleType] = {}
_twin_calls_left = 1
_disabled = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a function with Numba on its first call.

    The machine code holds no GIL, checks no bounds, divides as NumPy does and is kept on disk where a cache directory
    can be written.

    Parameters
    ----------
    function : callable
        Written in the subset of Python that Numba compiles.

    Returns
    -------
    callable
        The compiled function.
    """
    import numba

    options: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
    try:
        return cast(F, numba.njit(cache=True, **options)(function))
    except RuntimeError:  # no cache directory can be written
        return cast(F, numba.njit(**options)(function))


def choose(work: int, kernels: str, twins: ModuleType) -> ModuleType:
    """Pick the module whose functions a call shall use.

    Parameters
    ----------
    work : int
        Size of the call in elements.
    kernels : str
        Full name of the module of Numba kernels; imported when it is first chosen.
    twins : ModuleType
        The module of NumPy functions with the same names and results.

    Returns
    -------
    ModuleType
        One of the two.
    """
    global _twin_calls_left
    module = _loaded.get(kernels)
    if module is not None:
        return module
    if _disabled:
        return twins
    if work <= SMALL and _twin_calls_left > 0:
        _twin_calls_left -= 1
        return twins
    _twin_calls_left = 0
    module = _loaded[kernels] = importlib.import_module(kernels)
    return module


def loaded(kernels: str, twins: ModuleType) -> ModuleType:
    """Pick the kernels if an earlier call has loaded these or others, and the twins if not."""
    return choose(0, kernels, twins) if _loaded else twins


def one_shot(calls: int = 1000) -> None:
    """Let the next small calls take the NumPy twins, so that a short program never imports Numba.

    Parameters
    ----------
    calls : int
        How many.
    """
    global _twin_calls_left
    _twin_calls_left = calls
