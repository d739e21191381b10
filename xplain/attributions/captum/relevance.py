"""Rules by which LRP carries relevance back through the modules of a rewritten model."""

from __future__ import annotations

import torch

from xplain._lazy import require

#: What is added to the denominators, with their sign.
EPSILON = 1e-9


class Applied(torch.nn.Module):
    """A function as a module, so that a rule can be hooked to it; its ``forward`` is set on each instance."""


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
