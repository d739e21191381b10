"""Explanations of texts next to captum, shap, lime and transformers-interpret: speed, error and memory.

    python benchmarks/text.py [--rounds 3] [--threads 1] [--quick] [--sections ...]

Everybody explains the same logit of the same model (lime and transformers-interpret know probabilities only), with the
same token for an absent word, in as many torch threads, and is asked for the same number of evaluations. How many texts
really went through the model is counted, and shown in parentheses. ``captum`` has its default arguments, ``captum-8``
asks for batches of 8. The transformer is as large as MiniLM-L6 and has random weights, so nothing is downloaded.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _bench import machine, medians, rival, seconds
from _texts import (
    REVIEW,
    BlackBox,
    Call,
    Counter,
    Rows,
    Subject,
    TableGame,
    ablations,
    bert,
    captum_of_rows,
    estimators,
    integrated_gradients,
    sentences,
    shap_calls,
    shap_kernel,
    shapley_values,
    word_piece,
)

import xplain

BUDGETS = (64, 128, 256, 512)


class Ratios:
    """A Markdown table: time of ours, and rivals' times as multiples of it, each with its evaluations."""

    def __init__(self, counter: Counter, rivals: Sequence[str], rounds: int) -> None:
        self.counter, self.rivals, self.rounds = counter, rivals, rounds
        print("\n| case | ours | " + " | ".join(rivals) + " |\n|---|---|" + "---|" * len(rivals), flush=True)

    def row(self, case: str, ours: Call, rivals: Mapping[str, Call | None]) -> None:
        """Time one case in interleaved rounds; a rival that is None or left out gets an empty cell."""
        counts: dict[str, int] = {}
        calls = {"": ours, **{name: call for name, call in rivals.items() if call is not None}}
        times = medians({name: self.counter.during(call, counts, name) for name, call in calls.items()}, self.rounds)
        cells = [f"{times[name] / times['']:.2f} ({counts[name]})" if name in times else "" for name in self.rivals]
        print(f"| {case} | {seconds(times[''])} ({counts['']}) | " + " | ".join(cells) + " |", flush=True)


def agreement(ours: Rows, rivals: Mapping[str, Call | None]) -> str:
    """Largest difference from captum's scores, relative to the largest score."""
    call = rivals.get("captum")
    return "not compared" if call is None else f"{np.abs(ours - call()).max() / np.abs(ours).max():.0e}"


def transformer_speed(rounds: int, lengths: Sequence[int], steps: int) -> None:
    """Print the ratios on a transformer."""
    network, tokenizer, counter = bert(384, 6), word_piece(), Counter()
    counter.watch(network)
    print("\n### A transformer: BERT, 6 layers of width 384")
    names = ["captum", "captum-8", "transformers-interpret", "shap Permutation", "shap Partition", "shap Kernel"]
    table, differences = Ratios(counter, names, rounds), []
    for words in lengths:
        subject = Subject(network, tokenizer, words)
        budget = {16: 66, 64: 134}[words]  # for 64 words the least that ours takes
        cases = {
            f"integrated-gradients, {steps} steps": (
                lambda s=subject: s.ours("integrated-gradients", n_steps=steps),
                integrated_gradients(subject, steps),
            ),
            "occlusion": (lambda s=subject: s.ours("occlusion"), ablations(subject)),
            f"kernel-shap, budget {budget}": (
                lambda s=subject, b=budget: s.ours("kernel-shap", budget=b),
                shapley_values(subject, budget),
            ),
        }
        for case, (ours, rivals) in cases.items():
            table.row(f"{case}, {words} words", ours, rivals)
            if words == lengths[0] and not case.startswith("kernel"):
                differences.append(f"{case} {agreement(ours(), rivals)}")
    print(
        f"\nLargest difference from captum's scores of {lengths[0]} words over the largest: "
        + "; ".join(differences)
        + "."
    )


