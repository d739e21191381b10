"""Pictures of explanations, with Pillow and NumPy only: photos with what speaks for a class, legends, bars."""

from xplain.render.colormaps import CMAPS
from xplain.render.picture import Picture
from xplain.render.raster import KINDS, draw
from xplain.render.scale import SCALES

__all__ = ["CMAPS", "KINDS", "SCALES", "Picture", "draw"]
