"""What the functions of a recorded graph are: linear, elementwise, pooling or other, by torch's names."""

from __future__ import annotations

import inspect
import operator
import re
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import fx

from xplain.attributions.engine.functions import ELEMENTWISE, RELU_LIKE

Kind = Literal["constant", "layout", "sum", "linear", "relu", "elementwise", "max-pool", "other"]

#: Functions that move, select or copy numbers, by torch's names.
LAYOUT = {
    *("flatten", "unflatten", "reshape", "reshape_as", "view", "view_as", "ravel", "contiguous", "clone"),
    *("permute", "transpose", "t", "adjoint", "swapaxes", "swapdims", "movedim", "moveaxis", "flip", "roll", "rot90"),
    *("squeeze", "unsqueeze", "expand", "expand_as", "repeat", "tile", "repeat_interleave", "broadcast_to"),
    *("getitem", "select", "narrow", "index_select", "chunk", "split", "tensor_split", "unbind"),
    *("cat", "concat", "concatenate", "stack", "hstack", "vstack", "to", "float", "double", "type_as"),
    *("pixel_shuffle", "pixel_unshuffle", "channel_shuffle"),
}
#: Functions that return their input in evaluation mode.
UNCHANGED = {"identity", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"}
#: Functions that are linear, or affine, in each of their arguments.
LINEAR = {
    *UNCHANGED,
    *(f"{name}{n}d" for name in ("conv", "conv_transpose", "avg_pool", "adaptive_avg_pool") for n in (1, 2, 3)),
    *(f"{name}_pad{n}d" for name in ("zero", "constant", "reflection", "replication", "circular") for n in (1, 2, 3)),
    *("batch_norm", "batch_norm1d", "batch_norm2d", "batch_norm3d", "linear", "matmul", "mm", "bmm", "einsum"),
    *("add", "sub", "subtract", "mul", "multiply", "truediv", "div", "neg", "mean", "sum", "cumsum", "pad"),
    *("interpolate", "upsample", "upsampling_nearest2d", "upsampling_bilinear2d", "fold", "unfold", "tensordot"),
}
#: Functions that LRP lets relevance pass through: they are 0 at 0, or next to it relevance would grow without limit.
ACTIVATIONS = RELU_LIKE | {
    *("tanh", "gelu", "silu", "mish", "hardswish", "softsign", "hardshrink", "softshrink", "tanhshrink"),
}
#: ``a += b`` and the like, by which the value of a changes too.
IN_PLACE_OPERATORS = {
    *(operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv, operator.imod, operator.ipow),
    operator.imatmul,
}
_MAX_POOLS = {f"max_pool{n}d" for n in (1, 2, 3)}
#: Functions of the size and type of a tensor, whatever its numbers are.
_OF_SIZES = {
    *("size", "dim", "ndimension", "numel", "shape", "new_zeros", "new_ones", "new_full", "new_empty"),
    *("zeros_like", "ones_like", "full_like"),
}
_TRANSPOSED = {"T", "mT", "H", "mH"}


@dataclass(frozen=True, slots=True)
class Call:
    """A node of a graph that computes something.

    Parameters
    ----------
    node : torch.fx.Node
        The node.
    name : str
        The function, by torch's name of it, without the underscore of in-place variants: ``"relu"``, ``"conv2d"``.
    kind : str
        What it does to what varies with the model's input; ``"constant"`` if it does not vary.
    varying : tuple of torch.fx.Node
        Its arguments that vary with the input, each as often as it is used.
    place : str
        Where it is, for messages.
    """

    node: fx.Node
    name: str
    kind: Kind
    varying: tuple[fx.Node, ...]
    place: str


def calls_of(graph: fx.GraphModule) -> list[Call]:
    """Return the calls of a graph that `xplain.attributions.captum.trace.trace` recorded, in order.

    Parameters
    ----------
    graph : torch.fx.GraphModule
        The graph.

    Returns
    -------
    list of Call
        One for each function and module that is called.
    """
    varying: set[fx.Node] = set()
    calls = []
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            if node.meta["real"]:  # indices of words are looked up first
                varying.add(node)
        elif node.op.startswith("call"):
            name = name_of(graph, node)
            inputs = tuple(each for each in _nodes_in((node.args, node.kwargs)) if each in varying)
            is_lookup = name == "embedding" and node.meta["real"]
            if (inputs and name not in _OF_SIZES and node.meta["tensor"]) or is_lookup:
                varying.add(node)
            kind = "layout" if is_lookup else _kind(graph, node, name, inputs) if node in varying else "constant"
            calls.append(Call(node, name, kind, inputs, _place(node, name)))
    return calls


def name_of(graph: fx.GraphModule, node: fx.Node) -> str:
    """Return torch's name of the function that a node calls, without the underscore of in-place variants.

    Parameters
    ----------
    graph : torch.fx.GraphModule
        The graph.
    node : torch.fx.Node
        A node of it that calls something.

    Returns
    -------
    str
        ``"relu"`` for `torch.relu`, ``x.relu_()`` and `torch.nn.ReLU`.
    """
    if node.op == "call_module":
        kind = next(
            kind
            for kind in type(graph.get_submodule(str(node.target))).__mro__
            if kind.__module__.startswith("torch.nn")
        )
        return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", kind.__name__).lower()
    if node.target is getattr:
        return "transpose" if node.args[1] in _TRANSPOSED else str(node.args[1])
    name = node.target if isinstance(node.target, str) else str(getattr(node.target, "__name__", node.target))
    name = name.partition(".")[0].removesuffix("_")
    return name[1:] if node.target in IN_PLACE_OPERATORS else name


def _kind(graph: fx.GraphModule, node: fx.Node, name: str, inputs: tuple[fx.Node, ...]) -> Kind:
    is_sum = name in ("add", "sub", "subtract")
    if name in LAYOUT:
        return "layout"
    if is_sum and len(inputs) > 1:
        return "sum"
    if name in LINEAR and len(inputs) == 1:
        is_divisor = name in ("truediv", "div") and node.args[0] is not inputs[0]
        return "linear" if not is_divisor and _has_fixed_statistics(graph, node, name) else "other"
    if len(inputs) == 1 and name in RELU_LIKE:
        return "relu"
    if len(inputs) == 1 and name in ELEMENTWISE and (name != "pow" or node.args[0] is inputs[0]):
        return "elementwise"
    return "max-pool" if name in _MAX_POOLS else "other"


def _has_fixed_statistics(graph: fx.GraphModule, node: fx.Node, name: str) -> bool:
    """Return whether a function, if it is a batch normalisation, does not take its mean from the batch."""
    if not name.startswith("batch_norm"):
        return True
    if node.op == "call_module":
        return graph.get_submodule(str(node.target)).running_mean is not None
    if node.target is not torch.nn.functional.batch_norm:
        return False
    arguments = inspect.signature(torch.nn.functional.batch_norm).bind(*node.args, **node.kwargs).arguments
    return arguments.get("training", False) is False


def _nodes_in(structure: Any) -> list[fx.Node]:
    found: list[fx.Node] = []
    fx.node.map_arg(structure, found.append)
    return found


def _place(node: fx.Node, name: str) -> str:
    return f"{name} ({node.target})" if node.op == "call_module" else name
