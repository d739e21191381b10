"""Explanations of texts next to captum, shap, lime and transformers-interpret: speed, error and memory.

    python benchmarks/text.py [--quick] [--only transformer black-box error memory]

Everybody explains the same logit of the same model (lime and transformers-interpret know probabilities only), with the
same token for an absent word, in one torch thread, and is asked for the same number of evaluations. How many texts
really went through the model is counted, and shown in parentheses. ``captum`` has its default arguments, ``captum-8``
asks for batches of 8. The transformer is as large as MiniLM-L6 and has random weights, so nothing is downloaded.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from _bench import (
    OURS,
    Call,
    Contenders,
    Effort,
    heading,
    main,
    mebibytes,
    medians,
    note,
    peak_memory,
    print_head,
    print_row,
    rival,
    running,
    seconds,
)
from _text_models import BlackBox, Counter, Scores, Subject, TableGame, bert, sentences, word_piece
from _text_rivals import (
    captum_of_box,
    captum_of_tokens,
    estimators,
    integrated_gradients,
    lime_of_box,
    shap_of_box,
    shap_of_subject,
)

import xplain

PACKAGES = ("torch", "transformers", "numpy", "captum", "shap", "lime", "transformers-interpret")
COLUMNS = ("captum", "captum-8", "transformers-interpret", "shap Permutation", "shap Partition", "shap Kernel")
LEAST_BUDGETS = {8: 34, 16: 66, 64: 134}
"""Evaluations of kernel-shap by the number of words: the least that ours takes."""


class CountedTable:
    """A Markdown table: our time, and the rivals' times as multiples of it, each with its evaluations."""

    def __init__(self, effort: Effort, counter: Counter, rivals: Sequence[str]) -> None:
        self.effort, self.counter, self.rivals = effort, counter, rivals
        print_head("case", OURS, *rivals)

    def row(self, case: str, ours: Call, rivals: Contenders) -> None:
        """Time one case; a rival that is missing, None or fails gets an empty cell."""
        calls = running({OURS: ours, **rivals})
        counts = {name: self.counter.during(call) for name, call in calls.items()}
        times = medians(calls, self.effort)
        ratios = [f"{times[name] / times[OURS]:.2f} ({counts[name]})" if name in times else "" for name in self.rivals]
        print_row(case, f"{seconds(times[OURS])} ({counts[OURS]})", *ratios)


def difference(ours: Scores, theirs: Scores) -> str:
    """Format the largest difference, relative to the largest score."""
    return f"{np.abs(ours - theirs).max() / np.abs(ours).max():.0e}"


def transformer(effort: Effort) -> None:
    """Print the times on a transformer."""
    width, layers = effort.choose((64, 1), (384, 6))
    lengths, steps = effort.choose(((8,), 4), ((16, 64), 32))
    network, tokenizer, counter = bert(width, layers), word_piece(), Counter()
    counter.watch(network)
    heading(f"A transformer: BERT, {layers} layers of width {width}")
    table = CountedTable(effort, counter, COLUMNS)
    for words in lengths:
        subject, budget = Subject(network, tokenizer, words), LEAST_BUDGETS[words]
        ours, rivals = subject.ours("integrated-gradients", n_steps=steps), integrated_gradients(subject, steps)
        table.row(f"integrated-gradients, {steps} steps, {words} words", ours, rivals)
        compare_with_captum(f"integrated-gradients of {words} words", ours, rivals)
        ours, rivals = subject.ours("occlusion"), captum_of_tokens(subject, "FeatureAblation")
        table.row(f"occlusion, {words} words", ours, rivals)
        compare_with_captum(f"occlusion of {words} words", ours, rivals)
        rivals = captum_of_tokens(subject, "KernelShap", n_samples=budget) | shap_of_subject(subject, budget)
        table.row(f"kernel-shap, budget {budget}, {words} words", subject.ours("kernel-shap", budget=budget), rivals)


def compare_with_captum(case: str, ours: Call, rivals: Mapping[str, Call]) -> None:
    """Note how far our scores are from captum's."""
    if "captum" in rivals:
        far = difference(ours(), rivals["captum"]())
        note(f"{case}: the largest difference from captum's scores is {far} of the largest score")


