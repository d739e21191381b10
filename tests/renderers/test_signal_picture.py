"""What a picture of an explained signal shows, pixel by pixel."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import xplain
from tests.renderers.noted import draw
from tests.support import refuses
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Attribution, Explanation, Heatmap, Prediction, Provenance, SignalScores, Source, Window
from xplain.explanation.notes import ALL_ZERO
from xplain.renderers.canvas.typography import LINE
from xplain.renderers.signal import curves, page
from xplain.renderers.signal.style import KINDS

TIME = 300
READINGS = np.stack([np.sin(np.arange(TIME) / 10), np.linspace(-5, 5, TIME)]).astype(np.float32)
SCORES = np.zeros((2, TIME), np.float32)
SCORES[0, 100:150] = 1
SCORES[1, 200:250] = -1


def explain(
    *scores, content=READINGS, rate=100.0, windows=(("walk", 0, 1000), ("rest", 1000, 3000)), name=None, **more
):
    predictions = [
        prediction
        for label, start, stop in windows
        for prediction in (
            Prediction("other", 0.2, region=Window(start, stop)),
            Prediction(label, 0.8, region=Window(start, stop)),
        )
    ]
    attributions = tuple(Attribution(Prediction("walk", 0.8), SignalScores(s), "occlusion") for s in scores)
    source = Source("signal", name=name, sample_rate_hz=rate, content=content)
    return Explanation("signal-classification", source, tuple(predictions), attributions, **more)


def colours_of(picture):
    return {tuple(colour) for colour in picture.pixels.reshape(-1, 3).tolist()}


def plots(picture):
    """Where the frames of the axes begin and end: rows in which the left edge of a frame is drawn."""
    edge = (picture.pixels[:, page.LEFT - 1] == LINE).all(axis=1)
    changes = np.flatnonzero(np.diff(np.concatenate([[0], edge, [0]])))
    return [(top, stop) for top, stop in changes.reshape(-1, 2).tolist() if stop - top > 10]


def column(reading):
    return page.LEFT + round((reading + 0.5) * page.PLOT_WIDTH / TIME)


def ground(picture, axis, reading):
    """The most frequent colour in a column of an axis."""
    top, stop = plots(picture)[axis]
    pixels = picture.pixels[top + 2 : stop - 2, column(reading)]
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    return tuple(colours[counts.argmax()].tolist())


def test_evidence_colours_the_ground_of_its_axis_and_time():
    picture = draw(explain(SCORES))
    assert picture.pixels.shape[1] == 960
    assert len(plots(picture)) == 2
    white = (255, 255, 255)
    red, _, blue = ground(picture, 0, 125)
    assert red > blue
    red, _, blue = ground(picture, 1, 225)
    assert blue > red
    for axis, reading in ((0, 50), (0, 225), (1, 125), (1, 290)):
        assert ground(picture, axis, reading) == white


def test_the_line_goes_through_the_readings():
    picture = draw(explain(SCORES))
    for axis in (0, 1):
        top, stop = plots(picture)[axis]
        low, high = READINGS[axis].min(), READINGS[axis].max()
        for reading in (20, 80, 170, 280):
            strip = picture.pixels[top + 2 : stop - 2, column(reading)].sum(axis=1)
            depth = (high - READINGS[axis, reading]) / (high - low)
            assert strip.argmin() / len(strip) == pytest.approx(0.06 + depth * 0.88, abs=0.06)


def test_a_line_keeps_the_peaks_of_more_readings_than_there_are_pixels():
    readings = np.zeros(100_000, np.float32)
    readings[77_777] = 1
    pixels = curves.draw_axis(readings, None, None, 400, 50)
    dark = (pixels < 128).all(axis=2)
    assert np.flatnonzero(dark[:25].any(axis=0)).tolist() == pytest.approx([311], abs=1)


def test_colours_of_many_readings_are_means_and_so_is_the_scale():
    values = np.zeros((1, 4 * page.PLOT_WIDTH), np.float32)
    values[0, 400:402] = 8
    assert curves.average_columns(values, page.PLOT_WIDTH)[0, 100] == 4
    assert curves.average_columns(values, page.PLOT_WIDTH).sum() == 4
    assert np.array_equal(curves.average_columns(SCORES, TIME), SCORES)
    odd = np.random.default_rng(0).normal(size=(2, 1001)).astype(np.float32)
    assert curves.average_columns(odd, 10)[1, 9] == pytest.approx(odd[1, 900:].mean())
    picture = draw(explain(values, content=None))
    assert "values 0 to 4 a reading" in picture.alt
    assert "Full colour stands for 4 or more" in picture.alt


def test_attributions_share_one_scale_that_can_be_given():
    weak = draw(explain(SCORES, 0.1 * SCORES))
    assert len(plots(weak)) == 4
    assert sum(ground(weak, 2, 125)) > sum(ground(weak, 0, 125))
    same = draw(explain(SCORES, 0.1 * SCORES), target=1, scale=0.1)
    assert ground(same, 0, 125) == ground(weak, 0, 125)
    assert "Full colour stands for 0.1 or more." in same.alt


def test_without_readings_the_colours_are_drawn_alone():
    picture = draw(explain(SCORES, content=None))
    assert [stop - top for top, stop in plots(picture)] == [23, 23]
    assert ground(picture, 0, 125) == ground(draw(explain(SCORES)), 0, 125)
    with_signal = draw(explain(SCORES, content=None), signal=READINGS)
    assert np.array_equal(with_signal.pixels, draw(explain(SCORES)).pixels)


def test_a_recording_is_read_from_a_file(tmp_path):
    np.save(tmp_path / "walk.npy", READINGS)
    from_file = xplain.render(explain(SCORES, content=None), signal=tmp_path / "walk.npy")
    assert np.array_equal(from_file.pixels, draw(explain(SCORES)).pixels)
    several = xplain.render([explain(SCORES, content=None), explain(SCORES)], signal=[READINGS, None])
    assert len(plots(several)) == 4


def test_without_evidence_readings_and_labels_are_drawn():
    picture = draw(explain())
    assert len(plots(picture)) == 2
    assert ground(picture, 0, 125) == (255, 255, 255)
    labels = draw(explain(content=None))
    assert plots(labels) == []
    assert "walk from 0 s to 1 s, rest from 1 s to 3 s" in labels.alt


def test_no_evidence_is_named():
    picture = draw(explain(0 * SCORES))
    assert ground(picture, 0, 125) == (255, 255, 255)
    assert "nothing counted: all values are 0" in picture.alt


def test_notes_stand_below_the_caption():
    explanation = explain(0 * SCORES)
    (attribution,) = explanation.attributions
    noted = replace(attribution, quality={"notes": [ALL_ZERO, "the score did not change", 3]})
    picture, plain = draw(replace(explanation, attributions=(noted,))), draw(explanation)
    assert picture.alt.count(ALL_ZERO) == 1
    assert f"{ALL_ZERO}; the score did not change." in picture.alt
    assert 0 < len(picture.pixels) - len(plain.pixels) < 40


def test_words_say_what_is_drawn():
    e = explain(SCORES, name="walk.csv", provenance=Provenance(preprocessing={"axes": ["accX", "accY"]}))
    assert draw(e, expected=["walk", "run"]).alt == (
        "Explanation of walk.csv: 2 axes at 100 Hz, 3 s. evidence for 'walk' (score 0.8): occlusion · values -1 to 1 a "
        "reading; strongest at 1.005 s on accX. Predicted: walk from 0 s to 1 s, rest from 1 s to 3 s (expected run). "
        "Full colour stands for 1 or more."
    )
    assert "strongest at 1.005 s on left" in draw(e, axes=["left", "right"]).alt
    of_source = replace(explain(SCORES), source=replace(explain(SCORES).source, axes=("gyrX", "gyrY")))
    assert "strongest at 1.005 s on gyrX" in draw(of_source).alt
    assert "strongest at reading 100 on axis 0" in draw(explain(SCORES, rate=None)).alt
    one = Attribution(Prediction("walk", 0.8, region=Window(500, 1500)), SignalScores(SCORES), "lime")
    assert (
        "lime · window 500 ms to 1.5 s · values 0 to 1"
        in draw(Explanation("signal-classification", Source("signal", sample_rate_hz=100), (), (one,))).alt
    )


def test_bars_are_mean_scores_over_the_windows():
    e = explain(SCORES, windows=(("walk", 0, 1000), ("rest", 1000, 2000), ("walk", 2000, 3000)))
    assert draw(e, kind="bars").alt == "Scores: walk 0.8; rest 0.8; other 0.2."


def test_files_are_deterministic():
    picture = draw(explain(SCORES), expected="walk")
    assert picture.png() == draw(explain(SCORES), expected="walk").png()
    assert Image.open(io.BytesIO(picture.png())).size == picture.pixels.shape[1::-1]
    assert b"data:image/png" in picture.html()


@pytest.mark.parametrize(
    ("shape", "length"), [((1, 1), 10), ((1, 2), 20), ((60, 40), 400), ((3, 50_000), 500_000), ((1, 5), 0.5)]
)
def test_any_shape_is_drawn(shape, length):
    rate = 1000 * shape[1] / length
    values = np.random.default_rng(0).normal(size=shape)
    e = explain(values, content=values, rate=rate, windows=(("walk", 0, length),))
    assert draw(e).pixels.shape[1] == 960
    assert draw(explain(values, content=np.ones(shape), rate=rate, windows=())).pixels.shape[1] == 960


def test_more_than_can_be_drawn_is_counted():
    tall = draw(explain(np.ones((60, 40)), content=None))
    assert len(plots(tall)) == page.MAX_AXES
    many = draw([explain(SCORES, content=None)] * 30)
    assert len(plots(many)) == 2 * page.MAX_SECTIONS
    assert many.pixels.shape[0] < 24 * 360


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ({"signal": READINGS[:, 1:]}, ("signal must be 2 axes of 300 readings as the explained", "got 2 of 299")),
        ({"signal": [READINGS, READINGS]}, ("signal must be one array (axes, time), or one for each", "got 2")),
        ({"signal": "walk.wav"}, ("path must be a file that can be read", "got 'walk.wav'")),
        ({"signal": b"OggS"}, ("signal must be an array or a list", "got an Ogg file")),
        ({"axes": ["x"]}, ("axes must be 2 names, one for each axis, got 1",)),
        ({"axes": "xy"}, ("axes must be a sequence of str",)),
        ({"expected": ["walk"]}, ("expected must be a label, or a label or None for each of the 2 windows",)),
        ({"image": np.zeros((2, 2, 3), np.uint8)}, ("image must be left out for a signal, got ndarray",)),
    ],
)
def test_what_does_not_fit_is_refused(options, fragments):
    with refuses(InputError, *fragments):
        draw(explain(SCORES), **options)


def test_unknown_names_are_refused():
    with refuses(UnknownNameError, "kind must be one of signal, bars, got 'bar'; did you mean 'bars'?"):
        draw(explain(SCORES), kind="bar")
    with refuses(UnknownNameError, "option must be one of", "expected", "got 'alpha'"):
        draw(explain(SCORES), alpha=0.5)
    with refuses(UnknownNameError, "target must be one of walk"):
        draw(explain(SCORES), target="run")
    assert set(KINDS) == {"signal", "bars"}


def test_other_evidence_and_mixed_sources_are_refused():
    heat = Attribution(Prediction("walk", 1.0), Heatmap(SCORES))
    source = Source("signal")
    with refuses(InputError, "evidence must be SignalScores to be drawn on a signal, got Heatmap"):
        draw(Explanation("signal-classification", source, (), (heat,)))
    with refuses(InputError, "evidence must have at least one reading to be drawn"):
        draw(explain(np.zeros((2, 0)), content=None))
    evidence = [Attribution(Prediction("walk", 1.0), SignalScores(np.ones((axes, 100)))) for axes in (1, 2)]
    with refuses(InputError, "evidence must be of one shape (axes, readings)", "got (1, 100) and (2, 100)"):
        draw(Explanation("signal-classification", source, (), evidence))
    assert draw(Explanation("signal-classification", source, (), evidence), target=1).alt
    with refuses(InputError, "subject[0] must hold an attribution, a recording or windows to be drawn along time"):
        draw(Explanation("signal-classification", source, (Prediction("walk", 1.0),)), kind="signal")
    with refuses(InputError, "subject must hold a prediction to be drawn as bars, got none"):
        draw(Explanation("signal-classification", source))
    text = Explanation("text-classification", Source("text", text="hello"))
    with refuses(InputError, "subject must explain sources of one kind, got signal and text; draw each apart"):
        draw([explain(SCORES), text])


def test_a_span_of_the_time_is_drawn_as_if_it_were_all():
    picture = draw(explain(SCORES), span=(900, 1600), expected=["walk", "run"])
    assert picture.alt == (
        "Explanation of a signal: 2 axes at 100 Hz, 900 ms to 1.6 s. evidence for 'walk' (score 0.8): occlusion · "
        "values 0 to 1 a reading; strongest at 1.005 s on axis 0. Predicted: walk from 900 ms to 1 s, rest from 1 s to "
        "1.6 s (expected run). Full colour stands for 1 or more."
    )
    cut = draw(explain(SCORES[:, 90:160], content=READINGS[:, 90:160], windows=()))
    for axis in (0, 1):
        (top, stop), (other, _) = plots(picture)[axis], plots(cut)[axis]
        assert np.array_equal(picture.pixels[top:stop], cut.pixels[other : other + stop - top])


def test_the_only_window_that_is_explained_is_drawn_alone():
    region = Window(1000, 1500)
    attribution = Attribution(Prediction("walk", 0.8, region=region), SignalScores(SCORES), "lime")
    e = replace(explain(), attributions=(attribution,))
    assert np.array_equal(draw(e).pixels, draw(e, span=(1000, 1500)).pixels)
    assert "3 s. evidence" in draw(e, span=(0, 3000)).alt
    outside = replace(attribution, target=Prediction("walk", 0.8, region=Window(9000, 9500)))
    assert "Hz, 3 s. evidence" in draw(replace(e, attributions=(outside,))).alt
    without = draw(replace(e, source=Source("signal"), attributions=()), span=(500, 1500))
    assert "Predicted: walk from 500 ms to 1 s, rest from 1 s to 1.5 s." in without.alt


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ((0, 3001), "span must lie in 0 to 3000 ms and begin before it ends, got 0 to 3001"),
        ((5, 5), "span must lie in 0 to 3000 ms and begin before it ends, got 5 to 5"),
        (5, "span must be a pair of milliseconds, from and to, got 5"),
        (("a", 5), "span must be a finite number, got 'a'"),
    ],
)
def test_spans_that_cannot_be_drawn_are_refused(span, message):
    with refuses(InputError, message):
        draw(explain(SCORES), span=span)
    with refuses(InputError, "span must be left out where the sample rate is not known"):
        draw(explain(SCORES, rate=None), span=(0, 5))
