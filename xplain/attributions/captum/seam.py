"""The seam: Captum computes attributions, the engine runs the model.

A method of Captum asks for scores of variants by the function that it explains, and for gradients by its public
attribute ``gradient_func``. Both lead to a `Run` here. So passes are batched to the memory budget and counted, all T
targets come from one forward pass, the scores of the input itself come from the pass that explains it, black boxes are
explained too, and nothing is put on the user's module.

For gradients, Captum gets T copies of the input, one for each target. It treats them alike, so that the points it asks
for are the same for all of them, and one point is differentiated for all targets at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain._lazy import require

if TYPE_CHECKING:
    import torch

    from xplain.attributions.engine.run import Run


Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]


def captum_class(name: str) -> Any:
    """Return a class of `captum.attr` by its name; MissingExtraError if Captum is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Captum's own imports warn of what is deprecated in them
        return getattr(require("captum.attr", extra="torch"), name)


def attribute_input(run: Run, method: str, values: torch.Tensor, /, **options: Any) -> torch.Tensor:
    """Attribute by a method of Captum that differentiates at the input alone.

    Parameters
    ----------
    run : Run
        What is explained.
    method : str
        A class of Captum, such as ``"Saliency"``.
    values : torch.Tensor
        (...), the input as the method sees it: what it multiplies gradients with.
    **options
        Those of the class.

    Returns
    -------
    torch.Tensor
        (T, ...), the attributions for each target.
    """
    gradients = run.input_gradient()  # asked for before the targets: its pass has the scores that these depend on
    return _attribute(run, method, lambda *_: (gradients,), values, **options)


def attribute_path(run: Run, method: str, n_steps: int, /, **options: Any) -> torch.Tensor:
    """Attribute by a method of Captum that differentiates at points of a path, a batch of them at a time.

    Parameters
    ----------
    run : Run
        What is explained.
    method : str
        A class of Captum with the option ``internal_batch_size``, such as ``"IntegratedGradients"``.
    n_steps : int
        Number of points.
    **options
        Further options of the class; tensors (...) are those of one input.

    Returns
    -------
    torch.Tensor
        (T, ...), the attributions for each target.
    """
    run.announce(n_steps)
    points = min(n_steps, run.batch_size_for(n_steps))  # its pass has the scores that the targets depend on
    options |= {"n_steps": n_steps, "internal_batch_size": points * len(run.targets)}
    return _attribute(run, method, partial(_gradients_of_points, run), run.tensor, **options)


def _attribute(
    run: Run, method: str, gradients: Callable[..., Any], values: torch.Tensor, /, **options: Any
) -> torch.Tensor:
    import torch

    run.computed_by = "captum"
    explainer = captum_class(method)(_never_called)
    explainer.gradient_func = gradients
    count = len(run.targets)
    # Captum warns of inputs that do not require gradients, and sets them to.
    copies = values.detach().expand(count, *values.shape).requires_grad_()
    options = {
        name: option.expand(count, *option.shape) if isinstance(option, torch.Tensor) else option
        for name, option in options.items()
    }
    attributions: torch.Tensor = explainer.attribute(copies, target=list(run.targets), **options)
    return attributions.detach()


def _gradients_of_points(
    run: Run, forward_fn: Any, inputs: tuple[torch.Tensor], target_ind: Any = None, additional_forward_args: Any = None
) -> tuple[torch.Tensor]:
    """Return gradients at points (k * T, ...): the T copies of a point follow each other, each with its own target."""
    import torch

    (points,) = inputs
    count = len(run.targets)
    distinct = points.detach()[::count]
    parts = [gradients for _, _, gradients in run.gradients(lambda a, b: distinct[a:b], len(distinct))]
    return (torch.cat(parts, dim=1).transpose(0, 1).reshape(points.shape),)


def _never_called(*_: Any) -> Any:
    raise AssertionError("Captum must ask for gradients by its gradient_func, got a call of the model")


def ablate(run: Run, labels: npt.NDArray[np.int64], baseline: Array) -> Float64:
    """Replace parts of the input by the baseline, one at a time, by Captum's FeatureAblation.

    Parameters
    ----------
    run : Run
        What is explained: a module or a black box.
    labels : numpy.ndarray
        int64 (h, w), the part that each place belongs to.
    baseline : numpy.ndarray
        (...), what an absent part shows.

    Returns
    -------
    numpy.ndarray
        float64 (T, h, w): what the score loses without the part of each place.
    """
    import torch

    run.computed_by = "captum"
    axis, image = run.model.channel_axis, run.prepared.array
    count = int(labels.max()) + 1
    run.announce(count)
    scores = [torch.from_numpy(run.score(image))[np.newaxis]]  # Captum asks for the input itself first

    def forward(variants: torch.Tensor) -> torch.Tensor:
        if scores:
            return scores.pop()
        rows = variants.numpy()
        parts = [part for _, part in run.evaluate(lambda a, b: rows[a:b], len(rows))]
        return torch.from_numpy(np.concatenate(parts))

    attributions = captum_class("FeatureAblation")(forward).attribute(
        torch.from_numpy(image.astype(np.float32))[np.newaxis],
        baselines=torch.from_numpy(np.broadcast_to(baseline, image.shape).astype(np.float32))[np.newaxis],
        feature_mask=torch.from_numpy(np.expand_dims(labels, axis))[np.newaxis],
        perturbations_per_eval=min(count, run.batch_size_for(count)),
    )
    maps: Float64 = attributions.select(1 if axis == 0 else -1, 0).numpy()  # the same for all channels
    return maps


def weigh_layer(
    run: Run, method: str, activations: torch.Tensor, gradients: torch.Tensor, **options: Any
) -> torch.Tensor:
    """Combine the activations of a layer with the scores' gradients there by a layer method of Captum.

    Captum sees the rest of the model as what its gradients say of it: the linear function with these very gradients.

    Parameters
    ----------
    run : Run
        What is explained.
    method : str
        ``"LayerGradCam"`` or ``"LayerGradientXActivation"``.
    activations : torch.Tensor
        (channels, h', w').
    gradients : torch.Tensor
        (T, channels, h', w').
    **options
        Those of the class.

    Returns
    -------
    torch.Tensor
        (T, 1 or channels, h', w').
    """
    import torch

    run.computed_by = "captum"

    class Rest(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Identity()

        def forward(self, output: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = (self.layer(output) * gradients).flatten(1).sum(dim=1)
            return scores

    rest = Rest()
    copies = activations.detach().expand(len(gradients), *activations.shape).requires_grad_()
    combined: torch.Tensor = captum_class(method)(rest, rest.layer).attribute(copies, **options)
    return combined.detach()