def black_box(effort: Effort) -> None:
    """Print the times on a function of strings."""
    counter = Counter()
    box, budget = BlackBox(counter), effort.choose(90, 256)
    words = len(box.words)
    heading(f"A function of strings: the demo network, {words} words")
    columns = ("captum", "captum-8", "shap Permutation", "shap Partition", "shap Kernel", "lime")
    table, sampled = CountedTable(effort, counter, columns), shap_of_box(box, budget)
    table.row("occlusion", box.ours("occlusion"), captum_of_box(box, "FeatureAblation"))
    regressions = captum_of_box(box, "KernelShap", n_samples=budget)
    table.row(f"kernel-shap, {budget}", box.ours("kernel-shap", budget=budget), regressions | sampled)
    orders = captum_of_box(box, "ShapleyValueSampling", n_samples=budget // words)
    table.row(f"shapley, {budget}", box.ours("shapley", budget=budget), orders | sampled)
    surrogates = captum_of_box(box, "Lime", n_samples=budget) | lime_of_box(box, budget)
    table.row(f"lime, {budget}", box.ours("lime", n_samples=budget), surrogates)


def error(effort: Effort) -> None:
    """Print the error against the exact Shapley values at equal budgets."""
    texts, seeds, budgets = effort.choose((2, 1, (64,)), (20, 2, (64, 128, 256, 512)))
    counter, network = Counter(), xplain.pretrained("sentiment-cnn")
    games = [TableGame(network, words, counter) for words in sentences(texts)]
    working = running(seeded_estimators(games[0], budgets[0], seed=0))
    errors: dict[str, dict[int, list[tuple[float, int]]]] = {
        name: {budget: [] for budget in budgets} for name in working
    }
    for seed, (number, game), budget in itertools.product(range(seeds), enumerate(games), budgets):
        calls = seeded_estimators(game, budget, 1000 * seed + number)
        for name in working:
            counter.texts = 0
            distance = game.error(calls[name]())
            errors[name][budget].append((distance, counter.texts))
    heading(f"Error of Shapley values: the demo network's logit on {texts} texts of ten words, {seeds} seeds")
    print_head("estimator", *map(str, budgets))
    for name, by_budget in errors.items():
        medians_of_pairs = [map(statistics.median, zip(*pairs, strict=True)) for pairs in by_budget.values()]
        print_row(name, *(f"{distance:.4f} ({count:.0f})" for distance, count in medians_of_pairs))
    note("medians of the root mean square error over the mean absolute value, against all 1024 subsets (evaluations)")
    if rival("shap") is not None:
        note("with its Text masker shap tends to Owen values instead: its coalitions follow a tree of neighbours")


def seeded_estimators(game: TableGame, budget: int, seed: int) -> dict[str, Call]:
    """Return ours and the rivals' estimators; seeds the global generators, from which the rivals draw."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - shap draws from it
    ours = {f"ours {name}": game.ours(name, seed=seed, budget=budget) for name in ("kernel-shap", "shapley")}
    return ours | estimators(game, budget, seed)


def scored_text(who: str, words: int, steps: int) -> Call:
    """Return ours or a rival's integrated gradients of a text that the network has scored: for `peak_memory`."""
    subject = Subject(bert(128, 2), word_piece(), words)
    subject.model.scores([subject.text])
    if who == OURS:
        return subject.ours("integrated-gradients", n_steps=steps)
    return integrated_gradients(subject, steps)[who]


def memory(effort: Effort) -> None:
    """Print the peak memory of integrated gradients."""
    words, steps = effort.choose((30, 20), (254, 1000))
    heading(f"Peak memory of integrated gradients above scoring: BERT, 2 layers of width 128, {words + 2} tokens")
    names = [OURS, *([] if rival("captum.attr") is None else ["captum", "captum-8"])]
    print_head("steps", *names)
    print_row(steps, *(mebibytes(peak_memory(effort, scored_text, name, words, steps)) for name in names))


if __name__ == "__main__":
    sections = {"transformer": transformer, "black-box": black_box, "error": error, "memory": memory}
    main(__doc__, sections, PACKAGES, rounds=3)
