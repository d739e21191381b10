"""Numbers that others computed: read in the frame they are in, documented and drawn as ours, or refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.models.test_text import letters
from tests.support import refuses
from xplain import (
    Box,
    Detector,
    ImageClassifier,
    InputError,
    Prediction,
    Preprocess,
    Segmenter,
    SignalClassifier,
    TextClassifier,
    UnknownNameError,
    from_array,
    from_captum,
    from_shap,
)
from xplain.explanation.notes import ALL_ZERO

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (20, 30, 3)).astype(np.uint8)
TEXT = "so good, so bad"
RECORDING = RANDOM.normal(size=(2, 26))


def colours(images):
    axes = (1, 2) if images.shape[-1] == 3 else (2, 3)
    return images.mean(axis=axes) / 255


def polarity(texts):
    return np.array([[text.count("bad"), text.count("good") + 0.5] for text in texts])


def energy(windows):
    return np.stack([(windows**2).sum(axis=(1, 2)), windows.sum(axis=(1, 2))], axis=1)


def lamps(images):
    light = images[:, 4:8, 4:8].mean(axis=(1, 2, 3)) / 255
    return [{"boxes": [[4, 4, 8, 8], [1, 1, 5, 5]], "labels": [0, 0], "scores": [s, s / 2]} for s in light]


def halves(images):
    grey = images.mean(axis=3)
    return np.stack([grey, 255 - grey], axis=1) / 255


class Letters(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.head = nn.Embedding(50, 4), nn.Linear(4, 2)

    def forward(self, ids):
        return self.head(torch.tanh(self.table(ids)).sum(1))


def one_token_a_syllable(text):
    """Special tokens around, and of "so good, so bad" as many as it has words: "so", and all the rest."""
    return [1, 2, 3, 4], [None, (0, 2), (2, len(text)), None]


PHOTOS = ImageClassifier(colours, ["red", "green", "blue"], output="probability")
CROPPED = ImageClassifier(colours, ["red", "green", "blue"], Preprocess(size=(8, 12)), output="probability")
TEXTS = TextClassifier(polarity, labels=["negative", "positive"])
CHARACTERS = TextClassifier(Letters(), letters, baseline_id=0)
SYLLABLES = TextClassifier(Letters(), one_token_a_syllable, baseline_id=0)
SIGNALS = SignalClassifier(energy, ["strong", "high"], sample_rate_hz=10, window=12, stride=7)
DETECTOR = Detector(lamps, ["lamp"])
SEGMENTER = Segmenter(halves, ["light", "dark"], output="probability")


def evidence(explanation):
    (attribution,) = explanation.attributions
    return attribution.evidence


def scores(explanation):
    return {(word.text, word.start): word.score for word in evidence(explanation).words}


def shap_of(values, base_values=None, data=None, output_names=None):
    return SimpleNamespace(values=values, base_values=base_values, data=data, output_names=output_names)


class TestPhotos:
    def test_a_map_of_the_photo_is_kept_as_it_is(self):
        values = RANDOM.normal(size=(20, 30))
        for model in (PHOTOS, CROPPED):
            assert np.array_equal(evidence(from_array(values, model, PHOTO)).values, values.astype(np.float32))

    def test_a_map_of_the_input_lies_where_the_model_sees_the_photo(self):
        values = RANDOM.normal(size=(8, 12))
        expected = CROPPED.prepare(PHOTO).geometry.to_original(values)
        assert np.array_equal(evidence(from_array(values, CROPPED, PHOTO)).values, expected)
        assert np.array_equal(evidence(from_array(values, CROPPED, PHOTO, frame="input")).values, expected)

    @pytest.mark.parametrize("shape", [(3, 20, 30), (20, 30, 3), (1, 3, 20, 30), (1, 20, 30, 3), (1, 20, 30)])
    def test_channels_are_recognised_and_added_up(self, shape):
        values = RANDOM.normal(size=shape)
        axis = shape.index(3) if 3 in shape else 0
        assert evidence(from_array(values, PHOTOS, PHOTO, "red")).values == pytest.approx(
            np.squeeze(values.sum(axis=axis)), rel=1e-5
        )

    def test_channels_by_their_largest_magnitude(self):
        values = RANDOM.normal(size=(3, 20, 30))
        found = evidence(from_array(values, PHOTOS, PHOTO, "red", channels="max-abs")).values
        assert found == pytest.approx(np.abs(values).max(axis=0))

    def test_the_map_of_a_layer_covers_the_input(self):
        coarse = np.zeros((1, 1, 2, 3))
        coarse[..., 0, 0] = 1
        values = evidence(from_captum(coarse, CROPPED, PHOTO, frame="input")).values
        assert values.shape == (20, 30)
        assert values[0, 0] == 1
        channels = from_captum(np.ones((1, 5, 2, 3)), CROPPED, PHOTO, frame="input", layout="channels-first")
        assert evidence(channels).values.max() == 5

    def test_predictions_and_provenance_are_the_models(self):
        e = from_array(np.ones((20, 30)), CROPPED, PHOTO, "green")
        assert e.predictions == CROPPED.predict(PHOTO)
        assert e.attributions[0].target.score == pytest.approx(e.predictions[0].score, abs=1)
        assert (e.provenance.method, e.provenance.options, e.provenance.seed) == ("given", {}, None)
        assert (e.provenance.model, e.provenance.preprocessing) == ("colours", CROPPED.describe())
        assert (e.provenance.evaluations, e.source.height) == (1, 20)
        assert e.attributions[0].quality["notes"] == ["computed elsewhere, not by xplain"]

    def test_it_is_written_read_and_drawn(self, tmp_path):
        e = from_array(RANDOM.normal(size=(20, 30)), PHOTOS, PHOTO, method="a method of mine")
        xplain.write(e, tmp_path / "e.json")
        read = xplain.read(tmp_path / "e.json")
        assert read == e
        assert read.provenance.method == read.attributions[0].method == "a method of mine"
        assert xplain.render(read, PHOTO).pixels.shape[2] == 3

    def test_several_targets_have_one_array_each(self):
        values = RANDOM.normal(size=(2, 20, 30))
        for given in (values, list(values), tuple(values[:, None]), torch.tensor(values)):
            e = from_array(given, PHOTOS, PHOTO, ["blue", "red"])
            assert [a.target.name for a in e.attributions] == ["blue", "red"]
            assert all(
                np.array_equal(a.evidence.values, v.astype(np.float32))
                for a, v in zip(e.attributions, values, strict=True)
            )

    def test_detections_and_regions(self):
        values = RANDOM.normal(size=(2, 20, 30))
        e = from_array(values, DETECTOR, PHOTO, "all")
        assert [a.target for a in e.attributions] == list(DETECTOR.predict(PHOTO))
        wanted = Prediction("lamp", 0.5, region=Box(2, 2, 9, 9, "pixel"))
        assert from_array(values[0], DETECTOR, PHOTO, wanted).attributions[0].target.region == wanted.region
        e = from_array(values[0], SEGMENTER, PHOTO, "dark")
        (target,) = (a.target for a in e.attributions)
        assert target in SEGMENTER.predict(PHOTO)
        assert e.task == "image-segmentation"

    def test_zeros_and_half_precision_are_noted(self):
        notes = from_array(np.zeros((20, 30), np.float16), PHOTOS, PHOTO).attributions[0].quality["notes"]
        assert notes[1:] == ["in half precision", ALL_ZERO]


class TestTexts:
    def test_words(self):
        e = from_array([1, 2, 3, 4], TEXTS, TEXT, "positive")
        assert scores(e) == {("so", 0): 1, ("good,", 3): 2, ("so", 9): 3, ("bad", 12): 4}
        assert e.predictions == TEXTS.predict(TEXT)

    @pytest.mark.parametrize("shape", [(15,), (1, 15), (15, 4), (1, 15, 4)])
    def test_tokens_of_the_model(self, shape):
        values = RANDOM.normal(size=shape)
        by_character = values.reshape(15, -1).sum(axis=1)
        found = scores(from_array(values, CHARACTERS, TEXT))
        # A space belongs to the word after it.
        expected = [by_character[a:b].sum() for a, b in ((0, 2), (2, 8), (8, 11), (11, 15))]
        assert list(found.values()) == pytest.approx(expected, rel=1e-5)

    def test_pieces_that_are_named(self):
        pieces = ["[CLS]", "so", "Ġgo", "##od", ",", "▁so", "ba", "d</w>", ""]
        e = from_array([9, 1, 2, 3, 4, 5, 6, 7, 8], TEXTS, TEXT, tokens=pieces)
        assert list(scores(e).values()) == [1, 9, 5, 13]
        assert e.attributions[0].quality["notes"][1:] == ["tokens that stand for no word hold 17"]

    def test_numbers_of_words_or_tokens_are_told_apart(self):
        with refuses(InputError, "tokens must be given for values of shape (4,)", "name the piece of text"):
            from_array([1, 2, 3, 4], SYLLABLES, TEXT)
        by_word = from_array([1, 2, 3, 4], SYLLABLES, TEXT, tokens=TEXT.split())
        assert list(scores(by_word).values()) == [1, 2, 3, 4]
        by_token = from_captum(torch.tensor([[0.0, 2, 10, 0]]), SYLLABLES, TEXT)
        assert list(scores(by_token).values()) == pytest.approx([2, 5, 2, 3])

    def test_windows_are_refused_with_the_remedy(self):
        model = TextClassifier(Letters(), letters, baseline_id=0, max_length=8)
        with refuses(
            InputError, "tensor must be (4,), one for each of its words", "in 3 windows: add up tokens by word"
        ):
            from_captum(torch.zeros(15), model, TEXT)
        assert evidence(from_captum(torch.zeros(4), model, TEXT)).words[0].score == 0


class TestSignals:
    def test_over_the_recording(self):
        values = RANDOM.normal(size=RECORDING.shape)
        for given in (values, values[None]):
            e = from_array(given, SIGNALS, RECORDING, "high")
            assert np.array_equal(evidence(e).values, values.astype(np.float32))
        assert e.predictions == SIGNALS.predict(RECORDING)
        assert evidence(from_array(np.ones(20), SIGNALS, np.ones(20))).values.shape == (1, 20)

    def test_windows_add_up(self):
        e = from_array(np.ones((3, 2, 12)), SIGNALS, RECORDING)
        assert evidence(e).values[0].tolist() == [1.0] * 7 + [2.0] * 5 + [1.0] * 2 + [2.0] * 5 + [1.0] * 7
        assert evidence(e).values.sum() == 72

    def test_rows_of_shap_are_windows(self):
        windows = SIGNALS.prepare(RECORDING).windows()
        values = np.stack([np.zeros_like(windows), windows], axis=-1)
        e = from_shap(shap_of(values, np.zeros((3, 2)), windows), SIGNALS, RECORDING, "high")
        quality = e.attributions[0].quality
        assert quality["score"] == pytest.approx(windows.sum(), rel=1e-5)
        assert quality["completeness_residual"] == pytest.approx(0, abs=1e-5)


class TestCaptum:
    @pytest.fixture
    def net(self):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(128, 3)
        ).eval()

    @pytest.mark.parametrize("target", [None, "b", ["c", "a"]])
    def test_integrated_gradients_are_ours(self, captum, net, target):
        model = ImageClassifier(net, ["a", "b", "c"], Preprocess(size=(8, 12), mean=0.5, std=0.25))
        ours = xplain.explain(model, PHOTO, "integrated-gradients", target, n_steps=20)
        array = torch.tensor(model.prepare(PHOTO).array)[None]
        computed = [
            captum.IntegratedGradients(net).attribute(array, target=a.target.id, n_steps=20) for a in ours.attributions
        ]
        theirs = from_captum(tuple(computed), model, PHOTO, target, method="integrated-gradients")
        assert theirs.predictions == ours.predictions
        for a, b in zip(ours.attributions, theirs.attributions, strict=True):
            assert a.target == b.target
            np.testing.assert_allclose(a.evidence.values, b.evidence.values, atol=1e-6)
        assert theirs.provenance.model_sha256 == ours.provenance.model_sha256

    def test_saliency_is_ours(self, captum, net):
        model = ImageClassifier(net, preprocess=Preprocess(size=(8, 12)))
        ours = xplain.explain(model, PHOTO, "saliency", 1)
        array = torch.tensor(model.prepare(PHOTO).array)[None].requires_grad_()
        theirs = from_captum(captum.Saliency(net).attribute(array, target=1), model, PHOTO, 1, channels="max-abs")
        np.testing.assert_allclose(evidence(ours).values, evidence(theirs).values, atol=1e-6)

    def test_embeddings_are_ours(self, captum):
        module = Letters().eval()
        model = TextClassifier(module, letters, baseline_id=0)
        ours = xplain.explain(model, TEXT, "integrated-gradients", 1, n_steps=20)
        ids = torch.tensor(letters(TEXT)[0])[None]
        explainer = captum.LayerIntegratedGradients(module, module.table)
        computed = explainer.attribute(ids, baselines=torch.zeros_like(ids), target=1, n_steps=20)
        assert computed.shape == (1, 15, 4)
        theirs = from_captum(computed, model, TEXT, 1)
        assert list(scores(theirs).values()) == pytest.approx(list(scores(ours).values()), abs=1e-6)

    @pytest.mark.network
    def test_of_the_demo_network(self, captum, network, cat):
        ours = xplain.explain(network, cat, "input-x-gradient", "tabby")
        array = torch.tensor(network.prepare(cat).array)[None].requires_grad_()
        (target,) = network.targets("tabby", np.zeros(1000))
        computed = captum.InputXGradient(network.module.eval()).attribute(array, target=target)
        theirs = from_captum(computed, network, cat, "tabby")
        np.testing.assert_allclose(evidence(ours).values, evidence(theirs).values, atol=1e-6)
        assert theirs.provenance.method == "captum"

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    def test_any_precision_with_a_gradient(self, dtype):
        tensor = torch.ones(1, 3, 8, 12, dtype=dtype, requires_grad=True) * 2
        e = from_captum((tensor,), CROPPED, PHOTO)
        assert evidence(e).values.max() == 6
        assert ("in half precision" in e.attributions[0].quality["notes"]) == (tensor.element_size() == 2)

    def test_a_square_photo_of_the_inputs_size_is_the_input(self):
        model = ImageClassifier(colours, preprocess=Preprocess(size=20, crop=0.5), output="probability")
        photo = PHOTO[:, :20]
        values = RANDOM.normal(size=(20, 20))
        with refuses(InputError, "frame must be 'input' or 'photo' for values of shape (20, 20)", "got None"):
            from_array(values, model, photo)
        expected = model.prepare(photo).geometry.to_original(values)
        for e in (from_captum(values, model, photo), from_array(values, model, photo, frame="input")):
            assert np.array_equal(evidence(e).values, expected)
        kept = evidence(from_array(values, model, photo, frame="photo")).values
        assert np.array_equal(kept, values.astype(np.float32))


class TestShap:
    PIECES = (["so ", "good, ", "so ", "bad"],)

    def test_output_by_number_base_and_residual(self):
        values = np.zeros((1, 4, 2))
        values[0, 1, 1], values[0, 3, 0] = 1, 0.75
        computed = shap_of(values, np.array([[0.0, 0.5]]), self.PIECES)
        first, second = from_shap(computed, TEXTS, TEXT, [1, 0]).attributions
        assert (first.quality["baseline_score"], first.quality["completeness_residual"]) == (0.5, 0.0)
        assert second.quality["completeness_residual"] == 0.25
        assert second.quality["notes"][1:] == ["values and base add up to 0.75, the model's output is 1"]
        assert [word.score for word in first.evidence.words] == [0, 1, 0, 0]

    def test_names_of_a_rows_own_outputs(self):
        values = np.arange(16.0).reshape(2, 4, 2)
        names = [["positive", "negative"], ["negative", "positive"]]
        computed = shap_of(values, None, self.PIECES * 2, names)
        e = from_shap(computed, TEXTS, TEXT, "positive", row=1)
        assert list(scores(e).values()) == [9, 11, 13, 15]
        assert "score" not in e.attributions[0].quality

    def test_tensors_and_rows_that_were_taken(self):
        data = torch.zeros(1, 3, 8, 12)
        values = RANDOM.normal(size=(1, 3, 8, 12, 3))
        e = from_shap(shap_of(values, data=data), CROPPED, PHOTO, 2)
        taken = from_shap(shap_of(values[0, ..., 2], data=data[0]), CROPPED, PHOTO, 2)
        assert evidence(e) == evidence(taken)
        without = from_shap(shap_of(values), CROPPED, PHOTO, 2)
        assert evidence(e) == evidence(without)

    def test_a_ragged_batch_of_texts(self):
        values = np.empty(2, object)
        values[:] = [np.ones((4, 2)), np.ones((1, 2))]
        e = from_shap(shap_of(values, np.zeros((2, 2)), (*self.PIECES, ["so"])), TEXTS, TEXT, 1, row=0)
        assert list(scores(e).values()) == [1, 1, 1, 1]

    def test_outputs_of_detections_are_in_their_order(self):
        values = RANDOM.normal(size=(1, 20, 30, 3, 2))
        e = from_shap(shap_of(values, np.zeros((1, 2)), PHOTO[None]), DETECTOR, PHOTO, "all")
        assert e.attributions[1].evidence.values == pytest.approx(values[0, ..., 1].sum(axis=-1), rel=1e-4, abs=1e-6)
        assert e.attributions[1].quality["score"] == pytest.approx(e.attributions[1].target.score)

    @pytest.mark.parametrize(
        ("computed", "arguments", "fragments"),
        [
            (np.zeros((1, 4)), {}, ["explanation must be one by shap", "from_array takes arrays"]),
            ({"values": 1}, {}, ["explanation must be one by shap", "got {'values': 1}"]),
            (shap_of(np.zeros((0, 4)), data=()), {}, ["explanation must be one by shap"]),
            (shap_of(np.zeros((1, 4, 2)), data=PIECES), {}, ["target must be named", "2 outputs, got None"]),
            (shap_of(np.zeros((1, 4)), None, PIECES, "Output 1"), {}, ["one of several outputs", "name the class"]),
            (
                shap_of(np.zeros((1, 4)), None, PIECES, "positive"),
                {"target": 0},
                ["target must be one that was explained, 'positive', got 'negative'"],
            ),
            (
                shap_of(np.zeros((1, 4, 3)), data=PIECES),
                {"target": 0},
                ["explanation.values must have an output for each of 2 classes", "got 3; take the output"],
            ),
            (shap_of(np.zeros((2, 4)), data=PIECES * 2), {}, ["explanation must have one row, got 2", "row=0"]),
            (shap_of(np.zeros((2, 4)), data=PIECES * 2), {"row": 2}, ["row must be from 0 to 1, got 2"]),
            (shap_of(np.zeros(4), data=PIECES[0]), {"row": 1}, ["row must be left out", "got 1"]),
            (shap_of(np.zeros((2, 4)), data=PIECES), {"row": 0}, ["explanation.data must have 2 rows", "got 1"]),
            (shap_of(np.zeros((1, 3)), data=PIECES), {}, ["explanation.values must be (4,)", "tokens, got shape (3,)"]),
            (shap_of(np.zeros((1, 4)), data=(PIECES[0][::-1],)), {}, ["explanation.data[0] must be the next", "'bad'"]),
            (
                shap_of(np.zeros((1, 3)), data=(PIECES[0][:3],)),
                {},
                ["explanation.data must hold all", "none for 'bad'"],
            ),
            (shap_of(np.zeros((1, 4, 2, 2)), data=PIECES), {"target": 0}, ["must have 1 axes", "got shape (4, 2, 2)"]),
            (shap_of(np.full((1, 4), np.nan), data=PIECES), {}, ["explanation.values must be finite, got 4 of 4"]),
            (
                shap_of(np.zeros((1, 4)), np.zeros(3), PIECES),
                {},
                ["explanation.base_values must be one for each output"],
            ),
        ],
    )
    def test_what_cannot_be_read_is_refused(self, computed, arguments, fragments):
        with refuses(InputError, *fragments):
            from_shap(computed, TEXTS, TEXT, **arguments)


class TestRefusals:
    @pytest.mark.parametrize(
        ("values", "target", "options", "fragments"),
        [
            (np.full((20, 30), np.nan), None, {}, ["values must be finite, got 600 of 600", "nan_to_num"]),
            (np.full((20, 30), 1e39), None, {}, ["values must be finite", "beyond float32"]),
            ([[1, "x"]], None, {}, ["values must be an array or a tensor of numbers"]),
            (np.ones((20, 30), complex), None, {}, ["values must be an array or a tensor of numbers"]),
            (torch.ones(20, 30, device="meta"), None, {}, ["values must be an array or a tensor of numbers"]),
            (np.ones((30, 20)), None, {}, ["got shape (30, 20); it lies on its side: transpose it"]),
            (np.ones((3, 30, 20)), None, {}, ["transpose it"]),
            (np.ones((7, 7)), None, {}, ["(8, 12) of the model's input", "or (20, 30) of the photo", "frame='input'"]),
            (np.ones((9, 9)), None, {"frame": "input"}, ["or coarser, got shape (9, 9); leave frame out"]),
            (np.ones((8, 12)), None, {"frame": "photo"}, ["values must be a map (20, 30) of the photo"]),
            (
                np.ones((5, 20, 30)),
                None,
                {},
                ["got shape (5, 20, 30)", "other channels, a list of targets"],
            ),
            (np.ones((3, 8, 12)), None, {}, ["target must be named", "3 channels or the maps of 3 classes, got None"]),
            (np.ones((2, 3, 8, 12)), None, {}, ["got shape (2, 3, 8, 12)"]),
            (np.ones(()), None, {}, ["got shape ()"]),
            (np.ones((0, 12)), None, {"frame": "input"}, ["got shape (0, 12)"]),
            (np.ones((20, 30)), [0, 1], {}, ["values must be 2 arrays, one for each target, got shape (20, 30)"]),
            ([np.ones((20, 30))] * 2, None, {}, ["values must be one array for one target, got 2", "as many targets"]),
            (np.ones((20, 30)), None, {"channels": "mean"}, ["channels must be one of 'sum', 'max-abs', got 'mean'"]),
            (np.ones((20, 30)), None, {"layout": "CHW"}, ["layout must be one of 'channels-first'"]),
            (np.ones((20, 30)), None, {"frame": "crop"}, ["frame must be one of 'input', 'photo', got 'crop'"]),
            (np.ones((20, 30)), None, {"tokens": ["a"]}, ["tokens must be left out for a photo, got ['a']"]),
            (np.ones((20, 30)), None, {"method": ""}, ["method must be a name, got ''"]),
            (np.ones((20, 30)), 3, {}, ["target must be a class from 0 to 2, got 3"]),
        ],
    )
    def test_of_photos(self, values, target, options, fragments):
        with refuses(InputError, *fragments):
            from_array(values, CROPPED, PHOTO, target, **options)

    def test_channels_that_may_be_on_either_side(self):
        model = ImageClassifier(colours, ["red", "green", "blue"], output="probability")
        values = RANDOM.normal(size=(3, 3, 3))
        with refuses(InputError, "layout must be 'channels-first' or 'channels-last'", "(3, 3, 3)", "got None"):
            from_array(values, model, PHOTO[:3, :3])
        e = from_array(values, model, PHOTO[:3, :3], layout="channels-last")
        assert evidence(e).values == pytest.approx(values.sum(axis=-1), rel=1e-5)

    def test_the_pair_that_captum_returns_with_a_delta(self):
        with refuses(InputError, "tensor must be one array for one target, got 2", "pass the part that belongs"):
            from_captum((torch.ones(1, 3, 8, 12), torch.zeros(1)), CROPPED, PHOTO)

    @pytest.mark.parametrize(
        ("values", "options", "fragments"),
        [
            ([1, 2, 3], {}, ["values must be (4,), one for each of its words, got shape (3,); tokens= names"]),
            ([1, 2], {"tokens": ["good", "so"]}, ["tokens[0] must be the next of the text", "got 'good'"]),
            ([1, 2], {"tokens": ["so", "good"]}, ["tokens must hold all of the text, got none for ', so bad'"]),
            ([1, 2], {"tokens": TEXT.split()}, ["values must be (4,), one for each of its tokens, got shape (2,)"]),
            (np.ones((4, 4)), {}, ["got shape (4, 4); for several targets name as many"]),
            ([1], {"tokens": TEXT}, ["tokens must be a sequence of str"]),
            ([1], {"tokens": [1]}, ["tokens[0] must be a str"]),
            ([1, 2, 3, 4], {"frame": "photo"}, ["frame must be left out for a text, got 'photo'"]),
        ],
    )
    def test_of_texts(self, values, options, fragments):
        with refuses(InputError, *fragments):
            from_array(values, TEXTS, TEXT, **options)

    def test_of_recordings(self):
        with refuses(InputError, "values must be (2, 26)", "or (3, 2, 12), its windows, got shape (2, 12)"):
            from_array(np.ones((2, 12)), SIGNALS, RECORDING)
        with refuses(InputError, "it lies on its side: transpose it"):
            from_array(np.ones((26, 2)), SIGNALS, RECORDING)
        with refuses(InputError, "got shape (2, 2, 26); for several targets name as many"):
            from_array(np.ones((2, 2, 26)), SIGNALS, RECORDING)
        with refuses(InputError, "layout must be left out for a recording"):
            from_array(RECORDING, SIGNALS, RECORDING, layout="channels-first")

    def test_of_models_and_targets(self):
        for verb in (from_array, from_captum, from_shap):
            with refuses(InputError, "model must be an xplain model, got Letters; wrap it"):
                verb(np.ones(4), Letters(), TEXT)
        with refuses(UnknownNameError, "'positiv'", "did you mean 'positive'"):
            from_array(np.ones(4), TEXTS, TEXT, "positiv")
