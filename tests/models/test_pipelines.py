"""Pipelines of transformers as they are: their numbers are the pipelines' own. All have random weights."""

import numpy as np
import pytest
import torch
from PIL import Image

import xplain
from tests.models.test_transformers import byte_bpe, unigram, word_piece
from tests.support import refuses
from xplain.errors import InputError

transformers = pytest.importorskip("transformers", reason="the text extra is not installed")

TEXT = "the film was not good but the music saved it"
WORDS = word_piece()
SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "initializer_range": 1.0,
}  # fmt: skip
PHOTO = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)


def seeded(kind, config):
    torch.manual_seed(0)
    return kind(config).eval()


def bert(kind=transformers.BertForSequenceClassification, **options):
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, **SMALL, **options)
    return seeded(kind, config)


def texts(model=None, tokenizer=WORDS, task="text-classification", **options):
    return transformers.pipeline(task, model=bert() if model is None else model, tokenizer=tokenizer, **options)


def named(answers):
    return {answer["label"]: answer["score"] for answer in answers}


def by_label(predictions):
    return {prediction.name: prediction.score for prediction in predictions}


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({"num_labels": 3}, {}),
        ({"id2label": {0: "bad", 1: "fair", 2: "good"}, "label2id": {"bad": 0, "fair": 1, "good": 2}}, {}),
        ({"num_labels": 1}, {}),
        ({"num_labels": 1, "problem_type": "regression"}, {}),
        ({"num_labels": 3, "problem_type": "regression"}, {}),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, {}),
        ({"num_labels": 3}, {"function_to_apply": "sigmoid"}),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, {"function_to_apply": "softmax"}),
        ({"num_labels": 3}, {"function_to_apply": "none"}),
        ({"num_labels": 3}, {"add_special_tokens": False}),
        ({"num_labels": 3}, {"truncation": True, "max_length": 8}),
        ({"num_labels": 3}, {"padding": "max_length", "top_k": 1}),
    ],
)
def test_a_pipeline_of_texts_is_taken_at_its_word(config, options):
    pipeline = texts(bert(**config), **options)
    expected = named(pipeline(TEXT, top_k=None))
    model = xplain.TextClassifier(pipeline)
    assert by_label(model.predict(TEXT)) == pytest.approx(expected, abs=1e-5)
    e = xplain.explain(pipeline, TEXT)
    assert by_label(e.predictions) == pytest.approx(expected, abs=1e-5)
    assert e.provenance.method == "integrated-gradients"  # it is taken apart, not a black box


def test_a_pipeline_that_cuts_long_texts_sees_no_more_of_them():
    pipeline = texts(truncation=True)
    long = " ".join([TEXT] * 4)
    prepared = xplain.TextClassifier(pipeline).prepare(long)
    assert len(prepared.windows) == 1
    assert by_label(xplain.predict(pipeline, long)) == pytest.approx(named(pipeline(long, top_k=None)), abs=1e-6)


def test_settings_of_the_caller_come_first():
    model = xplain.TextClassifier(texts(), labels=["a", "b"], output="value", max_length=8, name="mine")
    assert model.max_length == 8
    assert model.name == "mine"
    prediction = model.predict("good film")[0]
    assert prediction.name in "ab"
    assert prediction.score > 1


@pytest.mark.parametrize("problem", ["regression", "multi_label_classification"])
def test_a_configuration_says_what_scores_are_without_a_pipeline(problem):
    module = bert(num_labels=3, problem_type=problem)
    model = xplain.TextClassifier(module, WORDS)
    expected = texts(module)(TEXT, top_k=None)
    scores = by_label(model.predict(TEXT))
    assert sorted(scores.values()) == pytest.approx(sorted(named(expected).values()), abs=1e-6)
    assert xplain.TextClassifier(module, WORDS, output="logit", multilabel=False).predict(TEXT)[0].score < 1


def test_functions_that_call_pipelines_name_their_scores():
    pipeline = texts(bert(num_labels=3))
    for options in ({}, {"function_to_apply": "sigmoid"}):
        model = xplain.TextClassifier(lambda batch, options=options: pipeline(batch, top_k=None, **options))
        assert by_label(model.predict(TEXT)) == named(pipeline(TEXT, top_k=None, **options))
    with refuses(InputError, "model output must score all labels, got the best one only", "top_k=None of a pipeline"):
        xplain.TextClassifier(lambda batch: pipeline(batch)).predict(TEXT)


