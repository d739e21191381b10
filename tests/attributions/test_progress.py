import re
import sys

import numpy as np
import pytest

import xplain
from tests.support import refuses
from xplain import AttributionError, ImageClassifier, InputError, TextClassifier

PHOTO = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
PHOTOS = ImageClassifier(lambda images: images.mean(axis=(1, 2)) / 255)
TEXTS = TextClassifier(lambda texts: [[len(text), 1.0] for text in texts])


def counts(shown):
    """The numbers of the last picture of a bar or a line."""
    return [(int(done), int(total)) for done, total in re.findall(r"(\d+)/(\d+)", shown)][-1]


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_true_shows_the_evaluations_on_standard_error(capsys, monkeypatch, has_tqdm):
    if not has_tqdm:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    e = xplain.explain(PHOTOS, PHOTO, "occlusion", window=4, stride=4, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert counts(err) == (e.provenance.evaluations,) * 2 == (5, 5)


def test_all_inputs_of_a_call_are_counted_by_one_bar(capsys):
    for model, inputs in ((PHOTOS, [PHOTO, PHOTO]), (TEXTS, ["a good film", "not so good a film", "bad"])):
        explanations = xplain.explain_batch(model, inputs, "occlusion", progress=True)
        done = sum(e.provenance.evaluations for e in explanations)
        assert counts(capsys.readouterr().err) == (done, done)


def test_it_is_quiet_unless_asked_and_a_failure_closes_the_bar(capsys):
    expected = xplain.explain(PHOTOS, PHOTO, "sobel", progress=False)
    assert expected == xplain.explain(PHOTOS, PHOTO, "sobel")
    assert capsys.readouterr().err == ""
    with pytest.raises(AttributionError, match="ZeroDivisionError"):
        xplain.explain(ImageClassifier(lambda images: 1 / 0), PHOTO, "sobel", progress=True)
    assert capsys.readouterr().err.endswith("\n")
    with refuses(InputError, "progress must be"):
        xplain.explain(PHOTOS, PHOTO, "sobel", progress=3)
