"""Rules by which LRP carries relevance back through the modules of a rewritten model."""

from __future__ import annotations

from typing import Any

import torch

from xplain._lazy import require

#: What is added to the denominators, with their sign.
EPSILON = 1e-9


class Applied(torch.nn.Module):
    """A function as a module, so that a rule can be hooked to it; its ``forward`` is set on each instance."""


class Outputs(torch.nn.Module):
    """Begins relevance at what each output of a module adds to the score, where several do: a margin's, a region's.

    Captum begins at one output, with a share of 1; of several, it would give the gradients as shares. The share of an
    output o in a score S that is linear in the outputs is ``o dS/do / S``.

    Parameters
    ----------
    module : torch.nn.Module
        A rewritten model that returns a tensor (n, ...).
    """

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Return what the module returns."""
        outputs = self.module(*inputs)
        if not isinstance(outputs, torch.Tensor) or not outputs.requires_grad:
            return outputs
        values = outputs.detach()

        def share(gradients: torch.Tensor) -> torch.Tensor:
            parts = gradients * values
            totals = parts.flatten(1).sum(dim=1).reshape(-1, *[1] * (parts.ndim - 1))
            return torch.where(totals == 0, gradients, parts / totals)

        own = outputs.view_as(outputs)  # so that no other hook sees these gradients
        own.register_hook(share)  # type: ignore[no-untyped-call]
        return own


def detach_parameters(module: torch.nn.Module) -> None:
    """Give a copied module parameters and buffers of its own, on the user's memory.

    Captum's LRP writes each parameter back after a call, which autograd takes for a change in every graph that has
    saved it: passes of other threads through the user's module would fail.

    Parameters
    ----------
    module : torch.nn.Module
        A module without parts, that `xplain.attributions.captum.trace.twin` made.
    """
    state = module.__dict__
    state["_parameters"] = {
        name: None if value is None else torch.nn.Parameter(value.data, requires_grad=False)
        for name, value in module._parameters.items()
    }
    state["_buffers"] = {name: None if value is None else value.data for name, value in module._buffers.items()}


def attach_rules(module: torch.nn.Module) -> None:
    """Give each module of a rewritten model the rule by which LRP carries relevance back through it.

    The epsilon rule for what is linear, for max pooling and sums:
    ``R_i = sum_j x_i w_ij / (z_j + epsilon sign(z_j)) R_j``, where z_j is the output, bias included, whose share is
    lost. Activations pass relevance on.

    Parameters
    ----------
    module : torch.nn.Module
        A module that `xplain.attributions.captum.rewrite.hookable` made for ``"lrp"``.

    References
    ----------
    Bach et al., On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation,
    PLOS ONE 2015.
    """
    rules = require("captum.attr._utils.lrp_rules", extra="torch")
    for part in module.modules():
        if not part._modules and not isinstance(part, torch.nn.ReLU | torch.nn.Tanh):
            part.rule = rules.EpsilonRule(EPSILON)
