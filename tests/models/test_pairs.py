"""Pairs of sentences: read by the model together, kept apart in documents."""

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.models.test_text import letters
from tests.support import refuses
from xplain import InputError, TextClassifier
from xplain.explanation.parts import in_part

tokenizers = pytest.importorskip("tokenizers", reason="the text extra is not installed")
transformers = pytest.importorskip("transformers", reason="the text extra is not installed")

PAIR = ("A cat sleeps.", "Here a dog, not a cat, barks loudly.")
WHOLE = "A cat sleeps.\n\nHere a dog, not a cat, barks loudly."
METHODS = ["integrated-gradients", "saliency", "deep-lift", "gradient-shap", "layer-integrated-gradients"]
OF_WORDS = ["occlusion", "shapley", "kernel-shap", "lime", "random"]


def overlap(pairs):
    """Scores of pairs by how many words they share and how long the second is."""
    assert all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs)
    return [[float(len({*a.lower().split()} & {*b.lower().split()})), len(b.split()) / 10] for a, b in pairs]


BLACK_BOX = TextClassifier(overlap, labels=["alike", "long"])


@pytest.fixture(scope="module")
def bert():
    """A small BERT with random weights, which reads the kinds of tokens, and its tokenizer."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    special = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=60, special_tokens=special)
    tokenizer.train_from_iterator([*PAIR] * 3, trainer)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, num_labels=3,
        max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config).eval(), fast


def expected_scores(bert, pair):
    module, tokenizer = bert
    with torch.no_grad():
        return module(**tokenizer(*pair, return_tensors="pt")).logits[0].double().numpy()


def test_the_model_gets_what_transformers_gives_it(bert):
    model = TextClassifier(*bert, max_length=64)
    prepared = model.prepare(PAIR)
    assert prepared.text == WHOLE
    np.testing.assert_allclose(model.scores([PAIR])[0], expected_scores(bert, PAIR), rtol=1e-5)
    swapped = expected_scores(bert, PAIR[::-1])
    np.testing.assert_allclose(model.scores([PAIR[::-1]])[0], swapped, rtol=1e-5)
    assert abs(swapped - expected_scores(bert, PAIR)).max() > 1e-3
    (window,) = prepared.windows
    assert window.types.tolist() == bert[1](*PAIR)["token_type_ids"]
    spelt = [None if span is None else WHOLE[slice(*span)].lower() for span in window.spans]
    tokens = bert[1].convert_ids_to_tokens(window.ids.tolist())
    assert all(text is None or text == token.removeprefix("##") for text, token in zip(spelt, tokens, strict=True))
    assert xplain.predict(model, PAIR)[0].id == expected_scores(bert, PAIR).argmax()


def test_kinds_of_tokens_are_left_out_where_model_or_tokenizer_has_none(bert):
    _, tokenizer = bert
    torch.manual_seed(0)
    config = transformers.RobertaConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=3,
        max_position_embeddings=70, type_vocab_size=1, pad_token_id=1,
    )  # fmt: skip
    module = transformers.RobertaForSequenceClassification(config).eval()
    model = TextClassifier(module, tokenizer, max_length=60)
    assert model.prepare(PAIR).windows[0].types is None
    ids = torch.tensor(model.prepare(PAIR).windows[0].ids[None])
    with torch.no_grad():
        expected = module(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
    np.testing.assert_allclose(model.scores([PAIR])[0], expected, rtol=1e-5)


@pytest.mark.parametrize("method", [*METHODS, *OF_WORDS])
def test_words_of_both_sentences_have_evidence(bert, method):
    model = TextClassifier(*bert, max_length=64)
    e = xplain.explain(model, PAIR, method)
    assert [(part.name, e.source.text[part.start : part.stop]) for part in e.source.parts] == [
        ("first", PAIR[0]),
        ("second", PAIR[1]),
    ]
    words = e.attributions[0].evidence.words
    assert [word.text for word in words] == WHOLE.split()
    assert [word.index for word in words] == list(range(len(words)))
    places = [in_part(e.source.parts, word.start, word.stop) for word in words]
    assert [place.part for place in places] == ["first"] * 3 + ["second"] * 8
    spelt = [
        dict(zip(("first", "second"), PAIR, strict=True))[place.part][place.start : place.stop] for place in places
    ]
    assert spelt == [word.text for word in words]
    for name in ("first", "second"):
        assert any(word.score for word, place in zip(words, places, strict=True) if place.part == name)
    score = e.attributions[0].quality.get("score")
    assert score is None or score == pytest.approx(expected_scores(bert, PAIR).max(), rel=1e-4)
    assert xplain.from_document(xplain.to_document(e)) == e
    assert list(xplain.explain_batch(model, [PAIR[::-1], PAIR], method))[1] == e


def test_integrated_gradients_add_up_over_both_sentences(bert):
    e = xplain.explain(TextClassifier(*bert, max_length=64), PAIR, "integrated-gradients", n_steps=200)
    quality = e.attributions[0].quality
    total = sum(word.score for word in e.attributions[0].evidence.words)
    assert total == pytest.approx(quality["score"] - quality["baseline_score"], abs=0.02)


def test_a_black_box_gets_pairs_whose_words_are_left_out():
    e = xplain.explain(BLACK_BOX, PAIR, "occlusion", target="alike")
    words = e.attributions[0].evidence.words
    assert {word.text: word.score for word in words if word.score} == {"A": 1.0}
    seen = []
    model = TextClassifier(lambda pairs: seen.extend(pairs) or overlap(pairs))
    xplain.explain(model, ("so good", "so bad"), "occlusion", check=False)
    assert seen == [("so good", "so bad"), ("good", "so bad"), ("so", "so bad"), ("so good", "bad"), ("so good", "so")]
    e = xplain.explain(BLACK_BOX, ("a cat", "a cat"), "shapley", target="alike")
    assert [word.score for word in e.attributions[0].evidence.words] == pytest.approx([0.5] * 4)


def test_units_end_with_a_sentence_of_the_pair():
    seen = []
    model = TextClassifier(lambda pairs: seen.extend(pairs) or overlap(pairs))
    xplain.explain(model, ("a b c", "d e"), "occlusion", unit=2, check=False)
    assert seen[1:] == [("c", "d e"), ("a b", "d e"), ("a b c", "")]
    seen.clear()
    xplain.explain(model, ("one. two. three", "four"), "occlusion", unit="sentence", check=False)
    assert seen[1:] == [("two. three", "four"), ("one. three", "four"), ("one. two.", "four"), ("one. two. three", "")]


def test_a_long_second_sentence_is_read_in_windows_that_hold_the_first(bert):
    model = TextClassifier(*bert, max_length=20)
    long = (PAIR[0], " ".join([PAIR[1]] * 3))
    prepared = model.prepare(long)
    assert len(prepared.windows) > 2
    first = len(bert[1](PAIR[0])["input_ids"])
    for window in prepared.windows:
        assert len(window.ids) <= 20
        assert window.types.tolist() == [0] * first + [1] * (len(window.ids) - first)
    covered = {span for window in prepared.windows for span in window.spans if span is not None}
    assert max(stop for _, stop in covered) == len(prepared.text)
    for method in ("integrated-gradients", "occlusion"):
        e = xplain.explain(model, long, method)
        assert e.attributions[0].quality["windows"] == len(prepared.windows)
        assert all(word.score for word in e.attributions[0].evidence.words)
    with refuses(InputError, "text must leave room for the second sentence within 8 tokens, got a first of"):
        xplain.explain(TextClassifier(*bert, max_length=8), PAIR[::-1])


class Pairs(nn.Module):
    """A module without kinds of tokens."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.head = nn.Embedding(50, 4), nn.Linear(4, 2)

    def forward(self, ids):
        return self.head(torch.tanh(self.table(ids)).mean(1))


