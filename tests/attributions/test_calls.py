"""Layers that run several times, and passes that move places: the evidence lies where it was seen, or is refused."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.attributions.board import notes_of
from tests.attributions.networks import attribute, convolutional, noise, prepared
from tests.support import refuses
from xplain.attributions import run
from xplain.attributions.engine import autograd, places
from xplain.attributions.engine.places import Place
from xplain.errors import AttributionError
from xplain.models import Detector, ImageClassifier
from xplain.models.borrowing import evaluation

SIDE = 32
BIAS = 0.25
PROBE = places.VARIANTS
PHOTO = np.zeros((3, SIDE, SIDE), np.float32)
PHOTO[:, 2:10, 2:10] = 1  # a bright patch, top left
REFERENCE = np.zeros((3, SIDE, SIDE), np.float32)
REFERENCE[:, 20:30, 20:30] = 1


class Bright(nn.Module):
    """relu(mean of 3 x 3 pixels - 0.5): one feature, which is there where it is bright."""

    def __init__(self, pool=1):
        super().__init__()
        self.conv, self.relu, self.pool = nn.Conv2d(3, 1, 3, padding=1), nn.ReLU(), nn.AvgPool2d(pool)
        with torch.no_grad():
            self.conv.weight.fill_(1 / 27)
            self.conv.bias.fill_(-0.5)

    def forward(self, x):
        return self.pool(self.relu(self.conv(x)))


class Scored(nn.Module):
    """``forward(self, x)`` is a function; ``f`` scores x by a bright body, the mean over places, and a linear layer."""

    def __init__(self, function, pool=1):
        super().__init__()
        self.body, self.other, self.head = Bright(pool), Bright(pool), nn.Linear(1, 2)
        self.function = function
        with torch.no_grad():
            self.head.weight[:, 0] = torch.tensor([1.0, -1.0])
            self.head.bias.fill_(BIAS)
        self.double()

    def f(self, x):
        return self.head(self.body(x).mean(dim=(2, 3)))

    def forward(self, x):
        return self.function(self, x)


def share(values, rows, columns):
    """Part of |map| in a part of the photo, given in pixels."""
    scale = values.shape[0] / SIDE
    part = values[slice(*(round(r * scale) for r in rows)), slice(*(round(c * scale) for c in columns))]
    return np.abs(part).sum() / np.abs(values).sum()


def on_patch(values):
    return share(values, (0, 12), (0, 12))


def tiles(corners, side=16):
    return lambda net, x: sum(net.f(x[:, :, i : i + side, j : j + side]) for i, j in corners) / len(corners)


CORNERS = [(0, 0), (0, 16), (16, 0), (16, 16)]
VIEWS = {
    "mirrored": (lambda net, x: (net.f(x) + net.f(x.flip(3))) / 2, 1),
    "mirrored only last": (lambda net, x: (net.f(x.flip(3)) + net.f(x)) / 2, 1),
    "three flips": (lambda net, x: (net.f(x) + net.f(x.flip(3)) + net.f(x.flip(2)) + net.f(x.flip(2, 3))) / 4, 1),
    "quarter turns": (lambda net, x: sum(net.f(x.rot90(k, (2, 3))) for k in range(4)) / 4, 1),
    "transposed": (lambda net, x: (net.f(x) + net.f(x.transpose(2, 3))) / 2, 1),
    "tiles": (tiles(CORNERS), 1),
    "tiles, patch last": (tiles(CORNERS[::-1]), 1),
    "overlapping tiles": (tiles([(0, 0), (0, 8), (8, 0), (8, 8)], 24), 1),
    "mirrored tiles": (lambda net, x: (tiles(CORNERS)(net, x) + tiles(CORNERS)(net, x.flip(3))) / 2, 1),
    "pyramid": (lambda net, x: net.f(x) + net.f(F.avg_pool2d(x, 2)), 2),
    "odd sizes": (lambda net, x: net.f(x) + net.f(F.interpolate(x, size=(21, 27), mode="bilinear")), 2),
    "crops": (lambda net, x: net.f(x) + net.f(x[:, :, :20, 3:27]), 2),
    "glimpse, enlarged": (lambda net, x: net.f(x) + net.f(F.interpolate(x[:, :, :16, :16], size=SIDE)), 2),
    "two scores of one body": (lambda net, x: torch.stack([net.f(x), net.f(x.flip(2))]).mean(dim=0), 1),
}


@pytest.mark.parametrize("method", ["grad-cam", "hires-cam"])
@pytest.mark.parametrize("name", VIEWS)
def test_each_view_s_evidence_lies_where_it_was_seen_and_adds_up(name, method):
    function, biases = VIEWS[name]
    maps, run_ = attribute(method, Scored(function), PHOTO, target=[0, 1], relu=False)
    assert on_patch(maps[0]) > 0.999
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), run_.class_scores - biases * BIAS, rtol=1e-12)
    np.testing.assert_allclose(maps[0], -maps[1], rtol=1e-12, atol=1e-18)
    notes = notes_of(run_)[0]
    assert notes["layer"] == "body.pool"
    assert "notes" not in notes
    assert run_.evaluations == 1 + PROBE


def test_flips_of_one_network_have_the_map_of_the_network():
    plain, _ = attribute("hires-cam", Scored(Scored.f), PHOTO, target=0)
    flipped, _ = attribute("hires-cam", Scored(VIEWS["three flips"][0]), PHOTO, target=0)
    tiled, _ = attribute("hires-cam", Scored(tiles(CORNERS), pool=2), PHOTO, target=0)
    np.testing.assert_allclose(flipped, plain, rtol=0, atol=1e-17)
    coarse, _ = attribute("hires-cam", Scored(Scored.f, pool=2), PHOTO, target=0)
    assert tiled.shape == coarse.shape == (1, 16, 16)
    np.testing.assert_allclose(tiled, coarse, rtol=0, atol=1e-17)  # the patch's neighbours are all in its tile


def test_a_mirrored_copy_alone_is_found_out_and_mirrored_back():
    maps, _ = attribute("grad-cam", Scored(lambda net, x: net.f(x.flip(3))), PHOTO, target=0)
    assert on_patch(maps[0]) > 0.999


def test_guided_grad_cam_takes_the_sum():
    maps, _ = attribute("guided-grad-cam", Scored(VIEWS["tiles, patch last"][0]), PHOTO, target=0)
    assert maps.shape == (1, SIDE, SIDE)
    assert on_patch(maps[0]) > 0.999


@pytest.mark.parametrize("batch_size", [None, 1, 2])
@pytest.mark.parametrize("pool", [1, 2])
def test_explanations_in_batches_are_those_of_one_input_each(batch_size, pool):
    model = ImageClassifier(Scored(VIEWS["mirrored"][0], pool))
    photos = [PHOTO, PHOTO[:, ::-1].copy(), PHOTO[:, :, ::-1].copy()]
    together = run(model, [prepared(photo) for photo in photos], method="hires-cam", batch_size=batch_size)
    for photo, explanation in zip(photos, together, strict=True):
        (alone,) = run(model, [prepared(photo)], method="hires-cam")
        np.testing.assert_allclose(
            explanation.attributions[0].evidence.values, alone.attributions[0].evidence.values, rtol=1e-6, atol=1e-9
        )


def siamese(measure):
    def forward(net, x):
        reference = torch.as_tensor(REFERENCE[None]).to(x)
        return measure(net.body(x).flatten(1), net.body(reference).flatten(1))[:, None]

    return forward


MEASURES = {
    "cosine": lambda a, b: F.cosine_similarity(a + 0.01, b + 0.01),
    "squared distance": lambda a, b: (a - b).square().sum(dim=1),
}


@pytest.mark.parametrize("photos", [1, 3])
@pytest.mark.parametrize("name", MEASURES)
def test_evidence_in_a_reference_image_is_left_out_and_said(name, photos):
    model = ImageClassifier(Scored(siamese(MEASURES[name])))
    explanations = run(model, [prepared(PHOTO)] * photos, method="hires-cam")
    for explanation in explanations:
        (attribution,) = explanation.attributions
        assert attribution.quality["layer_calls"] == 1
        (note,) = attribution.quality["notes"]
        assert "what layer 'body.pool' saw in another input (call 2 of 2): that evidence is not in this map" in note
    patch = explanations[0].attributions[0].evidence.values
    if name == "squared distance":  # the photo's patch counts there, and where the reference's would be it is dark
        assert on_patch(patch) > 0.999


def test_a_reference_that_is_called_first_changes_nothing():
    def forward(net, x):
        reference = net.body(torch.as_tensor(REFERENCE[None]).to(x))
        return (net.body(x) - reference).square().sum(dim=(1, 2, 3))[:, None]

    first, _ = attribute("hires-cam", Scored(forward), PHOTO, target=0)
    last, _ = attribute("hires-cam", Scored(siamese(MEASURES["squared distance"])), PHOTO, target=0)
    np.testing.assert_array_equal(first, last)


UNCLEAR = {
    "rolled": lambda net, x: net.f(x) + net.f(x.roll(3, 3)),
    "rolled by half": lambda net, x: net.f(x) + net.f(x.roll(16, 3)),
    "rolled alone": lambda net, x: net.f(x.roll(3, 3)),
    "padded": lambda net, x: net.f(x) + net.f(F.pad(x, (0, 16, 0, 0))),
    "shuffled": lambda net, x: net.f(x) + net.f(x.flatten(2)[:, :, SHUFFLED].reshape(x.shape)),
    "tiles, swapped": lambda net, x: net.f(x) + net.f(torch.cat([x[:, :, :, 16:], x[:, :, :, :16]], dim=3)),
    "brightest part": lambda net, x: net.f(x) + brightest(net, x),
    "mean with its mirror image": lambda net, x: net.f(x) + net.f(x + x.flip(3)),
}
SHUFFLED = torch.randperm(SIDE * SIDE, generator=torch.Generator().manual_seed(0))


def brightest(net, x):
    """The score of the half that begins where it is brightest, cut out for each photo."""
    starts = x.mean(dim=(1, 2)).argmax(dim=1) // 2
    return net.f(torch.stack([photo[:, :, start : start + 16] for photo, start in zip(x, starts, strict=True)]))


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_cannot_be_put_at_its_place_is_refused(name):
    with refuses(AttributionError, "layer must see the whole input or a box of it", "layer=", "occlusion"):
        attribute("hires-cam", Scored(UNCLEAR[name]), PHOTO, target=0)


def test_copies_of_an_input_in_one_batch_are_refused():
    module = Scored(lambda net, x: net.f(torch.cat([x, x.flip(3)])).view(2, len(x), -1).mean(dim=0))
    with refuses(AttributionError, "got shape (2, 1, 32, 32) from 'body.pool'", "several copies", "occlusion"):
        attribute("grad-cam", module, PHOTO)


def test_the_remedies_of_a_refusal_work():
    model = ImageClassifier(Scored(UNCLEAR["rolled"]))
    for method in ("integrated-gradients", "occlusion"):
        (explanation,) = run(model, [prepared(PHOTO)], method=method)
        assert on_patch(explanation.attributions[0].evidence.values) > 0.5


BRANCHES = {
    "ensemble": lambda net, x: (net.f(x) + net.head(net.other(x * 0.6).mean(dim=(2, 3)))) / 2,
    "two streams": lambda net, x: net.head((net.body(x).amax(dim=(2, 3)) + net.other(x.flip(3)).amax(dim=(2, 3))) / 2),
    "two depths": lambda net, x: net.f(x) + net.other(x).flatten(1)[:, :2],
}


@pytest.mark.parametrize("name", BRANCHES)
def test_a_layer_in_one_of_several_branches_is_not_chosen(name):
    module = Scored(BRANCHES[name])
    with refuses(AttributionError, "layer must be named", "'other.pool' in one of several branches", "layer=..."):
        attribute("grad-cam", module, PHOTO, target=0)
    (explanation,) = run(ImageClassifier(module), [prepared(PHOTO)])
    assert explanation.attributions[0].method == "integrated-gradients"
    maps, run_ = attribute("grad-cam", module, PHOTO, target=0, layer="body")
    assert on_patch(maps[0]) > 0.999
    assert run_.evaluations == 1


class Residual(nn.Module):
    """A block twice, and functions instead of modules around the last convolutions."""

    def __init__(self, style):
        super().__init__()
        torch.manual_seed(0)
        self.style = style
        self.stem, self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.last, self.relu, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Linear(4, 3)
        self.double()

    def forward(self, x):
        x = F.relu(self.stem(x))
        if self.style == "twice in a row":
            return self.head(self.conv(F.relu(self.conv(x))).mean(dim=(2, 3)))
        if self.style == "shared relu":
            return self.head(self.relu(self.last(self.relu(self.conv(x))) + x).mean(dim=(2, 3)))
        if self.style == "recurrent":
            state = x
            for _ in range(4):
                state = torch.tanh(self.conv(state) + x)
            return self.head(self.last(state).mean(dim=(2, 3)))
        if self.style == "gate":
            x = self.conv(x)
            return self.head((x * self.last(x.mean(dim=(2, 3), keepdim=True)).sigmoid()).mean(dim=(2, 3)))
        return self.head(F.relu(self.conv(x) + x).mean(dim=(2, 3)))  # a skip that no module ends


def as_before(module, photo, layer, target):
    """HiResCAM and Grad-CAM of the last call of a layer, as xplain computed them when no other counted."""
    model = ImageClassifier(module)
    with evaluation(module, gradients=True):
        outputs, leaves = autograd.record_layer(model, torch.tensor(photo[None]).to(next(module.parameters())), layer)
        (slopes,) = torch.autograd.grad(outputs[0, target], leaves[-1])
    maps, slopes = leaves[-1][0].detach().double(), slopes.double()
    weights = slopes.mean(dim=(2, 3), keepdim=True)
    return (slopes * maps).sum(dim=1).numpy(), (weights * maps).sum(dim=1).numpy()


@pytest.mark.parametrize(
    ("style", "layer"),
    [("twice in a row", "conv"), ("shared relu", "relu"), ("recurrent", "last"), ("gate", "conv"), ("skip", "conv")],
)
def test_blocks_in_a_row_have_the_map_of_the_last_bit_for_bit(style, layer):
    """A path belongs to the last call that it crosses, so that no evidence counts twice; nothing more is evaluated."""
    module, photo = Residual(style), noise(3, 16, 16)
    for method, expected in zip(("hires-cam", "grad-cam"), as_before(module, photo, layer, 1), strict=True):
        maps, run_ = attribute(method, module, photo, target=1, relu=False)
        np.testing.assert_array_equal(maps, expected)
        assert notes_of(run_)[0]["layer"] == layer
        assert run_.evaluations == 1
        assert ("notes" in notes_of(run_)[0]) == (style == "skip")
    if style == "twice in a row":
        bias = float(module.head.bias.detach()[1])
        hires, _ = attribute("hires-cam", module, photo, target=1)
        np.testing.assert_allclose(hires.sum(), run_.class_scores[1] - bias, rtol=1e-12)


def test_steps_that_the_score_reads_each_add_up():
    """y1 = f(x), y2 = f(y1), score = head(y1 + y2): what y1 gives by itself and what passes y2, each once."""

    class Steps(Residual):
        def forward(self, x):
            first = self.conv(F.relu(self.stem(x)))
            return self.head((first + self.conv(F.relu(first))).mean(dim=(2, 3)))

    module = Steps("steps")
    maps, run_ = attribute("hires-cam", module, noise(3, 32, 32), target=[0, 1, 2])
    assert notes_of(run_)[0] == {"layer": "conv", "layer_calls": 2}
    expected = run_.class_scores - module.head.bias.detach().numpy()
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), expected, rtol=1e-12)


@pytest.mark.parametrize("module", [convolutional(), convolutional(pool=nn.AvgPool2d(2))])
def test_a_layer_that_runs_once_costs_nothing_more(module):
    photo = noise(2, 6, 6)
    layer = "4" if len(module) == 7 else "3"
    hires, cam = as_before(module, photo, layer, 0)
    for options in ({}, {"layer": layer}):
        maps, run_ = attribute("hires-cam", module, photo, target=0, **options)
        np.testing.assert_array_equal(maps, hires)
        assert run_.evaluations == 1
        np.testing.assert_array_equal(attribute("grad-cam", module, photo, target=0, relu=False, **options)[0], cam)


@pytest.mark.network
def test_the_demo_network_s_maps_and_costs_are_as_before(network):
    photo = noise(3, 224, 224)
    hires, cam = as_before(network.module, photo, "_act1", 3)
    for method, expected in (("hires-cam", hires), ("grad-cam", cam)):
        maps, run_ = attribute(method, network.module, photo, target=3, relu=False)
        np.testing.assert_array_equal(maps, expected)
        assert notes_of(run_)[0] == {"layer": "_act1"}
        assert run_.evaluations == 1


class Levels(nn.Module):
    """One tower over a fine and a coarse level, each place of which is a candidate: x0, y0, x1, y1, score."""

    def __init__(self, order):
        super().__init__()
        self.order, self.tower = order, Bright()
        self.double()

    def forward(self, x):
        levels = [F.avg_pool2d(x, 2), F.avg_pool2d(x, 8)]
        candidates = []
        for level in (levels[k] for k in self.order):
            evidence = F.avg_pool2d(self.tower(level), 3, stride=1, padding=1)
            rows, columns = torch.meshgrid(*(torch.arange(n).to(x) for n in evidence.shape[2:]), indexing="ij")
            stride = SIDE / evidence.shape[2]
            centres = (torch.stack([columns, rows], dim=-1).reshape(-1, 2) + 0.5) * stride
            boxes = torch.cat([centres - 1.5 * stride, centres + 1.5 * stride], dim=1).expand(len(x), -1, -1)
            candidates.append(torch.cat([boxes, evidence.flatten(1)[..., None]], dim=2))
        return torch.cat(candidates, dim=1)


class Best:
    """The best candidate of each level."""

    def candidates(self, raw):
        return [{"boxes": o[:, :4], "labels": torch.zeros(len(o)).long(), "scores": o[:, 4]} for o in raw]

    def __call__(self, raw):
        found = []
        for one in self.candidates(raw):
            sizes = one["boxes"][:, 2] - one["boxes"][:, 0]
            kept = [int((one["scores"] * (sizes == size)).argmax()) for size in sizes.unique()]
            found.append({key: values[kept] for key, values in one.items()})
        return found


@pytest.mark.parametrize("method", ["grad-cam", "hires-cam"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("layer", [None, "tower"])
def test_each_detection_is_explained_at_the_level_that_it_was_found_at(order, method, layer):
    photo = np.zeros((3, SIDE, SIDE), np.float32)
    photo[:, 2:8, 2:8] = 1  # a box of the fine level
    photo[:, 8:32, 8:32] = 1  # a box of the coarse one
    model = Detector(Levels(order), ["patch"], postprocess=Best(), layer=layer)
    for target in ("all", "top-1"):
        (explanation,) = run(model, [prepared(photo)], [target], method=method)
        for attribution in explanation.attributions:
            box, values = attribution.target.region, attribution.evidence.values
            assert attribution.quality["layer"] == (layer or "tower.pool")
            # One pixel more, by which the coarse map is blurred where it is enlarged.
            x0, y0, x1, y1 = (round(v) for v in (box.x0 - 1, box.y0 - 1, box.x1 + 1, box.y1 + 1))
            if method == "hires-cam":
                assert np.abs(values[max(0, y0) : y1, max(0, x0) : x1]).sum() > 0.9 * np.abs(values).sum()
        # Of one detection a single call carries gradient, and where it lies need not be found out.
        found = 1 if layer else 2
        assert explanation.provenance.evaluations == found + 1 + (PROBE if target == "all" else 0)
    assert {round(p.region.x1 - p.region.x0) for p in explanation.predictions} == {6, 24}


class Mixer(nn.Module):
    """Patches by a convolution, tokens of which a function mixes, then a mean and a linear layer."""

    def __init__(self, mix, patch=4, width=6, tokens=64, blocks=2):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, width, patch, stride=patch)
        self.blocks = nn.Sequential(*[MixerBlock(mix, width, tokens) for _ in range(blocks)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 2)
        self.double()

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.stem(x).flatten(2).transpose(1, 2))).mean(dim=1))


class MixerBlock(nn.Module):
    def __init__(self, mix, width, tokens):
        super().__init__()
        self.mix, self.norm = mix, nn.LayerNorm(width)
        self.linear, self.convolution = nn.Linear(tokens, tokens), nn.Conv1d(tokens, tokens, 1)
        self.channels = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        with torch.no_grad():
            for weight in (self.linear.weight, self.convolution.weight):
                weight.mul_(0.1)

    def forward(self, x):
        x = x + self.mix(self, self.norm(x))
        return x + self.channels(self.norm(x))


MIXERS = {
    "mlp-mixer": lambda block, x: block.linear(x.transpose(1, 2)).transpose(1, 2),
    "conv1d over tokens": lambda block, x: block.convolution(x),
    "gated": lambda block, x: x * block.convolution(x),
    "matmul": lambda block, x: block.linear.weight @ x,
    "einsum": lambda block, x: torch.einsum("st,ntc->nsc", block.linear.weight, x),
}


@pytest.mark.parametrize("name", MIXERS)
def test_of_mixers_the_last_tokens_count(name):
    module = Mixer(MIXERS[name])
    photo = noise(3, SIDE, SIDE)
    maps, run_ = attribute("hires-cam", module, photo, target=[0, 1])
    assert maps.shape == (2, 8, 8)
    assert notes_of(run_)[0]["layer"] == "norm"
    expected = run_.class_scores - module.head.bias.detach().numpy()
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), expected, rtol=1e-12)
    (explanation,) = run(ImageClassifier(module), [prepared(photo)])
    assert explanation.attributions[0].method == "integrated-gradients"


SHUFFLERS = {
    "roll": lambda block, x: x.roll(9, 1),
    "half a turn": lambda block, x: x.roll(32, 1) * 3,
    "fourier": lambda block, x: torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2).real,
}


@pytest.mark.parametrize("name", SHUFFLERS)
def test_tokens_that_lost_their_places_are_refused(name):
    with refuses(AttributionError, "places are not those of a box of the input", "integrated-gradients"):
        attribute("grad-cam", Mixer(SHUFFLERS[name]), noise(3, SIDE, SIDE))


def test_maps_that_were_rolled_are_refused_and_those_rolled_back_are_not():
    class Rolled(nn.Module):
        def __init__(self, back):
            super().__init__()
            torch.manual_seed(0)
            self.back = back
            self.stem, self.conv, self.head = nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(4, 4, 1), nn.Linear(4, 2)

        def forward(self, x):
            x = self.stem(x).roll(3, 2)
            return self.head(self.conv(x.roll(-3, 2) if self.back else x).mean(dim=(2, 3)))

    with refuses(AttributionError, "call 1 of 1 whose places are not those of a box of the input"):
        attribute("grad-cam", Rolled(False), noise(3, SIDE, SIDE))
    photo = noise(3, SIDE, SIDE)
    maps, _ = attribute("hires-cam", Rolled(True), photo, target=0)
    np.testing.assert_array_equal(maps, as_before(Rolled(True), photo, "conv", 0)[0])


def test_places_are_spread_by_area_and_sums_stay():
    maps = torch.arange(6.0).reshape(1, 2, 3).double()
    whole = Place().spread(maps, (4, 6))
    torch.testing.assert_close(whole, maps.repeat_interleave(2, 1).repeat_interleave(2, 2) / 4)
    part = Place(top=0.5, bottom=1.0, left=0.25, right=0.75)
    assert part.resolution((2, 3)) == (4, 6)
    spread = part.spread(maps, (5, 7))
    torch.testing.assert_close(spread.sum(), maps.sum())
    assert not spread[:, :2].any()
    assert not spread[:, :, 6:].any()
    turned = Place(transposed=True, mirrored=True).upright(maps)
    torch.testing.assert_close(turned, maps.transpose(1, 2).flip(2))
