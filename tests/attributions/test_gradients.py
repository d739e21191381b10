import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.attributions.board import notes_of
from tests.attributions.networks import Linear, Quadratic, attribute, convolutional, noise, prepared
from tests.support import refuses
from xplain.attributions.kinds.images import Pixels
from xplain.errors import InputError

IMAGE = noise(2, 6, 6)
WEIGHTS = noise(3, 2, 6, 6, seed=1).astype(np.float64)
BASELINE = noise(2, 6, 6, seed=2)


def gradient(module, array, target):
    """The plain gradient (channels, h, w), one input at a time."""
    x = torch.tensor(array, dtype=torch.float64, requires_grad=True)
    module(x[None])[0, target].backward()
    return x.grad.numpy()


def smooth():
    return convolutional(relu=nn.Tanh)


@pytest.mark.parametrize("method", ["integrated-gradients", "input-x-gradient", "deep-lift", "gradient-shap"])
def test_a_linear_score_is_shared_out_exactly(method):
    options = {"baselines" if method == "gradient-shap" else "baseline": BASELINE}
    maps, run = attribute(method, Linear(WEIGHTS, bias=3.0), IMAGE, target=[0, 1, 2], **options)
    expected = (WEIGHTS * (IMAGE.astype(np.float64) - BASELINE)).sum(axis=1)
    # Captum holds the weights of the points in single precision.
    rounding = 1e-7 if method == "integrated-gradients" else 1e-14
    np.testing.assert_allclose(maps, expected, rtol=0, atol=rounding * np.abs(expected).max())
    assert ("score" in notes_of(run)[0]) == (method != "input-x-gradient")
    for notes, exact in zip(notes_of(run), expected, strict=True) if method != "input-x-gradient" else ():
        assert abs(notes["completeness_residual"]) < 10 * rounding * np.abs(expected).max()
        assert notes["score"] - notes["baseline_score"] == pytest.approx(exact.sum(), abs=1e-13)


def test_gradients_of_a_linear_score_are_its_weights():
    module = Linear(WEIGHTS)
    maps, _ = attribute("saliency", module, IMAGE, target=[2, 0])
    np.testing.assert_array_equal(maps, np.abs(WEIGHTS[[2, 0]]).max(axis=1))
    maps, run = attribute("smoothgrad", module, IMAGE, target=1, n_samples=20)
    np.testing.assert_allclose(maps[0], WEIGHTS[1].sum(axis=0), rtol=0, atol=1e-15)
    assert notes_of(run)[0]["standard_error"] == 0
    maps, _ = attribute("smoothgrad", module, IMAGE, target=1, n_samples=20, statistic="square")
    np.testing.assert_allclose(maps[0], np.square(WEIGHTS[1]).sum(axis=0), rtol=1e-15)
    maps, _ = attribute("smoothgrad", module, IMAGE, target=1, n_samples=20, statistic="variance")
    assert not maps.any()


def test_the_signed_gradient_of_a_linear_score_is_its_weights():
    maps, _ = attribute("saliency", Linear(WEIGHTS), IMAGE, target=[2, 0], abs=False)
    np.testing.assert_array_equal(maps, WEIGHTS[[2, 0]].sum(axis=1))
    with refuses(InputError, "abs must be True or False, got 1"):
        attribute("saliency", Linear(WEIGHTS), IMAGE, target=0, abs=1)


