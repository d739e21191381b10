"""What scores mean: logits, probabilities or values; what shows it, and what contradicts it."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.support import refuses
from xplain.errors import InputError
from xplain.models import ImageClassifier, Segmenter, SignalClassifier, TextClassifier
from xplain.models.outputs import class_scores

PHOTO = np.zeros((8, 8, 3), np.uint8)
PHOTO[:4] = 204


def lightness(images):
    light = images.mean(axis=(1, 2, 3)) / 255  # .4 of the photo, 0 of a black one
    return np.stack([1 - light, light], axis=1)


def by_label(predictions):
    return {prediction.name: prediction.score for prediction in predictions}


class TestCallables:
    def test_scores_that_add_up_to_1_are_probabilities_and_provenance_says_so(self):
        model = ImageClassifier(lightness, ["dark", "light"])
        assert by_label(model.predict(PHOTO)) == pytest.approx({"dark": 0.6, "light": 0.4})
        e = xplain.explain(model, PHOTO)
        assert by_label(e.predictions) == pytest.approx({"dark": 0.6, "light": 0.4})
        assert e.provenance.preprocessing["output"] == "probability"
        assert e.provenance.preprocessing["output_read_from"] == "scores that add up to 1"

    def test_all_kinds_of_input_are_read_alike(self):
        texts = TextClassifier(lambda texts: [[0.25, 0.75] if "good" in t else [0.5, 0.5] for t in texts])
        assert by_label(xplain.explain(texts, "a good film").predictions) == {"1": 0.75, "0": 0.25}
        windows = SignalClassifier(lambda w: np.full((len(w), 2), 0.5), ["a", "b"], sample_rate_hz=1, window=4)
        assert {p.score for p in xplain.explain(windows, np.arange(8.0)).predictions} == {0.5}
        given = xplain.from_array(np.ones((8, 8)), ImageClassifier(lightness), PHOTO)
        assert given.attributions[0].target.score == pytest.approx(0.6)

    def test_half_precision_may_miss_1_by_a_thousandth(self):
        model = ImageClassifier(lambda images: lightness(images).astype(np.float16) * np.float16(0.9995))
        assert model.predict(PHOTO)[0].score == pytest.approx(0.6, abs=1e-3)

    @pytest.mark.parametrize(
        "scores",
        [
            lambda light: [light, 1.2 - light],  # never adds up
            lambda light: [light + 0.8, 0.2 - light],  # adds up to 1, but not within 0..1
            lambda light: [light, 0.6 + 0 * light],  # adds up on this photo, and not on a black one
            lambda light: [light],  # a single score cannot show it
        ],
    )
    def test_other_scores_are_logits(self, scores):
        model = ImageClassifier(lambda images: np.stack(scores(lightness(images)[:, 1]), axis=1))
        logits = scores(0.4)
        expected = 1 / (1 + np.exp(-0.4)) if len(logits) == 1 else np.exp(logits[0]) / np.exp(logits).sum()
        assert by_label(model.predict(PHOTO))["0"] == pytest.approx(expected)
        assert "output" not in xplain.explain(model, PHOTO).provenance.preprocessing

    def test_nothing_there_is_asked_for_once_a_model(self):
        calls = []

        def counted(images):
            calls.append(images.max())
            return lightness(images)

        model = ImageClassifier(counted)
        model.predict(PHOTO)
        assert calls == [204, 0]
        model.predict(PHOTO)
        assert calls == [204, 0, 204]

    def test_a_function_that_fails_on_an_empty_text_is_read_by_the_text(self):
        def parity(texts):
            odd = np.array([len(text.split()[0]) % 2 for text in texts])  # no first word of an empty text
            return np.stack([1 - odd, odd], axis=1) * 0.5 + 0.25

        assert by_label(TextClassifier(parity).predict("one")) == {"1": 0.75, "0": 0.25}

    def test_a_mean_over_no_words_is_no_reason_against_it(self):
        def share(texts):
            with np.errstate(invalid="ignore"):
                good = np.array([np.float64(text.count("good")) / len(text.split()) for text in texts])
            return np.stack([1 - good, good], axis=1)

        with np.errstate(invalid="ignore"):
            assert by_label(TextClassifier(share).predict("good film")) == {"0": 0.5, "1": 0.5}


class Net(nn.Module):
    """One linear layer from the mean of each channel, and a function of its output."""

    def __init__(self, end, outputs=3):
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.end = nn.Linear(3, outputs), end

    def forward(self, x):
        return self.end(self.linear(x.mean(dim=(2, 3))))


ENDS = {
    "softmax": lambda z: z.softmax(1),
    "sigmoid": torch.sigmoid,
    "module": nn.Softmax(dim=1),
    "in place": lambda z: z.sigmoid_(),
    "clipped": lambda z: z.softmax(1).clamp(1e-6, 1 - 1e-6),
    "both": lambda z: torch.cat([1 - z[:, :1].sigmoid(), z[:, :1].sigmoid()], dim=1),
    "stacked": lambda z: torch.stack([z[:, 0].sigmoid(), 1 - z[:, 0].sigmoid()], dim=1),
    "exponential": lambda z: z.log_softmax(1).exp(),
    "mean": lambda z: torch.stack([z.softmax(1), (2 * z).softmax(1)]).mean(0),
    "weighted": lambda z: 0.25 * z.softmax(1) + 0.75 * (2 * z).softmax(1),
    "half": lambda z: (z.softmax(1) + (2 * z).softmax(1)) / 2,
    "chosen": lambda z: z.softmax(1)[:, [2, 0]],
    "largest": lambda z: torch.stack([z.sigmoid(), (z - 1).sigmoid()]).amax(0),
}
OTHERS = {
    "linear": lambda z: z,
    "logarithm": lambda z: z.log_softmax(1),
    "gate": lambda z: z * z.sigmoid(),
    "scaled": lambda z: 255 * z.sigmoid(),
    "shifted": lambda z: z.sigmoid() + 1,
    "signed": lambda z: 2 * z.sigmoid() - 1,
    "tanh": torch.tanh,
    "within": lambda z: z.clamp(0, 1),
    "sharpened": lambda z: z.softmax(1) / 0.5,
}


class TestModules:
    @pytest.mark.parametrize("end", ENDS)
    def test_what_comes_out_of_a_softmax_or_a_sigmoid_is_a_probability(self, end):
        model = ImageClassifier(Net(ENDS[end]))
        (scores,) = model.scores(model.prepare(PHOTO).array[None])
        assert [by_label(model.predict(PHOTO))[str(i)] for i in range(len(scores))] == scores.tolist()
        e = xplain.explain(model, PHOTO, "saliency")
        assert e.predictions[0].score == scores.max()
        assert e.provenance.preprocessing["output_read_from"] == "the module's last function"

    @pytest.mark.parametrize("end", OTHERS)
    def test_what_does_not_is_a_logit(self, end):
        model = ImageClassifier(Net(OTHERS[end]))
        assert sum(by_label(model.predict(PHOTO)).values()) == pytest.approx(1)
        assert model.output == "logit"

    @pytest.mark.parametrize("script", [torch.jit.script, lambda net: torch.jit.trace(net, torch.zeros(1, 3, 8, 8))])
    def test_scripts_are_watched_too(self, script):
        net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2), nn.Softmax(1))
        model = ImageClassifier(script(net))
        model.predict(PHOTO)
        assert model.output == "probability"

    def test_parts_that_torch_runs_only_unwatched_run(self):
        class Branching(nn.Module):
            def forward(self, x):
                x = x.mean((2, 3))
                return torch.cond(x.sum() > 0, lambda x: 2 * x, lambda x: -x, (x,))

        model = ImageClassifier(Branching())
        assert model.scores(model.prepare(PHOTO).array[None])[0] == pytest.approx([0.8] * 3)
        assert model.output == "logit"

    def test_watching_does_not_wait_for_the_compiler_of_torch(self):
        code = "import sys, numpy, torch, xplain\n"
        code += "model = xplain.ImageClassifier(torch.nn.Flatten())\n"
        code += "model.predict(numpy.zeros((2, 2, 3), numpy.uint8))\n"
        code += "assert 'torch._dynamo' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_attention_inside_is_no_end(self):
        net = nn.Sequential(nn.Flatten(2), nn.TransformerEncoderLayer(64, 2, 8, batch_first=True), nn.Flatten())
        model = ImageClassifier(net)
        watched, later = (model.scores(model.prepare(PHOTO).array[None]) for _ in range(2))
        assert (watched == later).all()
        assert model.output == "logit"

    def test_each_kind_of_gradient_is_that_of_the_probability(self):
        model = ImageClassifier(Net(ENDS["softmax"]))
        quality = xplain.explain(model, PHOTO, "integrated-gradients").attributions[0].quality
        assert 0 < quality["score"] < 1
        assert abs(quality["completeness_residual"]) < 1e-3

    def test_a_sigmoid_of_one_foreground_divides_a_photo_at_a_half(self):
        convolution = nn.Conv2d(3, 1, 1)
        nn.init.constant_(convolution.weight, 1.0)
        nn.init.constant_(convolution.bias, -1.0)
        (region,) = Segmenter(nn.Sequential(convolution, nn.Sigmoid())).predict(PHOTO)
        assert region.region.area == 32
        assert region.score == pytest.approx(1 / (1 + np.exp(1 - 3 * 0.8)))

    def test_maps_that_add_up_to_1_are_probabilities(self):
        def maps(images):
            light = images.mean(axis=3) / 255
            return np.stack([1 - light, light], axis=1)

        assert by_label(Segmenter(maps, ["dark", "light"]).predict(PHOTO)) == pytest.approx({"dark": 1, "light": 0.8})
        e = xplain.explain(Segmenter(maps, ["dark", "light"]), PHOTO, target="light")
        assert e.attributions[0].target.score == pytest.approx(0.8)
        assert e.provenance.preprocessing["output"] == "probability"


class TestValues:
    def test_values_stay_as_they_are(self):
        model = TextClassifier(lambda texts: [[94.2 + 50 * t.count("good"), -3.0] for t in texts], output="value")
        e = xplain.explain(model, "a good film")
        assert [p.score for p in e.predictions] == [144.2, -3.0]
        assert e.attributions[0].evidence.words[1].score == 50
        assert e.provenance.preprocessing == {"output": "value"}
        margin = xplain.explain(model, "a good film", target=xplain.Margin(0, 1)).attributions[0]
        assert margin.target.score == pytest.approx(147.2)

    def test_measures_of_maps_use_the_value(self):
        model = ImageClassifier(lambda images: images.mean(axis=(1, 2, 3))[:, None], ["level"], output="value")
        e = xplain.evaluate(model, xplain.explain(model, PHOTO), measures={"deletion": {"steps": 2}})
        deletion = e.attributions[0].quality["deletion"]
        assert deletion["output"] == "value"
        assert deletion["scores"][0] == 102

    def test_scores_outside_0_to_1_are_no_probabilities(self):
        message = "model output must be from 0 to 1 where output is 'probability', got -94 to 255; pass output='logit'"
        with refuses(InputError, message, "output='value' for others"):
            TextClassifier(lambda texts: [[-94.0, 255.0]] * len(texts), output="probability").predict("a")
        with refuses(InputError, message):
            xplain.explain(
                ImageClassifier(Net(lambda z: 0 * z + torch.tensor([-94.0, 255.0, 0])), output="probability"), PHOTO
            )
        with refuses(InputError, "got 0 to 204"):
            Segmenter(lambda images: images.transpose(0, 3, 1, 2), output="probability").predict(PHOTO)

    def test_rounding_is_no_contradiction(self):
        model = TextClassifier(lambda texts: [[1.0005, -0.0005]] * len(texts), output="probability")
        assert model.predict("a")[0].score == 1.0005


def bias(value):
    net = Net(lambda z: z, outputs=1)
    nn.init.constant_(net.linear.bias, value)
    return net


class TestOneScore:
    @pytest.mark.parametrize(("value", "best"), [(-3.0, "no"), (3.0, "yes")])
    def test_one_logit_for_two_labels_is_that_of_the_second(self, value, best):
        model = ImageClassifier(bias(value), ["no", "yes"])
        with torch.no_grad():
            logit = model.module(torch.tensor(model.prepare(PHOTO).array[None])).item()
        assert by_label(model.predict(PHOTO)) == pytest.approx(
            {"yes": 1 / (1 + np.exp(-logit)), "no": 1 / (1 + np.exp(logit))}
        )
        e = xplain.explain(model, PHOTO, "integrated-gradients")
        assert e.attributions[0].target.name == best
        assert e.attributions[0].quality["score"] == pytest.approx(abs(logit))
        both = xplain.explain(model, PHOTO, "input-x-gradient", target=["no", "yes"]).attributions
        assert (both[0].evidence.values == -both[1].evidence.values).all()
        assert both[0].evidence.values.any()

    def test_one_probability_for_two_labels_leaves_the_rest_to_the_first(self):
        net = nn.Sequential(bias(-3.0), nn.Sigmoid())
        for model in (ImageClassifier(net, ["no", "yes"]), ImageClassifier(net, ["no", "yes"], output="probability")):
            with torch.no_grad():
                yes = net(torch.tensor(model.prepare(PHOTO).array[None])).item()
            assert by_label(model.predict(PHOTO)) == pytest.approx({"no": 1 - yes, "yes": yes})
            assert xplain.explain(model, PHOTO, "occlusion").attributions[0].target.name == "no"

    def test_one_score_of_a_function_too(self):
        model = TextClassifier(lambda texts: [2.0 - 5 * t.count("not") for t in texts], labels=["bad", "good"])
        assert xplain.explain(model, "fine").attributions[0].target.name == "good"
        (attribution,) = xplain.explain(model, "not fine").attributions
        assert attribution.target.name == "bad"
        assert [word.score for word in attribution.evidence.words] == [5, 0]
        margin = xplain.explain(model, "not fine", target="good - bad").attributions[0]
        assert [word.score for word in margin.evidence.words] == [-10, 0]

    def test_one_label_or_none_is_a_class_that_may_be_unlikely(self):
        for labels in (["cat"], None):
            model = ImageClassifier(bias(-3.0), labels)
            assert model.predict(PHOTO)[0].score < 0.1
            assert len(xplain.explain(model, PHOTO, "integrated-gradients").attributions) == 1

    def test_one_score_of_a_function_within_0_to_1_is_said_to_be_in_doubt(self):
        def notes(score, **options):
            model = TextClassifier(lambda texts: [[score]] * len(texts), labels=["no", "yes"], **options)
            return xplain.explain(model, "a film").attributions[0].quality["notes"]

        doubt = "scores within 0..1 were read as logits: if they are probabilities, say output='probability'"
        assert notes(0.75)[-1] == doubt
        assert doubt not in notes(0.75, output="logit")
        assert doubt not in notes(0.75, output="probability")
        assert doubt not in notes(1.0)  # a count
        assert doubt not in notes(-0.75)
        several = TextClassifier(lambda texts: [[0.9, 0.8, 0.1]] * len(texts), multilabel=True)
        assert doubt in xplain.explain(several, "a film").attributions[0].quality["notes"]

    def test_two_classes_with_opposite_logits_are_still_two(self):
        model = ImageClassifier(Net(lambda z: torch.cat([z[:, :1], -z[:, :1]], dim=1)), ["no", "yes"])
        (scores,) = model.scores(model.prepare(PHOTO).array[None])
        assert by_label(model.predict(PHOTO))["yes"] == pytest.approx(1 / (1 + np.exp(2 * scores[0])))

    def test_independent_labels_need_a_score_each(self):
        with refuses(InputError, "labels must be 1 labels, one for each output of the model, got 2"):
            ImageClassifier(bias(1.0), ["a", "b"], multilabel=True).predict(PHOTO)


class TestNamedScores:
    def test_dictionaries_and_lists_name_the_classes_in_any_order(self):
        def answer(texts):
            return [{"good": 0.8, "bad": 0.3} if "good" in t else {"bad": 0.6, "good": 0.1} for t in texts]

        def listed(texts):
            pairs = [sorted(scores.items(), key=lambda pair: -pair[1]) for scores in answer(texts)]
            return [[{"label": label, "score": score} for label, score in each] for each in pairs]

        for function in (answer, listed):
            model = TextClassifier(function)
            e = xplain.explain(model, "a good film")
            assert by_label(e.predictions) == {"good": 0.8, "bad": 0.3}  # as they are: within 0..1
            assert e.provenance.preprocessing["output_read_from"] == "named scores within 0..1"
            assert [word.score for word in e.attributions[0].evidence.words] == pytest.approx([0, 0.7, 0])
            assert e.attributions[0].target.id == 1  # in alphabetical order, whatever the input
            ordered = TextClassifier(function, labels=["good", "bad"])
            assert xplain.explain(ordered, "a good film", target="bad").attributions[0].target.id == 1

    def test_a_single_answer_may_come_alone(self):
        model = TextClassifier(lambda texts: {"a": 2.0, "b": 1.0})
        assert by_label(model.predict("x"))["a"] == pytest.approx(1 / (1 + np.exp(-1)))  # beyond 1: logits
        alone = TextClassifier(lambda texts: [{"label": "a", "score": 0.2}, {"label": "b", "score": 0.7}])
        assert by_label(alone.predict("x")) == {"b": 0.7, "a": 0.2}

    def test_answers_that_leave_labels_out_are_refused(self):
        best = TextClassifier(lambda texts: [{"label": "good", "score": 0.9} for _ in texts])
        with refuses(InputError, "model output must score all labels, got the best one only, 'good'", "top_k=None"):
            best.predict("x")
        changing = TextClassifier(lambda texts: [{"a": 0.5} if "b" in t else {"a": 0.5, "b": 0.5} for t in texts])
        with refuses(InputError, "model output must score the labels a, b for each input, got a", "'b' differs"):
            changing.scores(["x", "b"])
        with refuses(InputError, "model output must be an answer for each of 2 inputs, got 3"):
            TextClassifier(lambda texts: [{"a": 0.5, "b": 0.5}] * 3).scores(["x", "y"])
        twice = TextClassifier(lambda texts: [[{"label": "a", "score": 0.2}, {"label": "a", "score": 0.7}]])
        with refuses(InputError, "model output must name each label once, got ['a', 'a']"):
            twice.predict("x")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"sequence": "a film", "labels": ["a"], "scores": [1.0]}, "map labels to numbers, got str for 'sequence'"),
        ({"a": None}, "map labels to numbers, got NoneType for 'a'"),
        (
            [{"name": "a", "score": 1.0}],
            "mappings with label and score where it is a list of them, got one of name, sc",
        ),
    ],
)
def test_answers_that_name_something_else_are_refused(answer, message):
    with refuses(InputError, f"model output must {'be' if isinstance(answer, list) else 'map'}", message):
        TextClassifier(lambda texts: [answer for _ in texts]).predict("a film")


def test_rows_of_several_lengths_are_refused():
    with refuses(InputError, "model output must be numbers (batch, classes), got list"):
        class_scores([[0.5], [0.5, 0.5]], 2)


def test_scores_of_any_type_of_number_may_be_named():
    model = TextClassifier(lambda texts: {"a": np.float32(0.25), "b": np.float32(0.75)})
    assert by_label(model.predict("a film")) == {"a": 0.25, "b": 0.75}


@pytest.mark.parametrize("method", ["saliency", "hires-cam", "integrated-gradients"])
def test_a_module_that_returns_arrays_has_no_gradients(method):
    class Detached(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(3, 2, 3)

        def forward(self, x):
            return self.layer(x).mean((2, 3)).detach().numpy()

    model = ImageClassifier(Detached())
    with refuses(xplain.AttributionError, "must have gradients", "use a method that needs scores only"):
        xplain.explain(model, PHOTO, method)
    assert xplain.explain(model, PHOTO, "occlusion", window=4, stride=4).attributions


def test_a_module_that_divides_by_a_sum_is_doubted():
    class Shares(nn.Module):
        def __init__(self, scale):
            super().__init__()
            self.scale = scale

        def forward(self, x):
            weights = x.mean((2, 3)).exp()
            return self.scale * weights / weights.sum(1, keepdim=True)

    said = "scores within 0..1 were read as logits: if they are probabilities, say output='probability'"
    photo = PHOTO.copy()
    photo[..., 0] = 9
    e = xplain.explain(ImageClassifier(Shares(1.0)), photo, "saliency")
    assert said in e.attributions[0].quality["notes"]
    told = xplain.explain(ImageClassifier(Shares(1.0), output="probability"), photo, "saliency")
    assert "notes" not in told.attributions[0].quality
    assert told.predictions[0].score > e.predictions[0].score
    assert "notes" not in xplain.explain(ImageClassifier(Shares(0.9)), photo, "saliency").attributions[0].quality
