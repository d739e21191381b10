"""``xplain demo``: a real photo and a real text, explained by pretrained networks, as documents and pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from xplain import api
from xplain._lazy import require
from xplain.cli import streams
from xplain.cli.documents import encode
from xplain.cli.explain import load_model, progress
from xplain.explanation import Explanation
from xplain.inputs.files import make_folder

Files = dict[str, tuple[bytes, str]]  # name to content and what it is

# One of each kind: gradients, class activation, path integral, black box.
METHODS: dict[str, dict[str, int]] = {
    "saliency": {},
    "grad-cam": {},
    "integrated-gradients": {},
    "rise": {"n_samples": 600},
}
REVIEW = (
    "The acting was great and the music is wonderful, but the plot was not good, and the ending is a complete waste."
)


def run(arguments: argparse.Namespace) -> int:
    """Explain the photo of a cat and a review, and write documents and pictures to a folder."""
    folder = Path(arguments.output)
    make_folder(folder)
    for files in (_explain_photo(), _explain_text()):
        for name, (data, description) in files.items():
            streams.write_bytes(str(folder / name), data, force=arguments.force)
            print(f"  {folder / name!s:<28} {description}")
    print(f"draw it again without the model: xplain render {folder}/cat.json --image {folder}/cat.png -o again.png")
    return 0


def _explain_photo() -> Files:
    photo = Path(str(require("skimage.data", extra="torch").__file__)).with_name("chelsea.png")
    model = load_model("efficientnet-lite0")
    explanations = {method: _explain(model, photo, method, **options) for method, options in METHODS.items()}
    grad_cam = explanations["grad-cam"]
    _announce(photo.name, model, grad_cam)
    mask = grad_cam.with_masks(keep=0.1)
    return {
        "cat.png": (photo.read_bytes(), "the photo"),
        "cat.json": (encode(grad_cam, "native"), "grad-cam, lossless"),
        "cat.modzy.json": (encode(mask, "modzy"), "its top tenth as a run-length mask"),
        "cat-overlay.png": (api.render(grad_cam).encoded(".png"), "grad-cam over the photo"),
        "cat-mask.png": (api.render(mask).encoded(".png"), "the mask's outline"),
        "cat-methods.png": (
            api.render(list(explanations.values()), shared=False).encoded(".png"),
            "several methods side by side",
        ),
    }


def _explain_text() -> Files:
    model = load_model("sentiment-cnn")
    e = _explain(model, REVIEW, "shapley")
    _announce(f'"{REVIEW}"', model, e)
    return {
        "review.json": (encode(e, "native"), "Shapley values of the words, lossless"),
        "review.modzy.json": (encode(e, "modzy"), "the same as word importances"),
        "review.html": (api.render(e).encoded(".html"), "the words in colour, as a page"),
        "review.png": (api.render(e).encoded(".png"), "the same as a picture"),
    }


def _announce(name: str, model: Any, e: Explanation) -> None:
    print(f"{name}, seen by {model.name}:")
    for prediction in e.predictions[:3]:
        print(f"  {prediction.score:6.1%}  {prediction.name}")


def _explain(model: Any, source: Any, method: str, **options: Any) -> Explanation:
    with progress(method) as show:
        return api.explain(model, source, method, progress=show, **options)
