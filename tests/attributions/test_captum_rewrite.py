"""Captum's hook-based methods on rewritten models: right where they are wrong on the models themselves, or refused."""

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.attributions.networks import Styled, attribute, convolutional, noise
from tests.support import refuses
from xplain import UnknownNameError
from xplain.attributions.captum.relevance import attach_rules
from xplain.attributions.captum.rewrite import hookable
from xplain.errors import AttributionError

#: Captum says that it sets hooks, and that it sets ``requires_grad`` of the input.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

IMAGE = noise(2, 6, 6)
BASELINE = noise(2, 6, 6, seed=2)
X = torch.tensor(IMAGE[None]).double()
REFERENCE = torch.tensor(BASELINE[None]).double()


class Residual(nn.Module):
    """Sums of tensors that other functions read too, in several spellings, and ReLUs that write into their input."""

    def __init__(self, bias=True):
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Conv2d(2, 4, 3, padding=1, bias=bias)
        self.body = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1, bias=bias) for _ in range(3)])
        self.head = nn.Linear(4, 3, bias=bias)
        self.double()

    def forward(self, x):
        x = self.stem(x)
        x = x + self.body[0](F.relu(x))
        y = F.relu_(self.body[1](torch.relu(x)))
        x = torch.add(x, y).add(self.body[2](y))
        x += y
        x.relu_()
        return self.head(x.mean((2, 3)))


class Calls(nn.Module):
    """conv, then a function, then the rest of `convolutional`."""

    def __init__(self, function):
        super().__init__()
        plain = convolutional()
        self.first, self.head, self.function = plain[0], nn.Linear(144, 3).double(), function

    def forward(self, x):
        return self.head(F.relu(self.function(self.first(x))).flatten(1))


def maps_of(captum, method, module, **options):
    """(channels, height, width) of a method of Captum on the rewritten module, for class 1."""
    names = {
        "deep-lift": "DeepLift",
        "guided-backprop": "GuidedBackprop",
        "deconvolution": "Deconvolution",
        "lrp": "LRP",
    }
    rewritten = hookable(module, X, method=method).module
    if method == "lrp":
        attach_rules(rewritten)
    if method == "deep-lift":
        options.setdefault("baselines", REFERENCE)
    return getattr(captum, names[method])(rewritten).attribute(X, target=1, **options)[0].detach().numpy()


def ours(method, module):
    options = {"baseline": BASELINE} if method == "deep-lift" else {}
    return attribute(method, module, IMAGE, target=1, **options)[0][0]


def change(module):
    return float((module(X) - module(REFERENCE))[0, 1])


def test_captum_is_not_imported_before_it_is_needed():
    code = "import sys, xplain.attributions.captum.rewrite; assert not {'captum', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


