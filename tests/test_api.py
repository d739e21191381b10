"""The verbs, called with what they cannot use."""

import numpy as np
import pytest
import torch

import xplain
from tests.support import refuses
from xplain import DocumentError, InputError, UnknownNameError

PHOTO = np.random.default_rng(0).integers(0, 255, (8, 8, 3)).astype(np.uint8)


def brightness(images):
    mean = images[:, :, :4].mean(axis=(1, 2, 3)) / 255
    return np.stack([1 - mean, mean], axis=1)


MODEL = xplain.ImageClassifier(brightness, ["dark", "bright"], output="probability")


def test_a_bare_module_is_no_model():
    for verb in (xplain.predict, xplain.explain):
        with refuses(InputError, "model must be an xplain model, got function; wrap it: xplain.ImageClassifier"):
            verb(brightness, PHOTO)


@pytest.mark.parametrize("inputs", [None, 3, {"a": PHOTO}])
def test_a_batch_is_a_sequence(inputs):
    with refuses(InputError, f"inputs must be a sequence of inputs, got {type(inputs).__name__}"):
        xplain.explain_batch(MODEL, inputs)


def test_names_of_any_type_are_refused_alike():
    explanation = xplain.explain(MODEL, PHOTO, "random")
    with refuses(UnknownNameError, "method must be one of", "got ['rise']"):
        xplain.explain(MODEL, PHOTO, ["rise"])
    with refuses(UnknownNameError, "method must be one of", "got ''"):
        xplain.explain(xplain.TextClassifier(lambda texts: np.ones((len(texts), 2))), "a b", "")
    with refuses(UnknownNameError, "network must be one of", "got {}"):
        xplain.pretrained({})
    with refuses(UnknownNameError, "format must be one of native, ", "got ['native']"):
        xplain.to_document(explanation, ["native"])
    with refuses(UnknownNameError, "option must be one of", "got 'notes'"):
        xplain.render(explanation, notes=len)
    with refuses(UnknownNameError, "kind must be one of", "got ['overlay']"):
        xplain.render(explanation, kind=["overlay"])


def test_arguments_of_a_call_are_checked():
    explanation = xplain.explain(MODEL, PHOTO, "random")
    with refuses(InputError, "progress must be a function, got 3"):
        xplain.explain(MODEL, PHOTO, progress=3)
    with refuses(InputError, "top must be an integer >= 1, got -1"):
        xplain.predict(MODEL, PHOTO, -1)
    with refuses(InputError, "lossy must be True or False, got 'yes'"):
        xplain.to_document(explanation, "modzy", lossy="yes")
    with refuses(InputError, "quantize must be None, 8 or 16, got 8.0"):
        xplain.to_document(explanation, quantize=8.0)
    with refuses(InputError, "shared must be True or False, got 1"):
        xplain.render(explanation, shared=1)
    with refuses(InputError, "font must be a str or a path, got int"):
        xplain.render(explanation, font=3)
    with refuses(InputError, "font must be a TrueType or OpenType file, got '\\x00'"):
        xplain.render(explanation, font="\0")
    with refuses(InputError, "suffix must be a string, got None"):
        xplain.render(explanation).encoded(None)
    with refuses(InputError, "path must be a str or a path, got NoneType"):
        xplain.render(explanation).save(None)


def test_arguments_of_a_classifier_are_checked():
    with refuses(InputError, "name must be a string, got 3"):
        xplain.ImageClassifier(brightness, name=3)
    with refuses(InputError, "multilabel must be True or False, got 'no'"):
        xplain.ImageClassifier(brightness, multilabel="no")
    with refuses(InputError, "layer must be the dotted name of a part of the module, or the part itself, got 4"):
        xplain.ImageClassifier(brightness, layer=4)
    with refuses(InputError, "Preprocess.mean must be a finite number, got None"):
        xplain.Preprocess(mean=None)
    with refuses(InputError, "pixels must be a uint8 array (height, width, 3), got 3"):
        xplain.Preprocess()(3)


@pytest.mark.parametrize("method", ["occlusion", "rise", "lime", "kernel-shap", "shapley", "feature-ablation"])
def test_a_black_box_that_changes_its_classes_is_refused(method):
    calls = []

    def growing(images):
        calls.append(len(images))
        return images.reshape(len(images), -1)[:, : 2 + len(calls)].astype(float)

    with refuses(InputError, "model output must have the same classes for every batch, got 3 and then 4"):
        xplain.explain(xplain.ImageClassifier(growing), PHOTO, method, batch_size=4)


def test_a_text_model_that_changes_its_classes_is_refused():
    calls = []

    def growing(texts):
        calls.append(len(texts))
        return np.ones((len(texts), 2 + len(calls)))

    with refuses(InputError, "model output must have the same classes for every batch, got "):
        xplain.explain(xplain.TextClassifier(growing), "a b c", "shapley")


def test_a_module_that_changes_its_classes_is_refused():
    class Growing(torch.nn.Module):
        calls = 0

        def forward(self, images):
            self.calls += 1
            return images.flatten(1)[:, : 2 + self.calls]

    with refuses(InputError, "model output must have the same classes for every batch"):
        xplain.explain(xplain.ImageClassifier(Growing()), PHOTO, "integrated-gradients", target=0)


def test_scores_beyond_floats_are_refused():
    with refuses(InputError, "model output must be numbers (batch, classes), got list"):
        xplain.predict(xplain.ImageClassifier(lambda images: [[10**400, 1]]), PHOTO)


def test_a_module_without_weights_is_refused():
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2)).to("meta")
    for method in (None, "saliency", "occlusion"):
        with refuses(InputError, "model must hold its weights, got a module on the meta device; move it with"):
            xplain.explain(xplain.ImageClassifier(module), PHOTO, method)


def test_a_small_document_draws_no_huge_picture():
    cat = xplain.Prediction("cat", 1.0)
    mask = xplain.Mask([2**32 - 1], 65535, 65537)
    explanation = xplain.Explanation(
        "image-classification", xplain.Source("image"), [cat], [xplain.Attribution(cat, mask)]
    )
    with refuses(InputError, "evidence must have at most 134217728 pixels to be drawn, got 65535x65537"):
        xplain.render(explanation)


def test_an_empty_array_of_a_huge_side_is_refused():
    document = xplain.to_document(xplain.explain(MODEL, PHOTO, "random"))
    document["attributions"][0]["evidence"] |= {"shape": [0, 10**30], "data": ""}
    del document["source"]["height"], document["source"]["width"]
    with refuses(DocumentError, "evidence.shape: must hold sides of at most 134217728, got 0 x a huge number"):
        xplain.from_document(document)


@pytest.mark.parametrize("path", ["a" * 5000, "\0", "\ud800"])
def test_a_photo_of_an_impossible_name_is_refused(path):
    with refuses(InputError, "image must be "):
        xplain.explain(MODEL, path)


@pytest.mark.parametrize("values", [None, 3, "ab", {"a": [1]}])
def test_sequences_of_masks_are_sequences(values):
    for name, call in {
        "masks": xplain.rle.encode_batch,
        "thresholds": lambda values: xplain.rle.encode_levels(np.eye(2), values),
        "a": lambda values: xplain.rle.iou_matrix(values, []),
    }.items():
        with refuses(InputError, f"{name} must be a sequence, got "):
            call(values)
