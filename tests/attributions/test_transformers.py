import threading
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.attributions.board import notes_of
from tests.attributions.networks import Pooled, attribute, noise, prepared
from tests.attributions.vits import EncoderLike, Planted, TimmLike
from tests.support import refuses
from xplain.attributions import run
from xplain.attributions.engine.attention import record_attention
from xplain.errors import AttributionError
from xplain.models import ImageClassifier, Segmenter
from xplain.models.borrowing import evaluation

IMAGE = noise(2, 6, 8)
GRID = (3, 4)
ROLLOUTS = ("attention-rollout", "gradient-rollout")


def step_by_step(module, targets):
    """Attention matrices of a `TimmLike` that is not fused, as the network itself kept them, and their gradients."""
    module.eval()
    outputs = module(torch.tensor(IMAGE[None]).double())
    matrices = [block.attn.seen for block in module.blocks]
    slopes = [torch.autograd.grad(outputs[0, t], matrices, retain_graph=True) for t in targets]
    return [m[0].detach().numpy() for m in matrices], [[s[0].numpy() for s in of_target] for of_target in slopes]


def abnar(matrices):
    """Attention rollout as its authors' code has it: add the identity, make rows add up to 1, multiply."""
    result = np.eye(matrices[0].shape[-1])
    for matrix in matrices:
        mixed = matrix.mean(axis=0) + np.eye(matrix.shape[-1])
        result = mixed / mixed.sum(axis=1, keepdims=True) @ result
    return result


def chefer(matrices, slopes):
    """Equations 5 and 6 of the paper for self-attention, one token at a time."""
    tokens = matrices[0].shape[-1]
    relevance = np.eye(tokens)
    for matrix, slope in zip(matrices, slopes, strict=True):
        mean = np.maximum(slope * matrix, 0).mean(axis=0)
        added = np.zeros_like(relevance)
        for i in range(tokens):
            for j in range(tokens):
                added[i] += mean[i, j] * relevance[j]
        relevance = relevance + added
    return relevance - np.eye(tokens)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("first", [1, 5])
def test_rollouts_are_those_of_the_papers(fused, first):
    matrices, slopes = step_by_step(TimmLike(first, fused=False), (0, 2))
    module = TimmLike(first, fused=fused)
    maps, run_ = attribute("attention-rollout", module, IMAGE, target=[0, 2])
    expected = abnar(matrices)[0, first:].reshape(GRID)
    np.testing.assert_allclose(maps, [expected, expected], rtol=0, atol=1e-15)
    assert notes_of(run_)[0] == {"patches": [3, 4], "class_tokens": first}
    assert run_.evaluations == 2
    maps, _ = attribute("gradient-rollout", module, IMAGE, target=[0, 2])
    expected = [chefer(matrices, each)[0, first:].reshape(GRID) for each in slopes]
    np.testing.assert_allclose(maps, expected, rtol=1e-12, atol=1e-18)
    assert np.abs(maps[0] - maps[1]).max() > 1e-6


