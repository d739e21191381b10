"""``xplain demo``: a real photo explained by a real network, as documents and pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from xplain import api
from xplain._lazy import require
from xplain.cli import _io
from xplain.cli.explain import load_model, progress
from xplain.dialects import dumps, to_document
from xplain.explanation import Explanation

__all__ = ["run"]

# One of each kind: gradients, class activation, path integral, black box.
METHODS = ("saliency", "grad-cam", "integrated-gradients", "rise")


def run(arguments: argparse.Namespace) -> int:
    """Explain the photo of a cat with several methods, and write documents and pictures to a folder."""
    folder = Path(arguments.output)
    folder.mkdir(parents=True, exist_ok=True)
    photo = Path(str(require("skimage.data", extra="torch").__file__)).with_name("chelsea.png")
    model = load_model("efficientnet-lite0")
    explained = [_explain(model, photo, method) for method in METHODS]
    grad_cam = explained[1]
    print(f"{photo.name}, seen by {model.name}:")
    for prediction in grad_cam.predictions[:3]:
        print(f"  {prediction.score:6.1%}  {prediction.name}")
    print("written:")
    files = {
        "cat.png": (photo.read_bytes(), "the photo"),
        "cat.json": (_document(grad_cam, "native"), "grad-cam, lossless"),
        "cat.modzy.json": (_document(grad_cam.with_masks(keep=0.1), "modzy"), "its top tenth as a run-length mask"),
        "cat-overlay.png": (api.render(grad_cam).encoded(".png"), "grad-cam over the photo"),
        "cat-mask.png": (api.render(grad_cam.with_masks(keep=0.1)).encoded(".png"), "the mask's outline"),
        "cat-methods.png": (api.render(explained).encoded(".png"), "several methods side by side"),
    }
    for name, (data, what) in files.items():
        _io.write_bytes(str(folder / name), data, force=arguments.force)
        print(f"  {folder / name!s:<28} {what}")
    print(f"draw it again without the model: xplain render {folder}/cat.json --image {folder}/cat.png -o again.png")
    return 0


def _explain(model: Any, photo: Path, method: str) -> Explanation:
    with progress(method) as show:
        return api.explain(model, photo, method, progress=show)


def _document(explanation: Explanation, format: str) -> bytes:
    return (dumps(to_document(explanation, format)) + "\n").encode("utf-8")
