"""What the benchmark of texts compares: models and texts, and the calls of captum, shap and transformers-interpret."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from _bench import rival

import xplain

Call = Callable[[], Any]
Rows = np.ndarray
WORDS = "the film was not good but music saved it unbelievably bad plot and slow scenes made others laugh out loud"
REVIEW = "I did not expect much but the acting was surprisingly good , and although the plot is thin it never bores ."
PLAYERS = 10


class Counter:
    """Counts the texts that a model is given, whoever gives them."""

    def __init__(self) -> None:
        self.seen = 0

    def watch(self, network: torch.nn.Module) -> None:
        """Count the rows of ``input_ids``."""
        network.register_forward_pre_hook(self._hook, with_kwargs=True)

    def _hook(self, network: torch.nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        self.seen += len(inputs[0] if inputs else named["input_ids"])

    def during(self, call: Call, counts: dict[str, int], name: str) -> Call:
        """Return a call that stores how many evaluations it took."""

        def counted() -> Any:
            self.seen = 0
            result = call()
            counts[name] = self.seen
            return result

        return counted


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

    def ours(self, method: str, **options: Any) -> Rows:
        """Word scores."""
        return word_scores(xplain.explain(self.model, self.text, method=method, target=1, **options))

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        """All classes' logits of token ids, as captum asks."""
        return self.network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits

    def of_texts(self, texts: Rows) -> Rows:
        """Logits of class 1 of strings, as shap asks."""
        with torch.inference_mode():
            return self.logits(self.tokenizer(list(texts), return_tensors="pt")["input_ids"])[:, 1].numpy()

    def of_rows(self, rows: Rows) -> Rows:
        """Logits of class 1 of which words are there (n, words)."""
        here = torch.as_tensor(np.asarray(rows) > 0.5)[:, self.features[0]]
        with torch.inference_mode():
            return self.logits(torch.where(here, self.ids, self.absent))[:, 1].numpy()


def word_scores(explanation: Any) -> Rows:
    """The scores of an explanation's words."""
    return np.array([word.score for word in explanation.attributions[0].evidence.words])


def integrated_gradients(subject: Subject, steps: int) -> dict[str, Call | None]:
    """Rivals' integrated gradients: token scores without those of special tokens."""
    attr = rival("captum.attr")
    found: dict[str, Call | None] = {"transformers-interpret": interpreter(subject, steps)}
    if attr is not None:
        explainer = attr.LayerIntegratedGradients(subject.logits, subject.network.get_input_embeddings())

        def captum(**batch: int) -> Rows:
            scores = explainer.attribute(subject.ids, subject.absent, target=1, n_steps=steps, **batch)
            return scores.sum(-1)[0, 1:-1].detach().numpy()

        found |= {"captum": captum, "captum-8": lambda: captum(internal_batch_size=8)}
    return found


def interpreter(subject: Subject, steps: int) -> Call | None:
    """transformers-interpret, which explains the probability; None, and a note, if it does not run."""
    library = rival("transformers_interpret")
    if library is None:
        return None
    explain = library.SequenceClassificationExplainer(subject.network, subject.tokenizer)
    explain.ref_token_id = subject.tokenizer.mask_token_id
    try:
        explain(subject.text, index=1, n_steps=2)
    except Exception as error:  # whatever a rival raises is a result
        print(f"<!-- transformers-interpret: {type(error).__name__}: {str(error)[:100]} -->")
        return None
    return lambda: explain(subject.text, index=1, n_steps=steps)


def ablations(subject: Subject) -> dict[str, Call | None]:
    """captum leaving out one word at a time."""
    attr = rival("captum.attr")
    if attr is None:
        return {}
    arguments = {"baselines": subject.absent, "target": 1, "feature_mask": subject.features}

    def captum(size: int) -> Rows:
        with torch.no_grad():
            found = attr.FeatureAblation(subject.logits).attribute(
                subject.ids, perturbations_per_eval=size, **arguments
            )
        return found[0, 1:-1].numpy()

    return {"captum": lambda: captum(1), "captum-8": lambda: captum(8)}


def shapley_values(subject: Subject, budget: int) -> dict[str, Call | None]:
    """Rivals' Shapley values of the words."""
    attr, shap = rival("captum.attr"), rival("shap")
    found: dict[str, Call | None] = {}
    if attr is not None:
        arguments = {"baselines": subject.absent, "target": 1, "feature_mask": subject.features, "n_samples": budget}

        def captum(size: int) -> Any:
            return attr.KernelShap(subject.logits).attribute(subject.ids, perturbations_per_eval=size, **arguments)

        found |= {"captum": lambda: captum(1), "captum-8": lambda: captum(8)}
    if shap is not None:
        found |= shap_calls(shap, subject.of_texts, shap.maskers.Text(subject.tokenizer), subject.text, budget)
        found["shap Kernel"] = shap_kernel(shap, subject.of_rows, subject.words, budget)
    return found


def shap_calls(shap: Any, function: Callable[[Rows], Rows], masker: Any, text: str, budget: int) -> dict[str, Call]:
    """shap's explainers of texts."""
    permutation = shap.explainers.Permutation(function, masker, seed=0)
    partition = shap.explainers.Partition(function, masker)
    return {
        "shap Permutation": lambda: permutation([text], max_evals=budget, silent=True).values[0],
        "shap Partition": lambda: partition([text], max_evals=budget, silent=True).values[0],
    }