class TestDeepLift:
    @pytest.mark.parametrize("style", Styled.STYLES)
    def test_functional_reused_and_in_place_relus(self, captum, style):
        found = maps_of(captum, "deep-lift", Styled(style)).sum(0)
        np.testing.assert_allclose(found, ours("deep-lift", Styled(style)), rtol=0, atol=1e-12)

    @pytest.mark.parametrize("activation", [nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.PReLU, nn.Tanh, nn.GELU, nn.Hardswish])
    def test_any_function_of_single_numbers(self, captum, activation):
        module = convolutional(relu=activation)
        found = maps_of(captum, "deep-lift", module).sum(0)
        np.testing.assert_allclose(found, ours("deep-lift", module), rtol=0, atol=1e-12)

    def test_sums(self, captum):
        found = maps_of(captum, "deep-lift", Residual()).sum(0)
        np.testing.assert_allclose(found, ours("deep-lift", Residual()), rtol=0, atol=1e-12)
        assert found.sum() == pytest.approx(change(Residual()), abs=1e-12)

    @pytest.mark.parametrize(
        "pool",
        [
            nn.MaxPool2d(2),
            nn.MaxPool2d(3, 2, padding=1),
            nn.MaxPool2d((3, 2), stride=(1, 3), padding=(1, 0)),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.MaxPool2d(2, 4, ceil_mode=True),
            nn.MaxPool2d(3, 3, padding=1, ceil_mode=True),
        ],
    )
    def test_pooling_after_a_relu(self, captum, pool):
        module = convolutional(pool=pool)
        found = maps_of(captum, "deep-lift", module).sum(0)
        np.testing.assert_allclose(found, ours("deep-lift", module), rtol=0, atol=1e-12)

    @pytest.mark.parametrize("function", [lambda x: F.max_pool2d(x, 3, 1, 1), lambda x: torch.max_pool2d(x, 3, 1, 1)])
    def test_functional_pooling(self, captum, function):
        found = maps_of(captum, "deep-lift", Calls(function)).sum(0)
        np.testing.assert_allclose(found, ours("deep-lift", Calls(function)), rtol=0, atol=1e-12)

    def test_a_distribution_of_baselines(self, captum):
        baselines = torch.tensor(noise(5, 2, 6, 6, seed=4)).double()
        module = Residual()
        rewritten = hookable(module, X, method="deep-lift-shap").module
        found = captum.DeepLiftShap(rewritten).attribute(X, baselines, target=1)
        expected = module(X)[0, 1] - module(baselines)[:, 1].mean()
        assert float(found.sum()) == pytest.approx(float(expected), abs=1e-12)

    @pytest.mark.parametrize("layer", ["0", "1", "3", "4"])
    def test_a_layer_adds_up(self, captum, layer):
        module = convolutional(pool=nn.MaxPool2d(3, 1))
        rewritten = hookable(module, X, method="layer-deep-lift", layer=layer)
        found = captum.LayerDeepLift(rewritten.module, rewritten.layer).attribute(X, REFERENCE, target=1)
        assert found.shape == module[: int(layer) + 1](X).shape
        assert float(found.sum()) == pytest.approx(change(module), abs=1e-12)

    def test_a_layer_with_parts_adds_up(self, captum):
        plain = convolutional()
        module = nn.Sequential(plain[:2], plain[2:4], plain[4:])
        rewritten = hookable(module, X, method="layer-deep-lift", layer="1")
        found = captum.LayerDeepLift(rewritten.module, rewritten.layer).attribute(X, REFERENCE, target=1)
        assert float(found.sum()) == pytest.approx(change(module), abs=1e-12)

    @pytest.mark.network
    def test_the_demo_network(self, captum, network):
        array = noise(3, 32, 32)
        x = torch.tensor(array[None])
        baseline = np.zeros_like(array)
        rewritten = hookable(network.module, x, method="deep-lift").module
        found = captum.DeepLift(rewritten).attribute(x, torch.zeros_like(x), target=1)[0].sum(0).detach()
        expected = attribute("deep-lift", network.module, array, target=1, baseline=baseline)[0][0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
        raw = captum.DeepLift(network.module).attribute(x, torch.zeros_like(x), target=1)
        assert abs(float(raw.sum()) - expected.sum()) > 0.1 * abs(expected.sum())


class TestGuidedBackpropAndDeconvolution:
    @pytest.mark.parametrize("module", [*map(Styled, Styled.STYLES), Residual(), convolutional(relu=nn.ReLU6)])
    def test_guided_backprop_is_ours(self, captum, module):
        found = maps_of(captum, "guided-backprop", module).sum(0)
        np.testing.assert_array_equal(found, ours("guided-backprop", module))

    @pytest.mark.parametrize("style", Styled.STYLES)
    def test_deconvolution_is_the_papers(self, captum, style):
        plain = convolutional()
        carried = torch.eye(3).double()[1:2] @ plain[-1].weight
        carried = carried.reshape(1, 5, 6, 6).clamp(min=0)  # the ReLU lets through what is positive on the way back
        carried = F.conv_transpose2d(carried, plain[2].weight, padding=1).clamp(min=0)
        expected = F.conv_transpose2d(carried, plain[0].weight, padding=1)[0].detach()
        found = maps_of(captum, "deconvolution", Styled(style))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)

    def test_guided_grad_cam_of_a_functional_network(self, captum):
        rewritten = hookable(Styled("functional"), X, method="guided-grad-cam", layer="second")
        found = captum.GuidedGradCam(rewritten.module, rewritten.layer).attribute(X, 1, interpolate_mode="bilinear")
        plain = convolutional()
        expected = captum.GuidedGradCam(plain, plain[2]).attribute(X, 1, interpolate_mode="bilinear")
        assert found.abs().max() > 0
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


