import hashlib

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.support import refuses
from xplain import InputError
from xplain.explanation import Window
from xplain.models.signal import SignalClassifier


def mean_of_each_axis(windows):
    return windows.mean(axis=2)


def classifier(model=mean_of_each_axis, **options):
    return SignalClassifier(model, **{"sample_rate_hz": 50, "window": 4} | options)


RAMP = np.arange(20, dtype=np.float32).reshape(2, 10)


def test_a_recording_is_read_in_windows_and_the_last_ends_with_it():
    prepared = classifier(stride=3).prepare(RAMP)
    assert prepared.starts == (0, 3, 6)
    assert classifier().prepare(RAMP).starts == (0, 4, 6)
    windows = prepared.windows()
    assert windows.dtype == np.float32
    assert windows.shape == (3, 2, 4)
    assert windows[1].tolist() == [[3, 4, 5, 6], [13, 14, 15, 16]]
    assert prepared.region(1) == Window(60, 140)


def test_a_callable_gets_normalised_windows_and_the_source_keeps_the_readings():
    batches = []

    def score(windows):
        batches.append(windows)
        return windows.mean(axis=2)

    model = classifier(score, mean=[0, 10], std=2, axes=["x", "y"])
    predictions = model.predict(RAMP[:, :4], top=1)
    assert batches[0].dtype == np.float32
    assert np.array_equal(batches[0][0], [[0, 0.5, 1, 1.5]] * 2)
    assert len(predictions) == 1
    assert predictions[0].region is None
    source = model.prepare(RAMP).source
    assert (source.kind, source.sample_rate_hz, source.name) == ("signal", 50, None)
    assert np.array_equal(source.content, RAMP)
    assert model.describe() == {
        "window": 4, "stride": 4, "mean": [0, 10], "std": [2], "axes": ["x", "y"]
    }  # fmt: skip


def test_a_module_gets_tensors_of_its_type_and_is_left_in_training():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(6, 2)).double().train()
    model = classifier(module, labels=["a", "b"], stride=2)
    prepared = model.prepare(RAMP)
    scores = model.all_scores(prepared)
    assert module.training
    assert module[1].num_batches_tracked == 0
    with torch.no_grad():
        expected = module.eval()(torch.tensor(prepared.windows()).double())
    assert np.allclose(scores, expected.numpy())


def test_predictions_come_window_by_window():
    model = classifier(labels=["low", "high"], output="probability")
    predictions = model.predict(np.array([[0.9] * 4 + [0.2] * 4, [0.1] * 4 + [0.8] * 4]))
    assert [(p.name, round(p.score, 3), p.id, p.region) for p in predictions] == [
        ("low", 0.9, 0, Window(0, 80)),
        ("high", 0.1, 1, Window(0, 80)),
        ("high", 0.8, 1, Window(80, 160)),
        ("low", 0.2, 0, Window(80, 160)),
    ]
    logits = classifier(lambda windows: np.log([[0.25, 0.75]] * len(windows)))
    assert [p.score for p in logits.predict(RAMP[:, :4])] == pytest.approx([0.75, 0.25])
    assert xplain.predict(logits, RAMP, top=1)[0].label == ("1",)


@pytest.mark.parametrize("make", [list, tuple, torch.tensor, lambda v: np.asarray(v, np.int64)])
def test_forms_of_a_recording(make):
    values = [1.0, 2.0, 3.0, 4.0]
    prepared = classifier().prepare(make(values))
    assert prepared.values.tolist() == [values]
    assert prepared.source.sha256 == classifier().prepare(np.array([values], np.float32)).source.sha256


def test_files_of_numpy(tmp_path):
    path = tmp_path / "walk.npy"
    np.save(path, RAMP)
    source = classifier().prepare(path).source
    assert source.name == "walk.npy"
    assert np.array_equal(source.content, RAMP)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(b"\x93NUMPY no array")
    with refuses(InputError, "recording must be a .npy file of numbers, got one that NumPy cannot read"):
        classifier().prepare(path)


