"""Inputs in which what counts was put at a known place, and networks that go by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

import xplain

SIDE, SHAPE = 32, 9
"""Of the images and of what is planted, in pixels."""
Pixels = npt.NDArray[np.uint8]


class Sample(NamedTuple):
    """An input, the class that is planted in it, and where."""

    x: Any
    target: Any
    inside: npt.NDArray[np.bool_]


def stamps() -> list[npt.NDArray[np.bool_]]:
    """Return a cross and a ring of as many pixels: bool (9, 9)."""
    row, column = np.mgrid[:SHAPE, :SHAPE] - SHAPE // 2
    distance = np.hypot(row, column)
    return [(abs(row) <= 1) | (abs(column) <= 1), (distance <= 4.3) & (distance > 2.4)]


def images(count: int, hole: bool, seed: int) -> tuple[Pixels, npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return images (n, 32, 32, 3) of noise, their classes, and the squares (n, 32, 32) of what is planted.

    Shapes: class 0 has a bright cross, class 1 a ring, and both have a few bright dots that say nothing. Holes: class 0
    has a black square in bright noise, and class 1 has none, so that its square is where one might have been.
    """
    rng = np.random.default_rng(seed)
    low, high = (110, 255) if hole else (0, 110)
    pixels = rng.integers(low, high, (count, SIDE, SIDE)).astype(np.uint8)
    classes = rng.integers(2, size=count)
    inside = np.zeros((count, SIDE, SIDE), bool)
    corners = rng.integers(SIDE - SHAPE + 1, size=(count, 2))
    shapes = stamps()
    for i, (top, left) in enumerate(corners):
        place = np.s_[i, top : top + SHAPE, left : left + SHAPE]
        inside[place] = True
        if hole:
            pixels[place] = np.where(classes[i], pixels[place], 0)
        else:
            dots = rng.integers(SIDE, size=(2, 12))
            pixels[i, dots[0], dots[1]] = 230
            pixels[place] = np.where(shapes[classes[i]], 230, pixels[place])
    return np.repeat(pixels[..., None], 3, axis=3), classes, inside


class Convolutional(nn.Sequential):
    """Three convolutions with batch normalisation, the mean over all places, and a linear layer."""

    def __init__(self) -> None:
        parts: list[nn.Module] = []
        for given, made, stride in ((3, 16, 2), (16, 32, 1), (32, 32, 1)):
            parts += [nn.Conv2d(given, made, 3, stride, padding=1, bias=False), nn.BatchNorm2d(made), nn.ReLU()]
        super().__init__(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 2))


