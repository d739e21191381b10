"""The error of estimated Shapley values at equal numbers of evaluations, next to shap, shapiq, captum and LeverageSHAP.

    python benchmarks/shapley.py [--quick] [--rounds N] [--only regions segments coverage]

Two games: 12 regions of a photo for EfficientNet-Lite0, whose truth is that of all coalitions, and 60 segments of a
recording for a small convolutional network, whose truth is that of many random orders. All coalitions of the regions
are scored once and looked up; a round is a seed. The error is the root mean square error over that of the values.

Coverage: games of known values with 6 to 14 players, at budgets from the least to 2,048, five seeds a round; how often
the truth is within 1.96 of the stored standard errors. Cells whose values are exact are left out.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from _bench import Call, Effort, heading, main, note, print_head, print_row, rival, running
from _networks import classifier, grid, network_name
from _photos import cat
from _shapley import GAMES, shapley_values, subsets

import xplain
from xplain.attributions.methods import interactions
from xplain.attributions.methods.coalitions import draw_pairs
from xplain.attributions.methods.surrogate import additive_fit

PACKAGES = ("torch", "numpy", "captum", "shap", "shapiq")
OURS = ("kernel-shap", "shapley")


class Game(NamedTuple):
    """Worth of coalitions, bool (n, players) -> (n,), and the Shapley values."""

    worth: Callable[[Any], Any]
    truth: Any

    @property
    def players(self) -> int:
        """Number of players."""
        return len(self.truth)


def ours(game: Game, method: str, budget: int, seed: int) -> Any:
    """Estimate by a method of ours: a recording of ones, in which each reading is a player."""
    model = xplain.SignalClassifier(
        lambda windows: game.worth(windows[:, 0] > 0.5)[:, None], ["score"], sample_rate_hz=1, window=game.players
    )
    readings = np.ones((1, game.players), np.float32)
    segments = np.arange(game.players)[None]
    explanation = xplain.explain(model, readings, method, target=0, seed=seed, segments=segments, budget=budget)
    return explanation.attributions[0].evidence.values[0]


def leverage_shap(game: Game, budget: int, seed: int) -> Any:
    """Estimate as arXiv:2410.01917 does: coalitions by leverage, with complements, and the regression they weigh."""
    rng, players = np.random.default_rng(seed), game.players
    exist = {size: math.comb(players, size) / (1 + (2 * size == players)) for size in range(1, players // 2 + 1)}
    count = min((budget - 2) // 2, sum(exist.values()))
    low, high = 0.0, 2 * max(exist.values())
    for _ in range(200):  # a coalition is drawn with a probability of its leverage times what spends the budget
        factor = (low + high) / 2
        chance = {size: min(1.0, factor / math.comb(players, size)) for size in exist}
        enough = sum(chance[size] * exist[size] for size in exist) >= count
        low, high = (low, factor) if enough else (factor, high)
    found: dict[bytes, tuple[Any, float]] = {}
    for size in exist:
        stop = len(found) + rng.binomial(int(exist[size]), chance[size])
        while len(found) < stop:
            row = np.zeros(players, bool)
            row[rng.choice(players, size, replace=False)] = True
            row ^= 2 * size == players and not row[0]
            weight = 1 / (math.comb(players, size) * size * (players - size) * chance[size])
            found[row.tobytes()] = row, weight
    rows = np.array([row for row, _ in found.values()])
    weights = np.array([weight for _, weight in found.values()])
    empty, full = game.worth(np.array([[False] * players, [True] * players]))
    both, root = np.vstack([rows, ~rows]), np.sqrt(np.tile(weights, 2))
    mean = both.mean(axis=1)
    features, scores = both - mean[:, None], game.worth(both) - empty - mean * (full - empty)
    return (full - empty) / players + np.linalg.lstsq(root[:, None] * features, root * scores, rcond=None)[0]


def shap_kernel(shap: Any, game: Game, budget: int, seed: int) -> Any:
    """Estimate by shap's KernelExplainer."""
    np.random.seed(seed)  # noqa: NPY002 - shap draws from it
    explainer = shap.KernelExplainer(lambda rows: game.worth(rows > 0.5), np.zeros((1, game.players)))
    options = {"nsamples": budget - 2, "l1_reg": False, "silent": True}
    return explainer.shap_values(np.ones((1, game.players)), **options)[0]