def both(first, second):
    ids = [[ord(c) % 50 for c in text] for text in (first, second)]
    spans = [[(i, i + 1) for i in range(len(text))] for text in (first, second)]
    return [*ids[0], 0, *ids[1]], [*spans[0], None, *spans[1]], [*[0] * len(first), None, *[1] * len(second)]


def test_a_function_tokenises_both_sentences():
    model = TextClassifier(Pairs(), both, baseline_id=0)
    e = xplain.explain(model, ("ab c", "de"), "integrated-gradients")
    assert [(word.text, word.start) for word in e.attributions[0].evidence.words] == [("ab", 0), ("c", 3), ("de", 6)]
    with refuses(InputError, "tokenizer must take both sentences of a pair", "got one of a single text"):
        xplain.explain(TextClassifier(Pairs(), letters, baseline_id=0), ("ab", "c"))
    with refuses(InputError, "span must lie in sentence 1 of the pair, got 0..9"):
        TextClassifier(Pairs(), lambda a, b: ([1, 2], [(0, 1), (0, 9)], [0, 1]), baseline_id=0).prepare(("ab", "c"))
    with refuses(InputError, "tokenizer must return what a pair needs", "got an error"):
        TextClassifier(Pairs(), lambda a, b: ([1, 2], [(0, 1), (0, 1)]), baseline_id=0).prepare(("ab", "c"))
    with refuses(InputError, "text must be at most 8 tokens in both sentences, got 13"):
        TextClassifier(Pairs(), both, baseline_id=0, max_length=8).prepare(("abcdef", "ghijkl"))


def test_pairs_are_drawn_and_written_in_every_format():
    e = xplain.explain(BLACK_BOX, PAIR, "occlusion", target="alike")
    for suffix in (".html", ".txt", ".png", ".svg"):
        assert xplain.render(e).encoded(suffix)
    text = xplain.render(e).encoded(".txt").decode()
    assert "sleeps.\n" in text
    assert "Here a dog" in text
    for name in ("modzy", "reinfer"):
        document = xplain.to_document(e, name, lossy=True)
        assert xplain.validate(document) == []


def test_other_kinds_of_input_for_pairs():
    model = TextClassifier(overlap, labels=["alike", "long"], preprocess=str.lower)
    assert model.prepare(PAIR).pair == (PAIR[0].lower(), PAIR[1].lower())
    given = xplain.from_array(np.arange(11.0), BLACK_BOX, PAIR, target="alike")
    assert [word.score for word in given.attributions[0].evidence.words] == list(range(11))
    cost = xplain.cost(BLACK_BOX, PAIR, "occlusion")
    assert cost.evaluations == 12
    same = xplain.explain(BLACK_BOX, PAIR, "occlusion", xplain.Similarity(PAIR))
    assert same.attributions[0].target.score == pytest.approx(1)


@pytest.mark.parametrize("text", [("one",), ("a", "b", "c"), ("a", 3), (), ["a", "b"]])
def test_what_is_no_pair_is_refused(text):
    with refuses(InputError, "text must be a str"):
        xplain.explain(BLACK_BOX, text)


def test_a_sentence_without_a_word_is_refused():
    with refuses(InputError, "text must hold a word in each of two sentences, got '  ' as the second"):
        xplain.explain(BLACK_BOX, ("a", "  "))
