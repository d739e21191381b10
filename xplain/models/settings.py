"""Preprocessing and labels, read from models and configurations of timm, torchvision, transformers and ultralytics.

They are read by the names of attributes, so none of these libraries is imported or has to be installed. What a
`Preprocess` cannot do exactly is refused: a slightly different resize would move the evidence without notice.
"""

from __future__ import annotations

import functools
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xplain.errors import InputError
from xplain.models.borrowing import unwrap

Settings = dict[str, Any]

_TIMM_CROP = 0.875  # where a configuration names no crop_pct
_TIMM_MODES = {"center": "shorter-side", "squash": "stretch", "border": "letterbox"}
_RANDOM = re.compile("Random|Augment|Jitter|Elastic|MixUp|CutMix")
_STEPS = {
    "Resize",
    "ResizeKeepRatio",
    "CenterCrop",
    "CenterCropOrPad",
    "Normalize",
    "ToTensor",
    "MaybeToTensor",
    "ToDtype",
}

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


@dataclass(frozen=True, slots=True)
class Declared:
    """What an object of another library says of preprocessing.

    Parameters
    ----------
    settings : callable
        Returns the arguments of a `Preprocess` by which it describes itself, or raises InputError if there are none.
    function : callable, optional
        What does it: from a PIL image to the model's input.
    """

    settings: Callable[[], Settings]
    function: Callable[[Any], Any] | None = None


def preprocessing_of(source: Any) -> Declared:
    """Return what an object says of preprocessing; see `Preprocess.of`."""
    source = unwrap(source)
    for name in ("image_processor", "pretrained_cfg", "default_cfg"):
        source = _value(source, name) or source
    if callable(transforms := _value(source, "transforms")):  # weights of torchvision hold a function that makes them
        source = transforms()
    reader = next((read for name, read in _READERS.items() if _value(source, name) is not None), _steps)
    settings = functools.partial(reader, source)
    if reader is _transformers and callable(source):
        return Declared(settings, functools.partial(_process, source))
    return Declared(settings, source if reader is not _timm and _is_function(source) else None)


def _process(processor: Any, photo: Any) -> Any:
    """Return what an image processor of transformers makes of a photo."""
    return processor(images=photo, return_tensors="pt" if "torch" in sys.modules else "np")


def _is_function(source: Any) -> bool:
    """Whether something can be called on a photo: any callable but networks, whose modules have weights."""
    weights = getattr(source, "state_dict", None)
    return callable(source) and not (callable(weights) and weights())


def _timm(source: Any) -> Settings:
    channels, height, width = _value(source, "input_size")
    mode, fraction = _value(source, "crop_mode") or "center", _value(source, "crop_pct") or _TIMM_CROP
    if mode not in _TIMM_MODES:
        raise _unsupported("crop_mode", "one of " + ", ".join(map(repr, _TIMM_MODES)), repr(mode))
    mean = _numbers(source, "mean")
    return {
        "size": (height, width),
        "resize": _TIMM_MODES[mode],
        # timm resizes for a whole number of pixels.
        "crop": (height / math.floor(height / fraction), width / math.floor(width / fraction)),
        "mean": mean,
        "std": _numbers(source, "std"),
        "channels": "L" if channels == 1 else "RGB",
        "interpolation": _filter_name(_value(source, "interpolation")),
    } | ({"fill": tuple(round(255 * value) for value in mean)} if mode == "border" and channels == 3 else {})


def _torchvision(source: Any) -> Settings:
    resize, crop = (_sides(_value(source, name)) for name in ("resize_size", "crop_size"))
    if not crop or len(resize) != 1:
        raise _unsupported("transforms", "a resize of the shorter side and a crop", f"{resize} and {crop}")
    return {
        **_resize_and_crop(resize[0], (crop[0], crop[-1])),
        "mean": _numbers(source, "mean"),
        "std": _numbers(source, "std"),
        "interpolation": _filter_name(_value(source, "interpolation")),
    }


def _transformers(source: Any) -> Settings:
    for name in ("do_pad", "rescale_offset"):
        if _value(source, name):
            raise _unsupported(name, "False", True)
    if _value(source, "backend") == "torchvision" or type(source).__name__.endswith("Fast"):
        raise _unsupported("backend", "'pil'", "one that resizes tensors, whose grey values differ by 1 here and there")
    # transformers: (pixel * factor - mean) / std; a Preprocess: (pixel / 255 - mean) / std.
    rescaled = _value(source, "do_rescale") is not False  # configurations of old say nothing of it, and are
    scale = 255 * (_value(source, "rescale_factor") or 1 / 255) if rescaled else 255.0
    normalised = _value(source, "do_normalize")
    mean, std = (_numbers(source, name) if normalised else () for name in ("image_mean", "image_std"))
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
        return {**_resize_and_crop(int(shorter / fraction), (shorter, shorter)), "rounding": "down"}
    if shorter and crops and all(crop) and not _value(size, "longest_edge"):
        return {**_resize_and_crop(shorter, crop), "rounding": "down"}
    if all(both) and (not crops or crop == both):
        return {"size": both, "resize": "stretch"}
    if all(both) and all(crop) and crop[0] <= both[0] and crop[1] <= both[1]:
        return {**_cropped(both, crop), "resize": "stretch", "rounding": "down"}
    raise _unsupported("size", "a height and a width, or a shortest_edge and a crop", f"{size}, crop {crops or None}")


