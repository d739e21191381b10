"""Which methods show what a model goes by, at what cost, and whether they beat maps that know no model.

    python benchmarks/quality.py [--quick] [--only photos mosaics detections masks planted transformers
                                              vit texts signals]

Each table has methods on the same samples: ``energy`` is the part of the positive evidence that lies where it should,
``pointing`` how often the highest value does, ``precision`` the average precision of the |values|, ``overall`` the mean
of the three; ``insertion`` and ``deletion`` are areas under the probability (high and low are good). In brackets the
standard error of the mean over samples, and ``better`` or ``worse`` where the mean difference from the best control on
the same samples is above two of its own standard errors. Controls are noise (``random``), edges (``sobel``) and a
Gaussian in the middle (``centre``). Evaluations are single inputs, forwards, or forwards and backwards.

- photos: EfficientNet-Lite0 on photos of packages; boxes of the objects (photo_boxes.json).
- mosaics: 2 x 2 of these photos; the right place is the quarter of the class.
- detections: YOLOv2-tiny; the place is the box of the detection. masks: black boxes by random masks, up to the default
  number of them, on few mosaics and detections.
- planted: small convolutional networks, trained to find a shape (or a hole, which is the absence of signal) in noise;
  regions: a segmenter's own place.
- transformers: small vision transformers, trained to find a shape. vit: one with real weights, on mosaics; its scores
  are cosines with each photo, and the right place is the quarter of the photo that is asked for.
- texts: the sentiment network; words that decide are put into neutral sentences.
- signals: the network of BasicMotions; a stretch of another activity is put into a recording of standing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from _bench import Effort, main, note
from _quality_board import Board, Contender, blurred, explained, placed
from _quality_photos import Labelled, labelled_photos, mosaics, street_photos
from _quality_planted import (
    CNNS,
    TRANSFORMERS,
    Subject,
    planted_subjects,
    regions_subject,
    signal_samples,
    text_samples,
)
from _quality_vit import prototype_classifier

import xplain
from xplain import quality

PACKAGES = ("torch", "numpy", "captum")
CONTROLS = {name: Contender(name) for name in ("random", "sobel", "centre")}

ONE_PASS = {
    "saliency": Contender("saliency"),
    "saliency, blurred": Contender("saliency", smooth=0.04),
    "input-x-gradient": Contender("input-x-gradient"),
    "deep-lift": Contender("deep-lift"),
    "deep-lift, blurred": Contender("deep-lift", smooth=0.04),
    "guided-backprop": Contender("guided-backprop"),
    "grad-cam": Contender("grad-cam"),
    "hires-cam": Contender("hires-cam"),
    "hires-cam, relu": Contender("hires-cam", {"relu": True}),
    "guided-grad-cam": Contender("guided-grad-cam"),
}
FEW = {
    "integrated-gradients": Contender("integrated-gradients", {"n_steps": 8}),
    "integrated-gradients, blurred": Contender("integrated-gradients", {"n_steps": 8}, smooth=0.04),
    "smoothgrad": Contender("smoothgrad", {"n_samples": 8}),
    "smoothgrad-square": Contender("smoothgrad", {"n_samples": 8, "statistic": "square"}),
    "gradient-shap": Contender("gradient-shap", {"n_samples": 8}),
}
MANY = {
    "occlusion": Contender("occlusion", {"window": 0.25, "stride": 0.125}, every=3),
    "feature-ablation": Contender("feature-ablation", {"n_segments": 25}, every=3),
    "lime": Contender("lime", {"n_samples": 64, "n_segments": 25}, every=3),
    "kernel-shap": Contender("kernel-shap", {"budget": 128, "n_segments": 25}, every=3),
    "shapley": Contender("shapley", {"budget": 128, "n_segments": 25}, every=3),
}
RISE = {"rise": Contender("rise", {"n_samples": 64}, every=3)}
D_RISE = {"d-rise": Contender("d-rise", {"n_samples": 64}, every=3)}
PRODUCT = ("grad-cam", "smoothgrad-square")
"""Two maps whose product is measured, too: it costs both."""
STEPS = 6
"""Of the curves of insertion and deletion, which are taken for every sixth photo."""


def image_maps(model: Any, image: Any, target: Any, contenders: Mapping[str, Contender], number: int = 0) -> Any:
    """Yield names, maps in pixels of the image of each attribution, and evaluations.

    Methods with ``every`` above 1 are left out of most samples: those whose ``number`` it does not divide.
    """
    computed: dict[str, Any] = {}
    known: dict[str, tuple[list[Any], int]] = {}
    for name, contender in contenders.items():
        if number % contender.every:
            continue
        key = f"{contender.method} {contender.options}"  # blurred maps are those of the method itself
        if key not in computed:
            computed[key] = explained(model, image, name, contender, target)
        found = computed[key]
        if found is None:
            continue
        maps, cost = [evidence.values for evidence in found[0]], found[1]
        known[name] = maps, cost
        yield name, [blurred(each, contender.smooth) for each in maps] if contender.smooth else maps, cost
    if all(name in known for name in PRODUCT):
        (first, cost), (second, other) = known[PRODUCT[0]], known[PRODUCT[1]]
        yield " x ".join(PRODUCT), [np.maximum(a, 0) * b for a, b in zip(first, second, strict=True)], cost + other


def curves(model: Any, prepared: Any, target: int, values: Any) -> dict[str, float]:
    """Return the areas under insertion and deletion."""

    def score(batch: Any) -> Any:
        return model.probabilities(model.scores(batch))[:, target]

    own = prepared.geometry.to_input(values)
    return {
        "insertion": quality.insertion(score, prepared.array, own, steps=STEPS).auc,
        "deletion": quality.deletion(score, prepared.array, own, steps=STEPS).auc,
    }


def measure_photos(board: Board, model: Any, photos: Iterable[Labelled], contenders: Any, curve_every: int) -> None:
    """Fill a board with maps of the label, or the top class where a photo has none."""
    for number, photo in enumerate(photos):
        if not board.begin(photo.name):
            break
        prepared = model.prepare(photo.image)
        (target,) = model.targets(photo.label, model.scores(prepared.array[None])[0])
        for name, (values,), cost in image_maps(model, photo.image, target, contenders, number):
            figures = placed(values, photo.inside)
            if curve_every and number % curve_every == 0:
                figures |= curves(model, prepared, target, values)
            board.add(name, cost, figures)


def photos(effort: Effort) -> None:
    """Print the table of photos."""
    model = xplain.pretrained("efficientnet-lite0")
    board = Board("Photos, EfficientNet-Lite0", "photo", 720)
    chosen = islice(labelled_photos(effort.quick), effort.choose(2, None))
    contenders = effort.choose(few_contenders(), CONTROLS | ONE_PASS | FEW | MANY | RISE)
    measure_photos(board, model, chosen, contenders, effort.choose(0, 6))
    board.print()


def few_contenders() -> dict[str, Contender]:
    """Return the controls and the cheapest method, for quick runs."""
    return CONTROLS | {"grad-cam": ONE_PASS["grad-cam"]}


def sure_photos(model: Any, quick: bool) -> list[tuple[Labelled, int]]:
    """Return photos that the network is sure of, and their classes."""
    chosen = []
    for photo in islice(labelled_photos(quick), 3 if quick else None):
        scores = model.scores(model.prepare(photo.image).array[None])
        (target,) = model.targets(photo.label, scores[0])
        if quick or model.probabilities(scores)[0, target] > 0.5:
            chosen.append((photo, target))
    return chosen


def mosaic_photos(effort: Effort) -> None:
    """Print the table of mosaics: the grid pointing game."""
    model = xplain.pretrained("efficientnet-lite0")
    board = Board("Mosaics of 2 x 2 photos, EfficientNet-Lite0", "mosaic", 210)
    made = mosaics(sure_photos(model, effort.quick), effort.choose(1, 20))
    contenders = effort.choose(few_contenders(), CONTROLS | ONE_PASS | FEW | MANY | RISE)
    measure_photos(board, model, made, contenders, 0)
    board.print()


def detections(effort: Effort) -> None:
    """Print the table of the two surest detections of each photo."""
    not_of_detections = ("deep-lift", "deep-lift, blurred", "guided-backprop", "guided-grad-cam")
    every = {k: v._replace(every=2) for k, v in (D_RISE | MANY).items() if k in ("d-rise", "occlusion", "kernel-shap")}
    contenders = {k: v for k, v in (CONTROLS | ONE_PASS | FEW | every).items() if k not in not_of_detections}
    measure_detections(effort, "Detections, YOLOv2-tiny", contenders, None)


def measure_detections(effort: Effort, title: str, contenders: Mapping[str, Contender], photos: int | None) -> None:
    """Fill and print a board of the two surest detections of each photo, of so many photos."""
    from tests.yolo import detector

    model = attempt_asset(detector)
    if model is None or effort.quick:
        note("left out: detections, of quick runs and without the weights")
        return
    board = Board(title, "photo", 300 if photos is None else 900)
    for number, (name, image) in enumerate(islice(street_photos(effort.quick), photos)):
        found = model.predict(image)
        targets = [i for i, each in enumerate(found) if each.score > 0.5][:2]
        if not targets:
            continue
        if not board.begin(name):
            break
        height, width = np.shape(np.asarray(image))[:2]
        boxes = [pixels_in(found[i].region, height, width) for i in targets]
        for label, maps, cost in image_maps(model, image, targets, contenders, number):
            each = [placed(values, box) for values, box in zip(maps, boxes, strict=True)]
            board.add(label, cost, {key: float(np.mean([one[key] for one in each])) for key in each[0]})
    board.print()


def masks(effort: Effort) -> None:
    """Print tables of the maps of black boxes by random masks, from few masks to the default, on few inputs."""
    if effort.quick:
        note("left out: many masks, of quick runs")
        return
    counts = {"64": {"n_samples": 64}, "500": {"n_samples": 500}, "default": {}}
    model = xplain.pretrained("efficientnet-lite0")
    board = Board("Random masks, mosaics, EfficientNet-Lite0", "mosaic", 900)
    contenders = {f"rise, {name}": Contender("rise", options) for name, options in counts.items()}
    occlusion = {"occlusion": MANY["occlusion"]._replace(every=1), "occlusion, default": Contender("occlusion")}
    made = mosaics(sure_photos(model, effort.quick), 6)
    measure_photos(board, model, made, CONTROLS | occlusion | contenders, 0)
    board.print()
    contenders = {f"d-rise, {name}": Contender("d-rise", options) for name, options in counts.items()}
    measure_detections(effort, "Random masks, detections, YOLOv2-tiny", CONTROLS | contenders, 4)


def pixels_in(box: Any, height: int, width: int) -> Any:
    """Return the pixels (height, width) of a box in pixels."""
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    return ((y >= box.y0) & (y < box.y1))[:, None] & ((x >= box.x0) & (x < box.x1))


def attempt_asset(make: Any) -> Any:
    """Return what is made of a package's files; None, with a note, if they cannot be had."""
    import pytest

    try:
        return make()
    except pytest.skip.Exception as error:
        note(f"left out: {error}")
        return None


