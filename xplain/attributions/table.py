"""The table of attribution methods: plain data, so that listing them imports nothing heavy.

An entry names the function that computes a method as ``"module:function"``; `Method.load` imports it when it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

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
    homes : mapping of str to str
        For each kind of `KINDS` that it explains, ``"module:function"``. The function takes a `Run` and keyword options
        and returns float (T, h', w'): for each of T targets a map of the model's input, at any resolution.
    random : bool
        Whether it draws random numbers.
    """

    name: str
    summary: str
    needs: str
    cost: str
    paper: str
    homes: Mapping[str, str]
    random: bool = False

    @property
    def explains(self) -> tuple[str, ...]:
        """The kinds of `KINDS` that it explains."""
        return tuple(kind for kind in KINDS.values() if kind in self.homes)

    def load(self, task: str) -> Callable[..., npt.NDArray[np.floating[Any]]]:
        """Import the function that computes it for a task: ``function(run, **options)``."""
        module, _, function = self.homes[KINDS[task]].partition(":")
        loaded: Callable[..., npt.NDArray[np.floating[Any]]] = getattr(importlib.import_module(module), function)
        return loaded


def method_names(task: str, needs: str | None = None) -> tuple[str, ...]:
    """Return the names of the methods for models of a task; with ``needs``, only those that need just that."""
    return tuple(
        name
        for name, method in METHODS.items()
        if KINDS[task] in method.homes and (needs is None or method.needs == needs)
    )


#: Kinds that are explained on the pixels of an image.
_PIXELS = ("images", "detections", "regions")


def _home(home: str, *kinds: str) -> dict[str, str]:
    """Return one function of `xplain.attributions.methods`, as ``"module:function"``, as the home of several kinds."""
    return dict.fromkeys(kinds, f"xplain.attributions.methods.{home}")


def _for_texts(function: str) -> dict[str, str]:
    return _home(f"texts:{function}", "texts")


def _for_signals(function: str) -> dict[str, str]:
    return _home(f"signals:{function}", "signals")