class TestZeroShot:
    @pytest.fixture
    def pipeline(self):
        names = {"contradiction": 0, "neutral": 1, "entailment": 2}
        module = bert(num_labels=3, id2label={i: name for name, i in names.items()}, label2id=names)
        return texts(module, task="zero-shot-classification")

    def test_candidates_have_to_be_named(self, pipeline):
        with refuses(InputError, "labels must be given for a pipeline for zero-shot-classification", "labels=["):
            xplain.explain(pipeline, TEXT)

    def test_scores_are_those_of_the_candidates(self, pipeline):
        answer = pipeline("good film", candidate_labels=["sea", "film", "day"])
        model = xplain.TextClassifier(pipeline, labels=["sea", "film", "day"])
        assert by_label(model.predict("good film")) == dict(zip(answer["labels"], answer["scores"], strict=True))
        e = xplain.explain(model, "good film", target="sea")
        without = pipeline("film", candidate_labels=["sea", "film", "day"])
        alone = dict(zip(without["labels"], without["scores"], strict=True))["sea"]
        occlusion = xplain.explain(model, "good film", "occlusion", target="sea")
        change = e.attributions[0].target.score - alone
        assert occlusion.attributions[0].evidence.words[0].score == pytest.approx(change)

    def test_candidates_may_be_independent(self, pipeline):
        answer = pipeline("good film", candidate_labels=["sea", "film"], multi_label=True)
        model = xplain.TextClassifier(pipeline, labels=["sea", "film"], multilabel=True)
        assert by_label(model.predict("good film")) == dict(zip(answer["labels"], answer["scores"], strict=True))

    def test_candidates_of_photos(self):
        towers = {**SMALL, "num_hidden_layers": 1, "projection_dim": 8}
        config = transformers.CLIPConfig(
            text_config={**towers, "vocab_size": len(WORDS), "max_position_embeddings": 16, "eos_token_id": 3},
            vision_config={**towers, "image_size": 32, "patch_size": 8},
            projection_dim=8,
        )
        processor = transformers.CLIPImageProcessorPil(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        )
        module = seeded(transformers.CLIPModel, config)
        task = "zero-shot-image-classification"
        pipeline = transformers.pipeline(task, model=module, tokenizer=WORDS, image_processor=processor)
        expected = named(pipeline(Image.fromarray(PHOTO), candidate_labels=["film", "day"]))
        model = xplain.ImageClassifier(pipeline, labels=["film", "day"])
        assert by_label(model.predict(PHOTO)) == pytest.approx(expected, abs=1e-6)
        assert xplain.explain(model, PHOTO, window=25, stride=25).attributions[0].method == "occlusion"
        with refuses(InputError, f"labels must be given for a pipeline for {task}", "xplain.ImageClassifier(pipeline"):
            xplain.explain(pipeline, PHOTO)


class Foreign:
    """A model of another library behind a pipeline."""

    def __init__(self, module):
        self.module = module

    def __call__(self, **inputs):
        return self.module(**inputs)

    def __getattr__(self, name):
        if name == "named_modules":
            raise AttributeError(name)
        return getattr(self.module, name)


def test_a_pipeline_around_another_library_is_called_as_it_is():
    pipeline = texts(bert(num_labels=3))
    expected = named(pipeline(TEXT, top_k=None))
    pipeline.model = Foreign(pipeline.model)
    e = xplain.explain(pipeline, TEXT, "occlusion")
    assert by_label(e.predictions) == expected
    assert e.provenance.model_sha256 is None
    assert e.provenance.preprocessing["output"] == "probability"


def test_several_texts_are_explained_at_once():
    pipeline = texts(bert(num_labels=3))
    alone = xplain.explain(pipeline, "good film", "saliency")
    _, second = xplain.explain_batch(pipeline, [TEXT, "good film"], "saliency")
    assert second == alone
    assert "integrated-gradients" in xplain.methods(pipeline)
    assert "grad-cam" in xplain.refusals(pipeline)


