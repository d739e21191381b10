"""When and how kernels are compiled: the only place that decides about Numba.

Each kernel exists twice under one name, with equal results: compiled by Numba (`xplain.kernels.compiled`), and as a
slow, obvious NumPy twin (`xplain.kernels.plain`). `choose` picks one of the two modules for a call:

* the first small call of a process (at most `SMALL` elements) takes the twin, because importing Numba costs 0.3 s and
  compiling a kernel for the first time 1 s or more, which one call never earns back;
* every later call, and any larger one, takes the compiled kernel;
* `one_shot` raises the number of small calls that take the twins, for programs that make a few and end;
* with ``NUMBA_DISABLE_JIT=1`` in the environment every call takes the twins.

`choose_if_loaded` is for calls that are too short to import Numba for. The choice depends on the earlier calls and on
the size of this one, never on a clock, so that runs repeat.

Kernels take plain arrays of fixed dtypes and check nothing: the Python function that calls them does. A module of
compiled kernels must not use intrinsics or kernels of another module: Numba's cache watches one file only, and would
keep machine code made from an old version of the other.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar, cast

SMALL = 2**25
"""Largest call, in elements, that may take a NumPy twin."""

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a function with Numba on its first call.

    The machine code releases the GIL, checks no bounds, divides as NumPy does and is cached on disk where a cache
    directory can be written.

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


class Policy:
    """Chooses between compiled kernels and their twins, from the calls so far; a process has one.

    Attributes
    ----------
    twin_calls_left : int
        How many more small calls take the twins.
    disabled : bool
        Whether the environment forbids compiled kernels.
    """

    def __init__(self) -> None:
        self.twin_calls_left = 1
        self.disabled = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
        self._loaded: dict[str, ModuleType] = {}

    def choose(self, work: int, compiled: str, twins: ModuleType) -> ModuleType:
        """Pick the module whose functions a call shall use.

        Parameters
        ----------
        work : int
            Size of the call in elements.
        compiled : str
            Full name of the module of compiled kernels; imported when it is first chosen.
        twins : ModuleType
            The module of NumPy functions with the same names and results.

        Returns
        -------
        ModuleType
            One of the two.
        """
        module = self._loaded.get(compiled)
        if module is not None:
            return module
        if self.disabled:
            return twins
        if work <= SMALL and self.twin_calls_left > 0:
            self.twin_calls_left -= 1
            return twins
        self.twin_calls_left = 0
        module = self._loaded[compiled] = importlib.import_module(compiled)
        return module

    def choose_if_loaded(self, compiled: str, twins: ModuleType) -> ModuleType:
        """Pick the compiled kernels if an earlier call has loaded these or others, and the twins if not."""
        return self.choose(0, compiled, twins) if self._loaded else twins

    def one_shot(self, calls: int = 1000) -> None:
        """Let the next small calls take the NumPy twins, so that a short program never imports Numba.

        Parameters
        ----------
        calls : int
            How many.
        """
        self.twin_calls_left = calls


_policy = Policy()
choose = _policy.choose
choose_if_loaded = _policy.choose_if_loaded
one_shot = _policy.one_shot
