"""Explains with the real shap, without torch, and prints what `xplain.from_shap` makes of it: one JSON value a line."""

import json

import numpy as np
import shap

import xplain

TEXT = "The film was not good, but fun."


def polarity(texts):
    good = np.array([text.count("good") - 2.0 * text.count("not good") for text in texts])
    return np.stack([-good, good], axis=1)


def colours(images):
    return np.asarray(images, float).mean(axis=(1, 2)) / 255


def say(explanation):
    for attribution in explanation.attributions:
        evidence, quality = attribution.evidence, attribution.quality
        words = [[word.text, word.score] for word in evidence.words] if hasattr(evidence, "words") else None
        values = None if words else evidence.values.astype(float).tolist()
        print(json.dumps([attribution.target.name, words or values, quality, explanation.provenance.method]))


texts = xplain.TextClassifier(polarity, labels=["negative", "positive"])
explainer = shap.Explainer(polarity, shap.maskers.Text(r"\W+"), output_names=["negative", "positive"], silent=True)
of_texts = explainer([TEXT, "so good"])
say(xplain.from_shap(of_texts, texts, "so good", "positive", row=1))
say(xplain.from_shap(explainer([TEXT]), texts, TEXT, ["positive", "negative"]))
say(xplain.from_shap(explainer([TEXT])[0, :, "positive"], texts, TEXT))
try:
    xplain.from_shap(of_texts, texts, TEXT, 1, row=1)
except xplain.InputError as error:
    print(json.dumps(str(error)))

photos = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 3)).astype(np.uint8)
images = xplain.ImageClassifier(colours, labels=["red", "green", "blue"], output="probability")
masker = shap.maskers.Image(np.zeros((12, 16, 3)), (12, 16, 3))
explainer = shap.Explainer(colours, masker, output_names=["red", "green", "blue"])
of_photos = explainer(photos[:1], max_evals=100, batch_size=50)
say(xplain.from_shap(of_photos, images, photos[0], "blue"))
say(xplain.from_shap(of_photos[..., 2], images, photos[0], "blue"))
best = explainer(photos[:1], max_evals=100, batch_size=50, outputs=shap.Explanation.argsort.flip[:2])
say(xplain.from_shap(best, images, photos[0], "top-2"))
