"""Texts: exact answers of small models, and what holds for a transformer."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import xplain
from tests.models.test_text import letters
from tests.models.test_transformers import network, unigram, word_piece
from tests.support import examples, refuses
from xplain import AttributionError, InputError, TextClassifier, UnknownNameError

WEIGHTS = {"good": 2.0, "bad": -3.0, "film": 0.5}
SAMPLING = ("lime", "kernel-shap", "shapley")


def bag(texts):
    """A linear score of the words, and its opposite."""
    score = np.array([sum(WEIGHTS.get(word, 0.0) for word in text.split()) for text in texts])
    return np.stack([-score, score], axis=1)


def scores(e: xplain.Explanation, target: int = 0) -> list[float]:
    return [word.score for word in e.attributions[target].evidence.words]


@pytest.mark.parametrize("method", ["occlusion", "kernel-shap", "shapley", "lime"])
def test_a_bag_of_words_gets_its_weights(method):
    options = {"ridge": 1e-9} if method == "lime" else {}
    e = xplain.explain(TextClassifier(bag), "a good film and a bad film", method, target=1, **options)
    assert scores(e) == pytest.approx([0, 2, 0.5, 0, 0, -3, 0.5], abs=1e-6)
    assert [word.index for word in e.attributions[0].evidence.words] == list(range(7))


@examples(25)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_shapley_and_kernel_shap_are_exact_for_any_game(players, seed):
    worth = np.random.default_rng(seed).normal(size=2**players)
    words = [f"w{i}" for i in range(players)]

    def game(texts):
        present = [sum(1 << i for i, word in enumerate(words) if word in text.split()) for text in texts]
        return worth[present][:, None]

    expected = np.zeros(players)
    for order in itertools.permutations(range(players)):
        coalition = 0
        for player in order:
            expected[player] += worth[coalition | 1 << player] - worth[coalition]
            coalition |= 1 << player
    expected /= math.factorial(players)
    for method in ("shapley", "kernel-shap"):
        e = xplain.explain(TextClassifier(game), " ".join(words), method)
        assert scores(e) == pytest.approx(expected.tolist(), abs=1e-5)


def test_negation_and_conjunction():
    def negated(texts):
        return np.array([[("good" in t.split()) - 2.0 * ("not good" in t)] for t in texts])

    e = xplain.explain(TextClassifier(negated), "it is not good", "shapley")
    assert scores(e) == pytest.approx([0, 0, -1, 0], abs=1e-6)

    def both(texts):
        return np.array([[float("salt" in t and "pepper" in t)] for t in texts])

    e = xplain.explain(TextClassifier(both), "salt and pepper", "shapley")
    assert scores(e) == pytest.approx([0.5, 0, 0.5], abs=1e-6)

    def either(texts):
        return np.array([[float(("salt" in t) != ("pepper" in t))] for t in texts])

    assert scores(xplain.explain(TextClassifier(either), "salt pepper", "shapley")) == [0, 0]


def test_repeated_words_stay_distinct():
    def first_word(texts):
        return np.array([[float(t.startswith("no"))] for t in texts])

    e = xplain.explain(TextClassifier(first_word), "no means no", "occlusion")
    words = e.attributions[0].evidence.words
    assert [(word.text, word.index, word.start) for word in words] == [("no", 0, 0), ("means", 1, 3), ("no", 2, 9)]
    assert scores(e) == [1, 0, 0]


def test_absent_words_take_their_space_with_them_and_line_breaks_stay():
    scored_texts = set()

    def record(texts):
        scored_texts.update(texts)
        return np.array([[float(len(t))] for t in texts])

    xplain.explain(TextClassifier(record), "  one\n\ntwo  three ", "occlusion", check=False)
    assert scored_texts == {"  one\n\ntwo  three ", "two  three", "one  three", "one\n\ntwo"}


def test_equal_texts_are_evaluated_once():
    calls = []

    def count(texts):
        calls.extend(texts)
        return np.array([[float(len(t.split()))] for t in texts])

    xplain.explain(TextClassifier(count), "one two three", "lime", n_samples=500, check=False)
    assert len(calls) == len(set(calls)) == 2**3


@pytest.mark.parametrize("method", ["kernel-shap", "shapley", "lime", "occlusion"])
def test_provenance_counts_every_text_that_was_scored(method):
    calls = []

    def count(texts):
        calls.extend(texts)
        return bag(texts)

    e = xplain.explain(TextClassifier(count), "one good two bad three film four", method, target=1, check=False)
    assert len(calls) == e.provenance.evaluations


@pytest.mark.parametrize("method", ["occlusion", *SAMPLING])
def test_a_text_of_one_word(method):
    e = xplain.explain(TextClassifier(bag), "good", method, target=1)
    assert scores(e) == [2.0]


def test_units_of_sentences_and_groups_share_their_score_evenly():
    text = "A good film. It is bad and long."
    model = TextClassifier(lambda texts: np.array([[t.count("good") * 3.0 - t.count("bad") * 5.0] for t in texts]))
    e = xplain.explain(model, text, "shapley", unit="sentence")
    assert scores(e) == pytest.approx([1.0] * 3 + [-1.0] * 5)
    assert e.attributions[0].quality["players"] == 2
    e = xplain.explain(model, text, "occlusion", unit=4)
    assert scores(e) == pytest.approx([0.75] * 4 + [-1.25] * 4)
    e = xplain.explain(model, text, "occlusion", window=2)
    assert scores(e)[1] == pytest.approx(3.0)
    assert scores(e)[0] == pytest.approx(3.0)


def test_very_long_texts_are_grouped_and_finish():
    text = "good film and bad food " * 4348
    assert len(text) > 100_000
    e = xplain.explain(TextClassifier(bag), text, "occlusion", target=1)
    assert e.attributions[0].quality["players"] <= 128
    assert sum(scores(e)) == pytest.approx(float(bag([text])[0, 1]), rel=1e-5)


def test_scripts_without_spaces_are_explained_by_character():
    model = TextClassifier(lambda texts: np.array([[t.count("好") - 2.0 * t.count("不")] for t in texts]))
    e = xplain.explain(model, "这不好 吗", "shapley")
    words = e.attributions[0].evidence.words
    assert [(word.text, word.index) for word in words] == [("这", 0), ("不", 0), ("好", 0), ("吗", 1)]
    assert scores(e) == pytest.approx([0, -2, 1, 0])


@pytest.fixture(scope="module", params=[word_piece, unigram])
def transformer(request) -> TextClassifier:
    tokenizer = request.param()
    return TextClassifier(network(tokenizer).double(), tokenizer, max_length=64)


SENTENCE = "The film was not good, but the unbelievable music saved it."


def change_but_residual(quality) -> float:
    return quality["score"] - quality["baseline_score"] - quality["completeness_residual"]


def test_integrated_gradients_are_complete_on_a_transformer(transformer):
    e = xplain.explain(transformer, SENTENCE, "integrated-gradients", target=[0, 2], n_steps=30)
    for t, attribution in enumerate(e.attributions):
        quality = attribution.quality
        assert quality["completeness_relative"] < 0.01
        assert quality["windows"] == 1
        assert sum(scores(e, t)) == pytest.approx(change_but_residual(quality), rel=1e-5)


def test_word_scores_are_sums_over_tokens_and_special_tokens_have_none(transformer):
    e = xplain.explain(transformer, SENTENCE, "input-x-gradient", target=1)
    encoded = transformer.tokenizer(SENTENCE, return_offsets_mapping=True, return_special_tokens_mask=True)
    ids = torch.tensor([encoded["input_ids"]])
    layer = transformer.module.get_input_embeddings()
    special = torch.tensor(encoded["special_tokens_mask"]).bool()
    absent = torch.where(special, ids[0], torch.tensor(transformer.baseline_id))
    embeddings = layer(ids).detach().requires_grad_()
    transformer.module.eval()
    transformer.module(inputs_embeds=embeddings, attention_mask=torch.ones_like(ids)).logits[0, 1].backward()
    products = ((embeddings - layer(absent)) * embeddings.grad).sum(-1)[0].tolist()
    expected = np.zeros(len(SENTENCE.split()))
    for product, (_, stop), is_special in zip(products, encoded["offset_mapping"], special, strict=True):
        if not is_special:
            owner = len(SENTENCE[:stop].split()) - 1 + (SENTENCE[stop - 1] == " ")
            expected[owner] += product
    assert scores(e) == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-9)


def test_absent_words_become_the_baseline_token(transformer):
    e = xplain.explain(transformer, "good music saved", "occlusion", target=0)
    window = transformer.prepare("good music saved").windows[0]
    ids = window.ids.copy()
    ids[[i for i, span in enumerate(window.spans) if span and span[1] <= 4]] = transformer.baseline_id
    drop = transformer.token_scores([window.ids])[0, 0] - transformer.token_scores([ids])[0, 0]
    assert scores(e)[0] == pytest.approx(drop, rel=1e-5)


@pytest.mark.parametrize("method", ["integrated-gradients", "gradient-shap", "saliency", "occlusion", "lime"])
def test_texts_beyond_the_limit_are_explained_in_windows(transformer, method):
    text = " ".join([SENTENCE] * 8)
    e = xplain.explain(transformer, text, method)
    assert e.attributions[0].quality["windows"] > 1
    assert len(scores(e)) == len(text.split())
    if method == "integrated-gradients":
        quality = e.attributions[0].quality
        assert sum(scores(e)) == pytest.approx(change_but_residual(quality), rel=1e-5)
        assert quality["score"] == pytest.approx(float(transformer.scores([text])[0].max()))


def test_runs_are_bit_identical_and_leave_no_trace(transformer):
    transformer.module.train()
    transformer.module.zero_grad(set_to_none=True)
    state = torch.get_rng_state()
    with torch.inference_mode():
        first = xplain.explain(transformer, SENTENCE, "gradient-shap", seed=3)
    second = xplain.explain(transformer, SENTENCE, "gradient-shap", seed=3)
    assert first == second
    assert xplain.explain(transformer, SENTENCE, "gradient-shap", seed=4) != first
    assert torch.equal(torch.get_rng_state(), state)
    assert transformer.module.training
    assert not any(part._forward_hooks for part in transformer.module.modules())
    assert all(parameter.grad is None for parameter in transformer.module.parameters())


class Averaged(nn.Module):
    """A linear classifier of characters: exact for every method."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(50, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, ids):
        return self.head(self.table(ids).sum(1))


