"""A module as a graph of function calls, recorded from a copy of it that shares its parameters.

Methods that work through hooks see modules only, so what a module does besides calling its parts has to become visible.
`torch.fx.symbolic_trace` would do, but it replaces `torch.nn.Module.__call__` for all threads while it records, and
what the module's own code stores on ``self`` lands on the user's module. Here both land on the copy.
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import fx

from xplain.errors import AttributionError, reason_of
from xplain.models.borrowing import unwrap

#: What explains a model that cannot be recorded as a graph.
REMEDY = "use deep-lift, which needs no graph, or integrated-gradients"


@dataclass(slots=True)
class Trace:
    """What `trace` recorded.

    Parameters
    ----------
    module : torch.fx.GraphModule
        The graph; its modules are copies with shared parameters, under the names that they have in the user's module.
    calls : dict of str to list
        By name of a part of the user's module, what each call of it returned: a node, or the type of what is no tensor.
    """

    module: fx.GraphModule
    calls: dict[str, list[Any]] = field(default_factory=dict)


def trace(module: torch.nn.Module, *inputs: torch.Tensor) -> Trace:
    """Record the functions and modules that a module calls for an input.

    The parts of `torch.nn` that have no parts themselves stay modules, also those of the user's subclasses that inherit
    their ``forward``; all others are recorded through. The copies are in evaluation mode and have none of the user's
    hooks. Sizes are those of the input, but for the first, the batch's, which stays open.

    Parameters
    ----------
    module : torch.nn.Module
        What to record; it is not changed.
    *inputs : torch.Tensor
        (n, ...) each, what it is called with; parameters beyond them keep their defaults.

    Returns
    -------
    Trace
        The graph, and where the module's parts are in it. Each node has in ``meta["tensor"]`` whether its value has
        tensors, and in ``meta["real"]`` whether of real numbers.

    Raises
    ------
    AttributionError
        If the module is scripted, or decides by the values of its input what to compute.

    Examples
    --------
    >>> import torch
    >>> found = trace(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()), torch.zeros(1, 2))
    >>> [(node.op, node.target) for node in found.module.graph.nodes][1:3]
    [('call_module', '0'), ('call_module', '1')]
    """
    module = unwrap(module)
    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise AttributionError(
                "module must be made of Python code to be recorded as a graph, got a scripted part "
                f"{name or 'at the top'}; {REMEDY}"
            )
    root = twin(module)
    recorder = _Recorder(root)
    try:
        with torch.no_grad():
            recorder.record(inputs)
        return Trace(fx.GraphModule(root, recorder.graph), recorder.calls)
    except Exception as error:  # whatever the user's code raises when it gets symbols instead of tensors
        raise AttributionError(
            f"module must be recordable as a graph, without decisions on values, got {reason_of(error)}; {REMEDY}"
        ) from error
    finally:
        recorder.release()


class _Symbol(fx.Proxy):
    """A value of the graph, which knows what it is for the example: sizes and types are facts, numbers are not."""

    value: Any

    def __getattr__(self, name: str) -> Any:
        if name == "value":  # while the symbol is being made
            raise AttributeError(name)
        found = getattr(self.value, name)
        if name == "shape":
            return self.size()
        if isinstance(found, torch.Tensor):  # .T, .real
            return self.tracer.create_proxy("call_function", getattr, (self, name), {})
        return super().__getattr__(name) if callable(found) else found

    def size(self, dim: int | None = None) -> Any:
        """Return the sizes as numbers; the first one as a symbol, since methods enlarge the batch."""
        if dim is not None:
            is_first = dim in (0, -self.value.dim())
            return self.tracer.create_proxy("call_method", "size", (self, 0), {}) if is_first else self.value.size(dim)
        sizes = tuple(self.value.shape)
        return (self.size(0), *sizes[1:]) if sizes else sizes

    def dim(self) -> int:
        return int(self.value.dim())

    def __iter__(self) -> Any:
        if not isinstance(self.value, tuple | list):
            raise TypeError("a loop over the rows of a tensor")
        return (operator.getitem(self, i) for i in range(len(self.value)))

    def __len__(self) -> int:
        if not isinstance(self.value, tuple | list):
            raise TypeError("the length of a tensor as a number")
        return len(self.value)


class _Recorder(fx.Tracer):
    """Records what a copied module does; its parts report their calls by a ``forward`` of their own."""

    def __init__(self, root: torch.nn.Module) -> None:
        super().__init__(autowrap_modules=())  # type: ignore[arg-type]
        self.root = root
        self.graph = fx.Graph()
        self.tensor_attrs: dict[Any, str] = {}
        self.calls: dict[str, list[Any]] = {}
        self._forwards: list[tuple[torch.nn.Module, Any]] = []

    def record(self, inputs: tuple[torch.Tensor, ...]) -> None:
        for name, part in self.root.named_modules():
            if name:
                self._forwards.append((part, part.__dict__.get("forward")))
                forward = partial(self._call_leaf, name) if _is_leaf(part) else partial(self._call, name, part.forward)
                part.__dict__["forward"] = forward
        symbols = [self._input(f"input_{i}", value.clone()) for i, value in enumerate(inputs)]
        self.create_node("output", "output", (self.create_arg(self.root(*symbols)),), {})

    def release(self) -> None:
        """Give the parts of the copy their own ``forward`` again."""
        for part, own in self._forwards:
            part.__dict__.pop("forward", None)
            if own is not None:
                part.__dict__["forward"] = own

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Symbol(node, self)

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **options: Any) -> Any:
        symbol: Any = super().create_proxy(kind, target, args, kwargs, *rest, **options)
        if kind == "placeholder":
            return symbol
        args, kwargs = (
            fx.node.map_aggregate(each, lambda a: a.value if isinstance(a, _Symbol) else a) for each in (args, kwargs)
        )
        if kind == "call_module":
            part = self.root.get_submodule(target)
            value = type(part).forward(part, *args, **kwargs)
        elif kind == "call_method":
            value = getattr(args[0], target)(*args[1:], **kwargs)
        else:
            value = target(*args, **kwargs)
        return self._know(symbol, value)

    def _input(self, name: str, value: torch.Tensor) -> Any:
        return self._know(self.create_proxy("placeholder", name, (), {}), value)

    @staticmethod
    def _know(symbol: Any, value: Any) -> Any:
        symbol.__dict__["value"] = value
        values = value if isinstance(value, tuple | list) else (value,)
        tensors = [each for each in values if isinstance(each, torch.Tensor)]
        symbol.node.meta.update(tensor=bool(tensors), real=any(each.is_floating_point() for each in tensors))
        return symbol

    def _call_leaf(self, name: str, *args: Any, **kwargs: Any) -> Any:
        result = self.create_proxy("call_module", name, args, kwargs)
        self.calls.setdefault(name, []).append(result.node)
        return result

    def _call(self, name: str, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = forward(*args, **kwargs)
        self.calls.setdefault(name, []).append(result.node if isinstance(result, fx.Proxy) else type(result))
        return result


def _is_leaf(part: torch.nn.Module) -> bool:
    """Return whether a part computes as a module of `torch.nn` without parts does."""
    forward = getattr(type(part), "forward", None)
    is_torchs = getattr(forward, "__module__", "").startswith("torch.nn.modules") and "forward" not in part.__dict__
    return is_torchs and not part._modules and not isinstance(part, torch.nn.Sequential)


def twin(module: torch.nn.Module, known: dict[int, torch.nn.Module] | None = None) -> torch.nn.Module:
    """Copy a module and its parts; parameters, buffers and other attributes are shared, hooks are left out.

    Parameters
    ----------
    module : torch.nn.Module
        What to copy.
    known : dict of int to torch.nn.Module, optional
        Copies made already, by the identity of their originals.

    Returns
    -------
    torch.nn.Module
        The copy, in evaluation mode; what is set or hooked on it, or on its parts, stays there.
    """
    known = {} if known is None else known
    module = unwrap(module)
    if id(module) in known:
        return known[id(module)]
    # Not type(module).__new__: that of a GraphModule makes a class without code.
    copied: torch.nn.Module = object.__new__(type(module))
    known[id(module)] = copied
    state = copied.__dict__
    state.update(module.__dict__)
    for name, value in module.__dict__.items():
        if name.startswith("_") and "hooks" in name and isinstance(value, dict):
            state[name] = OrderedDict()
    state.update(_parameters=dict(module._parameters), _buffers=dict(module._buffers))
    parts = module._modules.items()
    state["_modules"] = {name: None if part is None else twin(part, known) for name, part in parts}
    state.update(training=False, _compiled_call_impl=None)
    return copied