@pytest.mark.parametrize(
    ("task", "kind", "reason"),
    [
        ("token-classification", transformers.BertForTokenClassification, "which scores each token"),
        ("fill-mask", transformers.BertForMaskedLM, "which scores a vocabulary"),
        ("feature-extraction", transformers.BertModel, "which gives features"),
    ],
)
def test_pipelines_without_scores_of_classes_are_refused(task, kind, reason):
    pipeline = texts(bert(kind), task=task)
    for take in (xplain.explain, xplain.predict):
        with refuses(
            InputError, "model must be a pipeline for one of text-classification", f"got one for {task}", reason
        ):
            take(pipeline, TEXT)
    with refuses(InputError, f"got one for {task}"):
        xplain.TextClassifier(pipeline)


def test_a_pipeline_for_questions_is_refused_by_its_name():
    class QuestionAnsweringPipeline(transformers.Pipeline):
        """Some versions of transformers have one."""

        def _sanitize_parameters(self, **kwargs):
            return {}, {}, {}

        def preprocess(self, inputs):
            return inputs

        def _forward(self, inputs):
            return inputs

        def postprocess(self, outputs):
            return outputs

    QuestionAnsweringPipeline.__module__ = "transformers.pipelines.question_answering"
    pipeline = QuestionAnsweringPipeline(model=bert(), tokenizer=WORDS, task="question-answering")
    with refuses(
        InputError, "got one for question-answering, which finds a part of the text: its scores are of places"
    ):
        xplain.explain(pipeline, TEXT)


@pytest.mark.parametrize("return_dict", [True, False])
def test_models_for_questions_score_places_and_are_refused(return_dict):
    module = bert(transformers.BertForQuestionAnswering, return_dict=return_dict)
    message = "got start_logits, the places of an answer" if return_dict else "got one for each of 12 tokens"
    with refuses(InputError, "model output must be scores of classes", message, "function from texts"):
        xplain.explain(xplain.TextClassifier(module, WORDS), TEXT)


@pytest.mark.parametrize("name", ["class_queries_logits", "pred_masks"])
def test_models_of_universal_segmentation_have_no_class_maps(name):
    class Universal(torch.nn.Module):
        def forward(self, pixels):
            return {name: torch.zeros(len(pixels), 5, 4), "masks": torch.zeros(len(pixels), 5, 8, 8)}

    with refuses(InputError, f"model output must be scores of classes, got {name}, the queries and masks"):
        xplain.predict(xplain.Segmenter(Universal()), PHOTO)


@pytest.mark.parametrize(
    ("module", "x", "wanted"),
    [
        (bert(), TEXT, "wrap it: xplain.TextClassifier(model, tokenizer)"),
        (bert(), None, "wrap it: xplain.TextClassifier(model, tokenizer)"),
        (
            torch.nn.Flatten(),
            PHOTO,
            "xplain.ImageClassifier(model, labels=[...], preprocess=xplain.Preprocess(size=224",
        ),
        (torch.nn.Flatten(), "cat.jpg", "wrap it: xplain.ImageClassifier(model"),
        (torch.nn.Flatten(), "so bad it is good", "wrap it: xplain.TextClassifier(model, tokenizer)"),
        (torch.nn.Flatten(), np.zeros((3, 500)), "xplain.SignalClassifier(model, labels=[...], sample_rate_hz=..."),
        (torch.nn.Flatten(), "walk.csv", "xplain.SignalClassifier(model, labels=[...], sample_rate_hz=..."),
        (len, "so bad it is good", "got builtin_function_or_method; wrap it: xplain.TextClassifier(model)"),
        (len, PHOTO, "wrap it: xplain.ImageClassifier(model, labels=[...]), with the labels"),
    ],
)
def test_what_is_no_model_is_told_what_to_write(module, x, wanted):
    with refuses(InputError, "model must be an xplain model, got ", wanted):
        xplain.methods(module) if x is None else xplain.explain(module, x)


def test_a_module_that_says_how_photos_are_prepared_is_told_to_use_it():
    vit = transformers.ViTForImageClassification(transformers.ViTConfig(image_size=32, patch_size=8, **SMALL))
    with refuses(InputError, "xplain.ImageClassifier(model, labels=[...], preprocess=xplain.Preprocess.of(image_pro"):
        xplain.explain(vit, PHOTO)
    module = torch.nn.Flatten()
    module.pretrained_cfg = {
        "input_size": (3, 32, 32), "crop_pct": 0.9, "interpolation": "bicubic", "mean": (0.5,) * 3, "std": (0.5,) * 3
    }  # fmt: skip
    with refuses(InputError, "preprocess=xplain.Preprocess.of(model))"):
        xplain.explain(module, PHOTO)


