"""Pictures of explanations, with Pillow and NumPy only: photos with what speaks for a class, legends, bars."""

from xplain.pictures.colormaps import CMAPS
from xplain.pictures.picture import Picture
from xplain.pictures.raster import KINDS, draw
from xplain.pictures.scale import SCALES

__all__ = ["CMAPS", "KINDS", "SCALES", "Picture", "draw"]
