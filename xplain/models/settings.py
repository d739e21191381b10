"""Preprocessing and labels, read from models and configurations of timm, torchvision, transformers and ultralytics.

They are read by the names of attributes, so none of these libraries is imported or has to be installed. What a
`Preprocess` cannot do exactly is refused: a slightly different resize would move the evidence without notice.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from xplain.errors import InputError
from xplain.models.borrowing import unwrap

Settings = dict[str, Any]

_REMEDY = "write it out: xplain.Preprocess(size=..., resize=..., mean=..., std=...)"
_FILTERS = {2: "bilinear", 3: "bicubic"}  # by Pillow's numbers


def labels_of(model: Any) -> Any:
    """Return the labels that a model carries, by class number; None if it has none.

    These are ``config.id2label`` of transformers or ``names`` of ultralytics. Placeholders (LABEL_0) do not count.
    """
    labels = getattr(getattr(model, "config", None), "id2label", None) or getattr(model, "names", None)
    if not isinstance(labels, Mapping) or not all(isinstance(label, str) for label in labels.values()):
        return None
    return None if all(re.fullmatch(r"LABEL_\d+", label) for label in labels.values()) else labels


def preprocessing_of(source: Any) -> Settings:
    """Return the arguments of the `Preprocess` that an object describes; see `Preprocess.of`."""
    source = unwrap(source)
    for name in ("image_processor", "pretrained_cfg", "default_cfg"):
        source = _value(source, name) or source
    if callable(transforms := _value(source, "transforms")):  # weights of torchvision hold a function that makes them
        source = transforms()
    for attribute, read in _READERS.items():
        if _value(source, attribute) is not None:
            return read(source)
    raise InputError(
        "source must say how images are prepared (a model of timm or its configuration, weights or transforms of "
        f"torchvision, an image processor of transformers), got {type(source).__name__}; {_REMEDY}"
    )


def _timm(source: Any) -> Settings:
    channels, height, width = _value(source, "input_size")
    mode, fraction = _value(source, "crop_mode") or "center", _value(source, "crop_pct") or 1.0
    if mode not in ("center", "squash") or (mode == "squash" and fraction != 1.0):
        raise _unsupported("crop_mode", "'center', or 'squash' with a crop_pct of 1", f"{mode!r} with {fraction}")
    return {
        "size": (height, width),
        "resize": "shorter-side" if mode == "center" else "stretch",
        # timm resizes the shorter side to a whole number of pixels.
        "crop": height / math.floor(height / fraction) if height == width else fraction,
        "mean": tuple(_value(source, "mean")),
        "std": tuple(_value(source, "std")),
        "channels": "L" if channels == 1 else "RGB",
        "interpolation": _filter_name(_value(source, "interpolation")),
    }


def _torchvision(source: Any) -> Settings:
    resize, crop = (_sides(_value(source, name)) for name in ("resize_size", "crop_size"))
    if not crop or len(resize) != 1:
        raise _unsupported("transforms", "a resize of the shorter side and a crop", f"{resize} and {crop}")
    return {
        **_resize_and_crop(resize[0], (crop[0], crop[-1])),
        "mean": tuple(_value(source, "mean")),
        "std": tuple(_value(source, "std")),
        "interpolation": _filter_name(_value(source, "interpolation")),
    }


def _transformers(source: Any) -> Settings:
    for name in ("do_pad", "rescale_offset"):
        if _value(source, name):
            raise _unsupported(name, "False", True)
    # transformers: (pixel * factor - mean) / std; a Preprocess: (pixel / 255 - mean) / std.
    scale = 255 * _value(source, "rescale_factor") if _value(source, "do_rescale") else 255.0
    normalised = _value(source, "do_normalize")
    mean, std = (tuple(_value(source, name)) if normalised else () for name in ("image_mean", "image_std"))
    return {
        **_transformers_size(source),
        "mean": tuple(value / scale for value in mean) or 0.0,
        "std": tuple(value / scale for value in std) or 1 / scale,
        "channels": "BGR" if _value(source, "do_flip_channel_order") else "RGB",
        "interpolation": _filter_name(_value(source, "resample")) if _value(source, "do_resize") else "bilinear",
    }


def _transformers_size(source: Any) -> Settings:
    size, crops = _value(source, "size"), _value(source, "do_center_crop")
    if not _value(source, "do_resize"):
        if crops:
            raise _unsupported("do_center_crop", "False where nothing is resized", True)
        return {"size": None, "resize": "none"}
    shorter, both = _value(size, "shortest_edge"), (_value(size, "height"), _value(size, "width"))
    crop = (_value(_value(source, "crop_size"), "height"), _value(_value(source, "crop_size"), "width"))
    if shorter and (fraction := _value(source, "crop_pct")):
        # ConvNeXt: shortest_edge is the size after the crop; from 384 pixels on it stretches and crops nothing.
        if shorter >= 384:
            return {"size": shorter, "resize": "stretch"}
        return _resize_and_crop(int(shorter / fraction), (shorter, shorter))
    if shorter and crops and all(crop) and not _value(size, "longest_edge"):
        return _resize_and_crop(shorter, crop)
    if all(both) and (not crops or crop == both):
        return {"size": both, "resize": "stretch"}
    raise _unsupported("size", "a height and a width, or a shortest_edge and a crop", f"{size}, crop {crops or None}")


def _resize_and_crop(shorter: int, crop: tuple[int, int]) -> Settings:
    """Resize the shorter side to ``shorter`` pixels and crop the centre."""
    if crop[0] != crop[1] or crop[0] > shorter:
        raise _unsupported("crop_size", f"a square of at most the shorter side of {shorter}", crop)
    return {"size": crop, "resize": "shorter-side", "crop": crop[0] / shorter}


#: Readers by an attribute that only objects of their library have.
_READERS: Mapping[str, Callable[[Any], Settings]] = {
    "input_size": _timm,
    "resize_size": _torchvision,
    "image_mean": _transformers,
}


def _value(source: Any, name: str) -> Any:
    return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)


def _sides(value: Any) -> tuple[int, ...]:
    return () if value is None else (value,) if isinstance(value, int) else tuple(value)


def _filter_name(value: Any) -> str:
    """Return the name of a resampling filter, given its name, Pillow's number, or a member of an enumeration."""
    value = getattr(value, "value", value)
    name = _FILTERS.get(value, value)
    if name == "random":  # timm's augmentation in training; it evaluates with bilinear
        name = "bilinear"
    if name not in _FILTERS.values():
        raise _unsupported("interpolation", "bilinear or bicubic", repr(value))
    return str(name)


def _unsupported(name: str, expected: str, got: object) -> InputError:
    return InputError(f"preprocessing's {name} must be {expected}, got {got}; {_REMEDY}")
