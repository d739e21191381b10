"""Similarity to a reference as a target: the cosine of the model's output with that for the reference."""

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.attributions.test_determinism import few, network, photo
from tests.attributions.test_kinds import BLACK_BOXES
from tests.models.test_text import letters
from tests.support import refuses
from xplain import AttributionError, ImageClassifier, InputError, SignalClassifier, Similarity, TextClassifier
from xplain.attributions import METHODS

PHOTO, OTHER = photo(0), photo(1)
FROM_OUTPUT = ("deep-lift-shap", "layer-deep-lift", "lrp")


class Embedder(nn.Module):
    """A network whose output is a vector of 17 numbers, and which is called as a caller would: by itself."""

    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x):
        return self.net(x)


class TextEmbedder(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.head = nn.Embedding(50, 6), nn.Linear(6, 5)

    def forward(self, ids):
        return self.head(torch.relu(self.table(ids)).mean(1))


class Cosine(nn.Module):
    """What a caller would write by hand."""

    def __init__(self, embed, reference):
        super().__init__()
        self.embed = embed
        with torch.no_grad():
            self.reference = embed(reference)

    def forward(self, x):
        return torch.nn.functional.cosine_similarity(self.embed(x), self.reference, dim=1)[:, None]


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


MODEL = ImageClassifier(Embedder())
BY_HAND = ImageClassifier(Cosine(MODEL.module, torch.tensor(MODEL.prepare(OTHER).array[np.newaxis])), labels=["alike"])
NAMES = [
    name
    for name, method in METHODS.items()
    if "images" in method.explains and method.needs in ("scores", "gradients", "layers") and name not in FROM_OUTPUT
]


@pytest.mark.parametrize("method", [*NAMES, "captum:NeuronGuidedBackprop", "captum:Occlusion"])
def test_every_method_explains_the_cosine_as_if_the_module_returned_it(method):
    options = few("images", method) if method in METHODS else {}
    if "Occlusion" in method:
        options = {"sliding_window_shapes": (3, 4, 4), "strides": (3, 4, 4)}
    if METHODS[method].needs == "layers" if method in METHODS else "Neuron" in method:
        options["layer"] = "net.2"
    e = xplain.explain(MODEL, PHOTO, method, Similarity(OTHER), **options)
    if "layer" in options:
        options["layer"] = "embed.net.2"
    expected = xplain.explain(BY_HAND, PHOTO, method, 0, **options)
    (found,), (by_hand,) = e.attributions, expected.attributions
    scale = np.abs(by_hand.evidence.values).max()
    assert scale > 0
    np.testing.assert_allclose(found.evidence.values, by_hand.evidence.values, atol=2e-4 * scale + 5e-7)
    vectors = MODEL.scores(np.stack([MODEL.prepare(each).array for each in (PHOTO, OTHER)]))
    assert found.target.score == pytest.approx(cosine(*vectors), abs=1e-6)
    assert e.predictions == (found.target,)
    assert e.provenance.evaluations == expected.provenance.evaluations


@pytest.mark.parametrize("method", [*FROM_OUTPUT, "captum:NeuronDeepLift"])
def test_rules_that_start_at_the_output_are_refused(method):
    with refuses(AttributionError, "must explain an output of the module, got a similarity", "use deep-lift"):
        xplain.explain(MODEL, PHOTO, method, Similarity(OTHER))


def test_texts_and_recordings_are_compared_with_references():
    text = TextClassifier(TextEmbedder(), letters, baseline_id=0)
    expected = cosine(*text.scores(["ab c ab", "and some more"]))
    for method in ("integrated-gradients", "occlusion", "shapley", "deep-lift", "layer-integrated-gradients"):
        e = xplain.explain(text, "ab c ab", method, Similarity("and some more"))
        (attribution,) = e.attributions
        assert attribution.target.score == pytest.approx(expected, abs=1e-6)
        assert attribution.target.name == "similarity to 'and some more'"
        if method in ("integrated-gradients", "deep-lift"):
            total = sum(word.score for word in attribution.evidence.words)
            gain = attribution.quality["score"] - attribution.quality["baseline_score"]
            assert total == pytest.approx(gain, rel=0.05)
    signal = SignalClassifier(lambda windows: windows.mean(axis=2), sample_rate_hz=10, window=4)
    recording, reference = [[1, 1, 1, 1], [0, 0, 0, 0]], [[1, 1, 1, 1], [1, 1, 1, 1]]
    (attribution,) = xplain.explain(signal, recording, "occlusion", Similarity(reference), length=4).attributions
    assert attribution.target.score == pytest.approx(0.5**0.5)
    np.testing.assert_allclose(attribution.evidence.values.sum(axis=1), [0.5**0.5, 0], atol=1e-6)


def test_the_input_itself_is_alike_and_its_opposite_is_not():
    model = ImageClassifier(lambda images: images.mean(axis=(1, 2)) - 100.0)
    for reference, expected in ((PHOTO, 1.0), (255 - PHOTO, None)):
        (attribution,) = xplain.explain(model, PHOTO, "occlusion", Similarity(reference)).attributions
        assert expected is None or attribution.target.score == pytest.approx(expected)
        assert -1 <= attribution.target.score <= 1


def test_several_references_and_one_for_each_input():
    a, b = Similarity(OTHER), Similarity(photo(2))
    both = xplain.explain(MODEL, PHOTO, "saliency", [a, b])
    assert [each.target.name for each in both.attributions] == ["similarity", "similarity (2)"]
    photos = [PHOTO, photo(3), PHOTO]
    batch = xplain.explain_batch(MODEL, photos, "saliency", [a, b, None])
    alone = [xplain.explain(MODEL, each, "saliency", target) for each, target in zip(photos, (a, b, None), strict=True)]
    assert list(batch) == alone
    assert alone[2].attributions[0].target.name == alone[2].predictions[0].name
    assert both.attributions[0].evidence == alone[0].attributions[0].evidence


def test_documents_name_the_reference(tmp_path):
    from PIL import Image

    Image.fromarray(OTHER).save(tmp_path / "other.png")
    e = xplain.explain(MODEL, PHOTO, "grad-cam", Similarity(tmp_path / "other.png"), layer="net.2")
    assert e.attributions[0].target.name == "similarity to other.png"
    (reference,) = e.provenance.options["similarity"]
    assert reference == {"name": "other.png", "sha256": MODEL.prepare(tmp_path / "other.png").source.sha256}
    assert xplain.from_document(xplain.to_document(e)) == e
    assert xplain.render(e).alt


def test_half_precision_has_its_cosine_in_single():
    model = ImageClassifier(Embedder().bfloat16())
    (attribution,) = xplain.explain(model, PHOTO, "saliency", Similarity(PHOTO)).attributions
    assert attribution.target.score == pytest.approx(1, abs=1e-5)


def test_what_is_no_reference_is_refused():
    zeros = ImageClassifier(lambda images: np.zeros((len(images), 4)))
    with refuses(InputError, "reference must have a direction, got one for which all outputs of the model are 0"):
        xplain.explain(zeros, PHOTO, "occlusion", Similarity(PHOTO))
    with refuses(InputError, "target must be similarities or classes, got both, a Similarity and 0"):
        xplain.explain(MODEL, PHOTO, "occlusion", [Similarity(PHOTO), 0])
    for kind in ("detections", "regions"):
        model, input = BLACK_BOXES[kind]
        with refuses(InputError, f"target must be a prediction of a {type(model).__name__}, got a Similarity"):
            xplain.explain(model, input, target=Similarity(input))
    with refuses(InputError, "text must be a string"):
        xplain.explain(BLACK_BOXES["texts"][0], "ab", "occlusion", Similarity(3))


def test_an_output_of_zeros_has_no_similarity():
    model = ImageClassifier(lambda images: np.maximum(images.mean(axis=(1, 2)) - 100.0, 0))
    black = np.zeros((8, 8, 3), np.uint8)
    (attribution,) = xplain.explain(model, black, "occlusion", Similarity(255 - black)).attributions
    assert attribution.target.score == 0