class Transformer(nn.Module):
    """A vision transformer: square patches, and the score from a class token or the mean of the patches' tokens."""

    def __init__(self, patch: int = 4, layers: int = 3, mean: bool = False) -> None:
        super().__init__()
        width = 64
        self.first = 0 if mean else 1
        self.patches = nn.Conv2d(3, width, patch, stride=patch)
        self.token = nn.Parameter(torch.zeros(1, self.first, width))
        self.position = nn.Parameter(torch.randn(1, self.first + (SIDE // patch) ** 2, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score images (batch, 3, 32, 32)."""
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], dim=1) + self.position
        tokens = self.encoder(tokens)
        scores: torch.Tensor = self.head(tokens[:, 0] if self.first else tokens.mean(dim=1))
        return scores


class PlaceClassifier(nn.Sequential):
    """A segmenter: each pixel is ground, cross or ring; it sees 13 x 13 pixels."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 16, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, 16, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, 3, 5, padding=2),
        )


def trained(module: nn.Module, pixels: Pixels, answers: Any, steps: int) -> nn.Module:
    """Train a network for some steps of 64 images."""
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    y = torch.from_numpy(np.asarray(answers, np.int64))
    optimiser = torch.optim.AdamW(module.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (64,))
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
        optimiser.step()
        schedule.step()
    return module.eval()


class Subject(NamedTuple):
    """A network to train, and on what."""

    title: str
    make: Callable[[], nn.Module]
    hole: bool = False
    steps: int = 250


CNNS = (
    Subject("Planted shape, CNN", Convolutional),
    Subject("Planted hole: the absence of signal, CNN", Convolutional, hole=True),
)
TRANSFORMERS = (
    Subject("Planted shape, vision transformer", Transformer, steps=900),
    Subject("Planted shape, vision transformer of 6 layers", partial(Transformer, layers=6), steps=900),
    Subject("Planted shape, vision transformer, mean of tokens", partial(Transformer, mean=True), steps=900),
    Subject(
        "Planted shape, vision transformer of 2 layers, mean of patches of 8 x 8",
        partial(Transformer, patch=8, layers=2, mean=True),
        steps=900,
    ),
)


def planted_subjects(subjects: Sequence[Subject], quick: bool) -> Iterator[tuple[str, Any, list[Sample], list[Any]]]:
    """Yield titles, classifiers, samples that they have right, and inputs of the training for baselines."""
    for title, kind, hole, steps in subjects[: 1 if quick else None]:
        torch.manual_seed(0)
        known = images(200 if quick else 4000, hole, seed=0)
        module = trained(kind(), *known[:2], steps=20 if quick else steps)
        model = xplain.ImageClassifier(module, preprocess=xplain.Preprocess(size=SIDE))
        unseen = images(20 if quick else 400, hole, seed=1)
        arrays = np.stack([model.prepare(each).array for each in unseen[0]])
        right = model.scores(arrays).argmax(axis=1) == unseen[1]
        if hole:
            right &= unseen[1] == 0  # of a missing hole no place is known
        samples = [Sample(unseen[0][i], int(unseen[1][i]), unseen[2][i]) for i in np.flatnonzero(right)]
        accuracy = "" if hole else f", {right.mean():.0%} right"
        background = [model.prepare(each).array for each in known[0][known[1] == 1][:16]]
        yield f"{title}{accuracy}", model, samples[: 1 if quick else 24], background


def regions_subject(quick: bool) -> tuple[str, Any, list[Sample]]:
    """Return a segmenter of crosses and rings, and samples whose target is the region that it finds."""
    torch.manual_seed(0)
    pixels, classes, inside = images(200 if quick else 2000, hole=False, seed=0)
    answers = np.where(inside, 1 + classes[:, None, None], 0)
    module = trained(PlaceClassifier(), pixels, answers, 5 if quick else 400)
    model = xplain.Segmenter(module, labels=["ground", "cross", "ring"], preprocess=xplain.Preprocess(size=SIDE))
    unseen = images(40, hole=False, seed=1)
    samples = []
    for image, number, place in zip(*unseen, strict=True):
        name = ("cross", "ring")[number]
        found = [each for each in model.predict(image) if each.name == name]
        if found:
            samples.append(Sample(image, name, place))
    return "Regions, a segmenter of planted shapes", model, samples[: 1 if quick else 30]


SENTENCES = (
    "we watched the film on a train with two friends in the second week of march",
    "the story is set in a small town near the sea and follows a family of four",
    "it opens with a scene in a kitchen and ends with a scene in the same kitchen",
    "the director shot it in black and white over several months in the north",
    "an actor who played a doctor plays a teacher in this one",
    "there are three songs in it and one of them is sung twice",
    "the second half takes place on a ship that sails to the south",
    "i saw it in a cinema on the corner before the rain began",
)
WORDS = (
    ("terrible", "awful", "boring", "worst", "dreadful", "pointless", "disappointing"),
    ("wonderful", "brilliant", "superb", "excellent", "delightful", "perfect", "amazing"),
)
"""Of the classes negative and positive."""


def text_samples(model: Any, count: int) -> list[Sample]:
    """Return sentences with one strong word, of which the network's decision changes."""
    rng = np.random.default_rng(0)
    samples: list[Sample] = []
    while len(samples) < count:
        words = SENTENCES[rng.integers(len(SENTENCES))].split()
        target = int(rng.integers(2))
        place = int(rng.integers(1, len(words)))
        changed = [*words[:place], str(rng.choice(WORDS[target])), *words[place:]]
        before, after = model.scores([" ".join(words), " ".join(changed)])[:, target]
        if after - before > 1:
            samples.append(Sample(" ".join(changed), target, np.arange(len(changed)) == place))
    return samples


def signal_samples(count: int) -> tuple[Any, list[Sample]]:
    """Return the network of BasicMotions, and recordings of standing with 25 readings of another activity."""
    from tests.motions import LABELS, classifier, recordings

    model = classifier()
    values, activities = recordings("TEST")
    standing = [each for each, activity in zip(values, activities, strict=True) if activity == "Standing"]
    others = [(each, a) for each, a in zip(values, activities, strict=True) if a != "Standing"]
    rng = np.random.default_rng(0)
    samples: list[Sample] = []
    for i in range(10 * count):
        recording = standing[i % len(standing)].copy()
        other, activity = others[rng.integers(len(others))]
        start = int(rng.integers(76))
        moment = np.s_[start : start + 25]
        before = model.scores(model.prepare(recording).windows())[0]
        recording[:, moment] = other[:, moment]
        after = model.scores(model.prepare(recording).windows())[0]
        target = LABELS.index(activity)
        if after[target] - before[target] > 1 and len(samples) < count:
            inside = np.zeros(recording.shape[1], bool)
            inside[moment] = True
            samples.append(Sample(recording, target, inside))
    return model, samples