def shapiq(library: Any, kind: str, game: Game, budget: int, seed: int) -> Any:
    """Estimate by an approximator of shapiq."""
    options = {"max_order": 1, "index": "SV"} if kind == "KernelSHAPIQ" else {}
    approximator = getattr(library, kind)(n=game.players, random_state=seed, **options)
    values = approximator.approximate(budget, lambda rows: game.worth(np.atleast_2d(rows).astype(bool)))
    return np.array([values[(player,)] for player in range(game.players)])


def captum(library: Any, kind: str, game: Game, budget: int, seed: int) -> Any:
    """Estimate by captum; an order costs as many evaluations as there are players."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - it may draw from it
    explainer = getattr(library, kind)(lambda rows: torch.from_numpy(game.worth(rows.numpy() > 0.5)))
    samples = budget if kind == "KernelShap" else max(1, budget // game.players)
    ones = torch.ones(1, game.players)
    return explainer.attribute(ones, n_samples=samples, perturbations_per_eval=1)[0].detach().numpy()


def estimators(game: Game, budget: int, seed: int) -> dict[str, Call]:
    """Return the calls that estimate, ours and those of the rivals that are installed."""
    calls: dict[str, Call] = {f"ours {name}": partial(ours, game, name, budget, seed) for name in OURS}
    calls["LeverageSHAP"] = partial(leverage_shap, game, budget, seed)
    library = rival("shap")
    if library is not None:
        calls["shap Kernel"] = partial(shap_kernel, library, game, budget, seed)
    library = rival("shapiq.approximator")
    if library is not None:
        for kind in ("KernelSHAP", "KernelSHAPIQ", "PermutationSamplingSV", "SVARM"):
            calls[f"shapiq {kind}"] = partial(shapiq, library, kind, game, budget, seed)
    library = rival("captum.attr")
    if library is not None:
        for kind in ("KernelShap", "ShapleyValueSampling"):
            calls[f"captum {kind}"] = partial(captum, library, kind, game, budget, seed)
    return calls


def print_errors(game: Game, budgets: tuple[int, ...], effort: Effort) -> None:
    """Print the errors over seeds, and how much larger they are than that of our better method."""
    errors: dict[str, dict[int, float]] = {}
    for budget in budgets:
        working = running(estimators(game, budget, 0))
        for name in working:
            rounds = [estimators(game, budget, seed)[name]() - game.truth for seed in range(effort.rounds)]
            error = np.sqrt(np.mean(np.square(rounds)) / np.mean(np.square(game.truth)))
            errors.setdefault(name, {})[budget] = float(error)
    least = {budget: min(errors[f"ours {name}"][budget] for name in OURS) for budget in budgets}
    print_head("estimator", *(column for budget in budgets for column in (f"{budget}, error", "/ our least")))
    for name, row in errors.items():
        cells = [(f"{row[b]:.4f}", f"{row[b] / least[b]:.2f}") if b in row else ("", "") for b in budgets]
        print_row(name, *(cell for pair in cells for cell in pair))


def regions(effort: Effort) -> None:
    """Print the errors of 12 regions of a photo."""
    model: Any = classifier(effort.quick)
    prepared = model.prepare(cat())
    x = model.to_tensor(prepared.array[None])
    target = model.targets(None, model.scores(prepared.array[None])[0])[0]
    rows, columns = effort.choose((2, 4), (3, 4))
    members = subsets(rows * columns)
    cells = torch.from_numpy(grid(rows, columns, *x.shape[2:]))
    with torch.inference_mode():
        scores = [model.module(x * part[:, cells][:, None])[:, target] for part in torch.from_numpy(members).split(8)]
    worth = torch.cat(scores).double().numpy()
    numbers = 1 << np.arange(rows * columns)
    heading(f"{rows * columns} regions of a photo, {network_name(effort.quick)}, {effort.rounds} seeds")
    game = Game(lambda coalitions: worth[coalitions @ numbers], shapley_values(worth))
    print_errors(game, effort.choose((40,), (64, 256, 2048)), effort)


def segments(effort: Effort) -> None:
    """Print the errors of 60 segments of a recording: each second of six axes."""
    if effort.quick:
        note("the recordings are left out of quick runs: they are fetched")
        return
    sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests fetch them and train the network
    from tests.motions import network, outing

    module, mean, std = network()
    x = torch.from_numpy((outing()[:, :100] - mean[:, None]) / std[:, None])[None]
    with torch.inference_mode():
        target = int(module(x)[0].argmax())
    places = torch.from_numpy(np.arange(6)[:, None] * 10 + np.arange(100) // 10)

    def worth(coalitions: Any) -> Any:
        with torch.inference_mode():
            parts = torch.from_numpy(np.asarray(coalitions, bool)).split(256)
            return torch.cat([module(x * part[:, places])[:, target] for part in parts]).double().numpy()

    rng, truth, pairs = np.random.default_rng(2**31), np.zeros(60), 4000
    for _ in range(pairs):  # antithetic
        order = rng.permutation(60)
        for one in (order, order[::-1]):
            truth[one] += np.diff(worth(np.argsort(one) < np.arange(61)[:, None])) / (2 * pairs)
    heading(f"60 segments of a recording, a convolutional network, {effort.rounds} seeds")
    print_errors(Game(worth, truth), (256, 2048), effort)


class Cell(NamedTuple):
    """Whether the intervals of a method hold the values of a game at a budget."""

    method: str
    budget: int
    name: str
    known: float
    """The part of the seeds that knew an error."""
    covered: float
    """The part of the values that lay within it; nan if it was not known."""
    exact: bool


SIZES = (6, 8, 10, 12, 14)
WANTED = (0.90, 0.98)


def budgets_of(players: int) -> list[int]:
    """Return budgets from the least that is allowed, each twice the one before, to three quarters of all coalitions."""
    most = min(2048, 3 * 2**players // 4)
    return [budget for budget in (4 * players * 2**i for i in range(12)) if budget <= most]


def cell(method: str, worth: Any, truth: Any, budget: int, name: str, seeds: int) -> Cell:
    """Measure one cell; the estimators are called without a model, which costs as much as they do."""
    players, estimate = len(truth), {"kernel-shap": additive_fit, "shapley": interactions.estimate}[method]
    covered, worst = [], 0.0
    for seed in range(seeds):
        pairs = draw_pairs(np.random.default_rng(seed), players, (budget - 2) // 2)
        number = pairs.members @ (1 << np.arange(players))
        differences = worth[number] - worth[len(worth) - 1 - number]
        values, errors = estimate(pairs, differences[:, None], worth[-1:] - worth[0])[:2]
        miss = np.abs(values[:, 0] - truth)
        worst = max(worst, float(miss.max()))
        if errors is not None:
            covered.append(np.mean(miss <= 1.96 * np.sqrt((errors**2).mean())))
    exact = worst < 1e-9 * np.abs(truth).max()
    return Cell(method, budget, name, len(covered) / seeds, float(np.mean(covered)) if covered else np.nan, exact)


def coverage(effort: Effort) -> None:
    """Print how many cells have 95 % intervals that cover 90 to 98 %, and those that have not."""
    seeds = effort.choose(3, 5 * effort.rounds)
    heading(f"Coverage of 95 % intervals, {seeds} seeds")
    cells: list[Cell] = []
    for players in effort.choose(SIZES[1:2], SIZES):
        present = subsets(players).astype(float)
        for kind, make in GAMES.items():
            worth = make(np.random.default_rng(1), present)
            truth = shapley_values(worth)
            for budget, method in itertools.product(budgets_of(players), OURS):
                cells.append(cell(method, worth, truth, budget, f"{kind} of {players}", seeds))
    print_head("method", "cells", "exact", "error not known", "least", "mean", "most", "within .90 to .98")
    for method in OURS:
        mine = [each for each in cells if each.method == method]
        known = [each for each in mine if not each.exact and each.known]
        rates = [each.covered for each in known]
        outside = [each for each in known if not WANTED[0] <= each.covered <= WANTED[1]]
        unknown = sum(not each.exact and not each.known for each in mine)
        figures = (f"{figure(rates):.2f}" for figure in (min, np.mean, max))
        within = f"{len(known) - len(outside)} of {len(known)}"
        print_row(method, len(mine), sum(each.exact for each in mine), unknown, *figures, within)
        for each in outside:
            note(f"{method}, {each.name}, budget {each.budget}: {each.covered:.2f}")


if __name__ == "__main__":
    main(__doc__, {"regions": regions, "segments": segments, "coverage": coverage}, PACKAGES, rounds=20)
