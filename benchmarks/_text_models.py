"""What the benchmark of texts explains: a transformer, a function of strings, and games with known Shapley values."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from _bench import Call
from _shapley import shapley_values, subsets

import xplain

torch.set_num_threads(1)  # more are noisy on a shared machine

Scores = npt.NDArray[np.floating[Any]]
WORDS = "the film was not good but music saved it unbelievably bad plot and slow scenes made others laugh out loud"
REVIEW = "I did not expect much but the acting was surprisingly good , and although the plot is thin it never bores ."
PLAYERS = 10
"""Words of a sentence whose Shapley values are computed from all subsets."""


class Counter:
    """Counts the texts that a model is given, whoever gives them."""

    def __init__(self) -> None:
        self.texts = 0

    def watch(self, network: torch.nn.Module) -> None:
        """Count the rows of ``input_ids``."""

        def hook(_: Any, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> None:
            self.texts += len(inputs[0] if inputs else named["input_ids"])

        network.register_forward_pre_hook(hook, with_kwargs=True)

    def during(self, call: Call) -> int:
        """Return how many texts a call sends through the model."""
        self.texts = 0
        call()
        return self.texts


def word_piece() -> Any:
    """Return a fast WordPiece tokenizer with one token for each of `WORDS`."""
    import tokenizers
    import transformers

    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=2000, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([WORDS] * 2, trainer)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **names)


def bert(width: int, layers: int) -> Any:
    """Return a BERT with random weights and two classes."""
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30522,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        intermediate_size=4 * width,
    )
    return transformers.BertForSequenceClassification(config).eval()


class Subject:
    """A transformer and a text of ``words`` words, as every library takes them; class 1 is explained.

    Parameters
    ----------
    network, tokenizer
        The model.
    words : int
        Length of the text. Each word is one token.
    """

    def __init__(self, network: Any, tokenizer: Any, words: int) -> None:
        self.network, self.tokenizer, self.words = network, tokenizer, words
        self.text = " ".join(itertools.islice(itertools.cycle(WORDS.split()), words))
        self.ids = tokenizer(self.text, return_tensors="pt")["input_ids"]
        if self.ids.shape != (1, words + 2):
            raise RuntimeError("a word is not one token")
        self.absent = self.ids.clone()
        self.absent[:, 1:-1] = tokenizer.mask_token_id
        # Special tokens are there in the baseline, too, so that they may go with any word.
        self.features = torch.arange(-1, words + 1).clamp(0, words - 1)[None]
        self.model = xplain.TextClassifier(network, tokenizer)

    def ours(self, method: str, **options: Any) -> Call:
        """Return our call, which returns word scores."""
        return lambda: word_scores(xplain.explain(self.model, self.text, method=method, target=1, **options))

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        """Return all classes' logits of token ids, as captum asks."""
        logits: torch.Tensor = self.network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        return logits

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """Return logits of class 1 of strings, as shap asks."""
        with torch.inference_mode():
            return self.logits(self.tokenizer(list(texts), return_tensors="pt")["input_ids"])[:, 1].numpy()

    def score_rows(self, rows: Any) -> Scores:
        """Return logits of class 1 of rows (n, words), 1 where a word is there."""
        present = torch.as_tensor(np.asarray(rows) > 0.5)[:, self.features[0]]
        with torch.inference_mode():
            return self.logits(torch.where(present, self.ids, self.absent))[:, 1].numpy()


def word_scores(explanation: xplain.Explanation) -> Scores:
    """Return the scores of an explanation's words."""
    evidence: Any = explanation.attributions[0].evidence
    return np.array([word.score for word in evidence.words])


class BlackBox:
    """The demo network as a function of strings, and as one of which words of `REVIEW` are there."""

    def __init__(self, counter: Counter) -> None:
        self.counter, self.words = counter, REVIEW.split()
        self.network = xplain.pretrained("sentiment-cnn")
        self.model = xplain.TextClassifier(self.scores)

    def scores(self, texts: Sequence[str]) -> Scores:
        """Return logits of strings; an empty one is a word that nobody knows."""
        self.counter.texts += len(texts)
        return self.network.scores([text.strip() or "?" for text in texts])

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """Return logits of class 1 of strings, as shap asks."""
        return self.scores([str(text) for text in texts])[:, 1]

    def probabilities(self, texts: Sequence[str]) -> Scores:
        """Return probabilities of strings, as lime asks."""
        return self.network.probabilities(self.scores(texts))

    def score_rows(self, rows: Any) -> Scores:
        """Return logits of class 1 of rows of words, 1 where there and 0 where deleted."""
        words = np.array(self.words)
        return self.score_texts([" ".join(words[row]) for row in np.asarray(rows) > 0.5])

    def ours(self, method: str, **options: Any) -> Call:
        """Return our call."""
        return partial(xplain.explain, self.model, REVIEW, method=method, target=1, **options)


def sentences(count: int) -> list[list[str]]:
    """Return sentences of ten words, whose words depend on each other: negations, concessions, comparisons."""
    generator = random.Random(0)
    slots = {
        "N": ["film", "plot", "acting", "music", "ending", "script"],
        "A": ["good", "great", "boring", "funny", "terrible", "charming", "predictable", "brilliant"],
        "V": ["saved", "ruined", "loved", "hated", "enjoyed", "wasted"],
    }
    patterns = [
        "the N was not A but the N V it",
        "I never V a N so A and so A",
        "hardly a A N although the N is quite A",
        "nobody V this N because it is anything but A",
    ]
    chosen = [patterns[i % len(patterns)].split() for i in range(count)]
    return [[generator.choice(slots[word]) if word in slots else word for word in pattern] for pattern in chosen]


class TableGame:
    """The demo network's logit for each subset of the words of a sentence, and its exact Shapley values."""

    def __init__(self, network: Any, words: Sequence[str], counter: Counter) -> None:
        self.counter = counter
        (window,) = network.prepare(" ".join(words)).windows
        if len(window.ids) != PLAYERS:
            raise RuntimeError(f"{' '.join(words)} is not {PLAYERS} tokens")
        ids = np.where(subsets(PLAYERS), window.ids, network.baseline_id)
        self.worth = network.token_scores(list(ids), 256)[:, 1]
        self.exact = shapley_values(self.worth)
        #: Word i is called w<i>, so that all libraries play the same game.
        self.text = " ".join(f"w{i}" for i in range(PLAYERS))

    def score_rows(self, rows: Any) -> Scores:
        """Return scores of rows (n, words), 1 where a word is there."""
        present = np.asarray(rows) > 0.5
        self.counter.texts += len(present)
        scores: Scores = self.worth[present @ (1 << np.arange(PLAYERS))]
        return scores

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """Return scores of strings: parts of `text`."""
        rows = np.zeros((len(texts), PLAYERS))
        for row, text in zip(rows, texts, strict=True):
            row[[int(word[1:]) for word in str(text).split()]] = 1
        return self.score_rows(rows)

    def ours(self, method: str, **options: Any) -> Call:
        """Return our call, which returns word scores."""
        model = xplain.TextClassifier(lambda texts: self.score_texts(texts)[:, None])
        return lambda: word_scores(xplain.explain(model, self.text, method=method, **options))

    def error(self, values: Scores) -> float:
        """Return the root mean square error over the mean absolute exact value."""
        return float(np.sqrt(np.mean((values - self.exact) ** 2)) / np.abs(self.exact).mean())