def in_cells(contenders: Mapping[str, Contender]) -> dict[str, Contender]:
    """Return contenders whose regions are cells of a grid: small images of noise have no superpixels."""
    return {
        name: each._replace(options={**each.options, "segments": "grid"}) if "n_segments" in each.options else each
        for name, each in contenders.items()
    }


def planted(effort: Effort) -> None:
    """Print a table for each CNN that was trained to find what is planted, and one for a segmenter's regions."""
    measure_subjects(CNNS, effort)
    title, model, samples = regions_subject(effort.quick)
    measure_planted(Board(title, "image", 60), model, samples, CONTROLS | ONE_PASS | FEW | in_cells(MANY) | RISE)


def transformers(effort: Effort) -> None:
    """Print a table for each vision transformer that was trained to find what is planted."""
    if effort.quick:
        note("left out: vision transformers, of quick runs")
        return
    measure_subjects(TRANSFORMERS, effort)


def vision_transformer(effort: Effort) -> None:
    """Print the table of mosaics for a vision transformer with real weights; the target is one of the four photos."""
    photos = [] if effort.quick else list(labelled_photos(effort.quick))
    model = prototype_classifier(photos) if photos else None
    if model is None:
        note("left out: the vision transformer with real weights, of quick runs and without them")
        return
    board = Board("Mosaics of 2 x 2 photos, a small DINOv2", "mosaic", 420)
    rollouts = {name: Contender(name) for name in ("attention-rollout", "gradient-rollout")}
    contenders = CONTROLS | ONE_PASS | rollouts | FEW | {"occlusion": MANY["occlusion"]}
    measure_photos(board, model, mosaics([(photo, i) for i, photo in enumerate(photos)], 20), contenders, 0)
    board.print()


