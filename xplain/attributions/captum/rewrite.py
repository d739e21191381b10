"""A user's model, rewritten so that Captum's hooks reach all that they must reach, and nothing that is the user's.

Captum's DeepLift, GuidedBackprop, Deconvolution, GuidedGradCam and LRP change how single modules carry gradients back.
Functions that are no modules keep their gradient, modules that run twice or read a tensor that others read too get a
wrong one, and nothing says so. Here each such function becomes a module of its own that reads a tensor of its own.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from xplain._lazy import require
from xplain.attributions.captum.coverage import Rules, refuse_uncovered
from xplain.attributions.captum.functions import IN_PLACE_OPERATORS, UNCHANGED, Call, calls_of
from xplain.attributions.captum.pools import apart, pool_of
from xplain.attributions.captum.relevance import Applied, detach_parameters
from xplain.attributions.captum.trace import REMEDY, Trace, trace, twin
from xplain.errors import AttributionError, reason_of
from xplain.models.borrowing import evaluation, unwrap

#: Difference of scores that is put down to rounding, relative to the largest.
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Hookable:
    """A model that Captum may hook, made by `hookable`.

    Parameters
    ----------
    module : torch.nn.Module
        Computes what the user's module computes, with its parameters; hooks and attributes stay on it.
    layer : torch.nn.Module or None
        The module in it whose output is that of the layer that was asked for.
    """

    module: torch.nn.Module
    layer: torch.nn.Module | None = None


def hookable(module: torch.nn.Module, *inputs: torch.Tensor, method: str, layer: str | None = None) -> Hookable:
    """Rewrite a module so that a method of Captum that works through hooks is right for it.

    Parameters
    ----------
    module : torch.nn.Module
        The user's module. It is not changed, and shares its parameters with the result.
    *inputs : torch.Tensor
        (n, ...) each, what the module is called with: the input that is to be explained.
    method : str
        ``"deep-lift"``, ``"deep-lift-shap"``, ``"layer-deep-lift"``, ``"guided-backprop"``, ``"guided-grad-cam"``,
        ``"deconvolution"``, ``"lrp"`` or ``"layer-lrp"``.
    layer : str, optional
        Dotted name of a part of the module, whose output is asked for.

    Returns
    -------
    Hookable
        The rewritten module, and the module whose output is the layer's. Parts that run keep their names. It belongs to
        one thread: Captum keeps state on it.

    Raises
    ------
    AttributionError
        If the module cannot be recorded as a graph, has a function that the method is wrong for, or scores the input
        differently once it is rewritten; the message says which method is right.
    UnknownNameError
        If there is no such method.

    Examples
    --------
    >>> import torch
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.first, self.last = torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)
    ...     def forward(self, x):
    ...         return self.last(torch.relu(self.first(x)))
    >>> rewritten = hookable(Net(), torch.ones(1, 2), method="guided-backprop")
    >>> sorted(type(part).__name__ for part in rewritten.module.children())
    ['Linear', 'Linear', 'ReLU']
    """
    rules = Rules.of(method)
    module = unwrap(module)
    with evaluation(module, gradients=False):
        traced = trace(module, *inputs)
        graph = traced.module
        output = None if layer is None else _output_of(traced, layer)
        editor = _Editor(graph, rules, method)
        editor.remove_in_place()
        graph.graph.eliminate_dead_code()
        calls = calls_of(graph)
        refuse_uncovered(calls, rules, method)
        for call in calls:
            editor.rewrite(call)
        probe = None if output is None else editor.probe(output)
        graph.graph.eliminate_dead_code()
        graph.delete_all_unused_submodules()
        graph.recompile()
        # DeepLIFT runs inputs and baselines as one batch.
        is_doubled = rules.family == "differences"
        batch = tuple(torch.cat([each, each]) for each in inputs) if is_doubled else inputs
        outputs = _check_scores(module, graph, batch)
        if is_doubled:
            _check_rows(outputs, len(batch[0]))
    return Hookable(graph, probe)


def own(x: torch.Tensor) -> torch.Tensor:
    """Return a tensor of the same numbers that nobody else reads: hooks on it change nobody else's gradient.

    Parameters
    ----------
    x : torch.Tensor
        Any tensor.

    Returns
    -------
    torch.Tensor
        A view of it.
    """
    return x.view_as(x)


class _Editor:
    """Rewrites the calls of a graph, one by one."""

    def __init__(self, graph: fx.GraphModule, rules: Rules, method: str) -> None:
        self.graph = graph
        self.rules = rules
        self.method = method
        self._parts = dict(graph.named_modules())
        self._used: set[str] = set()

    def remove_in_place(self) -> None:
        """Make in-place calls return new tensors, which all that read the old one later read instead."""
        seen: set[fx.Node] = set()
        for node in self.graph.graph.nodes:
            seen.add(node)
            if node.op.startswith("call") and self._is_made_pure(node):
                changed = node.args[0] if node.args else node.kwargs["input"]
                for reader in [reader for reader in changed.users if reader not in seen]:
                    reader.replace_input_with(changed, node)

    def _is_made_pure(self, node: fx.Node) -> bool:
        """Make a call out-of-place, and return whether it was in-place."""
        if node.op == "call_module":
            part: Any = self._parts[str(node.target)]
            # The node stands for the module's first call or a later one, which the flag of the copy has forgotten.
            was_in_place = part.__dict__.setdefault("_was_in_place", bool(getattr(part, "inplace", False)))
            part.inplace = False
            return bool(was_in_place)
        if node.target in IN_PLACE_OPERATORS:
            node.target = getattr(operator, str(getattr(node.target, "__name__", ""))[1:])
            return bool(node.meta["tensor"])
        name = node.target if isinstance(node.target, str) else str(getattr(node.target, "__name__", ""))
        name = name.partition(".")[0]
        if name.endswith("_") and not name.endswith("__"):
            self._use_out_of_place(node, name.removesuffix("_"))
            return True
        if inspect.isfunction(node.target) and (node.kwargs.get("inplace") or True in node.args[1:]):
            arguments = inspect.signature(node.target).bind(*node.args, **node.kwargs).arguments
            was_in_place = bool(arguments.pop("inplace", False))
            if was_in_place:
                node.args, node.kwargs = (arguments.pop("input"),), arguments
            return was_in_place
        return False

    def _use_out_of_place(self, node: fx.Node, name: str) -> None:
        homes = (torch.Tensor,) if node.op == "call_method" else (torch, torch.nn.functional)
        found = next((getattr(home, name) for home in homes if callable(getattr(home, name, None))), None)
        if found is None:
            raise AttributionError(f"module must not write into its tensors, got {name}_; {REMEDY}")
        node.target = name if node.op == "call_method" else found

    def rewrite(self, call: Call) -> None:
        """Make a call one of a module of its own, if hooks have to reach it."""
        node, is_relevance = call.node, self.rules.family == "relevance"
        if call.kind == "layout" and node.op == "call_module" and is_relevance:
            self._flatten(node)
        if call.kind not in self.rules.hooked:
            return
        if call.kind in ("relu", "elementwise") or call.name in UNCHANGED:
            # Captum looks at the type alone: its rule for tanh is the one for any function of single numbers.
            kind: type[torch.nn.Module] = torch.nn.Tanh if call.kind == "elementwise" else torch.nn.ReLU
            self._put(call, _with_forward(kind(), self._function(call)), call.varying)
        elif call.kind == "sum":
            modules = require("captum.attr._utils.custom_modules", extra="torch")
            self._put(call, modules.Addition_Module(), call.varying)
        elif call.kind == "max-pool":
            self._pool(call)
        elif node.op == "call_module":
            part = twin(self._parts[str(node.target)])
            detach_parameters(part)
            self._put(call, part, call.varying)
        else:
            function = self._function(call)
            self._put(call, _with_forward(Applied(), lambda x: own(function(x))), call.varying)

    def probe(self, output: fx.Node) -> torch.nn.Module:
        """Put a module behind a node that returns what the node returns."""
        if output.graph is not self.graph.graph or not output.users:
            raise AttributionError("layer must take part in the score, got one whose output is not used; name another")
        # Captum hooks the tensor that comes in and the one that goes out: they must be two.
        probe, name = _with_forward(torch.nn.Identity(), own), self._fresh_name()
        self.graph.add_submodule(name, probe)
        with self.graph.graph.inserting_after(output):
            node = self.graph.graph.call_module(name, (output,))
        output.replace_all_uses_with(node, delete_user_cb=lambda reader: reader is not node)
        self._isolate(node)
        return probe

    def _flatten(self, node: fx.Node) -> None:
        """Make a module that only moves numbers a function, for which no rule is needed."""
        part: Any = self._parts[str(node.target)]
        if isinstance(part, torch.nn.Flatten):
            node.op, node.target, node.args = "call_method", "flatten", (*node.args[:1], part.start_dim, part.end_dim)
        elif isinstance(part, torch.nn.Unflatten):
            node.op, node.target = "call_method", "unflatten"
            node.args = (*node.args[:1], part.dim, part.unflattened_size)
        else:
            raise AttributionError(
                f"{self.method} must have a rule for every module of the model, got {type(part).__name__} "
                f"({node.target}); use integrated-gradients"
            )

    def _pool(self, call: Call) -> None:
        node = call.node
        pool = pool_of(node, self._parts.get(str(node.target)) if node.op == "call_module" else None, call.name)
        if pool is None:
            raise AttributionError(
                f"{self.method} must have max pooling without dilation and indices, got {call.place}; "
                "use integrated-gradients"
            )
        with self.graph.graph.inserting_before(node):
            options = (pool.kernel, pool.stride, pool.padding, pool.ceil)
            windows = self.graph.graph.call_function(apart, (call.varying[0], *options))
        self._put(call, pool.module(), (windows,))

    def _put(self, call: Call, part: torch.nn.Module, inputs: tuple[fx.Node, ...]) -> None:
        """Make a node the call of a module, under the name that it had if it was one."""
        node = call.node
        name = str(node.target) if node.op == "call_module" else ""
        if not name or name in self._used:
            name = self._fresh_name()
        self._used.add(name)
        self.graph.add_submodule(name, part)
        node.op, node.target, node.args, node.kwargs = "call_module", name, inputs, {}
        self._isolate(node)

    def _isolate(self, node: fx.Node) -> None:
        """Give the module that a node calls tensors of its own to read."""
        with self.graph.graph.inserting_before(node):
            node.args = tuple(self.graph.graph.call_function(own, (each,)) for each in node.args)

    def _fresh_name(self) -> str:
        """Return a name that no part of the module has."""
        return next(name for i in range(1 << 30) if not hasattr(self.graph, name := f"hooked_{i}"))

    def _function(self, call: Call) -> Callable[[torch.Tensor], Any]:
        """Return what a node computes as a function of the one tensor in it that varies."""
        node, (slot,) = call.node, call.varying
        values: dict[fx.Node, Any] = {}
        for each in node.all_input_nodes:
            if each is not slot and each.op != "get_attr":
                raise AttributionError(
                    f"{self.method} must have functions with fixed options, got {call.place} with {each.name}; "
                    "use integrated-gradients"
                )
            if each is not slot:
                values[each] = operator.attrgetter(str(each.target))(self.graph)
        target: Any = self._parts[str(node.target)].forward if node.op == "call_module" else node.target
        args, kwargs = node.args, node.kwargs

        def function(x: torch.Tensor) -> Any:
            def fill(each: fx.Node) -> Any:
                return x if each is slot else values[each]

            mine: Any = fx.node.map_arg(args, fill)
            named: Any = fx.node.map_arg(kwargs, fill)
            return getattr(mine[0], target)(*mine[1:], **named) if isinstance(target, str) else target(*mine, **named)

        return function


def _with_forward(module: torch.nn.Module, function: Callable[[torch.Tensor], Any]) -> torch.nn.Module:
    """Return a module that computes a function, whatever its type says: Captum chooses its rules by the type."""
    module.__dict__["forward"] = function
    return module.eval()


def _output_of(traced: Trace, layer: str) -> fx.Node:
    """Return the node that a part of the module returned."""
    layer = layer.replace("_orig_mod.", "")
    outputs = traced.calls.get(layer, [])
    if len(outputs) != 1:
        raise AttributionError(
            f"layer must run once in a pass, got {layer!r}, which runs {len(outputs)} times; name another layer"
        )
    if not isinstance(outputs[0], fx.Node):
        raise AttributionError(
            f"layer must return a tensor, got {layer!r}, which returns a {outputs[0].__name__}; name another layer"
        )
    return outputs[0]


def _check_scores(
    module: torch.nn.Module, rewritten: torch.nn.Module, inputs: tuple[torch.Tensor, ...]
) -> list[torch.Tensor]:
    """Refuse a rewritten module that does not compute what the user's computes; return what both do."""
    try:
        expected, found = (_tensors(each(*(x.clone() for x in inputs))) for each in (module, rewritten))
    except Exception as error:  # whatever the user's code raises: exported modules take batches of one size only
        raise AttributionError(
            f"module must run on a batch of {len(inputs[0])} as a graph, got {reason_of(error)}; {REMEDY}"
        ) from error
    difference = max((_difference(a, b) for a, b in zip(expected, found, strict=False)), default=float("inf"))
    if not difference <= _TOLERANCE:
        raise AttributionError(
            "module must compute the same once it is rewritten as a graph, got scores that differ by "
            f"{difference:.2g} of the largest; {REMEDY}"
        )
    return found


def _check_rows(outputs: list[torch.Tensor], n: int) -> None:
    """Refuse a module whose outputs do not have one row for each input."""
    shapes = [tuple(each.shape) for each in outputs]
    if any(shape[:1] != (n,) for shape in shapes):
        raise AttributionError(
            f"module must keep the batch in front, got outputs {shapes} for {n} inputs; use integrated-gradients"
        )


def _tensors(structure: Any) -> list[torch.Tensor]:
    """Return the tensors in what a module returns."""
    if isinstance(structure, torch.Tensor):
        return [structure]
    values = structure.values() if isinstance(structure, dict) else structure
    return (
        [tensor for each in values for tensor in _tensors(each)] if isinstance(structure, dict | tuple | list) else []
    )


def _difference(a: torch.Tensor, b: torch.Tensor) -> float:
    """Return the largest difference of two tensors, relative to the largest number; infinite if shapes differ."""
    if a.shape != b.shape:
        return float("inf")
    if torch.equal(a, b) or not a.numel():
        return 0.0
    return float((a - b).abs().max() / a.abs().max())