def epsilon_rule(layer, x, relevance):
    """R_i = sum_j x_i w_ij R_j / (z_j + epsilon), with the matrix of the layer, one column for each input."""
    x, relevance = np.asarray(x), np.asarray(relevance)
    basis = torch.eye(x.size).double().reshape(-1, *x.shape[1:])
    with torch.no_grad():
        matrix = layer(basis).reshape(x.size, -1).numpy()
        z = layer(torch.tensor(x)).reshape(-1).numpy()
    carried = relevance.reshape(-1) / (z + np.where(z >= 0, 1e-9, -1e-9))
    return (x.reshape(-1) * (matrix @ carried)).reshape(x.shape)


class Skip(nn.Module):
    """Without biases: conv, relu, h + conv(h), relu, mean, linear."""

    def __init__(self):
        super().__init__()
        plain = convolutional(bias=False)
        self.first, self.second = plain[0], nn.Conv2d(4, 4, 3, padding=1, bias=False).double()
        self.head = nn.Linear(4, 3, bias=False).double()

    def forward(self, x):
        h = F.relu(self.first(x))
        return self.head(F.relu(h + self.second(h)).mean((2, 3)))


class TestLrp:
    @pytest.mark.parametrize("module", [Skip(), Residual(bias=False), convolutional(bias=False)])
    def test_nets_without_biases_add_up(self, captum, module):
        assert maps_of(captum, "lrp", module).sum() == pytest.approx(float(module(X)[0, 1]), abs=1e-6)

    def test_it_is_the_epsilon_rule(self, captum):
        module = Skip()
        with torch.no_grad():
            h = F.relu(module.first(X))
            branch = module.second(h)
            top = F.relu(h + branch)
            mean = top.mean((2, 3))
        score = np.zeros((1, 3))
        score[0, 1] = float(module(X)[0, 1])
        relevance = epsilon_rule(lambda t: t.mean((2, 3)), top, epsilon_rule(module.head, mean, score))
        total = (h + branch).numpy()
        share = relevance / (total + np.where(total >= 0, 1e-9, -1e-9))
        relevance = h.numpy() * share + epsilon_rule(module.second, h, branch.numpy() * share)
        expected = epsilon_rule(module.first, X, relevance)[0]
        np.testing.assert_allclose(maps_of(captum, "lrp", module), expected, rtol=0, atol=1e-9)

    def test_a_layer_adds_up(self, captum):
        module = Skip()
        rewritten = hookable(module, X, method="layer-lrp", layer="first")
        attach_rules(rewritten.module)
        found = captum.LayerLRP(rewritten.module, rewritten.layer).attribute(X, target=1)
        assert found.shape == (1, 4, 6, 6)
        assert float(found.sum()) == pytest.approx(float(module(X)[0, 1]), abs=1e-6)

    def test_rules_can_be_attached_again(self, captum):
        module = Residual()
        rewritten = hookable(module, X, method="lrp").module
        maps = []
        for _ in range(2):
            attach_rules(rewritten)
            maps.append(captum.LRP(rewritten).attribute(X, target=1))
        torch.testing.assert_close(maps[0], maps[1], rtol=0, atol=0)

    def test_functions_that_keep_relevance_from_spreading(self, captum):
        """Flatten, dropout, batch normalisation, pooling and padding between bias-free layers."""
        plain = convolutional(bias=False)
        normalisation = nn.BatchNorm2d(4, affine=False).double().eval()
        pools = (nn.MaxPool2d(2), nn.AvgPool2d(3), nn.Dropout(), nn.Flatten(), nn.Linear(4, 3, bias=False).double())
        module = nn.Sequential(plain[0], normalisation, nn.ReLU6(), nn.ZeroPad2d(1), *pools).eval()
        with torch.no_grad():
            expected = float(module(X)[0, 1])
        assert maps_of(captum, "lrp", module).sum() == pytest.approx(expected, abs=1e-6)