def measure_subjects(subjects: Sequence[Subject], effort: Effort) -> None:
    """Train networks, and print a table for each."""
    for title, model, samples, background in planted_subjects(subjects, effort.quick):
        board = Board(title, "image", 60)
        real = {
            "gradient-shap, real inputs": Contender("gradient-shap", {"n_samples": 16, "baselines": background}),
            "deep-lift-shap, real inputs": Contender("deep-lift-shap", {"baselines": background[:4]}),
        }
        rollouts = {name: Contender(name) for name in ("attention-rollout", "gradient-rollout")}
        measure_planted(board, model, samples, CONTROLS | ONE_PASS | rollouts | FEW | in_cells(MANY) | RISE | real)


def measure_planted(board: Board, model: Any, samples: Iterable[Any], contenders: Mapping[str, Contender]) -> None:
    """Fill and print a board of images, targets and places."""
    for number, (image, target, inside) in enumerate(samples):
        if not board.begin(str(number)):
            break
        for label, (values,), cost in image_maps(model, image, target, contenders):
            board.add(label, cost, placed(values, inside))
    board.print()


WORDS = {
    "saliency": Contender("saliency"),
    "input-x-gradient": Contender("input-x-gradient"),
    "integrated-gradients, 8 steps": Contender("integrated-gradients", {"n_steps": 8}),
    "integrated-gradients": Contender("integrated-gradients"),
    "gradient-shap": Contender("gradient-shap"),
    "occlusion": Contender("occlusion"),
    "lime": Contender("lime", {"n_samples": 64}),
    "kernel-shap": Contender("kernel-shap", {"budget": 128}),
    "shapley": Contender("shapley", {"budget": 128}),
}


