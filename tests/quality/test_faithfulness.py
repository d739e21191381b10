import itertools
import json

import numpy as np
import pytest

from tests.support import refuses
from xplain.errors import InputError
from xplain.quality import deletion, infidelity, insertion

RNG = np.random.default_rng(0)


def linear(weights, bias=0.0):
    return lambda batch: (np.asarray(batch, np.float64) * weights).sum(axis=(1, 2, 3)) + bias


def test_the_curves_of_a_linear_score_in_the_order_of_its_contributions_have_a_closed_form():
    image, weights = RNG.normal(size=(3, 4, 5)), RNG.normal(size=(3, 4, 5))
    score, n = linear(weights, bias=2.0), 20
    gains = (image * weights).sum(axis=0)  # input x gradient
    falling = np.sort(gains.ravel())[::-1]
    # The k-th pixel is there until step k - 1, and half of it lies under the trapezoid of its own step.
    held = ((n - np.arange(n) - 0.5) / n) @ falling
    removed = deletion(score, image, gains, steps=n)
    inserted = insertion(score, image, gains, steps=n, substrate=0)
    assert removed.auc == pytest.approx(2 + gains.sum() - held, abs=1e-5)
    assert inserted.auc == pytest.approx(2 + held, abs=1e-5)
    assert removed.scores[0] == inserted.scores[-1] == pytest.approx(2 + gains.sum(), abs=1e-5)
    assert removed.scores[-1] == inserted.scores[0] == pytest.approx(2)
    assert removed.scores == pytest.approx([2 + falling[k:].sum() for k in range(n + 1)], abs=1e-5)


def test_no_other_order_beats_that_of_the_contributions():
    image = RNG.normal(size=(1, 2, 3))
    weights = RNG.normal(size=(1, 2, 3))
    score, gains = linear(weights), (image * weights)[0]
    orders = [np.reshape(order, (2, 3)).astype(float) for order in itertools.permutations(range(6))]
    best = deletion(score, image, gains).auc, insertion(score, image, gains, substrate=0).auc
    assert min(deletion(score, image, order).auc for order in orders) == pytest.approx(best[0])
    assert max(insertion(score, image, order, substrate=0).auc for order in orders) == pytest.approx(best[1])


def test_the_order_says_which_pixels_change_first():
    image, values = np.ones((1, 1, 3)), np.array([[1.0, -3.0, 2.0]])
    score = linear(np.array([[[1.0, 10.0, 100.0]]]))
    assert deletion(score, image, values).scores == (111, 11, 10, 0)
    assert deletion(score, image, values, order="lowest").scores == (111, 101, 100, 0)
    assert deletion(score, image, values, order="magnitude").scores == (111, 101, 1, 0)


def test_pixels_with_equal_values_change_in_reading_order():
    image = np.arange(1.0, 5.0).reshape(1, 2, 2)
    assert deletion(linear(np.ones((1, 2, 2))), image, np.zeros((2, 2))).scores == (10, 9, 7, 4, 0)


def test_a_step_changes_many_pixels_and_the_knobs_are_stored_as_json():
    image = RNG.random((2, 6, 6))
    curve = deletion(linear(np.ones((2, 6, 6))), image, image.sum(axis=0), steps=4, substrate="mean", output="logit")
    assert curve.fractions == (0, 0.25, 0.5, 0.75, 1)
    assert curve.scores[-1] == pytest.approx(image.sum(), rel=1e-6)  # the mean colour has the sum of the image
    document = json.loads(json.dumps(curve.to_json(), allow_nan=False))
    assert {key: document[key] for key in ("steps", "order", "substrate", "output")} == {
        "steps": 4,
        "order": "highest",
        "substrate": "mean",
        "output": "logit",
    }
    assert document == curve.to_json()


