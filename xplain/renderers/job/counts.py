"""Counts over all items of a job, which its page needs before it shows the first of them: labels, colours, outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from xplain.explanation import Explanation, Item
from xplain.explanation.notes import Notes, NotesOf
from xplain.explanation.outcomes import Outcome, Tally, choose, outcomes, tally
from xplain.renderers.canvas.colours import Colour
from xplain.renderers.signal.timeline import Block, palette


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts over the items of a job.

    Parameters
    ----------
    tally : Tally
        Of the outcomes whose truth is known.
    labels : dict of str to int
        Number of items of each label, the most frequent first.
    wrong : int
        Number of items with a wrong outcome.
    colours : dict of str to RGB
        Of labels along time.
    """

    tally: Tally
    labels: dict[str, int]
    wrong: int
    colours: dict[str, Colour]


def count_items(items: Iterable[Item], notes_of: NotesOf) -> Counts:
    """Go through items once; memory grows with the number of labels only."""
    outcome_times: Counter[Outcome] = Counter()
    label_times: Counter[str] = Counter()
    window_times: Counter[str] = Counter()
    wrong = 0
    for item in items:
        if item.explanation is None:
            continue
        notes = notes_of(item.explanation)
        decided = outcomes(item.explanation, notes)
        label_times.update(labels_of(item.explanation, decided, notes))
        wrong += is_wrong(decided)
        for outcome in decided:
            if outcome.expected is not None:
                outcome_times[replace(outcome, region=None)] += 1  # equal ones are kept once, whatever their windows
            if outcome.region is not None:
                window_times[outcome.predicted] += 1
                window_times.update([outcome.expected] if outcome.expected is not None else [])
    colours = palette(Block(0, times, label) for label, times in sorted(window_times.items()))
    return Counts(tally(list(outcome_times.elements())), dict(label_times.most_common()), wrong, colours)


def labels_of(explanation: Explanation, decided: Sequence[Outcome], notes: Notes) -> tuple[str, ...]:
    """Return the labels by which an item is filtered: what is decided for it, or found in it."""
    if explanation.task in ("image-classification", "signal-classification"):
        names = [outcome.predicted for outcome in decided]
    elif explanation.task == "text-classification":
        names = _labels_of_text(explanation, notes)
    else:
        names = [p.name for p in explanation.predictions if p.threshold is None or p.score >= p.threshold]
    return tuple(dict.fromkeys(names))


def _labels_of_text(explanation: Explanation, notes: Notes) -> list[str]:
    """Labels of the whole text that reach their thresholds; the best label if there are no thresholds."""
    predictions = [p for p in explanation.predictions if p.region is None]
    if any(p.threshold is not None for p in predictions):
        return [p.name for p in predictions if p.threshold is not None and p.score >= p.threshold]
    best = choose(predictions, notes.of)
    return [] if best is None else [best.name]


def is_wrong(decided: Sequence[Outcome]) -> bool:
    """Whether any outcome is known to be wrong."""
    return any(outcome.correct is False for outcome in decided)
