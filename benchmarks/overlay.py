"""A photo, a score map and a PNG of both: ours against OpenCV, pytorch-grad-cam, matplotlib and captum.

    python benchmarks/overlay.py [--quick]

Every contender starts from a uint8 RGB photo and a float32 map in memory and ends with the bytes of a PNG, or with the
blended pixels. Numbers are ratios rival / ours. The steps of grad-cam's ``show_cam_on_image`` are written out here,
since importing it brings in torchvision.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from _bench import Call, Contenders, Effort, Table, heading, main, note, rival
from _photos import Pixels, noisy_cat
from PIL import Image

import xplain
from xplain.kernels import maps
from xplain.kernels.plain import maps as plain_maps
from xplain.renderers import CMAPS, draw
from xplain.renderers.canvas import png
from xplain.renderers.canvas.colours import colour_table

Scores = npt.NDArray[np.float32]
Contest = Callable[[Pixels, Scores], tuple[Call, Contenders]]
"""From a photo and a map to our call and the rivals'."""

CV2, FPNG, FIGURE, CAPTUM = rival("cv2"), rival("fpng_py"), rival("matplotlib.figure"), rival("captum.attr")
PACKAGES = (
    *("numpy", "numba", "pillow", "isal"),
    *("opencv-python-headless", "fpng_py", "matplotlib", "captum"),
)
SIZES = [(224, 224), (1080, 1920)]
QUICK_SIZES = [(48, 64)]


def two_spots(height: int, width: int) -> Scores:
    """Return a smooth signed map."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    spots = [np.exp(-(((y / height - a) ** 2 + (x / width - b) ** 2) / 0.02)) for a, b in ((0.4, 0.4), (0.7, 0.75))]
    return (spots[0] - 0.6 * spots[1]).astype(np.float32)


def overlays(photo: Pixels, heat: Scores) -> tuple[Call, Contenders]:
    """From photo and map to the bytes of a PNG."""
    target = xplain.Prediction("cat", 0.9)
    height, width = heat.shape
    source = xplain.Source("image", height=height, width=width, content=photo)
    attribution = xplain.Attribution(target, xplain.Heatmap(heat), "cam")
    explanation = xplain.Explanation("image-classification", source, (target,), (attribution,))
    return lambda: draw(explanation, legend=False).png(), {
        "ours with its legend": lambda: draw(explanation).png(),
        "cv2": CV2 and (lambda: CV2.imencode(".png", cv2_blend(photo, heat))),
        "show-cam + cv2": CV2 and (lambda: CV2.imencode(".png", show_cam(photo, heat))),
        "show-cam + Pillow": CV2 and (lambda: pillow_png(show_cam(photo, heat))),
        "matplotlib": FIGURE and (lambda: matplotlib_png(photo, heat)),
        "captum": FIGURE and CAPTUM and (lambda: captum_png(photo, heat)),
    }


def blends(photo: Pixels, heat: Scores) -> tuple[Call, Contenders]:
    """From photo and map to pixels."""
    table = maps.blend_table(colour_table(CMAPS["RdBu_r"]), np.abs(np.linspace(-0.8, 0.8, 256)))
    blended = np.empty_like(photo)
    flat = (photo.reshape(-1), heat.reshape(-1), table, np.float32(127), np.float32(128.5), blended.reshape(-1))
    return lambda: maps.blend(photo, heat, table, 127, 128.5, blended), {
        "our NumPy twin": lambda: plain_maps.blend(*flat),
        "cv2": CV2 and (lambda: cv2_blend(photo, heat)),
        "show-cam": CV2 and (lambda: show_cam(photo, heat)),
    }


def encoders(photo: Pixels, _: Scores) -> tuple[Call, Contenders]:
    """From pixels to the bytes of a PNG."""
    height, width, channels = photo.shape
    return lambda: png.encode(photo), {
        "cv2": CV2 and (lambda: CV2.imencode(".png", photo)),
        "fpng": FPNG and (lambda: FPNG.fpng_encode_image_to_memory(photo.tobytes(), width, height, channels)),
        "Pillow": lambda: pillow_png(photo),
        "Pillow level 1": lambda: pillow_png(photo, 1),
    }


def cv2_blend(photo: Pixels, heat: Scores) -> Pixels:
    """Blend with OpenCV's functions."""
    level = CV2.convertScaleAbs(heat, alpha=127, beta=128)
    return CV2.addWeighted(photo, 0.5, CV2.applyColorMap(level, CV2.COLORMAP_JET), 0.5, 0)


def show_cam(photo: Pixels, heat: Scores) -> Pixels:
    """Blend as pytorch-grad-cam's ``show_cam_on_image`` does."""
    colours = CV2.applyColorMap(np.uint8(255 * ((heat + 1) / 2)), CV2.COLORMAP_JET)
    mixed = 0.5 * np.float32(CV2.cvtColor(colours, CV2.COLOR_BGR2RGB)) / 255 + 0.5 * (np.float32(photo) / 255)
    return np.uint8(255 * (mixed / np.max(mixed)))


def pillow_png(pixels: Pixels, level: int = 6) -> bytes:
    """Encode with Pillow; 6 is its own level."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=level)
    return file.getvalue()


def matplotlib_png(photo: Pixels, heat: Scores) -> bytes:
    """Draw photo and map with matplotlib, a pixel for each of the photo's."""
    figure, axes = bare_figure(*heat.shape)
    axes.axis("off")
    axes.imshow(photo)
    axes.imshow(heat, cmap="RdBu_r", vmin=-1, vmax=1, alpha=0.5)
    return figure_png(figure)


def captum_png(photo: Pixels, heat: Scores) -> bytes:
    """Draw with captum, which draws with matplotlib."""
    pair = bare_figure(*heat.shape)
    CAPTUM.visualization.visualize_image_attr(
        heat[..., None], photo, "blended_heat_map", "all", plt_fig_axis=pair, use_pyplot=False
    )
    return figure_png(pair[0])


def bare_figure(height: int, width: int) -> tuple[Any, Any]:
    """Return a figure of so many pixels and axes that fill it."""
    figure = FIGURE.Figure(figsize=(width / 100, height / 100), dpi=100)
    return figure, figure.add_axes((0, 0, 1, 1))


def figure_png(figure: Any) -> bytes:
    """Return a figure as a PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def compare(effort: Effort, title: str, contest: Contest) -> None:
    """Print the times of one contest at each size."""
    heading(title)
    table = None
    for height, width in effort.choose(QUICK_SIZES, SIZES):
        ours, rivals = contest(noisy_cat(height, width), two_spots(height, width))
        table = table or Table(effort, list(rivals))
        table.row(f"{height}x{width}", ours, rivals)


def overlay(effort: Effort) -> None:
    """Print the times of the whole way."""
    compare(effort, "Overlay to PNG", overlays)


def blend(effort: Effort) -> None:
    """Print the times of blending."""
    compare(effort, "Blend alone", blends)


def encode(effort: Effort) -> None:
    """Print the times of encoding."""
    compare(effort, "PNG alone", encoders)
    if rival("isal") is None:
        note("our PNGs are compressed by zlib; the extra `fast` brings isal, which is several times faster")


if __name__ == "__main__":
    main(__doc__, {"overlay": overlay, "blend": blend, "encode": encode}, PACKAGES, rounds=11)
