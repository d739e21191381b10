"""Class activation maps: where an inner layer's feature maps speak for a class.

All methods here combine the feature maps A (channels, h', w') of one layer with the gradients of the score S there.
Their maps have the layer's resolution.

Which layer: the option ``layer`` by its dotted name, else the model's own ``layer``, else the last part of the module
whose output has places (h', w' > 1), found by one observed forward pass. Of a vision transformer it is the last part
that feeds the last attention, since after it a score may read the class token only; tokens are put at the places of
their patches, without class and register tokens.

If the score depends on several calls of the layer, the map is the sum of theirs, each at the place that it sees, see
`xplain.attributions.engine.calls`; that costs some more evaluations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from xplain.attributions.captum import seam
from xplain.attributions.engine import calls, layers
from xplain.attributions.engine.autograd import wide
from xplain.attributions.engine.run import Run
from xplain.attributions.methods.guided_backprop import guided_backprop

Maps = npt.NDArray[np.float64]


def grad_cam(run: Run, *, layer: str | None = None, relu: bool = True) -> Maps:
    """Grad-CAM: feature maps weighted by their mean gradients.

    ``L = relu(sum_k a_k A_k)`` with ``a_k = mean over places of dS/dA_k``. Where only global average pooling and a
    linear layer follow, L without relu adds up to the score minus its bias. Costs 1 evaluation, and 1 more a call where
    the layer has to be found.

    Parameters
    ----------
    run : Run
        What is explained.
    layer : str, optional
        Dotted name of the layer.
    relu : bool
        Drop evidence against the class, as the paper does.

    Returns
    -------
    numpy.ndarray
        float64 (T, h', w').

    References
    ----------
    Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, ICCV 2017,
    arXiv:1610.02391.
    """
    remedy = "hires-cam, or grad-cam with relu=False, shows it"
    return _sum_of_calls(run, layer, lambda *call: seam.weigh_layer(run, "LayerGradCam", *call)[:, 0], relu, remedy)


def hires_cam(run: Run, *, layer: str | None = None, relu: bool = False) -> Maps:
    """HiResCAM: feature maps times their gradients, place by place.

    ``L = sum_k dS/dA_k * A_k``. Unlike Grad-CAM it never shows a place that the score did not use: if the rest of the
    model is linear, L adds up to the score minus its bias. Costs 1 evaluation, and 1 more a call where the layer has to
    be found.

    Parameters
    ----------
    run : Run
        What is explained.
    layer : str, optional
        Dotted name of the layer.
    relu : bool
        Drop evidence against the class.

    Returns
    -------
    numpy.ndarray
        float64 (T, h', w').

    References
    ----------
    Draelos & Carin, Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks, 2020,
    arXiv:2011.08891.
    """
    remedy = "relu=False shows it"
    return _sum_of_calls(
        run, layer, lambda *call: seam.weigh_layer(run, "LayerGradientXActivation", *call).sum(dim=1), relu, remedy
    )


def guided_grad_cam(run: Run, *, layer: str | None = None) -> Maps:
    """Guided Grad-CAM: guided backpropagation where Grad-CAM is positive.

    The product of the guided gradient, summed over the channels, and of Grad-CAM, enlarged bilinearly. Costs 2
    evaluations, and 1 more a call where the layer has to be found.

    Parameters
    ----------
    run : Run
        What is explained.
    layer : str, optional
        Dotted name of the layer.

    Returns
    -------
    numpy.ndarray
        float64 (T, h, w) of the input's resolution.

    References
    ----------
    Selvaraju et al., ICCV 2017, arXiv:1610.02391.
    """
    coarse = torch.from_numpy(grad_cam(run, layer=layer))
    guided = guided_backprop(run)
    fine = torch.nn.functional.interpolate(coarse[:, None], size=guided.shape[1:], mode="bilinear")[:, 0]
    product: Maps = fine.numpy() * guided
    return product


def _sum_of_calls(
    run: Run, layer: str | None, formula: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], relu: bool, remedy: str
) -> Maps:
    """Return the sum over the layer's calls of ``formula(feature maps (channels, h', w'), gradients (T, ...))``."""
    name, verify = layers.layer_that_runs(run, layer)
    run.quality.add("layer", name)
    placed = calls.calls_of_layer(run, name, verify=verify)
    maps = calls.add_up(run, placed, [formula(wide(call.maps), wide(call.gradients)) for call in placed])
    if relu:
        negative = (maps.flatten(1).amax(dim=1) <= 0) & (maps.flatten(1).amin(dim=1) < 0)
        run.watch.reason(negative.cpu().numpy(), f"all evidence is negative: {remedy}")
    array: Maps = (maps.clamp(min=0) if relu else maps).cpu().numpy()
    return array
