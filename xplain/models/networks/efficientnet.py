"""EfficientNet-Lite0, the demo network.

Mobile inverted bottlenecks with ReLU6 and without squeeze-and-excitation [1]_ [2]_. Each nonlinearity is a module of
its own, convolutions pad as TensorFlow's "SAME" does, and parameters are named as in the published checkpoint.

References
----------
.. [1] M. Tan, Q. Le. EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks. ICML 2019.
.. [2] R. Liu. Higher accuracy on vision models with EfficientNet-Lite. TensorFlow Blog, 2020.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

# (expansion, kernel, stride, output channels, repeats) of each stage
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


class _SameConv(nn.Conv2d):
    """A convolution that pads more at the bottom and right where the padding is odd, as TensorFlow does."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.stride[0] > 1:
            # "SAME": as many outputs as strides that begin inside the image, so padding depends on its size.
            (kernel, _), (stride, _) = self.kernel_size, self.stride
            dy, dx = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:])
            x = F.pad(x, (dx // 2, dx - dx // 2, dy // 2, dy - dy // 2))
        return super().forward(x)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # TensorFlow's settings, not PyTorch's defaults


class _Block(nn.Module):
    """Inverted bottleneck: expand the channels, filter each one, project them back; skip where the shape stays."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.skip = stride == 1 and inputs == outputs
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv, self._bn0, self._act0 = _SameConv(inputs, hidden, 1), _norm(hidden), nn.ReLU6()
        self._depthwise_conv = _SameConv(hidden, hidden, kernel, stride, groups=hidden)
        self._bn1, self._act1 = _norm(hidden), nn.ReLU6()
        self._project_conv, self._bn2 = _SameConv(hidden, outputs, 1), _norm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self._act0(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self._act1(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        result: torch.Tensor = x + y if self.skip else y
        return result


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0: float32 (batch, 3, 224, 224) to logits (batch, classes).

    Parameters
    ----------
    classes : int
        Number of outputs.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self._conv_stem, self._bn0, self._act0 = _SameConv(3, 32, 3, 2), _norm(32), nn.ReLU6()
        blocks, inputs = [], 32
        for expansion, kernel, stride, outputs, repeats in _STAGES:
            for i in range(repeats):
                blocks.append(_Block(inputs, outputs, expansion, kernel, stride if i == 0 else 1))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1, self._act1 = _SameConv(inputs, 1280, 1), _norm(1280), nn.ReLU6()
        self._dropout = nn.Dropout(0.2)
        self._fc = nn.Linear(1280, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (batch, classes) of normalised images."""
        x = self._act0(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = self._act1(self._bn1(self._conv_head(x)))
        logits: torch.Tensor = self._fc(self._dropout(x.mean((2, 3))))
        return logits
