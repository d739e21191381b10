"""Pictures of explanations, with Pillow and NumPy only.

Photos with what speaks for a class, texts with words in colour, signals, jobs, legends, bars. What draws texts and jobs
is imported on first use: a photo need not wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from xplain.pictures.colormaps import CMAPS
from xplain.pictures.drawing import KINDS, draw
from xplain.pictures.picture import Picture
from xplain.pictures.scale import SCALES

if TYPE_CHECKING:
    from xplain.pictures.page import JobPage
    from xplain.pictures.text import TextPicture

__all__ = ["CMAPS", "KINDS", "SCALES", "JobPage", "Picture", "TextPicture", "draw"]

_HOMES = {"JobPage": "xplain.pictures.page", "TextPicture": "xplain.pictures.text"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'xplain.pictures' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
