"""A photo, a score map and a PNG of both: ours against OpenCV, pytorch-grad-cam, matplotlib and captum.

    python benchmarks/overlay.py [--rounds 11] [--sizes 224x224 1080x1920]

Every contender starts from a uint8 RGB photo and a float32 map in memory and ends with the bytes of a PNG, or with the
blended pixels. Numbers are ratios rival / ours. The steps of grad-cam's ``show_cam_on_image`` are written out here,
since importing it brings in torchvision.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from _bench import Table, machine, rival
from PIL import Image

from xplain.explanation import Attribution, Explanation, Heatmap, Prediction, Source
from xplain.kernels import maps
from xplain.kernels.plain import maps as plain
from xplain.renderers import CMAPS, draw
from xplain.renderers.canvas import png
from xplain.renderers.canvas.colours import colour_table

Run = Callable[[], Any]
Contest = tuple[Run, dict[str, Run | None]]

CV2, FPNG, MATPLOTLIB = rival("cv2"), rival("fpng_py"), rival("matplotlib.figure")
CAPTUM = rival("captum.attr._utils.visualization")


def inputs(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A photo with the noise of a camera, and a smooth signed map."""
    rng = np.random.default_rng(0)
    try:
        from skimage.data import chelsea

        small = Image.fromarray(chelsea())
    except ImportError:
        small = Image.fromarray(rng.integers(0, 256, (24, 36, 3), dtype=np.uint8))
    photo = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(np.float32)
    photo = np.clip(photo + rng.normal(0, 2, photo.shape), 0, 255).astype(np.uint8)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    blobs = [np.exp(-(((y / height - a) ** 2 + (x / width - b) ** 2) / 0.02)) for a, b in ((0.4, 0.4), (0.7, 0.75))]
    return photo, (blobs[0] - 0.6 * blobs[1]).astype(np.float32)


def whole(photo: np.ndarray, heat: np.ndarray) -> Contest:
    """From photo and map to the bytes of a PNG."""
    target = Prediction("cat", 0.9)
    height, width = heat.shape
    source = Source("image", height=height, width=width, content=photo)
    explanation = Explanation("image-classification", source, (target,), (Attribution(target, Heatmap(heat), "cam"),))
    return lambda: draw(explanation, legend=False).png(), {
        "ours with its legend": lambda: draw(explanation).png(),
        "cv2": CV2 and (lambda: CV2.imencode(".png", cv2_blend(photo, heat))),
        "show-cam + cv2": CV2 and (lambda: CV2.imencode(".png", show_cam(photo, heat))),
        "show-cam + Pillow": CV2 and (lambda: pillow_png(show_cam(photo, heat))),
        "matplotlib": MATPLOTLIB and (lambda: matplotlib_png(photo, heat)),
        "captum": CAPTUM and (lambda: captum_png(CAPTUM, photo, heat)),
    }


def blends(photo: np.ndarray, heat: np.ndarray) -> Contest:
    """From photo and map to pixels."""
    table = maps.blend_table(colour_table(CMAPS["RdBu_r"]), np.abs(np.linspace(-0.8, 0.8, 256)))
    out = np.empty_like(photo)
    flat = (photo.reshape(-1), heat.reshape(-1), table, np.float32(127), np.float32(128.5), out.reshape(-1))
    maps.blend(photo, heat, table, 127, 128.5, out)  # the first call of a process takes the NumPy twin
    return lambda: maps.blend(photo, heat, table, 127, 128.5, out), {
        "our NumPy twin": lambda: plain.blend(*flat),
        "cv2": CV2 and (lambda: cv2_blend(photo, heat)),
        "show-cam": CV2 and (lambda: show_cam(photo, heat)),
    }


def encoders(photo: np.ndarray, _: np.ndarray) -> Contest:
    """From pixels to the bytes of a PNG."""
    height, width, channels = photo.shape
    return lambda: png.encode(photo), {
        "cv2": CV2 and (lambda: CV2.imencode(".png", photo)),
        "fpng": FPNG and (lambda: FPNG.fpng_encode_image_to_memory(photo.tobytes(), width, height, channels)),
        "Pillow": lambda: pillow_png(photo),
        "Pillow level 1": lambda: pillow_png(photo, 1),
    }


def cv2_blend(photo: np.ndarray, heat: np.ndarray) -> np.ndarray:
    level = CV2.convertScaleAbs(heat, alpha=127, beta=128)
    return CV2.addWeighted(photo, 0.5, CV2.applyColorMap(level, CV2.COLORMAP_JET), 0.5, 0)


def show_cam(photo: np.ndarray, heat: np.ndarray) -> np.ndarray:
    colours = CV2.applyColorMap(np.uint8(255 * ((heat + 1) / 2)), CV2.COLORMAP_JET)
    mixed = 0.5 * np.float32(CV2.cvtColor(colours, CV2.COLOR_BGR2RGB)) / 255 + 0.5 * (np.float32(photo) / 255)
    return np.uint8(255 * (mixed / np.max(mixed)))


def pillow_png(pixels: np.ndarray, level: int = 6) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=level)
    return file.getvalue()


def matplotlib_png(photo: np.ndarray, heat: np.ndarray) -> bytes:
    from matplotlib.figure import Figure

    height, width = heat.shape
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.imshow(photo)
    axes.imshow(heat, cmap="RdBu_r", vmin=-1, vmax=1, alpha=0.5)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def captum_png(visualization: ModuleType, photo: np.ndarray, heat: np.ndarray) -> bytes:
    from matplotlib.figure import Figure

    height, width = heat.shape
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    pair = (figure, figure.add_axes((0, 0, 1, 1)))
    visualization.visualize_image_attr(
        heat[..., None], photo, "blended_heat_map", "all", plt_fig_axis=pair, use_pyplot=False
    )
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--sizes", nargs="+", default=["224x224", "1080x1920"], metavar="HEIGHTxWIDTH")
    arguments = parser.parse_args()
    print(machine("numpy", "numba", "pillow", "isal", "opencv-python-headless", "fpng_py", "matplotlib", "captum"))
    if rival("isal") is None:
        print("- our PNGs are compressed by zlib; the extra `fast` brings isal, which is several times faster")
    pairs = [(size, *inputs(*map(int, size.split("x")))) for size in arguments.sizes]
    for title, contest in (("Overlay to PNG", whole), ("Blend alone", blends), ("PNG alone", encoders)):
        print(f"\n{title}\n")
        table = Table(list(contest(*pairs[0][1:])[1]), arguments.rounds)
        for size, photo, heat in pairs:
            ours, rivals = contest(photo, heat)
            table.row(size, ours, **rivals)


if __name__ == "__main__":
    main()