@pytest.mark.parametrize("method", ["saliency", "captum:Saliency", "class"])
def test_every_kind_has_signed_gradients_by_any_name_of_the_method(method):
    """f = 3 a - 2 b of pixels, readings, and of the numbers of two words."""
    if method == "class":
        from captum.attr import Saliency as method

    line = Linear(np.array([[[[3.0, -2.0]]]]))
    images, pixels = xplain.ImageClassifier(line), np.ones((1, 2, 1), np.float32)
    assert xplain.explain(images, pixels, method).attributions[0].evidence.values.tolist() == [[3, 2]]
    image = xplain.explain(images, pixels, method, abs=False)
    assert image.attributions[0].evidence.values.tolist() == [[3, -2]]
    assert image.attributions[0].method == "saliency"
    signals = xplain.SignalClassifier(nn.Sequential(nn.Unflatten(1, (1, 1)), line), sample_rate_hz=1, window=2)
    recording = xplain.explain(signals, [[5.0, 7.0]], method, abs=False)
    assert recording.attributions[0].evidence.values.tolist() == [[3, -2]]
    words = nn.Sequential(nn.Embedding(2, 1), nn.Flatten(), nn.Linear(2, 1, bias=False))
    words[2].weight.data = torch.tensor([[3.0, -2.0]])
    texts = xplain.TextClassifier(words, lambda text: ([0, 1], [(0, 1), (2, 3)]), baseline_id=0)
    text = xplain.explain(texts, "a b", method, abs=False)
    assert [word.score for word in text.attributions[0].evidence.words] == [3, -2]


def test_integrated_gradients_of_a_square_are_exact_with_five_points():
    maps, run = attribute("integrated-gradients", Quadratic(np.eye(72)), IMAGE, n_steps=5)
    exact = np.square(IMAGE.astype(np.float64)).sum(axis=0)
    np.testing.assert_allclose(maps[0], exact, rtol=0, atol=4e-16 * exact.max() * 4)
    assert abs(notes_of(run)[0]["completeness_residual"]) < 1e-13


@pytest.mark.parametrize("quadrature", ["gauss-legendre", "midpoint"])
def test_integrated_gradients_are_the_paper_s_sum(quadrature):
    module, steps = smooth(), 7
    maps, run = attribute(
        "integrated-gradients", module, IMAGE, target=[0, 2], n_steps=steps, baseline=BASELINE, quadrature=quadrature
    )
    if quadrature == "midpoint":
        points = [((k + 0.5) / steps, 1 / steps) for k in range(steps)]
    else:
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        points = list(zip((nodes + 1) / 2, weights / 2, strict=True))
    start = BASELINE.astype(np.float64)
    change = IMAGE - start
    for t, target in enumerate([0, 2]):
        mean = sum(weight * gradient(module, start + position * change, target) for position, weight in points)
        np.testing.assert_allclose(maps[t], (mean * change).sum(axis=0), rtol=1e-6, atol=1e-9)
        residual = notes_of(run)[t]["completeness_residual"]
        with torch.no_grad():
            exact = float((module(torch.tensor(IMAGE[None]).double()) - module(torch.tensor(start[None])))[0, target])
        assert residual == pytest.approx(exact - maps[t].sum(), abs=1e-12)
        assert notes_of(run)[t]["completeness_relative"] == pytest.approx(abs(residual / exact))


def test_more_steps_leave_a_smaller_completeness_residual():
    residuals = [
        abs(notes_of(attribute("integrated-gradients", smooth(), IMAGE, n_steps=n)[1])[0]["completeness_residual"])
        for n in (2, 6, 60)
    ]
    assert residuals[0] > 10 * residuals[1]
    assert residuals[2] < 1e-7  # Captum holds the weights of the points in single precision


def test_methods_agree_on_a_bias_free_relu_network():
    module = convolutional(bias=False)
    first, _ = attribute("input-x-gradient", module, IMAGE, target=[0, 1, 2])
    for method, rounding in (("integrated-gradients", 1e-7), ("deep-lift", 1e-14)):
        maps, _ = attribute(method, module, IMAGE, target=[0, 1, 2])
        np.testing.assert_allclose(maps, first, rtol=0, atol=rounding)
    score = module(torch.tensor(IMAGE[None]).double())[0].detach().numpy()
    np.testing.assert_allclose(first.sum(axis=(1, 2)), score, rtol=0, atol=1e-13)


