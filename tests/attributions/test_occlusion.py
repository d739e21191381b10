import numpy as np
import pytest

from tests.attributions.board import Board, linear, on_pixels
from tests.support import refuses
from xplain.errors import InputError

feature_ablation = on_pixels("feature-ablation")
occlusion = on_pixels("occlusion")


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(3, 8, 12)).astype(np.float32)


@pytest.fixture
def weights():
    return np.random.default_rng(1).normal(size=(2, 3, 8, 12))


def test_windows_of_a_linear_score_hold_their_share(image, weights):
    board = Board(linear(weights, bias=3.0), image)
    maps = occlusion(board, window=4, stride=4, baseline=0.5)
    share = (weights * (image.astype(float) - 0.5)).sum(axis=1)
    expected = share.reshape(2, 2, 4, 3, 4).sum(axis=(2, 4)).repeat(4, axis=1).repeat(4, axis=2)
    assert maps == pytest.approx(expected, abs=1e-10)
    assert board.calls == 1 + 6


@pytest.mark.parametrize(
    ("window", "counts"), [((3, 5), (3, 3)), ((5, 12), (2, 1)), ((7, 7), (2, 2)), ((8, 1), (1, 12))]
)
def test_windows_that_do_not_fit_are_spread_evenly_so_that_each_holds_its_share(image, weights, window, counts):
    """As everywhere where the stride is the window's size: no pixel is covered twice."""
    rows, columns = (np.arange(side) * count // side for side, count in zip((8, 12), counts, strict=True))
    board = Board(linear(weights, bias=3.0), image)
    maps = occlusion(board, window=window, stride=window, baseline=0.5)
    share = (weights * (image.astype(float) - 0.5)).sum(axis=1)
    for row in range(counts[0]):
        for column in range(counts[1]):
            inside = np.ix_(rows == row, columns == column)
            for target in range(2):
                assert maps[target][inside] == pytest.approx(share[target][inside].sum())
    assert board.calls == 1 + counts[0] * counts[1]


def test_one_axis_may_overlap_and_the_other_not(image, weights):
    maps = occlusion(Board(linear(weights), image), window=(3, 4), stride=(3, 2))
    share = (weights * image.astype(float)).sum(axis=1)
    bands = [share[:, :, left : left + 4].sum(axis=2) for left in (0, 2, 4, 6, 8)]
    assert maps[:, 0, 0] == pytest.approx(bands[0][:, :3].sum(axis=1))
    assert maps[:, 7, 5] == pytest.approx(((bands[1] + bands[2]) / 2)[:, 6:].sum(axis=1))


def test_overlapping_windows_are_averaged(image, weights):
    def curved(batch):
        return np.tanh(linear(weights)(batch))

    maps = occlusion(Board(curved, image), window=(3, 5), stride=(2, 3))
    total, count = np.zeros((2, 8, 12)), np.zeros((8, 12))
    for top in (0, 2, 4, 5):
        for left in (0, 3, 6, 7):
            covered = image.copy()
            covered[:, top : top + 3, left : left + 5] = 0
            where = np.zeros((8, 12))
            where[top : top + 3, left : left + 5] = 1
            total += (curved(image[None]) - curved(covered[None])).reshape(2, 1, 1) * where
            count += where
    assert maps == pytest.approx(total / count, abs=1e-12)


def test_captum_gives_the_same(image, weights):
    import torch
    from captum.attr import FeatureAblation, Occlusion

    weight = torch.from_numpy(weights)

    def model(batch):
        return torch.tanh(torch.einsum("tchw,nchw->nt", weight, batch.double()) / 9)

    def score(batch):
        return model(torch.from_numpy(batch)).numpy()

    x = torch.from_numpy(image)[None]
    theirs = Occlusion(model).attribute(x, (3, 4, 6), target=1, strides=(3, 2, 3), baselines=0.25)
    ours = occlusion(Board(score, image), window=(4, 6), stride=(2, 3), baseline=0.25)
    assert ours[1] == pytest.approx(theirs[0, 0].numpy(), abs=1e-6)

    mask = np.random.default_rng(2).integers(0, 6, (8, 12))
    theirs = FeatureAblation(model).attribute(x, target=0, feature_mask=torch.from_numpy(mask)[None, None])
    ours = feature_ablation(Board(score, image), segments=mask)
    assert ours[0] == pytest.approx(theirs[0, 0].numpy(), abs=1e-6)


def test_fractions_are_parts_of_each_side(image, weights):
    board = Board(linear(weights), image)
    assert (occlusion(board, window=0.25, stride=0.125) == occlusion(board, window=(2, 3), stride=(1, 2))).all()


def test_default_costs_170_evaluations():
    image = np.random.default_rng(0).random((1, 56, 56)).astype(np.float32)
    board = Board(linear(np.ones((1, 1, 56, 56))), image)
    occlusion(board)
    assert board.calls == 170


def test_uint8_images_stay_uint8(weights):
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    last = weights.transpose(0, 2, 3, 1)
    dtypes = []

    def score(batch):
        dtypes.append(batch.dtype)
        return linear(last)(batch)

    maps = occlusion(Board(score, image), window=4, stride=4, baseline=7.4)
    share = (last * (image - 7.0)).sum(axis=-1)
    assert maps[:, 0, 0] == pytest.approx(share[:, :4, :4].sum(axis=(1, 2)))
    assert set(dtypes) == {np.dtype(np.uint8)}


def test_ablation_of_a_linear_score_is_the_region_s_share(image, weights):
    mask = np.random.default_rng(3).choice([-5, 2, 900], (8, 12))
    board = Board(linear(weights), image)
    maps = feature_ablation(board, segments=mask, baseline=1.0)
    share = (weights * (image.astype(float) - 1.0)).sum(axis=1)
    for region in (-5, 2, 900):
        inside = mask == region
        assert maps[:, inside] == pytest.approx(np.repeat(share[:, inside].sum(axis=1, keepdims=True), inside.sum(), 1))
    assert board.calls == 1 + 3
    assert board.each("players")[0] == 3


def test_batches_do_not_matter(image, weights):
    mask = np.arange(96).reshape(8, 12) // 7
    for method, options in ((occlusion, {"window": 3, "stride": 2}), (feature_ablation, {"segments": mask})):
        maps = [method(Board(linear(weights), image, batch_size=size), **options) for size in (1, 7, 100)]
        assert (maps[0] == maps[1]).all()
        assert (maps[0] == maps[2]).all()


def test_refusals(image, weights):
    board = Board(linear(weights), image)
    with refuses(InputError, "window must be at most 8", "got 9"):
        occlusion(board, window=9)
    with refuses(InputError, "window must be a fraction above 0 and at most 1", "got 2.0", "int"):
        occlusion(board, window=2.0)
    with refuses(InputError, "window must be one length or a pair"):
        occlusion(board, window=(1, 2, 3))
    with refuses(InputError, "stride must be an integer >= 1, got 0"):
        occlusion(board, window=2, stride=0)
    with refuses(InputError, "stride must be at most the window", "(2, 2)", "(2, 3)"):
        occlusion(board, window=2, stride=(2, 3))