@pytest.mark.parametrize(
    "method", ["integrated-gradients", "input-x-gradient", "gradient-shap", "shapley", "occlusion"]
)
def test_a_linear_module_is_explained_exactly_by_all(method):
    module = Averaged()
    e = xplain.explain(TextClassifier(module, letters, baseline_id=0), "ab c ab", method, target=1)
    with torch.no_grad():
        weights = ((module.table.weight - module.table.weight[0]) @ module.head.weight[1]).tolist()
    a, b, c, space = (weights[ord(letter) % 50] for letter in "abc ")
    # A space is a token here; it goes with the word after it.
    assert scores(e) == pytest.approx([a + b, space + c, space + a + b], rel=1e-4)


def test_what_cannot_be_answered_is_refused():
    with refuses(AttributionError, "method must be one that explains texts, got 'grad-cam'", "shapley"):
        xplain.explain(TextClassifier(bag), "good", "grad-cam")
    with refuses(AttributionError, "integrated-gradients", "use one of occlusion, lime, kernel-shap, shapley, random"):
        xplain.explain(TextClassifier(bag), "good", "integrated-gradients")
    with refuses(UnknownNameError, "method must be one of", "did you mean 'shapley'?"):
        xplain.explain(TextClassifier(bag), "good", "shaply")
    with refuses(UnknownNameError, "budget", "got 'bugdet'"):
        xplain.explain(TextClassifier(bag), "good film", "shapley", bugdet=3)
    with refuses(InputError, "unit must be 'auto', 'word', 'sentence' or a number of words, got 'letter'"):
        xplain.explain(TextClassifier(bag), "good film", "occlusion", unit="letter")
    with refuses(InputError, "window must be at most 2, the number of units in the text, got 3"):
        xplain.explain(TextClassifier(bag), "good film", "occlusion", window=3)
    with refuses(InputError, "text must hold a word"):
        xplain.explain(TextClassifier(bag), " ")
    with refuses(InputError, "target must have one entry for each of the 2 inputs, got 1"):
        xplain.explain_batch(TextClassifier(bag), ["good", "bad"], target=[0])

    class Bagged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag = nn.EmbeddingBag(50, 2)

        def forward(self, ids):
            return self.bag(ids)

    with refuses(AttributionError, "model must look up its token ids in a layer", "shapley"):
        xplain.explain(TextClassifier(Bagged(), letters, baseline_id=0), "ab c", "integrated-gradients")