@pytest.mark.parametrize(
    ("text", "axes", "expected"),
    [
        ("1,5\n2,6\n3,7\n4,8\n", None, [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ("\ufefftimestamp,x,y\n0,1,5\n20,2,6\n40,3,7\n60,4,8", None, [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ('y, x ,"Time"\n1,5,a\n2,6,b\n\n3,7,c\n4,8,d\n', ["x", "y"], [[5, 6, 7, 8], [1, 2, 3, 4]]),
    ],
)
def test_files_of_comma_separated_values(tmp_path, text, axes, expected):
    path = tmp_path / "walk.csv"
    path.write_text(text, encoding="utf-8")
    assert classifier(axes=axes).prepare(str(path)).values.tolist() == expected


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("x,y\n1,2\n3\n", ("with 2 numbers in each row, got '3' in row 3",)),
        ("x;z\n3;4\n", ("a column for each axis, got x, z without 'y'",)),
        ("1,2\n3;4,5\n", ("must hold numbers in the columns of its axes, got '3;4' in row 2",)),
        ("", ("a row for each reading, got none",)),
        ("x\n1\n2\n", ("a column for each axis, got x without 'y'",)),
        ("x,y\n1,nan\n2,3\n", ("recording must be finite, got 1 readings",)),
    ],
)
def test_broken_files_of_comma_separated_values(tmp_path, text, fragments):
    path = tmp_path / "walk.csv"
    path.write_text(text, encoding="utf-8")
    with refuses(InputError, *fragments):
        classifier(window=1, axes=["x", "y"]).prepare(path)


@pytest.mark.parametrize(
    ("recording", "fragments"),
    [
        (b"fLaC and more", ("a file: .csv, .npy", "got a FLAC file; ffmpeg -i IN OUT.wav")),
        ("missing.npy", ("path must be a file that can be read", "missing.npy")),
        (7, ("recording must be an array or a list (axes, time)", "got int")),
        (np.zeros((2, 3, 4)), ("must be numbers (axes, time), got shape (2, 3, 4)", "explain_batch takes several")),
        (np.array(["a", "b"]), ("must be numbers (axes, time)", "<U1")),
        ([[1, 2], [3]], ("as many readings on each axis",)),
        (np.zeros((2, 0)), ("must hold at least one reading",)),
        (np.array([[1, np.nan, 1e300, 0]]), ("must be finite, got 2 readings", "interpolate")),
        (np.zeros((10, 2)), ("must hold at least a window of 4 readings, got 10 axes of 2", "transpose it if time")),
    ],
)
def test_what_is_no_recording_is_refused(recording, fragments):
    with refuses(InputError, *fragments):
        classifier().prepare(recording)


def test_axes_that_do_not_fit_are_refused():
    with refuses(InputError, "recording must have 3 axes, got 2 (of 10 readings)"):
        classifier(axes=["x", "y", "z"]).prepare(RAMP)
    with refuses(InputError, "recording must have 2 axes, got 10 (of 2 readings); it lies on its side: transpose it"):
        classifier(mean=[0, 0]).prepare(RAMP.T)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate_hz": 0}, "sample_rate_hz must be above 0, got 0"),
        ({"window": 0}, "window must be an integer >= 1, got 0"),
        ({"stride": 5}, "stride must be at most the window, 4 readings, got 5; readings would be left out"),
        ({"std": [1, 0]}, "std must be above 0, got [1, 0]"),
        ({"mean": "0"}, "mean must be a finite number, got '0'"),
        ({"axes": ["x"], "mean": [1, 2]}, "mean must be one number, or one for each of 1 axes, got 2"),
        ({"axes": "x"}, "axes must be a sequence of str, got 'x'"),
        ({"axes": []}, "axes must name at least one axis, got none"),
        ({"model": 5}, "model must be a torch module or a callable, a pipeline or an estimator, got 5"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(options, message):
    with refuses(InputError, message):
        classifier(**options)