def test_batches_change_nothing_and_images_of_bytes_stay_bytes():
    photo = RNG.integers(0, 256, (5, 7, 3), np.uint8)
    batches = []

    def score(batch):
        batches.append((batch.shape, batch.dtype))
        return batch.mean(axis=(1, 2, 3))

    values = RNG.random((5, 7))
    whole = deletion(score, photo, values, channel_axis=-1, substrate=99.6, batch_size=99)
    assert batches == [((36, 5, 7, 3), np.dtype(np.uint8))]
    assert whole.scores[-1] == 100
    assert deletion(score, photo, values, channel_axis=-1, substrate=99.6, batch_size=5) == whole
    assert max(shape[0] for shape, _ in batches[1:]) == 5


def test_a_map_that_shares_out_an_additive_score_has_no_infidelity_in_any_unit():
    image, weights = RNG.normal(size=(3, 9, 8)), RNG.normal(size=(3, 9, 8))
    gains = (image * weights).sum(axis=0)
    fixed = infidelity(linear(weights, 1.0), image, gains, normalise=False)
    scaled = infidelity(linear(weights, 1.0), image, gains * 7)
    assert (fixed.infidelity, scaled.relative) == pytest.approx((0, 0), abs=1e-9)
    assert scaled.scale == pytest.approx(1 / 7)
    assert infidelity(linear(weights), image, np.zeros((9, 8))).relative == 1
    assert infidelity(linear(0 * weights), image, gains).relative is None


def test_infidelity_is_that_of_captum(captum):
    torch = pytest.importorskip("torch")
    image, values = RNG.normal(size=(2, 6, 7)), RNG.normal(size=(6, 7))
    weights = torch.as_tensor(RNG.normal(size=(2, 6, 7)))

    def network(batch):
        return torch.tanh((torch.as_tensor(batch).double() * weights).sum(dim=(1, 2, 3)))

    batches = []

    def score(batch):
        batches.append(np.array(batch))
        return network(batch).numpy()

    for normalise in (True, False):
        batches.clear()
        ours = infidelity(score, image, values, samples=24, side=0.5, seed=3, normalise=normalise)
        covered = torch.as_tensor(np.concatenate(batches[1:]))
        original = torch.as_tensor(image)[None]
        # what captum multiplies with the change is a slope: half of each pixel's value on each of two channels
        slopes = torch.as_tensor(values.astype(np.float32).astype(float))[None, None] / 2 / original
        oracle = captum.infidelity(
            lambda x: network(x)[:, None],
            lambda x, covered=covered: (x - covered, covered),
            original,
            slopes,
            target=0,
            n_perturb_samples=24,
            max_examples_per_batch=24,
            normalize=normalise,
        )
        assert ours.infidelity == pytest.approx(float(oracle[0]), rel=1e-5)
    assert ours.side == 3


def test_wrong_arguments_are_refused():
    image, values, score = np.ones((1, 2, 2)), np.ones((2, 2)), linear(np.ones((1, 2, 2)))
    with refuses(InputError, "values must be 2x2 as the image, got shape (3, 2)"):
        deletion(score, image, np.ones((3, 2)))
    with refuses(InputError, "image must be an array of numbers with three axes"):
        deletion(score, np.ones((2, 2)), values)
    with refuses(InputError, "channel_axis must be 0 or -1, got 1"):
        deletion(score, image, values, channel_axis=1)
    with refuses(InputError, "order must be one of 'highest', 'lowest', 'magnitude', got 'best'"):
        deletion(score, image, values, order="best")
    with refuses(InputError, "substrate must be one of 'mean', 'blur', got 'white'"):
        insertion(score, image, values, substrate="white")
    with refuses(InputError, "steps must be an integer >= 1, got 0"):
        insertion(score, image, values, steps=0)
    with refuses(InputError, "score must return 5 finite numbers, one for each input"):
        deletion(lambda batch: batch, image, values)
    with refuses(InputError, "side must be above 0 and at most 1, got 2"):
        infidelity(score, image, values, side=2)
    with refuses(InputError, "values must be finite"):
        infidelity(score, image, values * np.nan)
