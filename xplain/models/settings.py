"""What objects of other libraries say of a model's preprocessing and labels, read by names: none is imported."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from xplain.errors import InputError
from xplain.models.borrowing import unwrap

Settings = dict[str, Any]

_REMEDY = "write it out: xplain.Preprocess(size=..., resize=..., mean=..., std=...)"
_FILTERS = {2: "bilinear", 3: "bicubic"}  # numbers of PIL


def labels_of(model: Any) -> Any:
    """Return the labels that a model brings along, as `ImageClassifier` takes them, or None.

    That is ``config.id2label`` of transformers or ``names`` of ultralytics; placeholders (LABEL_0) are none.
    """
    labels = getattr(getattr(model, "config", None), "id2label", None) or getattr(model, "names", None)
    if not isinstance(labels, Mapping) or not all(isinstance(label, str) for label in labels.values()):
        return None
    return None if all(re.fullmatch(r"LABEL_\d+", label) for label in labels.values()) else labels


def preprocessing_of(source: Any) -> Settings:
    """Return the arguments of a `Preprocess` that does what an object says; see `Preprocess.of`."""
    source = unwrap(source)
    for name in ("image_processor", "pretrained_cfg", "default_cfg"):
        source = _value(source, name) or source
    if callable(transforms := _value(source, "transforms")):  # weights of torchvision make theirs when asked
        source = transforms()
    for mark, read in _READERS.items():
        if _value(source, mark) is not None:
            return read(source)
    raise InputError(
        "source must say how images are prepared (a model of timm or its configuration, weights or transforms of "
        f"torchvision, an image processor of transformers), got {type(source).__name__}; {_REMEDY}"
    )


def _timm(source: Any) -> Settings:
    channels, height, width = _value(source, "input_size")
    mode, part = _value(source, "crop_mode") or "center", _value(source, "crop_pct") or 1.0
    if mode not in ("center", "squash") or (mode == "squash" and part != 1.0):
        raise _unknown("crop_mode", "'center', or 'squash' with a crop_pct of 1", f"{mode!r} with {part}")
    return {
        "size": (height, width),
        "resize": "shorter-side" if mode == "center" else "stretch",
        # The shorter side becomes a whole number of pixels.
        "crop": height / math.floor(height / part) if height == width else part,
        "mean": tuple(_value(source, "mean")),
        "std": tuple(_value(source, "std")),
        "channels": "L" if channels == 1 else "RGB",
        "interpolation": _filter(_value(source, "interpolation")),
    }


def _torchvision(source: Any) -> Settings:
    resize, crop = (_sides(_value(source, name)) for name in ("resize_size", "crop_size"))
    if not crop or len(resize) != 1:
        raise _unknown("transforms", "a resize of the shorter side and a crop", f"{resize} and {crop}")
    return {
        **_cropped(resize[0], (crop[0], crop[-1])),
        "mean": tuple(_value(source, "mean")),
        "std": tuple(_value(source, "std")),
        "interpolation": _filter(_value(source, "interpolation")),
    }


def _transformers(source: Any) -> Settings:
    for name in ("do_pad", "rescale_offset"):
        if _value(source, name):
            raise _unknown(name, "False", True)
    # Pixels times the factor, less the mean, by the deviation: in units of pixel / 255.
    scale = 255 * _value(source, "rescale_factor") if _value(source, "do_rescale") else 255.0
    normalised = _value(source, "do_normalize")
    mean, std = (tuple(_value(source, name)) if normalised else () for name in ("image_mean", "image_std"))
    return {
        **_transformers_size(source),
        "mean": tuple(value / scale for value in mean) or 0.0,
        "std": tuple(value / scale for value in std) or 1 / scale,
        "channels": "BGR" if _value(source, "do_flip_channel_order") else "RGB",
        "interpolation": _filter(_value(source, "resample")) if _value(source, "do_resize") else "bilinear",
    }


def _transformers_size(source: Any) -> Settings:
    size, cropped = _value(source, "size"), _value(source, "do_center_crop")
    if not _value(source, "do_resize"):
        if cropped:
            raise _unknown("do_center_crop", "False where nothing is resized", True)
        return {"size": None, "resize": "none"}
    shorter, whole = _value(size, "shortest_edge"), (_value(size, "height"), _value(size, "width"))
    crop = (_value(_value(source, "crop_size"), "height"), _value(_value(source, "crop_size"), "width"))
    if shorter and (part := _value(source, "crop_pct")):  # ConvNeXt: its size is that after a crop, up to 384
        if shorter >= 384:
            return {"size": shorter, "resize": "stretch"}
        return _cropped(int(shorter / part), (shorter, shorter))
    if shorter and cropped and all(crop) and not _value(size, "longest_edge"):
        return _cropped(shorter, crop)
    if all(whole) and (not cropped or crop == whole):
        return {"size": whole, "resize": "stretch"}
    raise _unknown("size", "a height and a width, or a shortest_edge and a crop", f"{size}, crop {cropped or None}")


def _cropped(shorter: int, crop: tuple[int, int]) -> Settings:
    """A resize of the shorter side to some pixels and a crop of its centre."""
    if crop[0] != crop[1] or crop[0] > shorter:
        raise _unknown("crop_size", f"a square of at most the shorter side of {shorter}", crop)
    return {"size": crop, "resize": "shorter-side", "crop": crop[0] / shorter}


#: By an attribute that only objects of its library have: its reader.
_READERS: Mapping[str, Callable[[Any], Settings]] = {
    "input_size": _timm,
    "resize_size": _torchvision,
    "image_mean": _transformers,
}


def _value(source: Any, name: str) -> Any:
    return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)


def _sides(value: Any) -> tuple[int, ...]:
    return () if value is None else (value,) if isinstance(value, int) else tuple(value)


def _filter(value: Any) -> str:
    """Return the name of a resampling filter from a name, a number of PIL, or an enumeration of either."""
    value = getattr(value, "value", value)
    found = _FILTERS.get(value, value)
    if found == "random":  # of timm, while it trains
        found = "bilinear"
    if found not in _FILTERS.values():
        raise _unknown("interpolation", "bilinear or bicubic", repr(value))
    return str(found)


def _unknown(name: str, expected: str, got: object) -> InputError:
    return InputError(f"preprocessing's {name} must be {expected}, got {got}; {_REMEDY}")