class TestRawCaptumIsWrong:
    """What FIELD measured: these models are right through the rewrite, by the tests above."""

    def test_deep_lift_on_functional_relus(self, captum):
        raw = captum.DeepLift(Styled("functional")).attribute(X, REFERENCE, target=1)
        assert abs(float(raw.sum()) - change(Styled("functional"))) > 0.01

    @pytest.mark.parametrize("module", [convolutional(relu=nn.Hardswish), convolutional(pool=nn.MaxPool2d(3, 2))])
    def test_deep_lift_on_other_functions_and_on_windows_that_overlap(self, captum, module):
        raw = captum.DeepLift(module).attribute(X, REFERENCE, target=1)[0].sum(0).detach().numpy()
        right = ours("deep-lift", module)
        assert np.abs(raw - right).max() > 0.1 * np.abs(right).max()

    def test_deep_lift_on_a_tensor_that_is_read_twice(self, captum):
        module = Shared()
        raw = captum.DeepLift(module).attribute(X, REFERENCE, target=1)
        assert abs(float(raw.sum()) - change(module)) > 0.01
        assert maps_of(captum, "deep-lift", module).sum() == pytest.approx(change(module), abs=1e-12)

    def test_guided_backprop_on_functional_relus_is_the_gradient(self, captum):
        module = Styled("functional")
        point = X.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(module(point)[0, 1], point)
        torch.testing.assert_close(captum.GuidedBackprop(module).attribute(X, target=1), gradient)

    def test_lrp_on_a_sum_doubles(self, captum):
        module = Branches()
        raw = float(captum.LRP(module).attribute(X, target=1).sum())
        score = float(module(X)[0, 1])
        assert raw == pytest.approx(2 * score, abs=1e-6)
        assert maps_of(captum, "lrp", module).sum() == pytest.approx(score, abs=1e-6)


class Branches(nn.Module):
    """A sum of two linear functions of the input."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.flat = nn.Conv2d(2, 3, 6, bias=False).double()
        self.other = nn.Conv2d(2, 3, 6, bias=False).double()

    def forward(self, x):
        return (self.flat(x) + self.other(x)).flatten(1)


class Shared(nn.Module):
    """All ReLUs are modules that run once, but one reads a tensor that the sum reads too."""

    def __init__(self):
        super().__init__()
        plain = convolutional()
        self.first, self.relu, self.head = plain[0], nn.ReLU(), nn.Linear(144, 3).double()

    def forward(self, x):
        x = self.first(x)
        return self.head((x + self.relu(x)).flatten(1))


def state_of(module):
    """Everything about a module that a method might change."""
    parts = {}
    for name, part in module.named_modules():
        values = {key: value if key == "training" else id(value) for key, value in part.__dict__.items()}
        hooks = {key: dict(value) for key, value in part.__dict__.items() if "hooks" in key and isinstance(value, dict)}
        parts[name] = (type(part), values, hooks)
    tensors = {
        name: (id(value), value.data_ptr(), value._version, value.requires_grad, value.grad, set(vars(value)))
        for name, value in [*module.named_parameters(), *module.named_buffers()]
    }
    return parts, tensors, {name: value.clone() for name, value in module.state_dict().items()}


def assert_same_state(before, after):
    assert before[:2] == after[:2]
    for name, value in before[2].items():
        assert torch.equal(value, after[2][name])


class Noted(nn.Module):
    """Keeps what it computed, runs a hook of its user's, is being trained, and writes into its tensors."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).double()
        self.head = nn.Linear(144, 3).double()
        self.last = None
        self.seen = []
        self.net.register_forward_hook(lambda *_: self.seen.append("net"))
        self.net[1].register_full_backward_hook(lambda *_: None)

    def forward(self, x):
        self.last = self.net(x)
        return self.head(self.last.flatten(1))