_ENTRIES = (
    Method(
        "saliency",
        "Largest absolute gradient over the channels.",
        needs="gradients",
        cost="1",
        paper="Simonyan et al. 2013, arXiv:1312.6034",
        homes=_home("gradients:saliency", *_PIXELS, "signals") | _for_texts("saliency"),
    ),
    Method(
        "input-x-gradient",
        "Gradient times input minus baseline.",
        needs="gradients",
        cost="1",
        paper="Shrikumar et al. 2016, arXiv:1605.01713",
        homes=_home("gradients:input_x_gradient", *_PIXELS)
        | _for_texts("input_x_gradient")
        | _for_signals("input_x_gradient"),
    ),
    Method(
        "integrated-gradients",
        "Gradients averaged on the straight path from a baseline; adds up to the change of the score.",
        needs="gradients",
        cost="n_steps + 1",
        paper="Sundararajan et al. 2017, arXiv:1703.01365",
        homes=_home("gradients:integrated_gradients", *_PIXELS)
        | _for_texts("integrated_gradients")
        | _for_signals("integrated_gradients"),
    ),
    Method(
        "smoothgrad",
        "Gradient averaged over noisy copies of the input, or its variance.",
        needs="gradients",
        cost="n_samples",
        paper="Smilkov et al. 2017, arXiv:1706.03825; Adebayo et al. 2018, arXiv:1810.03307",
        homes=_home("gradients:smoothgrad", *_PIXELS, "signals"),
        random=True,
    ),
    Method(
        "gradient-shap",
        "Expected gradients: integrated gradients over random points, baselines and noise.",
        needs="gradients",
        cost="n_samples + number of baselines",
        paper="Lundberg & Lee 2017, arXiv:1705.07874; Erion et al. 2021, arXiv:1906.10670",
        homes=_home("gradients:gradient_shap", *_PIXELS) | _for_texts("gradient_shap") | _for_signals("gradient_shap"),
        random=True,
    ),
    Method(
        "deep-lift",
        "Differences from a baseline carried back through each nonlinearity (Rescale rule).",
        needs="gradients",
        cost="2",
        paper="Shrikumar et al. 2017, arXiv:1704.02685",
        homes=_home("propagation:deep_lift", "images", "regions") | _for_signals("deep_lift"),
    ),
    Method(
        "guided-backprop",
        "Gradient that drops negative flow at every ReLU; sharp, but weakly tied to the class.",
        needs="gradients",
        cost="1",
        paper="Springenberg et al. 2014, arXiv:1412.6806",
        homes=_home("propagation:guided_backprop", "images", "regions"),
    ),
    Method(
        "grad-cam",
        "Feature maps of a layer weighted by their mean gradients.",
        needs="layers",
        cost="1",
        paper="Selvaraju et al. 2017, arXiv:1610.02391",
        homes=_home("cams:grad_cam", *_PIXELS),
    ),
    Method(
        "guided-grad-cam",
        "Guided backpropagation where Grad-CAM is positive.",
        needs="layers",
        cost="2",
        paper="Selvaraju et al. 2017, arXiv:1610.02391",
        homes=_home("cams:guided_grad_cam", "images", "regions"),
    ),
    Method(
        "hires-cam",
        "Feature maps of a layer times their gradients, place by place.",
        needs="layers",
        cost="1",
        paper="Draelos & Carin 2020, arXiv:2011.08891",
        homes=_home("cams:hires_cam", *_PIXELS),
    ),
    Method(
        "attention-rollout",
        "How much of each patch reaches what a vision transformer's score reads, by attention alone.",
        needs="attention",
        cost="1",
        paper="Abnar & Zuidema 2020, arXiv:2005.00928",
        homes=_home("rollout:attention_rollout", "images", "regions"),
    ),
    Method(
        "gradient-rollout",
        "Attention rollout of the attention that speaks for the class.",
        needs="attention",
        cost="1",
        paper="Chefer et al. 2021, arXiv:2103.15679",
        homes=_home("rollout:gradient_rollout", "images", "regions"),
    ),
    Method(
        "occlusion",
        "Loss of score when a window is covered.",
        needs="scores",
        cost="number of window positions + 1",
        paper="Zeiler & Fergus 2014, arXiv:1311.2901",
        homes=_home("occlusion:occlusion", *_PIXELS) | _for_texts("occlusion") | _for_signals("occlusion"),
    ),
    Method(
        "feature-ablation",
        "Loss of score when one region is replaced by the baseline.",
        needs="scores",
        cost="number of regions + 1",
        paper="Zeiler & Fergus 2014, arXiv:1311.2901",
        homes=_home("occlusion:feature_ablation", *_PIXELS) | _for_signals("feature_ablation"),
    ),
    Method(
        "lime",
        "Ridge regression of the score on random subsets of regions, near ones weighted.",
        needs="scores",
        cost="n_samples",
        paper="Ribeiro et al. 2016, arXiv:1602.04938",
        homes=_home("surrogate:lime", *_PIXELS) | _for_texts("lime") | _for_signals("lime"),
        random=True,
    ),
    Method(
        "kernel-shap",
        "Shapley values of regions by weighted regression.",
        needs="scores",
        cost="budget",
        paper="Lundberg & Lee 2017, arXiv:1705.07874",
        homes=_home("surrogate:kernel_shap", *_PIXELS) | _for_texts("kernel_shap") | _for_signals("kernel_shap"),
        random=True,
    ),
    Method(
        "shapley",
        "Shapley values of regions: exact for few, by random permutations for many.",
        needs="scores",
        cost="2 ** regions if within the budget, else budget",
        paper="Shapley 1953; Castro et al. 2009, doi:10.1016/j.cor.2008.04.004; Mitchell et al. 2022, arXiv:2104.12199",
        homes=_home("shapley:shapley", *_PIXELS) | _for_texts("shapley") | _for_signals("shapley"),
        random=True,
    ),
    Method(
        "rise",
        "What a pixel adds to the mean score over random smooth masks that keep it.",
        needs="scores",
        cost="n_samples",
        paper="Petsiuk et al. 2018, arXiv:1806.07421",
        homes=_home("rise:rise", "images", "regions"),
        random=True,
    ),
    Method(
        "d-rise",
        "What a pixel adds to how well a detection is found again, over random smooth masks.",
        needs="scores",
        cost="n_samples",
        paper="Petsiuk et al. 2021, arXiv:2006.03204",
        homes=_home("d_rise:d_rise", "detections"),
        random=True,
    ),
    Method(
        "random",
        "Control: noise; a method that does not beat it says nothing.",
        needs="scores",
        cost="0",
        paper="Clark et al. 2024, arXiv:2306.12816",
        homes=_home("controls:random", *_PIXELS, "signals") | _for_texts("random"),
        random=True,
    ),
    Method(
        "sobel",
        "Control: edges of the input, whatever the model.",
        needs="scores",
        cost="0",
        paper="Clark et al. 2024, arXiv:2306.12816",
        homes=_home("controls:sobel", *_PIXELS),
    ),
)

METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _ENTRIES})
"""Every method by name."""
