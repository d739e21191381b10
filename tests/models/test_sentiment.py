from importlib import resources

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

import xplain
from tests.support import refuses
from xplain.errors import UnknownNameError
from xplain.models.networks import sentiment
from xplain.models.networks.sentiment import ABSENT, UNKNOWN, ReviewTokenizer, SentimentCNN


@pytest.fixture(scope="module")
def model():
    return xplain.pretrained("sentiment-cnn")


def positive(model, text):
    """The probability that a text is positive."""
    return model.probabilities(model.scores([text])[0])[1]


def pieces(text):
    return [text[start:stop] for start, stop in ReviewTokenizer([])(text)[1]]


@given(st.text())
@example("ﬁne 😀👍🏽 这部电影很好 e\u0301t\u00e9 İstanbul don’t ''t n't\x1c_\ud800")
def test_every_character_but_spaces_is_in_one_token_and_tokens_are_in_order(text):
    ids, spans = ReviewTokenizer(["n't", "the"])(text)
    covered = [i for start, stop in spans for i in range(start, stop)]
    assert covered == [i for i, character in enumerate(text) if not character.isspace()]
    assert all(start < stop for start, stop in spans)
    assert len(ids) == len(spans)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I didn't like it.", ["I", "did", "n't", "like", "it", "."]),
        ("It’s NOT Bob's, isn’t it?!", ["It", "’s", "NOT", "Bob", "'s", ",", "is", "n’t", "it", "?", "!"]),
        ("well-made... 10/10!!!!", ["well", "-", "made", "...", "10", "/", "10", "!!!", "!"]),
        ("n't can'tx 'stop", ["n't", "can", "'", "tx", "'", "stop"]),
        ("很好 👍", ["很好", "👍"]),
    ],
)
def test_words_contractions_and_punctuation_are_tokens(text, expected):
    assert pieces(text) == expected


def test_case_and_the_kind_of_apostrophe_make_no_difference():
    tokenizer = ReviewTokenizer(["did", "n't"])
    assert tokenizer("DIDN’T")[0] == tokenizer("didn't")[0] == [2, 3]
    assert tokenizer("qwxz 👍")[0] == [UNKNOWN, UNKNOWN]


def test_a_text_of_one_token_has_scores_and_padding_is_an_absent_token():
    torch.manual_seed(0)
    network = SentimentCNN(20).eval()
    ids = torch.tensor([[7], [3]])
    with torch.no_grad():
        assert network(ids).shape == (2, 2)
        assert torch.equal(network.embedding.weight[ABSENT], torch.zeros(32))
        assert network(torch.arange(20)[None]).shape == (1, 2)


def test_loading_is_the_same_each_time_and_leaves_the_random_generator_alone(model):
    before = torch.random.get_rng_state()
    again = xplain.pretrained("sentiment-cnn")
    assert torch.equal(before, torch.random.get_rng_state())
    assert again.fingerprint() == model.fingerprint()
    assert not again.module.training
    assert again.baseline_id == ABSENT
    text = "A dull film."
    assert np.array_equal(again.scores([text]), model.scores([text]))


def test_gradients_reach_the_word_vectors(model):
    network, _ = sentiment.load()
    network(torch.tensor([[5, 6, 7]]))[0, 1].backward()
    rows = network.embedding.weight.grad.abs().sum(1).nonzero()[:, 0]
    assert rows.tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("An absolutely wonderful film with superb acting.", "positive"),
        ("I loved it.", "positive"),
        ("This movie was terrible. I hated every minute of it.", "negative"),
        ("A complete waste of time.", "negative"),
        ("The acting was great but the plot was awful.", "negative"),
        ("You should not miss this wonderful film.", "positive"),
    ],
)
def test_plain_opinions_are_recognised(model, text, label):
    assert model.predict(text)[0].label == (label,)


@pytest.mark.parametrize(
    ("plain", "negated"),
    [
        ("good", "not good"),
        ("The film was good.", "The film was not good."),
        ("It is a funny movie.", "It is not a funny movie."),
        ("I like this film.", "I didn't like this film."),
    ],
)
def test_a_negation_turns_praise_down(model, plain, negated):
    assert positive(model, negated) < positive(model, plain)


@pytest.mark.parametrize("text", ["qwxz vbnmq", "这部电影很好", "👍", "?", "\u0301", "a" * 10_000])
def test_unknown_words_do_no_harm(model, text):
    assert sum(prediction.score for prediction in model.predict(text)) == pytest.approx(1)


def test_the_weights_are_small():
    assert resources.files("xplain.models.networks").joinpath("data", "sentiment-cnn.npz").stat().st_size < 1_200_000


def test_an_unknown_network_is_refused():
    with refuses(UnknownNameError, "network must be one of", "did you mean 'sentiment-cnn'?"):
        xplain.pretrained("sentiment")


def test_weights_survive_being_saved(tmp_path):
    network, tokenizer = sentiment.load()
    sentiment.save(tmp_path / "again.npz", network, tokenizer)
    again, tokens = sentiment.load(tmp_path / "again.npz")
    assert tokens.ids == tokenizer.ids
    for key, value in again.state_dict().items():
        assert torch.allclose(value, network.state_dict()[key], rtol=0, atol=1e-6), key