def test_a_scikit_learn_pipeline_is_a_black_box():
    feature = pytest.importorskip("sklearn.feature_extraction.text", reason="scikit-learn is in the test group")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = ["good film", "good food", "bad film", "bad food", "a good day", "a bad day"]
    pipeline = make_pipeline(feature.CountVectorizer(), LogisticRegression()).fit(texts, [1, 1, 0, 0, 1, 0])
    model = TextClassifier(pipeline.predict_proba, labels=["bad", "good"], output="probability")
    e = xplain.explain(model, "a good film on a bad day", target="good")
    best = max(e.attributions[0].evidence.words, key=lambda word: word.score)
    assert best.text == "good"
    assert e.provenance.method == "shapley"


def test_documents_hold_the_words(tmp_path):
    e = xplain.explain(TextClassifier(bag, labels=["no", "yes"]), "a good film", target=["yes", "no"])
    xplain.write(e, tmp_path / "native.json")
    assert xplain.read(tmp_path / "native.json") == e
    document = xplain.to_document(e, "modzy")
    assert document["modelType"] == "textClassification"
    assert document["explanation"]["explainableText"] == "a good film"
    assert document["explanation"]["wordImportances"]["no"][1] == {"word": "good", "score": -2.0, "index": 1}
    assert xplain.from_document(document).attributions[0].evidence.words[1].score == 2.0
