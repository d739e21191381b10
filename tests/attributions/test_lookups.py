"""Token ids that are looked up more than once, moved, mirrored, or used beside their embeddings: right or refused."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import xplain
from tests.support import refuses
from xplain.attributions.kinds.embeddings import Embeddings
from xplain.errors import AttributionError

VOCABULARY = ["pad", "unk", "good", "bad", "film", "not"]
TEXT = "not good film"


def tokenise(text):
    words = list(re.finditer(r"\w+", text))
    return [VOCABULARY.index(w[0]) if w[0] in VOCABULARY else 1 for w in words], [w.span() for w in words]


class Net(nn.Module):
    """A score made of one number for each token in one table, and of another in a second one."""

    def __init__(self, score):
        super().__init__()
        self.a, self.b, self.places, self.score = nn.Embedding(6, 1), nn.Embedding(6, 1), nn.Embedding(3, 1), score
        with torch.no_grad():
            self.a.weight[:, 0] = torch.tensor([0, 0, 0.5, 0.5, 0.5, 0.5])
            self.b.weight[:, 0] = torch.tensor([0, 0, 2.0, -3.0, 0.1, -1.0])

    def forward(self, ids):
        score = self.score(self, ids)
        return torch.cat([score, -score], 1)


def classifier(score, **options):
    return xplain.TextClassifier(Net(score), tokenise, labels=["p", "n"], **{"baseline_id": 0} | options)


def explain(score, method="integrated-gradients", text=TEXT, **options):
    (attribution,) = xplain.explain(classifier(score, **options), text, method, target="p").attributions
    return attribution


def moved(ids):
    """The ids as a decoder reads them: a token in front, the last one gone."""
    return torch.cat([torch.full_like(ids[:, :1], 1), ids[:, :-1]], 1)


#: Scores, and the integrated gradients of the three words by hand.
FOLLOWED = {
    "two tables": (lambda net, ids: (net.a(ids) + net.b(ids)).sum(1), [-0.5, 2.5, 0.6]),
    "one table twice": (lambda net, ids: (net.b(ids) * net.b(ids)).sum(1), [1, 4, 0.01]),
    "moved around": (lambda net, ids: (net.b(ids) * net.b(ids.roll(1, 1))).sum(1), [-1.05, -0.9, 0.05]),
    "mirrored": (lambda net, ids: (net.b(ids) * net.a(ids.flip(1))).sum(1), [-0.225, 1, -0.225]),
    "of several lengths": (lambda net, ids: net.b(ids[:, ::2]).sum(1) + net.a(ids[:, 1::2]).sum(1), [-1, 0.5, 0.1]),
    "batch behind": (lambda net, ids: net.b(ids.t()).sum(0), [-1, 2, 0.1]),
    "moved by one": (lambda net, ids: (net.b(moved(ids)) + net.a(ids)).sum(1), [-0.5, 2.5, 0.5]),
    "without the last": (lambda net, ids: net.b(ids[:, :-1]).sum(1), [-1, 2, 0]),
    "flat": (lambda net, ids: net.b(ids.reshape(-1)).reshape(len(ids), -1, 1).sum(1), [-1, 2, 0.1]),
    "viewed": (lambda net, ids: net.b(ids).view(len(ids), -1).sum(1, keepdim=True), [-1, 2, 0.1]),
    "places beside": (lambda net, ids: (net.b(ids) + net.places(torch.arange(ids.shape[1]))).sum(1), [-1, 2, 0.1]),
}
REFUSED = {
    "pairs of tokens": (lambda net, ids: net.b(ids).sum(1) + net.a((ids + ids.roll(1, 1)) % 6).sum(1), "layer 'a'"),
    "hashed tokens": (lambda net, ids: net.b(ids * 7 % 5).sum(1), "layer 'b'"),
    "the ids themselves": (lambda net, ids: net.b(ids).sum(1) + ids.float().sum(1, keepdim=True), "at the baseline"),
    "a count": (lambda net, ids: net.b(ids).sum(1) + ids.ne(0).sum(1, keepdim=True).float(), "at the baseline"),
    "one-hot": (lambda net, ids: functional.one_hot(ids, 6).float().sum(1) @ net.b.weight, "got none"),
    "no layer": (lambda net, ids: functional.embedding(ids, net.b.weight).sum(1), "got none"),
    "half without a layer": (lambda net, ids: net.b(ids).sum(1) + net.a.weight[ids].sum(1), "at the baseline"),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_every_lookup_of_the_ids_counts(name):
    score, expected = FOLLOWED[name]
    for method in ("integrated-gradients", "deep-lift"):
        attribution = explain(score, method)
        np.testing.assert_allclose([word.score for word in attribution.evidence.words], expected, atol=1e-6)
        assert attribution.quality["completeness_relative"] < 1e-6
    assert explain(score, None).method == "integrated-gradients"
    for index, word in enumerate(explain(score, "input-x-gradient").evidence.words):
        assert word.score == pytest.approx(tangent(Net(score).double(), index), abs=1e-5)


def tangent(net, index, step=1e-7):
    """By how much the score grows where every embedding of one token grows by its own share."""
    ids = torch.tensor([tokenise(TEXT)[0]])
    with torch.no_grad():
        before = net(ids)[0, 0]
        net.a.weight[ids[0, index]] *= 1 + step
        net.b.weight[ids[0, index]] *= 1 + step
        after = net(ids)[0, 0]
    return float(after - before) / step


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_follow_embeddings_is_refused(name):
    score, reason = REFUSED[name]
    for method in ("integrated-gradients", "saliency", "deep-lift"):
        with refuses(AttributionError, reason, "use a method that needs scores only, such as shapley"):
            explain(score, method)
    values = explain(score, None)
    assert values.method == "shapley"  # the default is one that the model can answer
    total = sum(word.score for word in values.evidence.words)
    assert total == pytest.approx(values.quality["score"] - values.quality["baseline_score"], abs=1e-5)


def test_another_baseline_token_is_the_remedy_for_a_mask_of_padding():
    def mean_of_words(net, ids):
        mask = ids.ne(0)[..., None]
        return ((net.b(ids) + 1) * mask).sum(1) / mask.sum(1).clamp(min=1)

    with refuses(AttributionError, "a score of 1 at the baseline", "0 for the ids", "TextClassifier(baseline_id=...)"):
        explain(mean_of_words)
    attribution = explain(mean_of_words, baseline_id=1)
    np.testing.assert_allclose([word.score for word in attribution.evidence.words], [-1 / 3, 2 / 3, 0.1 / 3], atol=1e-6)


@pytest.mark.parametrize("text", ["good", "good good good", "film " * 40 + "good", "unk", "pad pad"])
def test_few_and_many_words_are_told_apart(text):
    score, _ = FOLLOWED["moved around"]
    model = classifier(score)
    words = explain(score, text=text).evidence.words
    weights = np.array([0, 0, 2.0, -3.0, 0.1, -1.0])[tokenise(text)[0]]
    products = weights * np.roll(weights, 1)
    np.testing.assert_allclose([word.score for word in words], (products + np.roll(products, -1)) / 2, atol=1e-5)
    view = Embeddings(model, model.prepare(text).windows[0], 0)
    assert [lookup.name for lookup in view.lookups] == ["b"]


def test_windows_of_a_long_text_are_explained_alike():
    score, _ = FOLLOWED["two tables"]
    text = " ".join(["not good film bad"] * 10)
    whole = explain(score, text=text, max_length=16)
    assert whole.quality["windows"] > 1
    assert sum(word.score for word in whole.evidence.words) == pytest.approx(whole.quality["score"], abs=1e-5)


def test_lookups_are_found_once_for_texts_of_a_length():
    passes = []
    net = Net(FOLLOWED["two tables"][0])
    net.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    model = xplain.TextClassifier(net, tokenise, baseline_id=0)

    def cost(text):
        passes.clear()
        evaluations = xplain.explain(model, text, "saliency").provenance.evaluations
        return sum(passes) - evaluations

    first = cost("not good film")
    assert first > 0
    assert [cost("bad film film"), cost("good good not")] == [0, 0]


def transformer(name, **config):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 40,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "num_labels": 3,
    }
    made = getattr(transformers, f"{name}Config")(**{**sizes, **config})
    return getattr(transformers, f"{name}ForSequenceClassification")(made).eval()


def words_of(text):
    pieces = list(re.finditer(r"\w+", text))
    ids = [4 + sum(map(ord, piece[0])) % 30 for piece in pieces]
    return [0, *ids, 2], [None, *(piece.span() for piece in pieces), None]


def test_a_decoder_that_reads_the_moved_ids_is_followed():
    bart = transformer(
        "Bart",
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        max_position_embeddings=64,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
    )
    with torch.no_grad():
        for parameter in bart.parameters():
            parameter.mul_(4)
    model = xplain.TextClassifier(bart, words_of, baseline_id=3)
    e = xplain.explain(model, "a film that I liked", "integrated-gradients", n_steps=300)
    quality = e.attributions[0].quality
    scores = model.scores(["a film that I liked"])[0]
    assert quality["score"] == pytest.approx(scores.max(), abs=1e-5)
    ids = model.prepare("a film that I liked").windows[0]
    baseline = np.where([span is not None for span in ids.spans], 3, ids.ids)
    expected = scores.max() - model.token_scores([baseline])[0][scores.argmax()]
    assert sum(word.score for word in e.attributions[0].evidence.words) == pytest.approx(expected, rel=0.02)


def test_a_model_that_seeks_its_padding_is_refused_with_padding_as_the_baseline():
    gpt = transformer("GPT2", n_embd=16, n_layer=1, n_head=2, n_positions=64, pad_token_id=1)
    text = "a film that I liked"

    def bare(text):
        ids, spans = words_of(text)
        return ids[1:-1], spans[1:-1]

    with refuses(AttributionError, "at the baseline where embeddings are replaced"):
        xplain.explain(xplain.TextClassifier(gpt, bare, baseline_id=1), text, "integrated-gradients")
    e = xplain.explain(xplain.TextClassifier(gpt, bare, baseline_id=3), text)
    assert e.attributions[0].method == "integrated-gradients"
    assert e.attributions[0].quality["completeness_relative"] < 0.05


def test_hashed_characters_are_refused_and_getters_that_raise_are_not_asked():
    canine = transformer("Canine", num_hash_buckets=32, max_position_embeddings=64, local_transformer_stride=64)
    with pytest.raises(NotImplementedError):
        canine.canine.char_embeddings and canine.get_input_embeddings()
    model = xplain.TextClassifier(canine, words_of, baseline_id=3)
    with refuses(AttributionError, "whose ids are computed from them"):
        xplain.explain(model, "a film", "saliency")
    assert xplain.explain(model, "a film").attributions[0].method == "shapley"


def test_openai_gpt_views_its_embeddings():
    gpt = transformer("OpenAIGPT", n_embd=16, n_layer=1, n_head=2, n_positions=64, pad_token_id=1)
    e = xplain.explain(xplain.TextClassifier(gpt, words_of, baseline_id=3), "a film that I liked")
    assert e.attributions[0].method == "integrated-gradients"


def test_places_that_are_counted_without_padding_are_no_lookup_of_the_ids():
    class Counted(nn.Module):  # as RoBERTa does
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Embedding(6, 1, padding_idx=0), nn.Embedding(6, 1)
            with torch.no_grad():
                self.a.weight[:, 0] = torch.tensor([0.0, 0, 2, -3, 0.1, -1])

        def forward(self, ids):
            score = (self.a(ids) + self.b(ids.ne(0).cumsum(1))).sum(1)
            return torch.cat([score, -score], 1)

    model = xplain.TextClassifier(Counted(), tokenise, labels=["p", "n"], baseline_id=1)
    for text, expected in (("bad", [-3]), ("good good", [2, 2]), (TEXT, [-1, 2, 0.1])):
        evidence = xplain.explain(model, text, "integrated-gradients", target="p").attributions[0].evidence
        np.testing.assert_allclose([word.score for word in evidence.words], expected, atol=1e-6)
