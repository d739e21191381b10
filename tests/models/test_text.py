import numpy as np
import pytest
import torch
from torch import nn

from tests.support import refuses
from xplain import InputError
from xplain.models.text import TextClassifier


def letters(text):
    """One token a character: its code point, modulo 50; spaces are tokens too."""
    return [ord(c) % 50 for c in text], [(i, i + 1) for i in range(len(text))]


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 2)

    def forward(self, ids):
        return self.embedding(ids).sum(1)


def test_a_callable_gets_strings():
    calls = []

    def score(texts):
        calls.append(texts)
        return [[0.2, 0.8]] * len(texts)

    model = TextClassifier(score, labels=["no", "yes"], output="probability")
    assert model.predict("hello world")[0].label == ("yes",)
    assert calls == [["hello world"]]
    assert model.prepare("hello world").windows == ()


def test_a_module_gets_ids_and_its_scores_do_not_depend_on_the_batch():
    torch.manual_seed(0)
    module = Bag()
    model = TextClassifier(module, letters, baseline_id=0)
    texts = ["a", "good morning", "b", "go"]
    scores = model.scores(texts)
    for text, score in zip(texts, scores, strict=True):
        ids = torch.tensor([letters(text)[0]])
        assert np.allclose(score, module(ids)[0].detach().double().numpy())


def test_long_texts_are_read_in_overlapping_windows_whose_scores_are_averaged():
    module = Bag()
    model = TextClassifier(module, letters, max_length=8, baseline_id=0)
    text = "abcdefgh ijklmnop qrs"
    windows = model.prepare(text).windows
    assert [window.spans[0][0] for window in windows] == [0, 6, 12, 13]
    assert {c for window in windows for span in window.spans for c in range(*span)} == set(range(len(text)))
    parts = model.token_scores([window.ids for window in windows])
    assert np.allclose(model.scores([text])[0], parts.mean(axis=0))
    assert len(model.prepare("abcdefgh").windows) == 1


def test_preprocessing_changes_what_is_explained():
    model = TextClassifier(lambda texts: [[len(text)] for text in texts], preprocess=str.lower)
    prepared = model.prepare("Hello World")
    assert prepared.text == "hello world"
    assert prepared.source.sha256 == TextClassifier(len).prepare("Hello World").source.sha256


def test_a_text_without_tokens_is_one_absent_token():
    model = TextClassifier(Bag(), letters, baseline_id=7)
    assert np.array_equal(model.scores([""]), model.token_scores([np.array([7])]))


@pytest.mark.parametrize("text", ["", "  \n\t\u3000"])
def test_texts_without_a_word_are_refused(text):
    with refuses(InputError, "text must hold a word, got"):
        TextClassifier(len).prepare(text)


def test_bad_arguments_are_refused():
    with refuses(InputError, "text must be a string, got 3"):
        TextClassifier(len).prepare(3)
    with refuses(InputError, "tokenizer must be given for a torch module"):
        TextClassifier(Bag())
    with refuses(InputError, "tokenizer must be left out for a callable that takes strings"):
        TextClassifier(len, letters)
    with refuses(InputError, "got list; name the labels: labels=[...]"):
        TextClassifier(len, ["good", "bad"])
    with refuses(InputError, "tokenizer must return as many spans as ids, got 1 ids and 2 spans"):
        TextClassifier(Bag(), lambda text: ([1], [(0, 1), (1, 2)])).prepare("ab")
    with refuses(InputError, "tokenizer must return ids and (start, stop) spans, got an error"):
        TextClassifier(Bag(), lambda text: 3).prepare("ab")
    with refuses(InputError, "baseline_id must be given where the tokenizer has no mask"):
        TextClassifier(Bag(), letters).baseline_id  # noqa: B018
    with refuses(InputError, "max_length must be an integer >= 8, got 2"):
        TextClassifier(Bag(), letters, max_length=2)
    with refuses(InputError, "preprocess(text) must be a string, got None"):
        TextClassifier(len, preprocess=lambda text: None).prepare("a")

    class Slow:
        is_fast = False

        def __call__(self, text):
            return {}

    with refuses(
        InputError, "tokenizer must say where its tokens are in the text, got Slow", "ids and (start, stop) spans"
    ):
        TextClassifier(Bag(), Slow())
