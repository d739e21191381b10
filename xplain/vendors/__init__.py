"""What the services of vendors compute, computed here from their documents: `deepomatic`, `edge_impulse`, `reinfer`."""

from __future__ import annotations

import importlib
from types import ModuleType

_MODULES = ("deepomatic", "edge_impulse", "reinfer")


def __getattr__(name: str) -> ModuleType:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