class TestTheUsersModule:
    @pytest.mark.parametrize("method", ["deep-lift", "guided-backprop", "deconvolution", "lrp"])
    def test_it_is_left_as_it_was(self, captum, method):
        module = Noted().train()
        module.net[0].eval()
        module.last = torch.zeros(1)
        before = state_of(module)
        maps_of(captum, method, module)
        # The check of the scores runs the module, as any prediction would.
        assert isinstance(module.last, torch.Tensor)
        assert module.seen == ["net"]
        after = state_of(module)
        before[0][""][1].pop("last"), after[0][""][1].pop("last")
        assert_same_state(before, after)

    @pytest.mark.parametrize("method", ["deep-lift", "guided-backprop", "lrp"])
    def test_it_is_left_as_it_was_by_a_failure(self, captum, method):
        module = Styled("functional").train()
        before = state_of(module)
        rewritten = hookable(module, X, method=method).module
        if method == "lrp":
            attach_rules(rewritten)
        kind = {"deep-lift": captum.DeepLift, "guided-backprop": captum.GuidedBackprop, "lrp": captum.LRP}[method]
        with pytest.raises((IndexError, AssertionError)):
            kind(rewritten).attribute(X, target=7)
        with pytest.raises(AttributionError):
            hookable(Calls(lambda x: x if x.sum() > 0 else -x).train(), X, method=method)
        assert_same_state(before, state_of(module))

    def test_parameters_are_shared(self):
        module = Styled("functional")
        rewritten = hookable(module, X, method="deep-lift").module
        assert {id(p) for p in rewritten.parameters()} == {id(p) for p in module.parameters()}
        relevance = hookable(module, X, method="lrp").module
        assert {p.data_ptr() for p in relevance.parameters()} == {p.data_ptr() for p in module.parameters()}

    def test_a_pass_that_is_under_way_is_not_disturbed_by_lrp(self, captum):
        module = Styled("functional")
        score = module(X.clone().requires_grad_())[0, 1]
        maps_of(captum, "lrp", module)
        score.backward()

    def test_two_threads_at_once(self, captum):
        module = Residual()
        methods = ["deep-lift", "guided-backprop", "deconvolution", "lrp"] * 2
        expected = {method: maps_of(captum, method, module) for method in methods}
        found = {}

        def work(index, method):
            for _ in range(2):
                found[index] = maps_of(
                    captum, method, module, **({"baselines": REFERENCE} if method == "deep-lift" else {})
                )
                module(X)

        threads = [threading.Thread(target=work, args=item) for item in enumerate(methods)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for index, method in enumerate(methods):
            np.testing.assert_allclose(found[index], expected[method], rtol=0, atol=1e-12)

    def test_names_of_layers_stay(self):
        plain = convolutional(relu=nn.ReLU6)
        rewritten = hookable(nn.Sequential(plain[:4], plain[4:]), X, method="lrp").module
        names = {name for name, part in rewritten.named_modules() if not list(part.children())}
        assert names == {"0.0", "0.1", "0.2", "0.3", "1.5"}

    def test_a_compiled_module_is_the_one_that_was_compiled(self, captum):
        module = Styled("functional")
        found = maps_of(captum, "guided-backprop", torch.compile(module))
        np.testing.assert_array_equal(found, maps_of(captum, "guided-backprop", module))


class TestRefusals:
    @pytest.mark.parametrize(
        ("function", "name"),
        [
            (nn.LayerNorm(6).double(), "layer_norm (function)"),
            (nn.GroupNorm(2, 4).double(), "group_norm (function)"),
            (nn.Softmax(1), "softmax (function)"),
            (lambda x: x.softmax(1), "softmax"),
            (lambda x: x * x.sigmoid(), "mul"),
            (lambda x: x * (x > 0), "mul"),
            (lambda x: torch.where(x > 0, x, 0), "where"),
            (lambda x: 1 / (x + 9), "truediv"),
            (lambda x: x.amax(1, keepdim=True).expand(-1, 4, -1, -1), "amax"),
            (lambda x: x.detach(), "detach"),
            (lambda x: F.batch_norm(x, None, None, training=True), "batch_norm"),
            (nn.BatchNorm2d(4, track_running_stats=False).double(), "batch_norm2d (function)"),
        ],
    )
    @pytest.mark.parametrize("method", ["deep-lift", "deep-lift-shap", "lrp"])
    def test_functions_without_a_rule(self, method, function, name):
        with refuses(
            AttributionError,
            f"{method} must have a rule for every function of the model",
            name,
            "use integrated-gradients",
        ):
            hookable(Calls(function), X, method=method)

    @pytest.mark.parametrize("function", [nn.Sigmoid(), torch.exp, lambda x: x - F.relu(x), lambda x: x**2])
    def test_functions_without_a_rule_for_relevance(self, function):
        with refuses(AttributionError, "lrp must have a rule for every function of the model"):
            hookable(Calls(function), X, method="lrp")

    @pytest.mark.parametrize("method", ["guided-backprop", "deconvolution", "guided-grad-cam"])
    def test_models_without_relus(self, method):
        with refuses(AttributionError, f"{method} must have ReLUs to change", "use saliency or integrated-gradients"):
            hookable(convolutional(relu=nn.GELU), X, method=method)

    def test_relus_inside_parts_that_cannot_be_seen(self):
        recurrent = nn.RNN(6, 6, nonlinearity="relu", batch_first=True).double()
        with refuses(AttributionError, "guided-backprop must have a rule", "rnn (part)"):
            hookable(Sequence(recurrent), X, method="guided-backprop")

    @pytest.mark.parametrize("method", ["deep-lift", "lrp"])
    def test_pooling_with_gaps(self, method):
        with refuses(
            AttributionError, f"{method} must have max pooling without dilation and indices", "max_pool2d (4)"
        ):
            hookable(convolutional(pool=nn.MaxPool2d(2, 1, dilation=2)), X, method=method)

    @pytest.mark.parametrize(
        "function",
        [
            lambda x: x if x.sum() > 0 else -x,
            lambda x: x * float(x.mean()),
            lambda x: torch.stack([row.relu() for row in x]),
            lambda x: x.numpy(),
            lambda x: torch.tensor(x.tolist()),
        ],
    )
    def test_decisions_on_values(self, function):
        with refuses(AttributionError, "module must be recordable as a graph", "use deep-lift, which needs no graph"):
            hookable(Calls(function), X, method="deep-lift")

    def test_scripted_modules(self):
        module = convolutional()
        module[1] = torch.jit.script(nn.ReLU())
        with refuses(AttributionError, "module must be made of Python code", "a scripted part 1", "use deep-lift"):
            hookable(module, X, method="deep-lift")

    def test_another_score(self):
        module = convolutional()
        module[0].register_forward_hook(lambda part, inputs, output: output + 1)
        with refuses(AttributionError, "module must compute the same once it is rewritten", "use deep-lift"):
            hookable(module, X, method="deep-lift")

    def test_a_batch_of_one_only(self):
        with refuses(AttributionError, "module must keep the batch in front, got outputs [(1, 3)] for 2 inputs"):
            hookable(Calls(lambda x: x.reshape(1, 4, -1, 6)[:, :, :6]), X, method="deep-lift")

    def test_exported_modules_take_one_size_of_batch(self):
        class Fixed(nn.Module):
            def forward(self, x):
                torch._assert(x.shape[0] == 1, "one input only")
                return F.relu(x).flatten(1)

        with refuses(AttributionError, "module must", "use deep-lift, which needs no graph"):
            hookable(Fixed(), X, method="deep-lift")

    def test_layers_that_return_several_tensors(self):
        with refuses(AttributionError, "layer must return a tensor, got '0', which returns a tuple"):
            hookable(nn.Sequential(Pair(), nn.Identity()), X, method="layer-lrp", layer="0")

    def test_layers(self):
        module = Styled("reused")
        with refuses(AttributionError, "layer must run once in a pass, got 'relu', which runs 2 times"):
            hookable(module, X, method="layer-lrp", layer="relu")
        with refuses(AttributionError, "layer must run once in a pass, got 'nothing', which runs 0 times"):
            hookable(module, X, method="layer-lrp", layer="nothing")

    def test_methods(self):
        with refuses(UnknownNameError, "method must be one of", "deconvolution", "got 'saliency'"):
            hookable(convolutional(), X, method="saliency")


class Pair(nn.Module):
    def forward(self, x):
        return x, x


class Sequence(nn.Module):
    def __init__(self, part):
        super().__init__()
        self.part, self.head = part, nn.Linear(6, 3).double()

    def forward(self, x):
        return self.head(F.relu(self.part(x[:, 0])[0]).mean(1))


class TestWhatIsRecorded:
    @pytest.mark.parametrize(
        "function",
        [
            lambda x: x.reshape(x.shape[0], 2, -1, *x.shape[2:]).flatten(1, 2),
            lambda x: F.pad(x, [max(0, 6 - side) for side in x.shape[2:] for _ in range(2)]) if x.size(-1) == 6 else 0,
            lambda x: torch.cat(list(x.chunk(2, dim=1))[::-1], dim=1),
            lambda x: x.transpose(2, 3).mT.to(x.dtype) * x.ndim / len(x.shape),
            lambda x: torch.matmul(torch.eye(6).double() * 2, x) + x.new_ones(x.size(0), 1, 1, 1, device=x.device),
            lambda x: F.elu(x, 1.0, True).clamp_(max=0.5),
            lambda x: sum([x, F.relu(x, inplace=True), x]),
            nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3, padding=1)).double(),
        ],
    )
    def test_what_python_does_with_sizes_and_tuples(self, captum, function):
        module = Calls(function)
        found = maps_of(captum, "deep-lift", module).sum(0)
        np.testing.assert_allclose(found, ours("deep-lift", module), rtol=0, atol=1e-12)
