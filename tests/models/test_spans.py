"""Spans of tokens, as a caller's own tokenizer returns them."""

import pytest
import torch

import xplain
from tests.support import refuses
from xplain import InputError


class Mean(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(8, 2)

    def forward(self, ids):
        return self.embedding(ids).mean(1)


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ((3, 1), "span must have start <= stop <= 8, got 3 and 1"),
        ((0, 9), "span must have start <= stop <= 8, got 0 and 9"),
        ((-5, 2), "span must be an integer >= 0, got -5"),
        ((0.5, 2), "span must be an integer >= 0, got 0.5"),
        ((0, 1, 2), "too many values"),
    ],
)
def test_a_token_lies_in_the_text(span, message):
    model = xplain.TextClassifier(Mean(), lambda text: ([1], [span]), baseline_id=0)
    with refuses(InputError, "tokenizer must return ids and (start, stop) spans, got an error: ", message):
        model.prepare("good bad")


def test_a_token_id_beyond_64_bits_is_refused():
    model = xplain.TextClassifier(Mean(), lambda text: ([10**30], [(0, 1)]), baseline_id=0)
    with refuses(InputError, "tokenizer must return ids", "too large"):
        model.prepare("good bad")


def test_arguments_of_a_text_classifier_are_checked():
    with refuses(InputError, "baseline_id must be an integer >= 0, got 'pad'"):
        xplain.TextClassifier(Mean(), len, baseline_id="pad")
    with refuses(InputError, "preprocess must be a function, got 3"):
        xplain.TextClassifier(len, preprocess=3)
