"""Pictures of explanations, with Pillow and NumPy only.

Photos with what speaks for a class, texts with words in colour, legends, bars.
"""

from xplain.pictures.colormaps import CMAPS
from xplain.pictures.drawing import KINDS, draw
from xplain.pictures.page import JobPage
from xplain.pictures.picture import Picture
from xplain.pictures.scale import SCALES
from xplain.pictures.text import TextPicture

__all__ = ["CMAPS", "KINDS", "SCALES", "JobPage", "Picture", "TextPicture", "draw"]
