"""Pictures of explanations, with Pillow and NumPy only.

Photos with what speaks for a class, texts with words in colour, signals, jobs, legends, bars. What draws texts and jobs
is imported on first use: a photo need not wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from xplain.renderers.canvas.colours import CMAPS
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.canvas.scale import SCALES
from xplain.renderers.drawing import draw
from xplain.renderers.image.drawing import KINDS

if TYPE_CHECKING:
    from xplain.renderers.job.page import JobPage
    from xplain.renderers.text.drawing import TextPicture

__all__ = ["CMAPS", "KINDS", "SCALES", "JobPage", "Picture", "TextPicture", "draw"]

_HOMES = {"JobPage": "xplain.renderers.job.page", "TextPicture": "xplain.renderers.text.drawing"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'xplain.renderers' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
