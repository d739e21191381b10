"""Small torch modules whose attributions are known, and a way to call a method without the engine's float32 results."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tests.attributions.board import on_pixels
from xplain.attributions import Run
from xplain.attributions.engine.session import Session
from xplain.explanation import Source
from xplain.models import Geometry, ImageClassifier, Prepared
from xplain.models.borrowing import evaluation


def prepared(array):
    """An input (channels, height, width) that is its own photo."""
    height, width = array.shape[1:]
    source = Source("image", height=height, width=width)
    return Prepared(source, np.asarray(array, np.float32), Geometry.identity(height, width))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def attribute(method, module, array, target=None, seed=0, batch_size=None, **options):
    """Maps float64 (T, h', w') of a method as they are before they reach the photo, and the run that made them."""
    model = module if isinstance(module, ImageClassifier) else ImageClassifier(module)
    session = Session(model, [prepared(array)], [target], batch_size, None, None)
    with evaluation(model.module, gradients=True):
        run = Run(session.chunks()[0], 0, seed)
        maps = on_pixels(method)(run, **options)
    return maps, run


class Linear(nn.Module):
    """score_t = sum(w_t * x) + b_t."""

    def __init__(self, weights, bias=0.0):
        super().__init__()
        self.weights = nn.Parameter(torch.as_tensor(weights, dtype=torch.float64))
        self.bias = bias

    def forward(self, x):
        return torch.einsum("nchw,tchw->nt", x, self.weights) + self.bias


class Zeds(nn.Module):
    """Scores token ids, letters modulo 50, by how often they are "z": a text without one has no gradient."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 1)
        with torch.no_grad():
            self.table.weight.zero_()
            self.table.weight[ord("z") % 50] = 1

    def forward(self, ids):
        return self.table(ids).sum(1)


class Quadratic(nn.Module):
    """score = x' A x over the flattened input."""

    def __init__(self, matrix):
        super().__init__()
        self.matrix = nn.Parameter(torch.as_tensor(matrix, dtype=torch.float64))

    def forward(self, x):
        flat = x.flatten(1)
        return torch.einsum("ni,ij,nj->n", flat, self.matrix, flat)[:, None]


def convolutional(*, bias=True, relu=nn.ReLU, pool=None, classes=3, seed=0):
    """conv, relu, conv, relu, (pool,) flatten, linear for inputs (2, 6, 6), in double precision."""
    torch.manual_seed(seed)
    layers = [nn.Conv2d(2, 4, 3, padding=1, bias=bias), relu(), nn.Conv2d(4, 5, 3, padding=1, bias=bias), relu()]
    if pool is not None:
        layers.append(pool)
    with torch.no_grad():
        size = nn.Sequential(*layers)(torch.zeros(1, 2, 6, 6)).numel()
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(size, classes, bias=bias)).double()


class Styled(nn.Module):
    """The network of `convolutional` with its ReLUs called in one of many ways."""

    STYLES = ("functional", "reused", "in-place", "in-place-argument", "method", "in-place-method", "clamp", "aten")

    def __init__(self, style, seed=0):
        super().__init__()
        plain = convolutional(seed=seed)
        self.first, self.second, self.head = plain[0], plain[2], plain[-1]
        module = nn.ReLU(inplace=style == "in-place")
        self.relu = {
            "functional": F.relu,
            "reused": module,
            "in-place": module,
            "in-place-argument": lambda x: F.relu(x, True),
            "method": lambda x: x.relu(),
            "in-place-method": self._in_place,
            "clamp": lambda x: x.clamp(min=0),
            "aten": torch.ops.aten.relu,
        }[style]

    @staticmethod
    def _in_place(x):
        x.relu_()
        return x

    def forward(self, x):
        x = self.relu(self.first(x))
        x = self.relu(self.second(x))
        return self.head(x.flatten(1))


class Pooled(nn.Module):
    """conv, relu, global average pooling, linear: the network that CAM was defined for."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.features = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(4, 3)
        self.double()

    def forward(self, x):
        return self.head(self.features(x).mean(dim=(2, 3)))
