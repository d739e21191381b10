import gc
import json
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from tests.attributions.networks import Linear, Pooled, Styled, convolutional, noise, prepared
from tests.support import refuses
from xplain.attributions import METHODS, run
from xplain.attributions.engine import session
from xplain.attributions.table import KINDS
from xplain.errors import AttributionError, InputError, UnknownNameError
from xplain.explanation import Explanation
from xplain.models import ImageClassifier, Preprocess

IMAGE = noise(2, 6, 6)
GRADIENT_METHODS = [
    name for name, method in METHODS.items() if method.needs in ("gradients", "layers") and "images" in method.explains
]


class Normalised(nn.Module):
    """Batch normalisation, dropout and a pooled head, in training mode: a network that somebody still trains."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.features = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.features(x).mean(dim=(2, 3)))


def explain(module, method=None, images=(IMAGE,), targets=None, **arguments):
    model = module if isinstance(module, ImageClassifier) else ImageClassifier(module)
    return run(model, [prepared(image) for image in images], targets, method=method, **arguments)


def values(explanations):
    return [a.evidence.values for e in explanations for a in e.attributions]


def footprint(module):
    """All that a call must leave as it was."""
    return {
        "training": [part.training for part in module.modules()],
        "state": {key: value.clone() for key, value in module.state_dict().items()},
        "grad": [None if p.grad is None else p.grad.clone() for p in module.parameters()],
        "requires_grad": [p.requires_grad for p in module.parameters()],
        "hooks": [
            len(part._forward_hooks) + len(part._backward_hooks) + len(part._forward_pre_hooks)
            for part in module.modules()
        ],
    }


def is_same(value, other):
    if isinstance(value, torch.Tensor):
        return torch.equal(value, other)
    if isinstance(value, dict):
        return value.keys() == other.keys() and all(is_same(value[key], other[key]) for key in value)
    if isinstance(value, list):
        return len(value) == len(other) and all(map(is_same, value, other))
    return value == other


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_the_module_is_left_as_it_was(method):
    module = Normalised().train()
    module.features[1].eval()
    module.head.weight.requires_grad_(False)
    module.head.bias.grad = torch.ones(3)
    before = footprint(module)
    explain(module, method)
    assert is_same(footprint(module), before)


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_the_module_is_left_as_it_was_when_it_fails(method):
    class Broken(Normalised):
        calls = 0

        def forward(self, x):
            scores = super().forward(x)
            self.calls += 1
            if self.calls >= (2 if METHODS[method].needs == "layers" else 1):
                raise ZeroDivisionError
            return scores

    module = Broken().train()
    before = footprint(module)
    with pytest.raises(AttributionError, match="model must take its input, got ZeroDivisionError") as raised:
        explain(module, method, check=False)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert is_same(footprint(module), before)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("method", GRADIENT_METHODS)
@pytest.mark.parametrize("context", [torch.inference_mode, torch.no_grad])
def test_services_may_call_inside_inference_mode_with_frozen_parameters(method, context):
    expected = values(explain(convolutional(), method))
    module = convolutional()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    with context():
        maps = values(explain(module, method))
        assert torch.is_inference_mode_enabled() == (context is torch.inference_mode)
        assert not torch.is_grad_enabled()
    np.testing.assert_array_equal(maps, expected)


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_global_random_state_is_neither_used_nor_changed(method):
    def seeded(seed):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)

    module = convolutional()
    results = []
    for seed in (1, 2):
        seeded(seed)
        before = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state()  # noqa: NPY002
        results.append(explain(module, method, seed=7)[0])
        after = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state()  # noqa: NPY002
        assert before[:2] == after[:2]
        assert torch.equal(before[2], after[2])
    assert results[0] == results[1]
    other = explain(module, method, seed=8)[0]
    assert (values([other])[0] == values(results)[0]).all() == (not METHODS[method].random)
    assert other.provenance.seed == (8 if METHODS[method].random else None)


@pytest.mark.parametrize("module", [Styled("in-place"), Pooled()])
def test_an_input_that_the_model_changes_stays_as_it_is(module):
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x):
            return self.inner(x.sub_(0.5).div_(0.25))

    class Plain(InPlace):
        def forward(self, x):
            return self.inner((x - 0.5) / 0.25)

    for method in ("integrated-gradients", "saliency", "deep-lift"):
        image_input = prepared(IMAGE.copy())
        maps = values(run(ImageClassifier(InPlace()), [image_input], method=method))
        np.testing.assert_array_equal(image_input.array, IMAGE)
        np.testing.assert_array_equal(maps, values(explain(Plain(), method)))


def test_compiled_modules_are_unwrapped():
    module = Pooled()
    compiled, in_place = torch.compile(module), Pooled()
    in_place.compile(backend="eager")
    for method in ("grad-cam", "deep-lift", "guided-backprop"):
        expected = values(explain(module, method))
        np.testing.assert_array_equal(values(explain(compiled, method)), expected)
        np.testing.assert_array_equal(values(explain(in_place, method)), expected)
    assert in_place._compiled_call_impl is not None


@pytest.mark.parametrize("wrap", [lambda x: (x, None), lambda x: [x], lambda x: {"logits": x}])
def test_scores_are_found_inside_tuples_and_mappings(wrap):
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Pooled()

        def forward(self, x):
            return wrap(self.inner(x))

    for method in ("grad-cam", "integrated-gradients"):
        np.testing.assert_array_equal(values(explain(Wrapped(), method)), values(explain(Pooled(), method)))


def test_the_best_method_is_what_the_model_can_answer():
    def best_method(module):
        return explain(module)[0].attributions[0].method

    assert best_method(Pooled()) == "grad-cam"
    assert best_method(ImageClassifier(convolutional(), layer="1")) == "grad-cam"
    assert best_method(Linear(noise(3, 2, 6, 6))) == "integrated-gradients"
    black_box = ImageClassifier(lambda images: images[:, 0, 0] / 255)
    photo = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    assert run(black_box, [black_box.prepare(photo)])[0].attributions[0].method == "occlusion"


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_a_black_box_refuses_gradients_with_the_reason(method):
    model = ImageClassifier(lambda images: images.mean(axis=(2, 3)))
    with refuses(
        AttributionError, f"got {method!r}, which needs {METHODS[method].needs} of a torch module", "occlusion"
    ):
        explain(model, method)


def test_unknown_names_are_refused_with_the_nearest():
    with refuses(UnknownNameError, "method must be one of", "did you mean 'grad-cam'?"):
        explain(Pooled(), "gradcam")
    with refuses(
        UnknownNameError, "option of integrated-gradients must be one of n_steps, baseline, quadrature", "'steps'"
    ):
        explain(Pooled(), "integrated-gradients", steps=3)
    with refuses(InputError, "options must be empty for guided-backprop, which has none, got 'baseline'"):
        explain(Pooled(), "guided-backprop", baseline=0)
    with refuses(InputError, "target must be a class from 0 to 2, got 3"):
        explain(Pooled(), targets=[3])
    with refuses(InputError, "targets must be 1, one for each input, got 2"):
        explain(Pooled(), targets=[0, 1])
    with refuses(InputError, "seed must be an integer >= 0, got -1"):
        explain(Pooled(), seed=-1)
    with refuses(InputError, "batch_size must be an integer >= 1, got 0"):
        explain(Pooled(), batch_size=0)
    with refuses(InputError, "memory must be an integer >= 1, got 0"):
        explain(Pooled(), memory=0)


def test_maps_that_are_not_finite_are_refused():
    class Root(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :3].abs().sqrt()

    with refuses(
        AttributionError, "saliency must give a finite map, got NaN or infinity for '0'", "a root or a logarithm"
    ):
        explain(Root(), "saliency", images=[np.zeros_like(IMAGE)])


def test_scores_that_are_not_finite_are_refused():
    class Broken(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :3] / 0

    with refuses(InputError, "model output must be finite"):
        explain(Broken(), "saliency")


@pytest.mark.parametrize("method", ["saliency", "integrated-gradients", "grad-cam", "deep-lift"])
def test_models_without_gradients_are_refused(method):
    class Detached(Pooled):
        def forward(self, x):
            return super().forward(x).detach()

    with refuses(AttributionError, "the model's output must have gradients", "occlusion or rise"):
        explain(Detached(), method)


def test_models_that_do_not_look_at_their_input_are_refused():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.scores = nn.Parameter(torch.tensor([1.0, 2.0]))

        def forward(self, x):
            return self.scores.expand(len(x), 2)

    with refuses(AttributionError, "the model's output must depend on its input, got no gradient"):
        explain(Constant(), "saliency")


def test_models_built_in_inference_mode_are_refused():
    with torch.inference_mode():
        module = Pooled()
    with refuses(AttributionError, "model must be built outside torch.inference_mode"):
        explain(module, "saliency")


def test_one_attribution_for_each_target():
    (explanation,) = explain(convolutional(), "integrated-gradients", targets=[[2, 0]])
    assert [a.target.id for a in explanation.attributions] == [2, 0]
    for single, attribution in zip((2, 0), explanation.attributions, strict=True):
        (alone,) = explain(convolutional(), "integrated-gradients", targets=[single])
        assert alone.attributions[0].evidence == attribution.evidence
        assert alone.attributions[0].quality == pytest.approx(attribution.quality)
    (three,) = explain(convolutional(), "saliency", targets=["top-3"])
    assert [a.target for a in three.attributions] == list(three.predictions)


def test_the_predicted_class_is_explained_by_default():
    (explanation,) = explain(convolutional(), "saliency")
    assert explanation.attributions[0].target == explanation.predictions[0]
    assert explanation.predictions[0].score == max(p.score for p in explanation.predictions)


def test_provenance_has_all_it_takes_to_do_it_again():
    model = ImageClassifier(convolutional(), name="small")
    (explanation,) = explain(model, "integrated-gradients", baseline=IMAGE * 2, n_steps=7)
    provenance = explanation.provenance
    assert provenance.method == "integrated-gradients"
    assert provenance.options["n_steps"] == 7
    assert provenance.options["quadrature"] == "gauss-legendre"
    assert provenance.options["baseline"]["shape"] == [2, 6, 6]
    assert len(provenance.options["baseline"]["sha256"]) == 64
    assert provenance.model == "small"
    assert provenance.model_sha256 == model.fingerprint()
    assert provenance.versions.keys() == {"xplain", "numpy", "torch", "captum"}
    assert provenance.engine == "captum"
    (ours,) = explain(model, "deep-lift")
    assert ours.provenance.engine == "xplain"
    assert "captum" not in ours.provenance.versions
    assert provenance.versions["torch"] == str(torch.__version__)
    assert provenance.created.endswith("+00:00")
    assert provenance.seconds > 0
    assert provenance.evaluations == 7 + 2
    json.dumps([provenance.options, explanation.attributions[0].quality], allow_nan=False)


@pytest.mark.parametrize(
    ("method", "options", "evaluations"),
    [
        ("saliency", {}, 1),
        ("input-x-gradient", {}, 1),
        ("smoothgrad", {"n_samples": 9}, 9 + 1),
        ("gradient-shap", {"n_samples": 9}, 9 + 3 + 1),
        ("deep-lift", {}, 2 + 1),
        ("guided-backprop", {}, 1),
        ("grad-cam", {}, 1),
        ("grad-cam", {"layer": "1"}, 1),
        ("guided-grad-cam", {"layer": "1"}, 2),
        ("hires-cam", {"layer": "1"}, 1),
    ],
)
def test_evaluations_are_what_goes_through_the_model(method, options, evaluations):
    module = convolutional()
    batch_sizes = []
    module.register_forward_pre_hook(lambda _, inputs: batch_sizes.append(len(inputs[0])))
    for watched in (method in ("smoothgrad", "gradient-shap") or (method, options) == ("grad-cam", {}), 0):
        batch_sizes.clear()
        (explanation,) = explain(module, method, check=False, **options)
        assert explanation.provenance.evaluations == sum(batch_sizes) - watched == evaluations


def test_progress_ends_at_the_number_of_evaluations():
    calls = []
    explanations = explain(
        convolutional(),
        "integrated-gradients",
        images=[IMAGE, IMAGE + 1],
        batch_size=6,
        n_steps=20,
        progress=lambda done, total: calls.append((done, total)),
    )
    done = [a for a, _ in calls]
    assert done == sorted(done)
    assert all(a <= b for a, b in calls)
    assert calls[-1][0] == calls[-1][1] == sum(e.provenance.evaluations for e in explanations)
    assert len(calls) >= 8


def test_inputs_share_passes_where_that_is_faster(monkeypatch):
    monkeypatch.setitem(session.TOGETHER, "cpu", 4)
    images = [noise(2, 6, 6, seed=s) for s in range(7)]
    module = convolutional()
    batch_sizes = []
    module.register_forward_pre_hook(lambda _, inputs: batch_sizes.append(len(inputs[0])))
    targets = [None, 1, [0, 2], "top-3", 2, None, 0]
    together = explain(module, "saliency", images=images, batch_size=4, targets=targets, check=False)
    assert batch_sizes == [4, 4]  # the last is filled up
    for image, target, explanation in zip(images, targets, together, strict=True):
        (alone,) = explain(module, "saliency", images=[image], targets=[target], batch_size=4, check=False)
        assert alone == explanation
        assert [a.target.label for a in explanation.attributions] == [a.target.label for a in alone.attributions]
        assert explanation.provenance.evaluations == 1


def test_inputs_of_different_sizes_are_explained_in_their_order():
    images = [IMAGE, noise(2, 8, 9), noise(2, 8, 9, seed=1), IMAGE * 2]
    explanations = explain(Pooled(), "grad-cam", images=images, relu=False)
    assert [values([e])[0].shape for e in explanations] == [(6, 6), (8, 9), (8, 9), (6, 6)]
    for image, explanation in zip(images, explanations, strict=True):
        np.testing.assert_allclose(
            values([explanation]), values(explain(Pooled(), "grad-cam", images=[image], relu=False)), rtol=1e-5
        )


def test_no_inputs_give_no_explanations():
    assert explain(Pooled(), images=[]) == []


def test_every_input_gets_the_same_random_numbers_as_alone():
    together = explain(convolutional(), "smoothgrad", images=[IMAGE, IMAGE], seed=3)
    alone = explain(convolutional(), "smoothgrad", seed=3)
    np.testing.assert_array_equal(values(together[:1]), values(together[1:]))
    np.testing.assert_allclose(values(together[1:]), values(alone), rtol=1e-6)


def test_batches_shrink_when_memory_runs_out():
    expected = values(explain(convolutional(), "integrated-gradients", n_steps=40))
    module = convolutional()
    batch_sizes = []

    def limited(_, inputs):
        batch_sizes.append(len(inputs[0]))
        if len(inputs[0]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")

    module.register_forward_pre_hook(limited)
    (explanation,) = explain(module, "integrated-gradients", n_steps=40, batch_size=32, check=False)
    np.testing.assert_allclose(values([explanation]), expected, rtol=1e-6)
    assert batch_sizes[1:5] == [32, 16, 8, 4]
    assert max(batch_sizes[5:]) == 2
    assert explanation.provenance.evaluations == 42


def test_many_steps_stay_in_small_batches():
    class Wide(nn.Module):
        """An activation of 3 MB for an input of 288 bytes."""

        largest_batch = 0

        def forward(self, x):
            self.largest_batch = max(self.largest_batch, len(x))
            return x.flatten(1)[:, :3] + x.flatten(1).repeat(1, 11_000).square().mean(dim=1, keepdim=True)

    module = Wide()
    explain(module, "integrated-gradients", n_steps=150, check=False)
    assert module.largest_batch == 4
    module.largest_batch = 0
    explain(module, "integrated-gradients", n_steps=20, memory=8 * 2**20, check=False)
    assert module.largest_batch == 1


def test_nothing_is_left_behind_by_many_calls():
    module = Pooled()
    model = ImageClassifier(module)

    def tensors():
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    for method in GRADIENT_METHODS:
        explain(model, method)
    before, held = tensors(), footprint(module)["hooks"]
    for _ in range(20):
        for method in GRADIENT_METHODS:
            explain(model, method)
    assert tensors() <= before
    assert footprint(module)["hooks"] == held


def test_half_precision_is_explained():
    (explanation,) = explain(convolutional().bfloat16(), "integrated-gradients")
    (exact,) = explain(convolutional(), "integrated-gradients")
    scale = np.abs(values([exact])[0]).max()
    np.testing.assert_allclose(values([explanation])[0], values([exact])[0], rtol=0, atol=0.1 * scale)


def test_maps_lie_on_the_original_photo():
    """A photo of 12 x 20 pixels is cut to its centre square and doubled; what was cut off has no evidence."""
    weights = np.zeros((1, 3, 24, 24))
    weights[0, :, 2, 4] = 1.0
    model = ImageClassifier(Linear(weights), preprocess=Preprocess(size=24))
    photo = np.full((12, 20, 3), 200, np.uint8)
    (explanation,) = run(model, [model.prepare(photo)], method="input-x-gradient")
    evidence = explanation.attributions[0].evidence.values
    assert evidence.shape == (12, 20)
    assert np.unravel_index(evidence.argmax(), evidence.shape) == (1, 6)
    assert not evidence[:, :4].any()
    assert not evidence[:, 16:].any()
    assert isinstance(explanation, Explanation)
    assert explanation.source.content is not None


def test_uint8_inputs_of_a_black_box_are_rounded():
    from xplain.attributions import Run
    from xplain.attributions.engine.session import Session

    batches = []

    def function(images):
        batches.append(images)
        return images.reshape(len(images), -1)[:, :2].astype(float)

    model = ImageClassifier(function)
    uint8_input = model.prepare(np.full((2, 2, 3), 100, np.uint8))
    run_ = Run(Session(model, [uint8_input], [0], None, None, None).chunks()[0], 0, 0)
    variants = np.array([[-3.0, 300.0], [1.4, 1.6]])[:, :, None, None, None] * np.ones((2, 2, 2, 2, 3))
    scores = np.concatenate([s for _, s in run_.evaluate(lambda a, b: variants[a:b, 0], 2)])
    assert batches[-1].dtype == np.uint8
    assert scores.tolist() == [[0.0], [1.0]]
    with refuses(InputError, "variants must be of the input's shape (2, 2, 3), got (4,)"):
        list(run_.evaluate(lambda a, b: np.zeros((b - a, 4)), 1))


def test_scores_of_a_known_input_cost_nothing_more():
    from tests.attributions.networks import attribute

    _, run_ = attribute("saliency", convolutional(), IMAGE)
    before = run_.evaluations
    first = run_.score(IMAGE * 2)
    assert run_.evaluations == before + 1
    assert (run_.score(IMAGE * 2) == first).all()
    run_.score(run_.prepared.array)
    assert run_.evaluations == before + 1
    with refuses(InputError, "notes of 'x' must be 1, one for each target, got 2"):
        run_.quality.add_each("x", [1, 2])
        run_.quality.by_target(1)


def test_the_table_is_complete_and_costs_no_torch():
    for name, method in METHODS.items():
        assert method.name == name
        tasks = [task for task, kind in KINDS.items() if kind in method.explains]
        assert tasks
        assert callable(method.load())
        assert method.needs in ("gradients", "layers", "attention", "scores")
        assert "\n" not in method.summary
        assert method.summary.endswith(".")
    code = "import sys, xplain.attributions as a; assert 'rise' in a.METHODS; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
