"""The table of attribution methods: plain data, so that listing them imports nothing heavy.

An entry names the one function that computes a method, for every kind of input, as ``"module:function"``; `Method.load`
imports it when it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.attributions.captum import PREFIX

#: What a method explains of a model, by the model's task. Each kind has a module that explains it, see
#: `xplain.attributions.dispatch`.
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "image-classification": "images",
        "text-classification": "texts",
        "object-detection": "detections",
        "image-segmentation": "regions",
        "signal-classification": "signals",
    }
)


@dataclass(frozen=True, slots=True)
class Method:
    """An entry of the table: what is known about an attribution method before it runs.

    Parameters
    ----------
    name : str
        The name that callers use.
    summary : str
        What it computes, in one line.
    needs : {"gradients", "layers", "attention", "scores"}
        What it asks of a model: gradients at the input, gradients at an inner layer, the attention of a transformer
        and gradients there, or its scores only.
    cost : str
        Evaluations for one explanation, as a formula of the options: single inputs that pass through the model (with
        gradients, forwards and backwards). The predictions cost one more where the method does not need them itself.
    paper : str
        Where it is defined.
    function : str
        ``"module:function"``, or ``"captum:Class"`` for a class of Captum as it is. The function takes a `Run` and
        keyword options, those without a default from the kind of input, see `xplain.attributions.engine.supplies`. It
        returns float (T, h', w'): for each of T targets a map of the model's input, at any resolution.
    explains : tuple of str
        The kinds of `KINDS` that it explains.
    engine : str
        What computes it: "captum", "xplain", or both and what the second one computes.
    random : bool
        Whether it draws random numbers.
    defaults : mapping of str to mapping
        For some of the kinds, defaults of options that suit the kind better than the function's own or the kind's.
    chosen : xplain.attributions.captum.classes.Chosen, optional
        The attribution of Captum that a caller chose, where the table has none.
    """

    name: str
    summary: str
    needs: str
    cost: str
    paper: str
    function: str
    explains: tuple[str, ...] = tuple(KINDS.values())
    engine: str = "xplain"
    random: bool = False
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    chosen: Any = None

    @property
    def captum_class(self) -> str | None:
        """The class of Captum that computes it as it is; None for methods with a function of their own."""
        return self.function.removeprefix(PREFIX) if self.function.startswith(PREFIX) else None

    def load(self) -> Callable[..., npt.NDArray[np.float64]]:
        """Import the function that computes it: ``function(run, **options)``."""
        loaded: Callable[..., npt.NDArray[np.float64]]
        if self.captum_class is not None:
            adapter, classes = (
                importlib.import_module(f"xplain.attributions.captum.{name}") for name in ("attribution", "classes")
            )
            loaded = adapter.function_of(self.chosen or classes.choose(self.captum_class))
        else:
            module, _, function = self.function.partition(":")
            loaded = getattr(importlib.import_module(module), function)
        return loaded


def method_names(task: str, needs: str | None = None) -> tuple[str, ...]:
    """Return the names of the methods for models of a task; with ``needs``, only those that need just that."""
    return tuple(
        name
        for name, method in METHODS.items()
        if KINDS[task] in method.explains and (needs is None or method.needs == needs)
    )


#: Kinds that are explained on the pixels of an image; and those whose scores are the module's own output, where that of
#: a detection is found again among boxes.
_PIXELS = ("images", "detections", "regions")
_IMAGES_AND_REGIONS = ("images", "regions")
#: Kinds whose module is called with one tensor, the input.
TENSORS = (*_PIXELS, "signals")

_ENTRIES = (
    Method(
        "saliency",
        "Largest absolute gradient over the channels; with its sign by `abs=False`.",
        needs="gradients",
        cost="1",
        paper="Simonyan et al. 2013, arXiv:1312.6034",
        function="xplain.attributions.methods.gradients:saliency",
        engine="captum",
    ),
    Method(
        "input-x-gradient",
        "Gradient times input minus baseline.",
        needs="gradients",
        cost="1",
        paper="Shrikumar et al. 2016, arXiv:1605.01713",
        function="xplain.attributions.methods.gradients:input_x_gradient",
        engine="captum",
    ),
    Method(
        "integrated-gradients",
        "Gradients averaged on the straight path from a baseline; adds up to the change of the score.",
        needs="gradients",
        cost="n_steps + 1",
        paper="Sundararajan et al. 2017, arXiv:1703.01365",
        function="xplain.attributions.methods.gradients:integrated_gradients",
        engine="captum",
    ),
    Method(
        "smoothgrad",
        "Gradient averaged over noisy copies of the input, or its variance.",
        needs="gradients",
        cost="n_samples",
        paper="Smilkov et al. 2017, arXiv:1706.03825; Adebayo et al. 2018, arXiv:1810.03307",
        function="xplain.attributions.methods.gradients:smoothgrad",
        explains=TENSORS,
        random=True,
        defaults={"detections": {"statistic": "square", "n_samples": 8}},
    ),
    Method(
        "gradient-shap",
        "Expected gradients: integrated gradients over random points, baselines and noise.",
        needs="gradients",
        cost="n_samples + number of baselines",
        paper="Lundberg & Lee 2017, arXiv:1705.07874; Erion et al. 2021, arXiv:1906.10670",
        function="xplain.attributions.methods.gradients:gradient_shap",
        random=True,
    ),
    Method(
        "deep-lift",
        "Differences from a baseline carried back by secants (Rescale rule); adds up to the change of the score.",
        needs="gradients",
        cost="2",
        paper="Shrikumar et al. 2017, arXiv:1704.02685",
        function="xplain.attributions.methods.deep_lift:deep_lift",
    ),
    Method(
        "guided-backprop",
        "Gradient that drops negative flow at every ReLU; sharp, but weakly tied to the class.",
        needs="gradients",
        cost="1",
        paper="Springenberg et al. 2014, arXiv:1412.6806",
        function="xplain.attributions.methods.guided_backprop:guided_backprop",
    ),
    Method(
        "deconvolution",
        "Gradient that keeps the positive parts at each ReLU, whatever was active.",
        needs="gradients",
        cost="1 a target",
        paper="Zeiler & Fergus 2014, arXiv:1311.2901",
        function="captum:Deconvolution",
        explains=TENSORS,
        engine="captum",
    ),
    Method(
        "deep-lift-shap",
        "DeepLIFT averaged over several baselines; adds up to the mean change of the score.",
        needs="gradients",
        cost="2 * number of baselines a target",
        paper="Lundberg & Lee 2017, arXiv:1705.07874; Musco & Witter 2025, arXiv:2410.01917",
        function="captum:DeepLiftShap",
        explains=TENSORS,
        engine="captum",
    ),
    Method(
        "lrp",
        "Layer-wise relevance propagation (epsilon rule): the score handed back layer by layer, less what biases keep.",
        needs="gradients",
        cost="1 a target",
        paper="Bach et al. 2015, doi:10.1371/journal.pone.0130140",
        function="captum:LRP",
        explains=TENSORS,
        engine="captum",
    ),
    Method(
        "layer-conductance",
        "What flows through each place of a layer on the path from a baseline; adds up to the change of the score.",
        needs="layers",
        cost="2 * n_steps a target",
        paper="Dhamdhere et al. 2019, arXiv:1805.12233",
        function="captum:LayerConductance",
        engine="captum",
    ),
    Method(
        "internal-influence",
        "Gradients at a layer, averaged on the path from a baseline.",
        needs="layers",
        cost="n_steps a target",
        paper="Leino et al. 2018, arXiv:1802.03788",
        function="captum:InternalInfluence",
        engine="captum",
    ),
    Method(
        "layer-integrated-gradients",
        "Integrated gradients of a layer's output; adds up to the change of the score.",
        needs="layers",
        cost="n_steps a target",
        paper="Sundararajan et al. 2017, arXiv:1703.01365",
        function="captum:LayerIntegratedGradients",
        engine="captum",
    ),
    Method(
        "layer-deep-lift",
        "DeepLIFT down to a layer; adds up to the change of the score.",
        needs="layers",
        cost="2 a target",
        paper="Shrikumar et al. 2017, arXiv:1704.02685",
        function="captum:LayerDeepLift",
        explains=TENSORS,
        engine="captum",
    ),
    Method(
        "neuron-gradient",
        "Gradient of one neuron of a layer by the input.",
        needs="layers",
        cost="1",
        paper="Simonyan et al. 2013, arXiv:1312.6034",
        function="captum:NeuronGradient",
        engine="captum",
    ),
    Method(
        "neuron-conductance",
        "What of the score flows from each place of the input through one neuron.",
        needs="layers",
        cost="n_steps a target",
        paper="Dhamdhere et al. 2019, arXiv:1805.12233",
        function="captum:NeuronConductance",
        engine="captum",
    ),
    Method(
        "neuron-integrated-gradients",
        "Integrated gradients of one neuron of a layer.",
        needs="layers",
        cost="n_steps",
        paper="Sundararajan et al. 2017, arXiv:1703.01365",
        function="captum:NeuronIntegratedGradients",
        engine="captum",
    ),
    Method(
        "grad-cam",
        "Feature maps of a layer weighted by their mean gradients.",
        needs="layers",
        cost="1",
        paper="Selvaraju et al. 2017, arXiv:1610.02391",
        function="xplain.attributions.methods.cams:grad_cam",
        explains=_PIXELS,
        engine="captum",
    ),
    Method(
        "guided-grad-cam",
        "Guided backpropagation where Grad-CAM is positive.",
        needs="layers",
        cost="2",
        paper="Selvaraju et al. 2017, arXiv:1610.02391",
        function="xplain.attributions.methods.cams:guided_grad_cam",
        explains=_IMAGES_AND_REGIONS,
        engine="captum, xplain (guided backpropagation)",
    ),
    Method(
        "hires-cam",
        "Feature maps of a layer times their gradients, place by place.",
        needs="layers",
        cost="1",
        paper="Draelos & Carin 2020, arXiv:2011.08891",
        function="xplain.attributions.methods.cams:hires_cam",
        explains=_PIXELS,
        engine="captum",
    ),
    Method(
        "attention-rollout",
        "How much of each patch reaches what a vision transformer's score reads, by attention alone.",
        needs="attention",
        cost="1",
        paper="Abnar & Zuidema 2020, arXiv:2005.00928",
        function="xplain.attributions.methods.rollout:attention_rollout",
        explains=_IMAGES_AND_REGIONS,
    ),
    Method(
        "gradient-rollout",
        "Attention rollout of the attention that speaks for the class.",
        needs="attention",
        cost="1",
        paper="Chefer et al. 2021, arXiv:2103.15679",
        function="xplain.attributions.methods.rollout:gradient_rollout",
        explains=_IMAGES_AND_REGIONS,
    ),
    Method(
        "occlusion",
        "Loss of score when a window is covered.",
        needs="scores",
        cost="number of window positions + 1",
        paper="Zeiler & Fergus 2014, arXiv:1311.2901",
        function="xplain.attributions.methods.occlusion:occlusion",
        engine="xplain, captum (texts)",
    ),
    Method(
        "feature-ablation",
        "Loss of score when one region is replaced by the baseline.",
        needs="scores",
        cost="number of regions + 1",
        paper="Zeiler & Fergus 2014, arXiv:1311.2901",
        function="xplain.attributions.methods.occlusion:feature_ablation",
        explains=TENSORS,
        engine="captum",
    ),
    Method(
        "lime",
        "Ridge regression of the score on random subsets of regions, near ones weighted.",
        needs="scores",
        cost="n_samples",
        paper="Ribeiro et al. 2016, arXiv:1602.04938",
        function="xplain.attributions.methods.surrogate:lime",
        random=True,
    ),
    Method(
        "kernel-shap",
        "Shapley values of regions by weighted regression.",
        needs="scores",
        cost="budget",
        paper="Lundberg & Lee 2017, arXiv:1705.07874; Musco & Witter 2025, arXiv:2410.01917",
        function="xplain.attributions.methods.surrogate:kernel_shap",
        random=True,
    ),
    Method(
        "shapley",
        "Shapley values of regions: exact for few, predicted from random coalitions for many.",
        needs="scores",
        cost="2 ** regions if within the budget, else budget",
        paper="Shapley 1953; Musco & Witter 2025, arXiv:2410.01917",
        function="xplain.attributions.methods.shapley:shapley",
        random=True,
        defaults={kind: {"n_segments": 25, "budget": 2000} for kind in _PIXELS},
    ),
    Method(
        "rise",
        "What a pixel adds to the mean score over random smooth masks that keep it.",
        needs="scores",
        cost="n_samples",
        paper="Petsiuk et al. 2018, arXiv:1806.07421",
        function="xplain.attributions.methods.rise:rise",
        explains=_IMAGES_AND_REGIONS,
        random=True,
    ),
    Method(
        "d-rise",
        "What a pixel adds to how well a detection is found again, over random smooth masks.",
        needs="scores",
        cost="n_samples",
        paper="Petsiuk et al. 2021, arXiv:2006.03204",
        function="xplain.attributions.methods.rise:rise",
        explains=("detections",),
        random=True,
        defaults={"detections": {"cells": 16}},
    ),
    Method(
        "random",
        "Control: noise; a method that does not beat it says nothing.",
        needs="scores",
        cost="0",
        paper="Clark et al. 2024, arXiv:2306.12816",
        function="xplain.attributions.methods.controls:random",
        random=True,
    ),
    Method(
        "sobel",
        "Control: edges of the input, whatever the model.",
        needs="scores",
        cost="0",
        paper="Clark et al. 2024, arXiv:2306.12816",
        function="xplain.attributions.methods.controls:sobel",
        explains=_PIXELS,
    ),
    Method(
        "centre",
        "Control: a Gaussian at the middle of the photo, whatever the model.",
        needs="scores",
        cost="0",
        paper="Judd et al. 2009, doi:10.1109/ICCV.2009.5459462",
        function="xplain.attributions.methods.controls:centre",
        explains=_PIXELS,
    ),
)

METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _ENTRIES})
"""Every method by name."""
