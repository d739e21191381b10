"""``xplain methods``: which methods can explain a model, and why the others cannot."""

import json

import pytest

import xplain
from xplain.cli import main

FACTORY = """
import numpy as np, xplain

def light():
    return xplain.ImageClassifier(lambda images: images.mean(axis=(1, 2)), output="probability")

def network():
    import torch
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 2))
    return xplain.ImageClassifier(module, preprocess=xplain.Preprocess(8))

def words():
    return xplain.TextClassifier(lambda texts: [[float(len(text))] for text in texts])
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "probed.py").write_text(FACTORY)
    return tmp_path


def printed_json(capsys):
    return json.loads(capsys.readouterr().out)


def test_the_methods_of_a_model_are_listed_with_reasons(folder, capsys):
    assert main(["methods", "--model", "probed:light"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert len(lines) == len(xplain.methods()) + 1
    assert lines["occlusion"].split()[1] == "yes"
    assert lines["occlusion"].endswith(xplain.methods()["occlusion"])
    assert lines["grad-cam"].split()[1] == "no"
    assert "needs scores only for a black box, got 'grad-cam'" in lines["grad-cam"]


def test_as_json(folder, capsys):
    assert main(["methods", "--model", "probed:network", "--json"]) == 0
    rows = printed_json(capsys)
    assert list(rows) == list(xplain.methods())
    assert rows["grad-cam"] == {"able": True, "reason": None}
    assert not rows["attention-rollout"]["able"]
    assert "got none of them" in rows["attention-rollout"]["reason"]


def test_an_input_is_tried(folder, capsys):
    from PIL import Image

    Image.effect_noise((9, 9), 50).save("photo.png")
    (folder / "text.txt").write_text("a few words")
    assert main(["methods", "--model", "probed:network", "--input", "photo.png", "--json"]) == 0
    assert printed_json(capsys)["saliency"]["able"]
    assert main(["methods", "--model", "probed:words", "--input", "text.txt", "--json"]) == 0
    assert printed_json(capsys)["lime"]["able"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "photo.png"], "input must come with a model to try it on, got none; add --model MODEL"),
        (["--model", "probed:nobody"], "model must be a network's name or MODULE:FACTORY, got 'probed:nobody'"),
        (["--model", "probed:network", "--input", "no.png"], "image must be an existing file, got 'no.png'"),
    ],
)
def test_what_cannot_be_probed_is_refused(folder, capsys, arguments, message):
    assert main(["methods", *arguments]) == 2
    assert message in capsys.readouterr().err
