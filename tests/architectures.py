"""Every architecture with every method: equal to a literal reference, refused with the reason, or wrong.

python tests/architectures.py                  # all; some minutes
python tests/architectures.py bert resnet      # those whose names contain one of these
python tests/architectures.py --reasons        # and why methods were refused

The architectures are those of transformers that classify texts and images, made small and with random weights, and
networks in the styles of timm and torchvision (tests/networks_of_the_field.py). A cell of the table is

- a number: the largest difference to the reference, relative to the largest value of the reference;
- "sum" and a number: the values add up to the change of the score, measured without xplain, but for that part of it;
- "ran": a map without a reference (its law, if it has one, was checked by the method);
- "-": refused, with an error of ours;
- WRONG or RAW: another map, or an error of another library. The exit status is 1 if there is any.

References know nothing of hooks. The embeddings of a text are those of new tokens that are added to the model's tables
for the words of the text: what a score depends on is the rows of these tables, however often they are looked up.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.func import functional_call

sys.path.insert(0, str(Path(__file__).parents[1]))

import xplain
from tests.networks_of_the_field import IMAGES, NETWORKS, SMALL, TEXTS, VISION
from xplain.attributions import METHODS

TEXT = "some of the film was good but the end was not good at all"
BASELINE_ID = 3
STEPS = 24
#: What counts as equal: single precision, and sums over many values.
TOLERANCE = 2e-3
#: The part by which an input is made longer, to see how far rounding moves the gradients of a network with many kinks.
ROUNDING = 1e-6
#: Parameters of the largest network that is tried.
MOST_PARAMETERS = 30e6

Reference = Callable[[float], np.ndarray]
"""A literal map where the input is longer by a part of it: 0, or a rounding error."""


class Case(NamedTuple):
    """A model, its input, literal maps of some methods, and the change of the score from the baseline."""

    model: Any
    given: Any
    references: dict[str, Reference]
    change: float
    options: dict[str, dict[str, Any]]


# Texts ---------------------------------------------------------------------------------------------------------


def tokenise(text: str) -> tuple[list[int], list[tuple[int, int] | None]]:
    """Return ids between a special token in front and one behind."""
    words = list(re.finditer(r"\w+", text))
    ids = [4 + sum(map(ord, word[0])) % 60 for word in words]
    return [0, *ids, 2], [None, *(word.span() for word in words), None]


def text_case(name: str) -> Case:
    """Make a case of an architecture of transformers that classifies texts."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    net = small(AutoConfig, AutoModelForSequenceClassification, name, SMALL, TEXTS.get(name, {}))
    model = xplain.TextClassifier(net, tokenise, baseline_id=BASELINE_ID)
    ids = torch.tensor([tokenise(TEXT)[0]])
    with torch.no_grad():
        scores = scores_of(net, ids)[0]
        target = int(scores.argmax())
        without = ids.clone()
        without[0, 1:-1] = BASELINE_ID
        change = float(scores[target] - scores_of(net, without)[0, target])

    def occlusion(longer: float) -> np.ndarray:
        with torch.no_grad():
            variants = ids.repeat(ids.shape[1] - 2, 1)
            variants[torch.arange(len(variants)), torch.arange(len(variants)) + 1] = BASELINE_ID
            rows = torch.cat([scores_of(net, row[None]) for row in variants])
        return (scores[target] - rows[:, target]).numpy()

    gradient = text_gradients(net, ids, target)
    references = {
        "saliency": lambda longer: gradient(1 + longer)[0].abs().amax(1).numpy(),
        "input-x-gradient": lambda longer: weighted(gradient(1 + longer)),
        "integrated-gradients": lambda longer: sum(w * weighted(gradient(t)) for t, w in nodes(longer)),
        "occlusion": occlusion,
        "feature-ablation": occlusion,
    }
    if len({weight.data_ptr() for weight in tables_of(net).values()}) < len(tables_of(net)):
        del references["saliency"]  # the largest slope of each lookup is not that of their sum
    return Case(model, TEXT, references, change, {"integrated-gradients": {"n_steps": STEPS}})


def scores_of(net: torch.nn.Module, *inputs: torch.Tensor) -> torch.Tensor:
    output = net(*inputs)
    return getattr(output, "logits", output)


def weighted(of_point: tuple[torch.Tensor, torch.Tensor]) -> np.ndarray:
    gradient, difference = of_point
    return (gradient * difference).sum(1).numpy()


def nodes(longer: float) -> Iterator[tuple[float, float]]:
    """Return where the points of a path lie, and their weights."""
    points, weights = np.polynomial.legendre.leggauss(STEPS)
    return zip((points + 1) / 2 * (1 + longer), weights / 2, strict=True)