def _steps(source: Any) -> Settings:
    """Read a ``Compose`` of torchvision's or timm's transforms, or a single one, by the names of their classes."""
    steps = list(_flat(source))
    named = {type(step).__name__: step for step in steps}
    if drawn := [name for name in named if _RANDOM.search(name)]:
        raise _unsupported("transforms", "those of evaluation", f"{drawn[0]}, which draws random numbers")
    if not named.keys() & _STEPS:
        raise InputError(
            "source must say how images are prepared (a model of timm or its configuration, weights or transforms of "
            f"torchvision, an image processor of transformers), got {type(source).__name__}; {_REMEDY}"
        )
    settings: Settings = {"size": None, "resize": "none"}
    for name, step in ((name, named[name]) for name in ("Resize", "ResizeKeepRatio") if name in named):
        crop = named.get("CenterCrop") or named.get("CenterCropOrPad")
        settings = _steps_size(step, None if crop is None else _pair(_value(crop, "size")), _value(step, "max_size"))
        settings["interpolation"] = _filter_name(_value(step, "interpolation"))
        fill = _value(crop, "fill") if name == "ResizeKeepRatio" else None
        settings |= {} if fill is None else {"fill": fill if isinstance(fill, int) else tuple(fill)}
    if "Normalize" in named:
        values = {name: _numbers(named["Normalize"], name) for name in ("mean", "std")}
        settings |= {name: each[0] if len(each) == 1 else each for name, each in values.items()}  # one is for all
    if _value(named.get("Grayscale"), "num_output_channels") == 1:
        settings["channels"] = "L"
    return settings


def _steps_size(step: Any, crop: tuple[int, int] | None, longest: Any) -> Settings:
    """Return size, resize and crop of a step that resizes and maybe one that crops the centre."""
    sides = _sides(_value(step, "size"))
    if longest_share := _value(step, "longest"):  # of ResizeKeepRatio: 1 fits the whole photo in
        longest = None if longest_share == 1 else longest_share
    if longest is None and len(sides) == 2 and crop is None and longest_share is None:
        return {"size": sides, "resize": "stretch"}
    if longest is None and crop is not None and len(sides) == 1:
        return _resize_and_crop(sides[0], crop)
    if longest is None and crop is not None and crop[0] <= sides[0] and crop[1] <= sides[-1]:
        fit = "stretch" if longest_share is None else "letterbox" if longest_share else "shorter-side"
        return {**_cropped((sides[0], sides[1]), crop), "resize": fit}
    raise _unsupported(
        "transforms", "a resize of the shorter side and a crop", f"a resize to {sides}, a crop to {crop}"
    )


def _flat(source: Any) -> Iterator[Any]:
    """Yield the steps of a ``Compose``, or of a ``Sequential`` of torch, and of those in it."""
    parts = _value(source, "transforms")
    if parts is None and type(source).__name__ == "Sequential":
        parts = source
    if parts is None or isinstance(parts, (str, bytes)):
        yield source
    else:
        for part in parts:
            yield from _flat(part)


def _resize_and_crop(shorter: int, crop: tuple[int, int]) -> Settings:
    """Resize the shorter side to ``shorter`` pixels and crop the centre."""
    if max(crop) > shorter:
        raise _unsupported("crop_size", f"at most the shorter side of {shorter}", crop)
    return {**_cropped((shorter, shorter), crop), "resize": "shorter-side"}


def _cropped(full: tuple[int, int], crop: tuple[int, int]) -> Settings:
    return {"size": crop, "crop": (crop[0] / full[0], crop[1] / full[1])}


#: Readers by an attribute that only objects of their library have.
_READERS: Mapping[str, Callable[[Any], Settings]] = {
    "input_size": _timm,
    "resize_size": _torchvision,
    "image_mean": _transformers,
}


def _value(source: Any, name: str) -> Any:
    return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)


def _numbers(source: Any, name: str) -> tuple[float, ...]:
    value = _value(source, name)
    try:
        return tuple(float(number) for number in value)
    except (TypeError, ValueError):
        raise _unsupported(name, "numbers, one for each channel", repr(value)) from None


def _pair(value: Any) -> tuple[int, int]:
    sides = _sides(value)
    return sides[0], sides[-1]


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