def test_as_many_classes_as_tokens_are_no_places():
    module = bert(num_labels=12)
    assert len(xplain.TextClassifier(module, WORDS).prepare(TEXT).windows[0].ids) == 12
    assert len(xplain.explain(xplain.TextClassifier(module, WORDS), TEXT, "saliency").predictions) == 5


class TestPhotos:
    @pytest.fixture
    def vit(self):
        config = transformers.ViTConfig(image_size=32, patch_size=8, num_labels=3, **SMALL)
        processor = transformers.ViTImageProcessorPil(size={"height": 32, "width": 32})
        module = seeded(transformers.ViTForImageClassification, config)
        return transformers.pipeline("image-classification", model=module, image_processor=processor)

    def test_classes_are_scored_as_by_the_pipeline(self, vit):
        expected = named(vit(Image.fromarray(PHOTO)))
        assert by_label(xplain.predict(vit, PHOTO)) == pytest.approx(expected, abs=1e-5)
        e = xplain.explain(vit, PHOTO, "grad-cam")
        assert by_label(e.predictions) == pytest.approx(expected, abs=1e-5)
        assert e.attributions[0].evidence.values.shape == (50, 70)
        assert xplain.ImageClassifier(vit, preprocess=xplain.Preprocess(32)).predict(PHOTO) != xplain.predict(
            vit, PHOTO
        )

    def test_the_class_for_its_task_is_named(self, vit):
        with refuses(InputError, "model must be a pipeline for text-classification", "use xplain.ImageClassifier"):
            xplain.TextClassifier(vit)
        with refuses(InputError, "got one for text-classification; use xplain.TextClassifier"):
            xplain.Detector(texts())

    def test_objects_are_those_of_the_pipeline(self):
        config = transformers.YolosConfig(
            image_size=[32, 48],
            patch_size=8,
            num_detection_tokens=5,
            num_labels=4,
            **SMALL | {"initializer_range": 0.3},
        )
        processor = transformers.YolosImageProcessorPil(size={"height": 32, "width": 48}, do_pad=False)
        module = seeded(transformers.YolosForObjectDetection, config)
        for name, weights in module.named_parameters():
            if name.endswith(("tokens", "token", "position_embeddings")):  # else all are alike
                torch.nn.init.normal_(weights, std=0.3)
        pipeline = transformers.pipeline("object-detection", model=module, image_processor=processor, threshold=0.05)
        expected = sorted(pipeline(Image.fromarray(PHOTO)), key=lambda each: -each["score"])
        assert expected
        found = xplain.predict(pipeline, PHOTO)
        assert [(each.name, each.score) for each in found] == [(each["label"], each["score"]) for each in expected]
        for each, prediction in zip(expected, found, strict=True):
            sides = [each["box"][side] for side in ("xmin", "ymin", "xmax", "ymax")]
            box = prediction.region
            assert [box.x0, box.y0, box.x1, box.y1] == np.clip(sides, 0, [70, 50, 70, 50]).tolist()  # on the photo
        (attribution,) = xplain.explain(pipeline, PHOTO, n_samples=40).attributions
        assert attribution.method == "d-rise"
        assert attribution.evidence.values.any()

    def test_regions_are_those_of_the_pipeline(self):
        config = transformers.SegformerConfig(
            num_labels=3, hidden_sizes=[8] * 4, depths=[1] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=8,
            initializer_range=1.0,
        )  # fmt: skip
        processor = transformers.SegformerImageProcessorPil(size={"height": 64, "width": 64})
        module = seeded(transformers.SegformerForSemanticSegmentation, config)
        pipeline = transformers.pipeline("image-segmentation", model=module, image_processor=processor)
        areas = {
            each["label"]: np.asarray(each["mask"]).astype(bool).sum() for each in pipeline(Image.fromarray(PHOTO))
        }
        assert {each.name: each.region.area for each in xplain.predict(pipeline, PHOTO)} == areas
        e = xplain.explain(pipeline, PHOTO, "occlusion", window=32, stride=32)
        assert e.attributions[0].target.name == max(areas, key=areas.get)