def tables_of(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the tables that hold a row for each token, by name."""
    names = [f"{name}.weight" for name, part in net.named_modules() if isinstance(part, torch.nn.Embedding)]
    return {name: net.get_parameter(name) for name in names if len(net.get_parameter(name)) == SMALL["vocab_size"]}


def text_gradients(
    net: torch.nn.Module, ids: torch.Tensor, target: int
) -> Callable[[float], tuple[torch.Tensor, torch.Tensor]]:
    """Return a function of t in 0..1: gradients (words, channels) where words are so much themselves, and x - b."""
    tables = tables_of(net)
    words, extended = ids[0, 1:-1], ids.clone()
    extended[0, 1:-1] = SMALL["vocab_size"] + torch.arange(len(words))
    own = {name: weight.detach()[words] for name, weight in tables.items()}
    # A scaled embedding is what the layer returns.
    scales = {f"{name}.weight": float(getattr(part, "embed_scale", 1)) for name, part in net.named_modules()}
    absent = {name: weight.detach()[torch.full_like(words, BASELINE_ID)] for name, weight in tables.items()}

    def gradient(t: float) -> tuple[torch.Tensor, torch.Tensor]:
        rows = {name: (absent[name] + t * (own[name] - absent[name])).requires_grad_() for name in tables}
        weights = {name: torch.cat([tables[name].detach(), rows[name]]) for name in tables}
        output = functional_call(net, weights, (extended,), tie_weights=False)
        score = getattr(output, "logits", output)[0, target]
        gradients = torch.autograd.grad(score, list(rows.values()), allow_unused=True)
        parts = [torch.zeros_like(row) if g is None else g for g, row in zip(gradients, rows.values(), strict=True)]
        changes = [scales[name] * (own[name] - absent[name]) for name in tables]
        return torch.cat([g / scales[name] for name, g in zip(tables, parts, strict=True)], 1), torch.cat(changes, 1)

    return gradient


# Images --------------------------------------------------------------------------------------------------------


def image_case(name: str) -> Case:
    """Make a case of a network in one of the styles of the field."""
    if name in NETWORKS:
        net = seeded(NETWORKS[name])
    else:
        from transformers import AutoConfig, AutoModelForImageClassification

        net = small(AutoConfig, AutoModelForImageClassification, name, VISION[name], {})
    size = IMAGES.get(name, 64)
    settle(net, size)
    photo = np.random.default_rng(0).random((size, size, 3), np.float32)
    photo[size // 4 : size // 2, size // 4 : size // 2] += 1
    x = torch.tensor(photo.transpose(2, 0, 1)[None])
    with torch.no_grad():
        scores = scores_of(net, x)[0]
        target = int(scores.argmax())
        change = float(scores[target] - scores_of(net, torch.zeros_like(x))[0, target])

    def gradient(t: float) -> torch.Tensor:
        # Of two equal photos: for one alone, torch is wrong behind normalisations (xplain/models/borrowing.py).
        point = (t * x).repeat(2, 1, 1, 1).requires_grad_()
        (g,) = torch.autograd.grad(scores_of(net, point)[0, target], point)
        return g[0]

    def occlusion(longer: float) -> np.ndarray:
        values, side = np.zeros((size, size)), size // 4
        with torch.no_grad():
            for row, column in itertools.product(range(0, size, side), repeat=2):
                variant = x.clone()
                variant[:, :, row : row + side, column : column + side] = 0
                drop = scores[target] - scores_of(net, variant)[0, target]
                values[row : row + side, column : column + side] = float(drop)
        return values

    references: dict[str, Reference] = {
        "saliency": lambda longer: gradient(1 + longer).abs().amax(0).numpy(),
        "input-x-gradient": lambda longer: (gradient(1 + longer) * x[0]).sum(0).numpy(),
        "integrated-gradients": lambda longer: sum(w * (gradient(t) * x[0]).sum(0).numpy() for t, w in nodes(longer)),
        "occlusion": occlusion,
    }
    options = {"integrated-gradients": {"n_steps": STEPS}, "occlusion": {"window": size // 4, "stride": size // 4}}
    return Case(xplain.ImageClassifier(net), photo, references, change, options)


def cam(case: Case, method: str, layer: str, shape: tuple[int, int]) -> np.ndarray | None:
    """Return Grad-CAM or HiResCAM at a layer that returns maps once in a pass, on the photo; else None."""
    net, kept = case.model.module, []
    part = dict(net.named_modules())[layer]
    handle = part.register_forward_hook(lambda _, __, output: kept.append(output))
    x = torch.tensor(case.given.transpose(2, 0, 1)[None]).requires_grad_()
    try:
        scores = scores_of(net, x)[0]
    finally:
        handle.remove()
    if len(kept) != 1 or not isinstance(kept[0], torch.Tensor) or kept[0].ndim != 4:
        return None
    (gradient,) = torch.autograd.grad(scores[int(scores.argmax())], kept[0])
    slopes = gradient.mean((2, 3), keepdim=True) if method == "grad-cam" else gradient
    values = (slopes * kept[0]).sum(1, keepdim=True).detach()
    values = values.clamp(min=0) if method == "grad-cam" else values
    return torch.nn.functional.interpolate(values, shape, mode="bilinear")[0, 0].numpy()


# Networks ------------------------------------------------------------------------------------------------------


def seeded(make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """Make a network in evaluation mode whose random weights are large enough for its functions to bend."""
    torch.manual_seed(0)
    net = make().eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if parameter.ndim > 1 and "embed" not in name:
                parameter.mul_(2)
    return net


def settle(net: torch.nn.Module, size: int) -> None:
    """Set the statistics of batch normalisations to those of noise, so that signals neither vanish nor explode."""
    norms = [part for part in net.modules() if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)]
    for part in norms:
        part.reset_running_stats()
        part.momentum = None
        part.train()
    if norms:
        with torch.no_grad():
            net(torch.rand(8, 3, size, size))
    net.eval()


def small(config: Any, auto: Any, name: str, sizes: dict[str, Any], own: dict[str, Any]) -> torch.nn.Module:
    """Make a small network of an architecture of transformers: of the sizes that it knows, and of its own."""
    known = config.for_model(name)
    chosen = {key: value for key, value in sizes.items() if hasattr(known, key)} | own
    made = config.for_model(name, **{key: value for key, value in chosen.items() if value is not None})
    made.architectures = []  # of several classes for one configuration, the first
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in auto.from_config(made).parameters())
    if count > MOST_PARAMETERS:
        raise ValueError(f"{count / 1e6:.0f} million parameters")
    return seeded(lambda: auto.from_config(made))


# The table -----------------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """A cell of the table, and the reason of a refusal."""

    cell: str
    reason: str = ""


def outcome(case: Case, method: str) -> Outcome:
    """Explain by a method and compare."""
    try:
        e = xplain.explain(case.model, case.given, method, **case.options.get(method, {}))
    except xplain.XplainError as error:
        return Outcome("-", str(error))
    except Exception as error:
        return Outcome("RAW", f"{type(error).__name__}: {error}")
    (attribution,) = e.attributions
    evidence = attribution.evidence
    values = evidence.values if hasattr(evidence, "values") else np.array([word.score for word in evidence.words])
    reference, noise = None, 0.0
    if method in case.references:
        try:
            reference = case.references[method](0.0)
            noise = float(np.abs(case.references[method](ROUNDING) - reference).max())
        except Exception as error:  # new tokens do not go where a model computes with ids
            return Outcome("ran", f"without a reference, {type(error).__name__}: {error}")
    elif method in ("grad-cam", "hires-cam"):
        reference = cam(case, method, attribution.quality["layer"], values.shape)
    if reference is not None:
        largest = max(float(np.abs(reference).max()), 1e-12)
        difference = float(np.abs(values - reference).max())
        is_equal = difference <= max(TOLERANCE * largest, 5 * noise)
        return Outcome(f"{difference / largest:.0e}" if is_equal else f"WRONG {difference / largest:.1g}")
    # A layer's values are enlarged to the photo, LRP keeps a part in biases, and the rest averages over baselines.
    adds_up = method in ("deep-lift", "shapley") or (hasattr(evidence, "words") and method.startswith("layer-"))
    if adds_up and "completeness_residual" in attribution.quality:
        missed = values.sum(dtype=float) - case.change
        told = attribution.quality["completeness_residual"]
        off = min(abs(missed), abs(missed - told), abs(missed + told)) / max(abs(case.change), 1e-3)
        return Outcome(f"sum {off:.0e}" if off < 10 * TOLERANCE else f"WRONG sum {off:.1g}")
    return Outcome("ran")


def methods_of(kind: str) -> list[str]:
    """Return the methods that look inside of a model or have a reference here, but for those that draw."""
    return [
        name
        for name, entry in METHODS.items()
        if kind in entry.explains and not entry.random and (entry.needs != "scores" or name in ("occlusion",))
    ]


def architectures() -> dict[str, tuple[str, Callable[[str], Case]]]:
    """Return all architectures: name to kind and maker."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as of_texts

    texts = dict.fromkeys(of_texts, ("texts", text_case))
    return {**dict.fromkeys((*NETWORKS, *VISION), ("images", image_case)), **texts}


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only architectures whose names contain one of these")
    parser.add_argument("--reasons", action="store_true", help="print the reason of each refusal")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    import transformers

    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    counts: Counter[str] = Counter()
    started, kind_before = time.perf_counter(), None
    for name, (kind, make) in architectures().items():
        if arguments.names and not any(part in name for part in arguments.names):
            continue
        methods = methods_of(kind)
        if kind != kind_before:
            print(f"\n| {kind} | " + " | ".join(methods) + " |\n|" + "---|" * (len(methods) + 1))
            kind_before = kind
        try:
            case = make(name)
        except Exception as error:
            reason = str(error).partition("\n")[0][:90]
            print(f"| {name} | not made: {type(error).__name__}: {reason} |", flush=True)
            counts["not made"] += 1
            continue
        outcomes = {method: outcome(case, method) for method in methods}
        print(f"| {name} | " + " | ".join(each.cell for each in outcomes.values()) + " |", flush=True)
        for method, each in outcomes.items():
            counts[each.cell.split()[0] if each.cell[0] not in "0123456789" else "equal"] += 1
            if each.reason and (arguments.reasons or each.cell == "RAW"):
                print(f"  - {method}: {each.reason}")
    print(f"\n{dict(counts)} in {time.perf_counter() - started:.0f} s")
    return int(counts["WRONG"] + counts["RAW"] > 0)


if __name__ == "__main__":
    sys.exit(main())
