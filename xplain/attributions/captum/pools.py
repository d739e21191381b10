"""Max pooling in a form that Captum's DeepLift is right for: windows that do not overlap, without padding.

Captum unpools the differences of the windows, which overwrite each other where windows overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

_ARGUMENTS = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")


@dataclass(frozen=True, slots=True)
class Pool:
    """Options of a max pooling.

    Parameters
    ----------
    kernel, stride, padding : tuple of int
        One for each dimension that is pooled.
    ceil : bool
        Whether windows may stick out at the end.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    ceil: bool

    def module(self) -> torch.nn.Module:
        """Return the pooling of windows that `apart` laid out."""
        kind: Any = getattr(torch.nn, f"MaxPool{len(self.kernel)}d")
        pooling: torch.nn.Module = kind(self.kernel if len(self.kernel) > 1 else self.kernel[0])
        return pooling


def pool_of(node: fx.Node, part: Any, name: str) -> Pool | None:
    """Return the options of a max pooling.

    Parameters
    ----------
    node : torch.fx.Node
        The call of it.
    part : torch.nn.Module or None
        The module that is called, if one is.
    name : str
        ``"max_pool2d"``, say.

    Returns
    -------
    Pool or None
        None if it skips pixels (dilation) or returns where the maxima are.
    """
    if part is not None:
        options = {key: getattr(part, key) for key in _ARGUMENTS[1:]}
    else:
        options = dict(zip(_ARGUMENTS, node.args, strict=False)) | node.kwargs
    n = int(name[-2])

    def each(value: Any) -> tuple[int, ...]:
        values = tuple(value) if isinstance(value, tuple | list) else (value,)
        return values * n if len(values) == 1 else values

    dilation = each(options.get("dilation", 1))
    if any(step != 1 for step in dilation) or options.get("return_indices", False):
        return None
    kernel = each(options["kernel_size"])
    return Pool(
        kernel, each(options.get("stride") or kernel), each(options.get("padding", 0)), bool(options.get("ceil_mode"))
    )


def apart(
    x: torch.Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], ceil: bool
) -> torch.Tensor:
    """Lay the windows of a pooling side by side.

    Parameters
    ----------
    x : torch.Tensor
        (..., size, ...) with one size for each dimension that is pooled.
    kernel, stride, padding, ceil
        As in `Pool`.

    Returns
    -------
    torch.Tensor
        (..., windows * kernel, ...). Padding is the least number that its type has, which is never the maximum.

    Examples
    --------
    >>> import torch
    >>> apart(torch.arange(5.0)[None, None], (3,), (2,), (0,), False)
    tensor([[[0., 1., 2., 2., 3., 4.]]])
    """
    n = len(kernel)
    first = x.dim() - n
    pads: list[int] = []
    for size, k, s, p in zip(x.shape[first:], kernel, stride, padding, strict=True):
        room = size + 2 * p - k
        count = -(-room // s) + 1 if ceil else room // s + 1
        if ceil and (count - 1) * s >= size + p:  # the last window would lie in the padding alone
            count -= 1
        pads = [p, max(0, (count - 1) * s + k - size - p), *pads]
    x = torch.nn.functional.pad(x, pads, value=torch.finfo(x.dtype).min)
    for i, (k, s) in enumerate(zip(kernel, stride, strict=True)):
        x = x.unfold(first + i, k, s)
    order = [axis for i in range(n) for axis in (first + i, first + n + i)]
    x = x.permute(*range(first), *order)
    sizes = [x.shape[first + 2 * i] * x.shape[first + 2 * i + 1] for i in range(n)]
    return x.reshape(*x.shape[:first], *sizes)
