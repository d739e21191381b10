"""What has to be known of all items of a job before the first of them is shown: labels, colours, and what was right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from xplain.explanation import Explanation, Item
from xplain.explanation.outcomes import Outcome, Tally, choose, outcomes, tally
from xplain.renderers.canvas.colours import Colour
from xplain.renderers.signal.timeline import Block, palette


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts over the items of a job.

    Parameters
    ----------
    tally : Tally
        Of what was decided where the truth is known.
    labels : dict of str to int
        In how many items each label is, the most frequent first.
    wrong : int
        In how many items something is wrong.
    colours : dict of str to RGB
        Of labels along time.
    """

    tally: Tally
    labels: dict[str, int]
    wrong: int
    colours: dict[str, Colour]


def count(items: Iterable[Item]) -> Counts:
    """Go through items once; what is kept of them grows with the number of labels."""
    decided: Counter[Outcome] = Counter()
    found: Counter[str] = Counter()
    wrong = 0
    lasting: Counter[str] = Counter()
    for item in items:
        if item.explanation is None:
            continue
        found.update(labels(item.explanation))
        wrong += is_wrong(item.explanation)
        for one in outcomes(item.explanation):
            if one.expected is not None:
                decided[replace(one, region=None)] += 1
            if one.region is not None:
                lasting[one.predicted] += 1
                lasting.update([one.expected] if one.expected is not None else [])
    colours = palette([Block(0, times, label) for label, times in sorted(lasting.items())])
    return Counts(tally(list(decided.elements())), dict(found.most_common()), wrong, colours)


def labels(explanation: Explanation) -> tuple[str, ...]:
    """Return the labels under which an item is found: what is decided for it, or what is found in it."""
    if explanation.task in ("image-classification", "signal-classification"):
        names = [one.predicted for one in outcomes(explanation)]
    elif explanation.task == "text-classification":
        whole = [p for p in explanation.predictions if p.region is None]
        limited = [p for p in whole if p.threshold is not None]
        best = choose(whole)
        names = [p.name for p in limited if p.score >= (p.threshold or 0.0)]
        names = names if limited else [best.name] if best is not None else []
    else:
        names = [p.name for p in explanation.predictions if p.threshold is None or p.score >= p.threshold]
    return tuple(dict.fromkeys(names))


def is_wrong(explanation: Explanation) -> bool:
    """Whether anything that was decided is known to be wrong."""
    return any(one.correct is False for one in outcomes(explanation))