@pytest.mark.parametrize("statistic", ["mean", "square", "variance"])
def test_smoothgrad_is_the_statistic_of_noisy_gradients(statistic):
    module, count = smooth(), 11
    maps, run = attribute("smoothgrad", module, IMAGE, target=[1, 0], n_samples=count, noise=0.2, statistic=statistic)
    scale = 0.2 * (float(IMAGE.max()) - float(IMAGE.min()))
    for t, target in enumerate([1, 0]):
        samples = np.stack(
            [gradient(module, IMAGE + scale * run.noise(i, i + 1)[0].numpy(), target) for i in range(count)]
        )
        expected = {
            "mean": samples.mean(axis=0),
            "square": np.square(samples).mean(axis=0),
            "variance": samples.var(axis=0, ddof=1),
        }[statistic].sum(axis=0)
        np.testing.assert_allclose(maps[t], expected, rtol=0, atol=1e-13)
        if statistic == "mean":
            of_pixels = samples.sum(axis=1).var(axis=0, ddof=1) / count
            assert notes_of(run)[t]["standard_error"] == pytest.approx(np.sqrt(of_pixels.mean()))


def test_the_variance_of_the_gradient_of_a_quadratic_form_is_known():
    matrix = noise(72, 72, seed=3).astype(np.float64)
    matrix = matrix + matrix.T
    count = 4000
    maps, _ = attribute("smoothgrad", Quadratic(matrix), IMAGE, n_samples=count, noise=0.1, statistic="variance")
    scale = 0.1 * (float(IMAGE.max()) - float(IMAGE.min()))
    exact = (4 * scale**2 * np.square(matrix).sum(axis=1)).reshape(2, 6, 6).sum(axis=0)
    # A normal sample variance has a relative error of sqrt(2 / n), here of two channels; five of those.
    np.testing.assert_allclose(maps[0], exact, rtol=5 * np.sqrt(2 / count))


def test_noise_does_not_depend_on_the_batches():
    first, run = attribute("smoothgrad", smooth(), IMAGE, n_samples=9, batch_size=9)
    second, other = attribute("smoothgrad", smooth(), IMAGE, n_samples=9, batch_size=2)
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-14)
    whole = run.noise(0, 9)
    assert torch.equal(whole[4:6], other.noise(4, 6))
    assert not torch.equal(whole[4], whole[5])
    assert abs(float(run.noise(0, 400).std()) - 1) < 0.02


def test_gradient_shap_is_the_paper_s_expectation_over_the_same_draws():
    module, count = smooth(), 13
    baselines = np.stack([BASELINE, -BASELINE])
    maps, run = attribute("gradient-shap", module, IMAGE, target=2, n_samples=count, baselines=baselines, seed=5)
    rng = np.random.default_rng(run.seed)
    indices, positions = rng.integers(2, size=count), rng.random(count)
    samples = []
    for index, position in zip(indices, positions, strict=True):
        start = baselines[index].astype(np.float64)
        samples.append(((IMAGE - start) * gradient(module, start + position * (IMAGE - start), 2)).sum(axis=0))
    np.testing.assert_allclose(maps[0], np.mean(samples, axis=0), rtol=0, atol=1e-13)
    error = np.sqrt((np.var(samples, axis=0, ddof=1) / count).mean())
    assert notes_of(run)[0]["standard_error"] == pytest.approx(error)


def test_gradient_shap_converges_to_the_mean_of_integrated_gradients():
    module = smooth()
    maps, run = attribute("gradient-shap", module, IMAGE, n_samples=3000, baselines=[0.0, "mean"], noise=0.0)
    exact = np.mean([attribute("integrated-gradients", module, IMAGE, baseline=b)[0] for b in (0.0, "mean")], axis=0)
    error = notes_of(run)[0]["standard_error"]
    assert np.sqrt(np.square(maps - exact).mean()) < 2 * error
    assert abs(notes_of(run)[0]["completeness_residual"]) < 36 * 4 * error