def texts(effort: Effort) -> None:
    """Print the table of words that were put into neutral sentences."""
    model = xplain.pretrained("sentiment-cnn")
    board = Board("Texts, sentiment-cnn", "text")
    contenders = {name: c for name, c in CONTROLS.items() if name != "sobel"} | WORDS
    for sample in text_samples(model, effort.choose(3, 40)):
        if not board.begin(sample.x):
            break
        board.add_line(model, sample, contenders, lambda evidence: np.array([word.score for word in evidence.words]))
    board.print()


SEGMENTS = {
    "occlusion": Contender("occlusion"),
    "occlusion, together": Contender("occlusion", {"together": True}),
    "feature-ablation": Contender("feature-ablation", {"together": True}),
    "lime": Contender("lime", {"n_samples": 64, "together": True}),
    "kernel-shap": Contender("kernel-shap", {"budget": 128, "together": True}),
    "shapley": Contender("shapley", {"budget": 128, "together": True}),
}
OF_SIGNALS = ("saliency", "input-x-gradient", "deep-lift", *FEW)


def signals(effort: Effort) -> None:
    """Print the table of stretches of another activity in recordings of standing."""
    made = None if effort.quick else attempt_asset(lambda: signal_samples(30))
    if made is None:
        note("left out: signals, of quick runs and without the recordings")
        return
    model, samples = made
    board = Board("Signals, BasicMotions", "recording")
    gradients = {k: v for k, v in (ONE_PASS | FEW).items() if k in OF_SIGNALS and "blurred" not in k}
    full = {"integrated-gradients, 50 steps": Contender("integrated-gradients")}
    controls = {name: c for name, c in CONTROLS.items() if name != "sobel"}
    for sample in samples:
        if not board.begin(str(sample.target)):
            break
        # What a moment counts is the sum over the axes.
        board.add_line(model, sample, controls | gradients | full | SEGMENTS, lambda each: each.values.sum(axis=0))
    board.print()


SECTIONS = {
    "photos": photos,
    "mosaics": mosaic_photos,
    "detections": detections,
    "masks": masks,
    "planted": planted,
    "transformers": transformers,
    "vit": vision_transformer,
    "texts": texts,
    "signals": signals,
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    main(__doc__, SECTIONS, PACKAGES, rounds=1)