def shap_kernel(shap: Any, function: Callable[[Rows], Rows], words: int, budget: int) -> Call:
    """shap's KernelExplainer on which words are there."""
    full = np.ones((1, words))

    def call() -> Rows:
        explainer = shap.KernelExplainer(function, 0 * full)
        return explainer.shap_values(full, nsamples=budget, l1_reg=False, silent=True)[0]

    return call


def captum_of_rows(function: Callable[[Any], Rows], kind: str, words: int, **arguments: Any) -> Call | None:
    """A perturbation method of captum, on which words are there."""
    attr = rival("captum.attr")
    if attr is None:
        return None
    explainer, full = getattr(attr, kind)(lambda rows: torch.as_tensor(function(rows))), torch.ones(1, words)
    return lambda: explainer.attribute(full, **arguments)[0].numpy()


class BlackBox:
    """The demo network as a function of strings, and as one of which words of `REVIEW` are there."""

    def __init__(self, counter: Counter) -> None:
        self.counter, self.words = counter, REVIEW.split()
        self.network = xplain.pretrained("sentiment-cnn")
        self.model = xplain.TextClassifier(self.scores)

    def scores(self, texts: Sequence[str]) -> Rows:
        """Logits of strings; an empty one is a word that nobody knows."""
        self.counter.seen += len(texts)
        return self.network.scores([text.strip() or "?" for text in texts])

    def positive(self, texts: Rows) -> Rows:
        """Logits of class 1 of strings, as shap asks."""
        return self.scores([str(text) for text in texts])[:, 1]

    def probabilities(self, texts: Sequence[str]) -> Rows:
        """Probabilities of strings, as lime asks."""
        return self.network.probabilities(self.scores(texts))

    def of_rows(self, rows: Any) -> Rows:
        """Logits of class 1 of rows of words, 1 where there and 0 where deleted."""
        here = np.asarray(rows) > 0.5
        return self.positive(np.array([" ".join(np.array(self.words)[row]) for row in here]))

    def ours(self, method: str, **options: Any) -> Call:
        """Our call."""
        return lambda: xplain.explain(self.model, REVIEW, method=method, target=1, **options)


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
    found = [patterns[i % len(patterns)].split() for i in range(count)]
    return [[generator.choice(slots[word]) if word in slots else word for word in words] for words in found]


class TableGame:
    """The demo network's logit for each subset of the words of a sentence, and its exact Shapley values."""

    def __init__(self, network: Any, words: Sequence[str], counter: Counter) -> None:
        self.counter = counter
        members = np.arange(2**PLAYERS)[:, None] >> np.arange(PLAYERS) & 1
        (window,) = network.prepare(" ".join(words)).windows
        if len(window.ids) != PLAYERS:
            raise RuntimeError(f"{' '.join(words)} is not {PLAYERS} tokens")
        ids = np.where(members, window.ids, network.baseline_id)
        self.worth = network.token_scores(list(ids), 256)[:, 1]
        self.exact = np.zeros(PLAYERS)
        sizes = members.sum(axis=1)
        for player in range(PLAYERS):
            without = np.flatnonzero(members[:, player] == 0)
            weights = [1 / (PLAYERS * math.comb(PLAYERS - 1, size)) for size in sizes[without]]
            self.exact[player] = weights @ (self.worth[without | 1 << player] - self.worth[without])

    def of_rows(self, rows: Any) -> Rows:
        """Scores of rows (n, words), 1 where a word is there."""
        here = np.asarray(rows) > 0.5
        self.counter.seen += len(here)
        return self.worth[here @ (1 << np.arange(PLAYERS))]

    def of_texts(self, texts: Sequence[str]) -> Rows:
        """Scores of strings in which word i is called w<i>, so that all libraries play the same game."""
        rows = np.zeros((len(texts), PLAYERS))
        for row, text in zip(rows, texts, strict=True):
            row[[int(word[1:]) for word in str(text).split()]] = 1
        return self.of_rows(rows)

    def error(self, values: Rows) -> float:
        """Root mean square error over the mean absolute exact value."""
        return float(np.sqrt(np.mean((values - self.exact) ** 2)) / np.abs(self.exact).mean())


def estimators(game: TableGame, budget: int, seed: int) -> dict[str, Call | None]:
    """Estimators of the Shapley values at a budget."""
    shap, text = rival("shap"), " ".join(f"w{i}" for i in range(PLAYERS))
    model = xplain.TextClassifier(lambda texts: game.of_texts(texts)[:, None])

    def ours(method: str) -> Call:
        return lambda: word_scores(xplain.explain(model, text, method=method, seed=seed, budget=budget))

    found: dict[str, Call | None] = {
        "ours kernel-shap": ours("kernel-shap"),
        "ours shapley": ours("shapley"),
        "captum KernelShap": captum_of_rows(
            game.of_rows, "KernelShap", PLAYERS, n_samples=budget, perturbations_per_eval=64
        ),
        "captum ShapleyValueSampling": captum_of_rows(
            game.of_rows, "ShapleyValueSampling", PLAYERS, n_samples=budget // PLAYERS, perturbations_per_eval=64
        ),
    }
    if shap is not None:
        full = np.ones((1, PLAYERS))
        permutation = shap.explainers.Permutation(game.of_rows, shap.maskers.Independent(0 * full), seed=seed)
        of_texts = shap_calls(shap, game.of_texts, shap.maskers.Text(r"\s+", mask_token=" "), text, budget)
        found["shap Kernel"] = shap_kernel(shap, game.of_rows, PLAYERS, budget)
        found["shap Permutation"] = lambda: permutation(full, max_evals=budget, silent=True).values[0]
        found |= {f"{name}, Text masker": call for name, call in of_texts.items()}
    return found
