"""Inputs as torchvision, timm and transformers make them, kept for tests that run without these libraries.

Run in an environment that has them and xplain's checkout: ``python -m tests.models.library_pixels``. It writes
`FOLDER`: ``cases.json``, what each case declares, by the names of the library's own attributes; and ``pixels.npz``, for
each case the inputs' pixels before they are normalised, uint8 (photos, height, width, channels).
"""

import itertools
import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "libraries"
PHOTOS = ((61, 47), (47, 62), (33, 100), (13, 17), (128, 97))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def photo(height: int, width: int) -> np.ndarray:
    """Return pixels uint8 (height, width, 3) that differ from each of their neighbours."""
    rows, columns, colours = np.ogrid[:height, :width, :3]
    return ((rows * rows // 3 + columns * (7 + 4 * colours) + rows * columns // 5) % 256).astype(np.uint8)


def torchvision_cases():
    """Yield presets and the ``Compose`` of each that tutorials write: name, declaration, transform."""
    from torchvision.transforms import InterpolationMode, transforms, v2
    from torchvision.transforms._presets import ImageClassification

    for (crop, resize), filter in itertools.product(
        ((12, 14), (13, 14), (12, 12), (11, 16), (14, 15)), ("BILINEAR", "BICUBIC")
    ):
        mode = InterpolationMode[filter]
        declared = {"crop_size": [crop], "resize_size": [resize], "mean": MEAN, "std": STD, "interpolation": mode.value}
        preset = ImageClassification(crop_size=crop, resize_size=resize, interpolation=mode)
        yield f"torchvision {crop} of {resize} {mode.value}", declared, preset
    for name, steps in {
        "v1": (transforms.Resize(15), transforms.CenterCrop((9, 12)), transforms.ToTensor()),
        "v2": (v2.Resize(14), v2.CenterCrop(12), v2.ToImage(), v2.ToDtype(__import__("torch").float32, scale=True)),
        "stretched": (transforms.Resize((12, 15)), transforms.ToTensor()),
        "stretched and cropped": (transforms.Resize((13, 15)), transforms.CenterCrop((12, 11)), transforms.ToTensor()),
    }.items():
        steps = (*steps, (v2 if name == "v2" else transforms).Normalize(MEAN, STD))
        declared = [[type(step).__name__, _attributes(step)] for step in steps]
        yield f"compose {name}", {"transforms": declared}, transforms.Compose(steps)


def timm_cases():
    """Yield configurations and the transform that timm makes of each."""
    from timm.data import create_transform

    sizes = ((3, 12, 12), (3, 13, 13), (3, 12, 15), (3, 15, 11))
    for size, fraction, mode in itertools.product(sizes, (0.875, 0.95, 1.0), ("center", "squash", "border")):
        for filter in ("bicubic", "bilinear") if size[1] == 12 and fraction == 0.95 else ("bicubic",):
            declared = {"input_size": size, "crop_pct": fraction, "crop_mode": mode, "interpolation": filter,
                        "mean": MEAN, "std": STD}  # fmt: skip
            yield f"timm {size[1:]} {fraction} {mode} {filter}", declared, create_transform(**declared)
    declared = {"input_size": (3, 12, 12), "interpolation": "bicubic", "mean": MEAN, "std": STD}
    yield "timm without crop_pct", declared, create_transform(**declared)


def transformers_cases():
    """Yield image processors: their own settings, at small sizes."""
    import transformers

    both, square = {"height": 12, "width": 15}, {"height": 12, "width": 12}
    settings = {
        "ViT": {"size": both}, "DeiT": {"size": {"height": 14, "width": 14}, "crop_size": square},
        "Beit": {"size": {"height": 14, "width": 15}, "crop_size": {"height": 11, "width": 12}, "do_center_crop": True},
        "CLIP": {"size": {"shortest_edge": 13}, "crop_size": square},
        "ChineseCLIP": {"size": {"shortest_edge": 15}, "crop_size": {"height": 12, "width": 9}},
        "Bit": {"size": {"shortest_edge": 15}, "crop_size": square},
        "ConvNext": {"size": {"shortest_edge": 12}}, "Segformer": {"size": both}, "Siglip": {"size": both},
        "MobileNetV1": {"size": {"shortest_edge": 14}, "crop_size": {"height": 11, "width": 11}},
        "MobileNetV2": {"size": {"shortest_edge": 14}, "crop_size": {"height": 11, "width": 11}},
        "PoolFormer": {"size": {"shortest_edge": 12}, "crop_size": square, "crop_pct": 0.9},
        "Pvt": {"size": both}, "Blip": {"size": square}, "OwlViT": {"size": square},
    }  # fmt: skip
    for name, changed in settings.items():
        processor = getattr(transformers, f"{name}ImageProcessorPil")(**changed)
        declared = {key: _plain(getattr(processor, key, None)) for key in (
            "size", "crop_size", "crop_pct", "resample", "image_mean", "image_std", "rescale_factor", "do_resize",
            "do_center_crop", "do_rescale", "do_normalize", "do_pad", "do_flip_channel_order",
        )}  # fmt: skip
        yield f"transformers {name}", declared, _Processor(processor)


class _Processor:
    def __init__(self, processor):
        self.processor = processor

    def __call__(self, image):
        return self.processor(images=image, return_tensors="np")["pixel_values"][0]


def _attributes(step):
    names = ("size", "interpolation", "max_size", "mean", "std")
    return {name: _plain(getattr(step, name)) for name in names if hasattr(step, name)}


def _plain(value):
    value = getattr(value, "value", value)
    if type(value).__name__ == "SizeDict":  # of transformers
        return {name: getattr(value, name) for name in vars(value) if getattr(value, name)}
    return value


def _pixels(array, declared):
    """Return an input as uint8 (height, width, channels), and check that it is one."""
    steps = dict(declared.get("transforms", []))
    found = steps.get("Normalize", declared)
    mean, std = ((found.get(name) or found.get(f"image_{name}")) for name in ("mean", "std"))
    if declared.get("do_normalize") is False:
        mean, std = (0,), (1,)
    values = (np.asarray(array, np.float64).transpose(1, 2, 0) * std + mean) * 255
    if declared.get("do_rescale") is False:
        values /= 255
    assert np.abs(values - values.round()).max() < 0.01
    return values.round().astype(np.uint8)


def main():
    from PIL import Image

    cases, pixels = {}, {}
    for name, declared, transform in itertools.chain(torchvision_cases(), timm_cases(), transformers_cases()):
        cases[name] = declared
        made = [_pixels(transform(Image.fromarray(photo(*size))), declared) for size in PHOTOS]
        pixels[name] = np.stack(made)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "cases.json").write_text(
        "".join(["{\n", ",\n".join(f"{json.dumps(name)}: {json.dumps(cases[name])}" for name in cases), "\n}\n"])
    )
    np.savez_compressed(FOLDER / "pixels.npz", **pixels)


if __name__ == "__main__":
    main()