def test_gradient_shap_adds_noise_to_the_input():
    plain, _ = attribute("gradient-shap", smooth(), IMAGE, n_samples=20, baselines=0.0)
    noisy, _ = attribute("gradient-shap", smooth(), IMAGE, n_samples=20, baselines=0.0, noise=0.3)
    assert not np.allclose(plain, noisy)


def test_gradient_shap_of_an_unlucky_batch_is_the_same():
    """A batch that memory cannot hold comes back in parts; each point still meets its own change of the input."""
    whole, _ = attribute("gradient-shap", smooth(), IMAGE, n_samples=12, noise=0.3, batch_size=12)
    module = smooth()

    def limited(_, inputs):
        if len(inputs[0]) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")

    module.register_forward_pre_hook(limited)
    parts, _ = attribute("gradient-shap", module, IMAGE, n_samples=12, noise=0.3, batch_size=12)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("integrated-gradients", {"n_steps": 0}, "n_steps must be an integer >= 1, got 0"),
        ("integrated-gradients", {"quadrature": "simpson"}, "quadrature must be one of 'gauss-legendre', 'midpoint'"),
        ("integrated-gradients", {"baseline": "grey"}, "baseline must be one of 'mean', 'blur', got 'grey'"),
        ("integrated-gradients", {"baseline": np.zeros((5, 5))}, "an array of the input's shape (2, 6, 6), got (5, 5)"),
        ("integrated-gradients", {"baseline": np.full((2, 6, 6), np.nan)}, "baseline must be finite"),
        ("smoothgrad", {"n_samples": 1}, "n_samples must be an integer >= 2, got 1"),
        ("smoothgrad", {"noise": 0}, "noise must be greater than 0, got 0"),
        ("smoothgrad", {"statistic": "median"}, "statistic must be one of 'mean', 'square', 'variance'"),
        ("gradient-shap", {"noise": -1}, "noise must be 0 or greater, got -1"),
        ("gradient-shap", {"baselines": []}, "baselines must be at least one baseline, got []"),
    ],
)
def test_wrong_options_are_refused(method, options, message):
    with refuses(InputError, message):
        attribute(method, Linear(WEIGHTS), IMAGE, **options)


def test_baselines_are_what_they_say():
    pixels, x = Pixels("images", 0), prepared(IMAGE)
    assert not pixels.baseline(x)[0].any()
    np.testing.assert_array_equal(pixels.baseline(x, baseline=0.5)[0], np.full((2, 6, 6), 0.5, np.float32))
    np.testing.assert_allclose(pixels.baseline(x, baseline="mean")[0][:, 0, 0], IMAGE.mean(axis=(1, 2)), rtol=1e-6)
    (blurred,) = pixels.baseline(x, baseline="blur")
    assert blurred.dtype == np.float32
    assert 0 < blurred.std() < IMAGE.std()
    flat = np.full((2, 6, 6), 3.0, np.float32)
    np.testing.assert_allclose(pixels.baseline(prepared(flat), baseline="blur")[0], flat, rtol=1e-6)


def test_captum_agrees(captum):
    module = convolutional()
    x = torch.tensor(IMAGE[None]).double().requires_grad_()
    reference = torch.tensor(BASELINE[None]).double()
    oracles = {
        "saliency": captum.Saliency(module).attribute(x, target=1).amax(dim=1),
        "input-x-gradient": captum.InputXGradient(module).attribute(x, target=1).sum(dim=1),
    }
    for method, oracle in oracles.items():
        np.testing.assert_allclose(attribute(method, module, IMAGE, target=1)[0], oracle.detach(), rtol=0, atol=1e-14)
    oracle = captum.IntegratedGradients(module).attribute(x, reference, target=1, n_steps=30).sum(dim=1)
    maps, _ = attribute("integrated-gradients", module, IMAGE, target=1, n_steps=30, baseline=BASELINE)
    np.testing.assert_allclose(maps, oracle.detach(), rtol=1e-6, atol=1e-9)