def test_a_score_that_reads_patches_is_explained_from_the_patches():
    matrices, (slopes,) = step_by_step(TimmLike(2, fused=False, pool="mean"), (1,))
    module = TimmLike(2, pool="mean")
    maps, _ = attribute("attention-rollout", module, IMAGE, target=1)
    np.testing.assert_allclose(maps[0], abnar(matrices)[2:, 2:].mean(axis=0).reshape(GRID), rtol=0, atol=1e-15)
    maps, _ = attribute("gradient-rollout", module, IMAGE, target=1)
    expected = chefer(matrices, slopes)[2:, 2:].mean(axis=0).reshape(GRID)
    np.testing.assert_allclose(maps[0], expected, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("method", ROLLOUTS)
def test_the_patch_that_the_class_token_attends_to_stands_out(method, fused):
    image = np.full((1, 6, 8), 0.1, np.float32)
    image[0, 2:4, 6:8] = 0.9
    maps, _ = attribute(method, Planted(fused), image, target=0)
    assert np.unravel_index(maps[0].argmax(), GRID) == (1, 3)
    assert maps[0, 1, 3] > 0.999 * maps[0].sum()


def test_fused_attention_is_computed_as_torch_does():
    """Masks, causality, a scale and grouped queries give the fused output, and the rows add up to 1."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 4, 5, 3, dtype=torch.float64) for _ in range(3))
    allowed = torch.rand(5, 5) > 0.3
    allowed.fill_diagonal_(True)
    calls = [
        {"key": k, "value": v},
        {"key": k, "value": v, "attn_mask": allowed, "scale": 0.3},
        {"key": k, "value": v, "attn_mask": torch.randn(1, 4, 5, 5, dtype=torch.float64)},
        {"key": k, "value": v, "is_causal": True},
        {"key": k[:, :2], "value": v[:, :2], "enable_gqa": True},
    ]

    class Model(nn.Module):
        def forward(self, x):
            self.outputs = [F.scaled_dot_product_attention(x, **call) for call in calls]
            return torch.stack([output.sum() for output in self.outputs]).sum()[None, None]

    module = Model()
    module(q)
    fused = [output.detach() for output in module.outputs]
    with evaluation(module, gradients=True):
        attention = record_attention(ImageClassifier(module), q[0], (0,))
    for output, expected in zip(module.outputs, fused, strict=True):
        torch.testing.assert_close(output.detach(), expected, rtol=0, atol=1e-14)
    assert len(attention.matrices) == len(calls)
    for matrix in attention.matrices:
        torch.testing.assert_close(matrix.sum(dim=-1), torch.ones(4, 5, dtype=torch.float64), rtol=0, atol=1e-14)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("method", [*ROLLOUTS, "grad-cam", "hires-cam"])
def test_the_encoder_of_torch_is_followed(method, norm_first):
    module = EncoderLike(norm_first=norm_first)
    with torch.no_grad():
        before = module.eval()(torch.tensor(IMAGE[None]).double())
    maps, run_ = attribute(method, module, IMAGE, target=[0, 1])
    assert maps.shape == (2, *GRID)
    np.testing.assert_allclose(run_.class_scores, before[0], rtol=0, atol=1e-12)
    if method.endswith("cam"):
        assert notes_of(run_)[0]["layer"] == ("encoder.layers.1.norm1" if norm_first else "encoder.layers.0")


def test_multi_head_attention_gives_its_own_weights():
    """Of layer 1, from what layer 0 puts out; through the module's public option for weights."""
    module = EncoderLike().eval()
    first, last = module.encoder.layers
    with torch.no_grad():
        x = module.patches(torch.tensor(IMAGE[None]).double()).flatten(2).transpose(1, 2)
        x = torch.cat([module.token, x], dim=1)
        expected = [first.self_attn(x, x, x, average_attn_weights=False)[1]]
        x = first(x)
        expected.append(last.self_attn(x, x, x, average_attn_weights=False)[1])
    with evaluation(module, gradients=True):
        attention = record_attention(ImageClassifier(module), torch.tensor(IMAGE).double(), (0,))
    for matrix, weights in zip(attention.matrices, expected, strict=True):
        torch.testing.assert_close(matrix, weights[0], rtol=0, atol=1e-14)
    assert all(slope.abs().max() > 0 for slope in attention.slopes[0])


def test_weights_that_a_module_asks_for_reach_it():
    class Model(nn.Module):
        def __init__(self, averaged):
            super().__init__()
            torch.manual_seed(0)
            self.patches, self.averaged = nn.Conv2d(2, 8, 2, stride=2), averaged
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            mixed, weights = self.attention(x, x, x, average_attn_weights=self.averaged)
            self.shape = weights.shape
            return mixed.mean(dim=1)

    for averaged, shape in ((True, (1, 12, 12)), (False, (1, 2, 12, 12))):
        module = Model(averaged)
        maps, _ = attribute("gradient-rollout", module, IMAGE)
        assert maps.shape == (1, *GRID)
        assert module.shape == shape


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("first", [0, 1, 5])
def test_class_activation_maps_of_tokens(first, fused):
    """The layer is the normalisation before the last attention; the places are the patches'."""
    pool = "token" if first else "mean"
    module = TimmLike(first, fused=fused, pool=pool).eval()
    x = module.patch_embed(torch.tensor(IMAGE[None]).double()).flatten(2).transpose(1, 2)
    x = module.blocks[:2](torch.cat([module.cls_token, x], dim=1) + module.pos_embed)
    tokens = module.blocks[2].norm1(x)
    block = module.blocks[2]
    y = x + block.attn(tokens)
    y = module.norm(y + block.mlp(block.norm2(y)))
    score = module.head(y[:, 0] if first else y.mean(dim=1))[0, 1]
    (slope,) = torch.autograd.grad(score, tokens)
    a, s = tokens[0, first:].detach().numpy(), slope[0, first:].numpy()
    maps, run_ = attribute("grad-cam", module, IMAGE, target=1, relu=False)
    np.testing.assert_allclose(maps[0], (a * s.mean(axis=0)).sum(axis=1).reshape(GRID), rtol=0, atol=1e-15)
    assert notes_of(run_)[0] == {"layer": "blocks.2.norm1", "patches": [3, 4], "class_tokens": first}
    maps, _ = attribute("hires-cam", module, IMAGE, target=1)
    np.testing.assert_allclose(maps[0], (a * s).sum(axis=1).reshape(GRID), rtol=0, atol=1e-15)


def test_a_named_layer_may_give_the_patches_alone():
    maps, run_ = attribute("hires-cam", TimmLike(1), IMAGE, layer="blocks.0")
    assert maps.shape == (1, *GRID)
    assert notes_of(run_)[0]["class_tokens"] == 1
    maps, run_ = attribute("hires-cam", TimmLike(1), IMAGE, layer="patch_embed")
    assert maps.shape == (1, *GRID)
    assert "class_tokens" not in notes_of(run_)[0]


def test_several_images_at_once_give_what_each_gives():
    model = ImageClassifier(TimmLike(1))
    images = [prepared(noise(2, 6, 8, seed=seed)) for seed in range(3)]
    for method in (*ROLLOUTS, "hires-cam"):
        together = run(model, images, method=method)
        for image, explanation in zip(images, together, strict=True):
            (alone,) = run(model, [image], method=method)
            np.testing.assert_allclose(
                explanation.attributions[0].evidence.values, alone.attributions[0].evidence.values, rtol=1e-5
            )


HUGGING_FACE = {
    "ViT": {"num_hidden_layers": 2},
    "Dinov2": {"num_hidden_layers": 2},
    "Dinov2WithRegisters": {"num_hidden_layers": 2, "num_register_tokens": 4},
}


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name", HUGGING_FACE)
def test_transformers_of_hugging_face(name, implementation):
    transformers = pytest.importorskip("transformers", reason="transformers is in the test group")
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(
        hidden_size=8, num_attention_heads=2, intermediate_size=16, image_size=16, patch_size=4, num_labels=3,
        **HUGGING_FACE[name],
    )  # fmt: skip
    config._attn_implementation = "eager"
    eager = getattr(transformers, f"{name}ForImageClassification")(config).eval()
    with torch.no_grad():
        for parameter in eager.parameters():
            parameter.normal_(0, 0.3)
        seen = eager(torch.tensor(noise(3, 16, 16)[None]), output_attentions=True)
    eager.set_attn_implementation(implementation)
    maps, run_ = attribute("attention-rollout", eager, noise(3, 16, 16), target=0)
    first = 1 + HUGGING_FACE[name].get("num_register_tokens", 0)
    expected = abnar([a[0].numpy().astype(np.float64) for a in seen.attentions])[0, first:].reshape(4, 4)
    np.testing.assert_allclose(maps[0], expected, rtol=0, atol=1e-6)
    assert notes_of(run_)[0]["class_tokens"] == first
    assert eager.config._attn_implementation == implementation
    maps, run_ = attribute("gradient-rollout", eager, noise(3, 16, 16), target=0)
    assert maps.max() > 0
    maps, run_ = attribute("grad-cam", eager, noise(3, 16, 16), target=0, relu=False)
    assert maps.shape == (1, 4, 4)
    assert "1" in notes_of(run_)[0]["layer"]
    assert "norm" in notes_of(run_)[0]["layer"]


def test_nothing_is_left_behind_when_a_call_fails():
    """Fused attention is back, in this thread and for good, also after an exception in the network."""
    module = TimmLike(1)
    fused = F.scaled_dot_product_attention

    class Broken(nn.Module):
        def forward(self, x):
            module(x.double())
            raise OverflowError

    with pytest.raises(AttributionError, match="OverflowError"):
        attribute("attention-rollout", Broken(), IMAGE, target=0)
    assert F.scaled_dot_product_attention is fused
    assert torch.overrides._get_current_function_mode_stack() == []


def test_other_threads_keep_their_fused_attention():
    """While one thread records, the same module in another is not seen."""
    module, inner = TimmLike(1).eval(), []

    class Nested(nn.Module):
        def forward(self, x):
            def elsewhere():
                with torch.no_grad():
                    inner.append(module(x))

            other = threading.Thread(target=elsewhere)
            other.start()
            other.join()
            return module(x)

    with evaluation(module, gradients=True):
        attention = record_attention(ImageClassifier(Nested()), torch.tensor(IMAGE).double(), (0,))
    assert len(attention.matrices) == 3
    assert len(inner) == 1


class Windows(nn.Module):
    """Attention inside of windows of four patches."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.head = nn.Conv2d(2, 8, 2, stride=2), nn.Linear(8, 3)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2).reshape(-1, 4, 8)[:, None]
        x = F.scaled_dot_product_attention(x, x, x)
        return self.head(x.reshape(-1, 12, 8).mean(dim=1))


class PoolingQuery(nn.Module):
    """One query for all patches."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.query = nn.Conv2d(2, 8, 2, stride=2), nn.Parameter(torch.randn(1, 1, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.attention(self.query.expand(len(x), -1, -1), x, x)[0][:, 0]


class Unread(nn.Module):
    """Attention that no score reads."""

    def forward(self, x):
        tokens = x.flatten(2)
        F.scaled_dot_product_attention(tokens, tokens, tokens)
        return x.mean(dim=(2, 3))


@pytest.mark.parametrize("method", ROLLOUTS)
@pytest.mark.parametrize(
    ("module", "fragments"),
    [
        (Pooled(), ["torch.nn.MultiheadAttention or a softmax, got none of them"]),
        (Windows(), ["got 4 for 3 x 4 patches"]),
        (TimmLike(20), ["tokens must be one for each patch that a convolution cut out", "got 32 for 3 x 4 patches"]),
        (PoolingQuery(), ["must go from every token to every token in each layer, got 1 x 12"]),
        (Unread(), ["model's score must depend on its attention"]),
    ],
    ids=["convolutional", "windows", "many-class-tokens", "pooling-query", "unread"],
)
def test_attention_that_cannot_be_followed_is_refused(method, module, fragments):
    with refuses(AttributionError, *fragments, "integrated-gradients"):
        attribute(method, module, IMAGE, target=0)


def test_tokens_that_are_not_patches_are_refused():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.vit, self.merge = TimmLike(1, pool="mean"), nn.AvgPool1d(4)

        def forward(self, x):
            return self.merge(self.vit.patch_embed(x).flatten(2)).mean(dim=2)

    with refuses(AttributionError, "tokens must be one for each patch", "got 8 for 3 x 4 patches"):
        attribute("grad-cam", Model(), IMAGE, layer="merge")


def test_a_scripted_transformer_is_refused():
    with warnings.catch_warnings(action="ignore"):
        traced = torch.jit.trace(TimmLike(1).eval(), torch.zeros(1, 2, 6, 8).double())
    with refuses(AttributionError, "got none of them", "scripted module", "integrated-gradients"):
        attribute("attention-rollout", traced, IMAGE)


def test_exported_transformers_are_followed():
    """Their attention is a function still, though they have no parts for hooks."""
    module = TimmLike(1).eval()
    exported = torch.export.export(module, (torch.zeros(1, 2, 6, 8).double(),)).module()
    for method in ROLLOUTS:
        expected, _ = attribute(method, module, IMAGE, target=0)
        np.testing.assert_array_equal(attribute(method, exported, IMAGE, target=0)[0], expected)


def test_a_black_box_is_refused():
    model = ImageClassifier(lambda images: images.mean(axis=(1, 2)))
    with refuses(AttributionError, "'attention-rollout', which needs attention of a torch module", "use one of"):
        run(model, [model.prepare(np.zeros((8, 8, 3), np.uint8))], method="attention-rollout")


class Dense(nn.Module):
    """A score for each patch and class."""

    def __init__(self, fused):
        super().__init__()
        self.vit = TimmLike(1, fused=fused)

    def forward(self, x):
        vit = self.vit
        tokens = vit.patch_embed(x).flatten(2).transpose(1, 2)
        tokens = vit.blocks(torch.cat([vit.cls_token.expand(len(x), -1, -1), tokens], dim=1) + vit.pos_embed)
        return vit.head(vit.norm(tokens[:, 1:])).transpose(1, 2).unflatten(2, GRID)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("method", [*ROLLOUTS, "hires-cam"])
def test_a_region_of_a_segmenter_is_explained_by_the_patches_that_it_reads(method, fused):
    model = Segmenter(Dense(fused))
    maps = []
    for rows, columns in ((slice(0, 4), slice(0, 4)), (slice(2, 6), slice(4, 8))):
        region = np.zeros((6, 8), bool)
        region[rows, columns] = True
        (explanation,) = run(model, [model.prepare(torch.tensor(IMAGE))], [0], method=method, region=region)
        (attribution,) = explanation.attributions
        maps.append(attribution.evidence.values)
        assert attribution.quality["patches"] == [3, 4]
        if method == "hires-cam":
            assert attribution.quality["layer"] == "vit.blocks.2.norm1"
    assert maps[0].shape == (6, 8)
    assert np.abs(maps[0] - maps[1]).max() > 1e-3 * np.abs(maps[0]).max()
