"""Explanations of texts as captum, lime, shap and transformers-interpret have them.

Names of calls are columns or rows of tables: ``captum`` has its default arguments, ``captum-8`` asks for batches of 8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from _bench import Call, note, reason, rival
from _text_models import PLAYERS, REVIEW, BlackBox, Scores, Subject, TableGame

Calls = dict[str, Call]
CAPTUM_BATCHES = {"captum": 1, "captum-8": 8}


def integrated_gradients(subject: Subject, steps: int) -> Calls:
    """Return the rivals' integrated gradients: token scores without those of special tokens."""
    attr = rival("captum.attr")
    calls = interpreter(subject, steps)
    if attr is not None:
        explainer = attr.LayerIntegratedGradients(subject.logits, subject.network.get_input_embeddings())

        def captum(**batch: int) -> Scores:
            scores = explainer.attribute(subject.ids, subject.absent, target=1, n_steps=steps, **batch)
            return scores.sum(-1)[0, 1:-1].detach().numpy()

        calls |= {"captum": captum, "captum-8": partial(captum, internal_batch_size=8)}
    return calls


def interpreter(subject: Subject, steps: int) -> Calls:
    """Return transformers-interpret's integrated gradients, of the probability."""
    library = rival("transformers_interpret")
    if library is None:
        return {}
    try:
        explain = library.SequenceClassificationExplainer(subject.network, subject.tokenizer)
    except Exception as error:  # whatever a rival raises is a result
        note(f"transformers-interpret fails: {reason(error)}")
        return {}
    explain.ref_token_id = subject.tokenizer.mask_token_id
    return {"transformers-interpret": partial(explain, subject.text, index=1, n_steps=steps)}


def captum_of_tokens(subject: Subject, kind: str, **options: Any) -> Calls:
    """Return a perturbation method of captum on token ids, with or without each word."""
    attr = rival("captum.attr")
    if attr is None:
        return {}
    explainer = getattr(attr, kind)(subject.logits)
    options |= {"baselines": subject.absent, "target": 1, "feature_mask": subject.features}

    def captum(batch: int) -> Scores:
        with torch.no_grad():
            scores = explainer.attribute(subject.ids, perturbations_per_eval=batch, **options)
        return scores[0, 1:-1].numpy()

    return {name: partial(captum, batch) for name, batch in CAPTUM_BATCHES.items()}


def captum_of_rows(score: Callable[[Any], Scores], kind: str, words: int, batch: int, **options: Any) -> Calls:
    """Return a perturbation method of captum on rows of which words are there."""
    attr = rival("captum.attr")
    if attr is None:
        return {}
    explainer, full = getattr(attr, kind)(lambda rows: torch.as_tensor(score(rows))), torch.ones(1, words)
    return {"captum": lambda: explainer.attribute(full, perturbations_per_eval=batch, **options)[0].numpy()}


def captum_of_box(box: BlackBox, kind: str, **options: Any) -> Calls:
    """Return a perturbation method of captum on the words of the review."""
    return {
        name: call
        for name, batch in CAPTUM_BATCHES.items()
        for call in captum_of_rows(box.score_rows, kind, len(box.words), batch, **options).values()
    }


def shap_of_subject(subject: Subject, budget: int) -> Calls:
    """Return shap's Shapley values of a transformer's words."""
    shap = rival("shap")
    if shap is None:
        return {}
    calls = shap_of_texts(subject.score_texts, shap.maskers.Text(subject.tokenizer), subject.text, budget)
    return calls | {"shap Kernel": shap_kernel(subject.score_rows, subject.words, budget)}


def shap_of_box(box: BlackBox, budget: int) -> Calls:
    """Return shap's Shapley values of the words of the review."""
    shap = rival("shap")
    if shap is None:
        return {}
    calls = shap_of_texts(box.score_texts, shap.maskers.Text(r"\s+", mask_token=" "), REVIEW, budget)
    return calls | {"shap Kernel": shap_kernel(box.score_rows, len(box.words), budget)}


def shap_of_texts(score: Callable[[Sequence[str]], Scores], masker: Any, text: str, budget: int) -> Calls:
    """Return shap's explainers of strings."""
    shap = rival("shap")
    permutation = shap.explainers.Permutation(score, masker, seed=0)
    partition = shap.explainers.Partition(score, masker)
    return {
        "shap Permutation": lambda: permutation([text], max_evals=budget, silent=True).values[0],
        "shap Partition": lambda: partition([text], max_evals=budget, silent=True).values[0],
    }


def shap_kernel(score: Callable[[Any], Scores], words: int, budget: int) -> Call:
    """Return shap's KernelExplainer on rows of which words are there."""
    shap, full = rival("shap"), np.ones((1, words))

    def explain() -> Scores:
        explainer = shap.KernelExplainer(score, 0 * full)
        values: Scores = explainer.shap_values(full, nsamples=budget, l1_reg=False, silent=True)[0]
        return values

    return explain


def lime_of_box(box: BlackBox, samples: int) -> Calls:
    """Return lime's surrogate of the words of the review."""
    lime = rival("lime.lime_text")
    if lime is None:
        return {}
    explainer = lime.LimeTextExplainer(bow=False, split_expression=r"\s+", random_state=0)
    features = {"num_samples": samples, "num_features": len(box.words)}
    return {"lime": partial(explainer.explain_instance, REVIEW, box.probabilities, **features)}


def estimators(game: TableGame, budget: int, seed: int) -> Calls:
    """Return the rivals' estimators of a game's Shapley values, by the row of the table."""
    calls: Calls = {}
    for kind, samples in (("KernelShap", budget), ("ShapleyValueSampling", budget // PLAYERS)):
        for call in captum_of_rows(game.score_rows, kind, PLAYERS, 64, n_samples=samples).values():
            calls[f"captum {kind}"] = call
    shap = rival("shap")
    if shap is not None:
        full = np.ones((1, PLAYERS))
        permutation = shap.explainers.Permutation(game.score_rows, shap.maskers.Independent(0 * full), seed=seed)
        calls["shap Kernel"] = shap_kernel(game.score_rows, PLAYERS, budget)
        calls["shap Permutation"] = lambda: permutation(full, max_evals=budget, silent=True).values[0]
        of_texts = shap_of_texts(game.score_texts, shap.maskers.Text(r"\s+", mask_token=" "), game.text, budget)
        calls |= {f"{name}, Text masker": call for name, call in of_texts.items()}
    return calls
