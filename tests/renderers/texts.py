"""Explained texts for tests."""

import re

from xplain.explanation import Attribution, Explanation, Prediction, Source, Word, WordScores

FILM = "The film was not good, but the music saved it."
SCORES = {1: 0.02, 3: -0.42, 4: 0.21, 8: 0.38}
POSITIVE, NEGATIVE = Prediction("positive", 0.61), Prediction("negative", 0.39)
NASTY = (
    "</div></span><script>alert('x')</script> \x1b[31mred\x00 \ud800 \"quotes\" &amp; <!-- </title>\r\n"
    "\tשלום — café 好的 \u202eevil \x9b2J ]]> <img/onerror=alert(1)>"
)


def words(text, scores):
    """The words between white space, with index and range; those without a score get 0."""
    scored = (
        Word(match[0], scores.get(i, 0.0), i, match.start(), match.end())
        for i, match in enumerate(re.finditer(r"\S+", text))
    )
    return WordScores(tuple(scored))


def explain(text=FILM, *scores, name=None, labels=(POSITIVE, NEGATIVE), method="shapley"):
    """An explanation with one attribution for each mapping from the index of a word to its score."""
    attributions = tuple(
        Attribution(label, words(text, by_index), method)
        for label, by_index in zip(labels, scores or (SCORES,), strict=False)
    )
    return Explanation("text-classification", Source("text", text=text, name=name), labels, attributions)
