"""Pictures of explanations, with Pillow and NumPy only.

`draw` turns an explanation, a job, a record or a comparison into a picture that saves itself as PNG, HTML, SVG or text.
Sub-packages draw one kind of source each (``image``, ``text``, ``signal``) or a whole ``job``; ``canvas`` holds what
they share. The modules for texts and jobs are imported on first use, so that drawing a photo need not wait for them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from xplain.renderers.canvas.colours import CMAPS
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.canvas.scale import SCALES
from xplain.renderers.drawing import draw
from xplain.renderers.image.style import KINDS

if TYPE_CHECKING:
    from xplain.renderers.job.page import JobPage
    from xplain.renderers.text.drawing import TextPicture

__all__ = ["CMAPS", "KINDS", "SCALES", "JobPage", "Picture", "TextPicture", "draw"]

_LAZY = {"JobPage": "xplain.renderers.job.page", "TextPicture": "xplain.renderers.text.drawing"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'xplain.renderers' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
