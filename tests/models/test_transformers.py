"""The three families of tokenizers, trained on the spot, under a transformer with random weights."""

import numpy as np
import pytest
import torch

from xplain.models.text import TextClassifier
from xplain.models.words import shares

transformers = pytest.importorskip("transformers", reason="the text extra is not installed")
tokenizers = pytest.importorskip("tokenizers", reason="the text extra is not installed")

CORPUS = [
    "the film was not good but the music saved it",
    "unbelievably good films saved the day",
    "a day at the sea",
] * 5
TEXT = "The unbelievable film 😀 was é good,  saved!"


def word_piece():
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, tokenizers.trainers.WordPieceTrainer(vocab_size=90, special_tokens=special))
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return fast(
        tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]"
    )


def byte_bpe(trim: bool = False):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = tokenizers.processors.ByteLevel(trim_offsets=trim)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<pad>"], initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return fast(tokenizer, pad_token="<pad>")


def unigram():
    tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    trainer = tokenizers.trainers.UnigramTrainer(vocab_size=60, special_tokens=["<pad>", "<unk>"], unk_token="<unk>")
    tokenizer.train_from_iterator(CORPUS, trainer)
    return fast(tokenizer, pad_token="<pad>", unk_token="<unk>")


def fast(tokenizer, **special):
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=16, **special)


def network(tokenizer):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, num_labels=3, id2label={0: "bad", 1: "fair", 2: "good"},
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config)


TOKENIZERS = {
    "word-piece": word_piece,
    "byte-bpe": byte_bpe,
    "byte-bpe-trimmed": lambda: byte_bpe(True),
    "unigram": unigram,
}


@pytest.fixture(params=TOKENIZERS, scope="module")
def model(request) -> TextClassifier:
    tokenizer = TOKENIZERS[request.param]()
    return TextClassifier(network(tokenizer), tokenizer)


def test_every_character_but_spaces_belongs_to_a_token(model):
    prepared = model.prepare(TEXT)
    covered = np.zeros(len(prepared.words))
    for window in prepared.windows:
        _, owners, _ = shares(prepared.words, window.spans)
        covered[owners] += 1
    assert (covered > 0).all()


def test_special_tokens_belong_to_no_word():
    window = TextClassifier(network(word_piece()), word_piece()).prepare("film").windows[0]
    assert window.spans[0] is None
    assert window.spans[-1] is None
    assert window.spans[1:-1] == ((0, 4),)


def test_labels_and_length_are_read_from_the_model(model):
    assert model.labels == (("bad",), ("fair",), ("good",))
    assert model.max_length == 16


def test_scores_are_those_of_the_module_alone_also_in_a_mixed_batch(model):
    texts = ["good", "the film was good", "a day"]
    scores = model.scores(texts)
    with torch.no_grad():
        for text, score in zip(texts, scores, strict=True):
            encoded = model.tokenizer(text, return_tensors="pt")
            logits = model.module.eval()(encoded["input_ids"], attention_mask=encoded["attention_mask"]).logits[0]
            assert np.allclose(score, logits.double().numpy(), atol=1e-6)


def test_a_text_beyond_the_limit_is_read_in_windows(model):
    prepared = model.prepare("the film was not good but the music saved it " * 6)
    assert len(prepared.windows) > 1
    assert max(len(window.ids) for window in prepared.windows) <= 16
    assert np.isfinite(model.scores([prepared.text])).all()


def test_the_baseline_is_a_token_id():
    assert TextClassifier(network(word_piece()), word_piece()).baseline_id == 4
    assert TextClassifier(network(unigram()), unigram()).baseline_id == 0