def test_recordings_are_scored_as_by_the_pipeline():
    config = transformers.Wav2Vec2Config(
        conv_dim=(8, 8), conv_stride=(4, 4), conv_kernel=(8, 8), num_feat_extract_layers=2, num_labels=3,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, classifier_proj_size=8, **SMALL,
    )  # fmt: skip
    module = seeded(transformers.Wav2Vec2ForSequenceClassification, config)
    extractor = transformers.Wav2Vec2FeatureExtractor(sampling_rate=1000)
    pipeline = transformers.pipeline("audio-classification", model=module, feature_extractor=extractor)
    recording = np.sin(np.arange(600) / 7).astype(np.float32)
    expected = named(pipeline({"raw": recording, "sampling_rate": 1000}))
    assert by_label(xplain.predict(pipeline, recording)) == pytest.approx(expected, abs=1e-6)
    e = xplain.explain(pipeline, recording, length=200)
    assert by_label(e.predictions) == pytest.approx(expected, abs=1e-6)
    assert e.source.sample_rate_hz == 1000
    windows = xplain.SignalClassifier(pipeline, window=200).predict(recording, top=1)
    assert len(windows) == 3
    with refuses(InputError, "recording must have one axis for a pipeline for audio, got 2"):
        xplain.predict(pipeline, np.zeros((2, 600)))


class TestLimits:
    def test_positions_of_roberta_begin_after_the_padding(self):
        tokenizer = byte_bpe()
        tokenizer.model_max_length = int(1e30)  # unknown
        config = transformers.RobertaConfig(
            vocab_size=len(tokenizer), max_position_embeddings=20, pad_token_id=1, **SMALL
        )
        model = xplain.TextClassifier(seeded(transformers.RobertaForSequenceClassification, config), tokenizer)
        assert model.max_length == 18
        e = xplain.explain(model, TEXT * 2, "occlusion")
        assert e.attributions[0].quality["windows"] > 1

    def test_the_shorter_of_two_limits_counts(self):
        tokenizer = unigram()
        tokenizer.model_max_length = 512
        config = transformers.BertConfig(vocab_size=len(tokenizer), max_position_embeddings=24, **SMALL)
        model = xplain.TextClassifier(seeded(transformers.BertForSequenceClassification, config), tokenizer)
        assert model.max_length == 24
        assert len(model.predict(TEXT * 4)) == 2

    def test_the_configuration_s_padding_stands_for_an_absent_token(self):
        def letters(text):
            return [ord(letter) % 50 + 5 for letter in text], [(i, i + 1) for i in range(len(text))]

        config = transformers.BertConfig(vocab_size=80, pad_token_id=3, max_position_embeddings=64, **SMALL)
        module = seeded(transformers.BertForSequenceClassification, config)
        assert xplain.TextClassifier(module, letters).baseline_id == 3
        assert xplain.TextClassifier(module, letters, baseline_id=7).baseline_id == 7


class TestSlowTokenizers:
    @pytest.fixture(params=["CanineTokenizer", "ByT5Tokenizer"])
    def slow(self, request):
        return getattr(transformers, request.param)()

    def test_the_remedy_names_what_works(self, slow):
        message = f"tokenizer must say where its tokens are in the text, got {type(slow).__name__}, a slow one; pass a "
        with refuses(InputError, message, "function from a string to ids and (start, stop) spans"):
            xplain.TextClassifier(bert(), slow)

    def test_the_remedy_works(self, slow):
        def tokenizer(text):
            size = 1 if isinstance(slow, transformers.CanineTokenizer) else None
            spans = [(i, i + 1) for i, letter in enumerate(text) for _ in range(size or len(letter.encode()))]
            ids = slow(text)["input_ids"]
            before = [None] * (size or 0)
            return ids, [*before, *spans, *[None] * (len(ids) - len(before) - len(spans))]

        class Bag(torch.nn.Module):
            def forward(self, ids):
                score = (ids % 7).float().mean(1, keepdim=True)
                return torch.cat([score, -score], dim=1)

        model = xplain.TextClassifier(Bag(), tokenizer, baseline_id=0)
        e = xplain.explain(model, "café 😀", "occlusion")
        assert [word.text for word in e.attributions[0].evidence.words] == ["café", "😀"]
        window = model.prepare("é!").windows[0]
        assert tuple(window.ids) == tuple(slow("é!")["input_ids"])