def black_box_speed(rounds: int) -> None:
    """Print the ratios on a function of strings."""
    counter = Counter()
    box = BlackBox(counter)
    words, shap, lime = len(box.words), rival("shap"), rival("lime.lime_text")
    print(f"\n### A function of strings: the demo network, {words} words")
    names = ["captum", "captum-8", "shap Permutation", "shap Partition", "shap Kernel", "lime"]
    table, budget = Ratios(counter, names, rounds), 256

    def captum(kind: str, **arguments: Any) -> dict[str, Call | None]:
        return {
            name: captum_of_rows(box.of_rows, kind, words, perturbations_per_eval=size, **arguments)
            for name, size in (("captum", 1), ("captum-8", 8))
        }

    sampled: dict[str, Call | None] = {}
    if shap is not None:
        sampled |= shap_calls(shap, box.positive, shap.maskers.Text(r"\s+", mask_token=" "), REVIEW, budget)
        sampled["shap Kernel"] = shap_kernel(shap, box.of_rows, words, budget)
    orders = captum("ShapleyValueSampling", n_samples=budget // words)
    table.row("occlusion", box.ours("occlusion"), captum("FeatureAblation"))
    table.row(
        f"kernel-shap, {budget}",
        box.ours("kernel-shap", budget=budget),
        {**captum("KernelShap", n_samples=budget), **sampled},
    )
    table.row(f"shapley, {budget}", box.ours("shapley", budget=budget), {**orders, **sampled})
    surrogates = captum("Lime", n_samples=budget)
    if lime is not None:
        explainer = lime.LimeTextExplainer(bow=False, split_expression=r"\s+", random_state=0)
        surrogates["lime"] = lambda: explainer.explain_instance(
            REVIEW, box.probabilities, num_samples=budget, num_features=words
        )
    table.row(f"lime, {budget}", box.ours("lime", n_samples=budget), surrogates)


def errors(texts: int, seeds: int) -> None:
    """Print the error against the exact Shapley values at equal budgets."""
    counter, network = Counter(), xplain.pretrained("sentiment-cnn")
    games = [TableGame(network, words, counter) for words in sentences(texts)]
    print(f"\n### Error of Shapley values\n\nThe demo network's logit on {texts} texts of ten words, {seeds} seeds.")
    print("Median of RMSE / mean absolute value, against all 1024 subsets (evaluations).\n")
    print("| estimator | " + " | ".join(map(str, BUDGETS)) + " |\n|---|" + "---|" * len(BUDGETS), flush=True)
    found: dict[str, dict[int, list[tuple[float, int]]]] = {}
    for seed in range(seeds):
        for number, game in enumerate(games):
            for budget in BUDGETS:
                torch.manual_seed(1000 * seed + number)
                np.random.seed(1000 * seed + number)  # noqa: NPY002  shap draws from the global generator
                for name, call in estimators(game, budget, 1000 * seed + number).items():
                    if call is not None:
                        counter.seen = 0
                        error = game.error(call())
                        found.setdefault(name, {}).setdefault(budget, []).append((error, counter.seen))
    for name, results in found.items():
        cells = [
            f"{statistics.median(e for e, _ in pairs):.4f} ({statistics.median(n for _, n in pairs):.0f})"
            for pairs in results.values()
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("\nWith its Text masker shap tends to Owen values instead: its coalitions follow a tree of neighbours.")


def memory(steps: Sequence[int]) -> None:
    """Print the peak memory of integrated gradients."""
    print(
        "\n### Peak memory of integrated gradients\n\nBERT, 2 layers of width 128, 256 tokens, above a forward pass.\n"
    )
    names = ["ours"] if rival("captum.attr") is None else ["ours", "captum", "captum-8"]
    print("| steps | " + " | ".join(names) + " |\n|---|" + "---|" * len(names), flush=True)
    floor = peak("", 1)
    for count in steps:
        cells = [f"{(peak(who, count) - floor) / 2**10:.0f} MiB" for who in names]
        print(f"| {count} | " + " | ".join(cells) + " |", flush=True)


def peak(who: str, steps: int) -> int:
    """Peak memory in KiB of a process that explains a text; "" only scores it."""
    command = [sys.executable, __file__, "--peak", who, "--steps", str(steps)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def one_peak(who: str, steps: int) -> None:
    """Explain a text, and print the peak memory of this process."""
    subject = Subject(bert(128, 2), word_piece(), 254)
    if who == "ours":
        subject.ours("integrated-gradients", n_steps=steps)
    elif who:
        integrated_gradients(subject, steps)[who]()
    subject.model.scores([subject.text])
    # Unlike ru_maxrss, this is not inherited from the process that started this one.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(line.split()[1])


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of torch; more are noisy on a shared machine")
    parser.add_argument("--quick", action="store_true", help="1 round, short texts, fewer steps")
    sections = ("transformer", "black-box", "error", "memory")
    parser.add_argument("--sections", nargs="+", default=sections, choices=sections)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # the rivals' own
    torch.set_num_threads(arguments.threads)
    if arguments.peak is not None:
        return one_peak(arguments.peak, arguments.steps)
    packages = ("torch", "transformers", "numpy", "captum", "shap", "lime", "transformers-interpret")
    print(machine(*packages) + f"\n- {arguments.threads} thread(s) of torch")
    print("\nOurs: seconds per text. Rivals: their time / ours. In parentheses: texts that went through the model.")
    quick, rounds = arguments.quick, 1 if arguments.quick else arguments.rounds
    if "transformer" in arguments.sections:
        transformer_speed(rounds, (16,) if quick else (16, 64), 32)
    if "black-box" in arguments.sections:
        black_box_speed(rounds)
    if "error" in arguments.sections:
        errors(20, 1 if quick else 2)
    if "memory" in arguments.sections:
        memory((200,) if quick else (1000,))


if __name__ == "__main__":
    main()
