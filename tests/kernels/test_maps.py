import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.support import examples
from xplain.kernels import maps
from xplain.kernels.compiled import maps as compiled
from xplain.kernels.plain import maps as plain

RNG = np.random.default_rng(5)
PHOTO = RNG.integers(0, 256, (37, 61, 3), dtype=np.uint8)
COLOURS = RNG.integers(0, 256, (256, 3), dtype=np.uint8)
# Not a multiple of four pixels, several blocks of both implementations.
LARGE = RNG.integers(0, 256, (211, 303, 3), dtype=np.uint8)


def blend_one_by_one(photo, values, table, scale, offset):
    out = np.empty_like(photo)
    for y, x in np.ndindex(values.shape):
        level = np.float32(values[y, x]) * np.float32(scale) + np.float32(offset)
        *colour, weight = (int(v) for v in table[int(min(max(level, 0), 255))])
        out[y, x] = [(int(p) * weight + c) >> 8 for p, c in zip(photo[y, x], colour, strict=True)]
    return out


@pytest.fixture(params=[plain, compiled], ids=["numpy", "numba"])
def kernels(request):
    return request.param


def run(kernels, photo, values, table, scale=1.0, offset=0.5):
    out = np.empty_like(photo)
    arguments = (photo.reshape(-1), values.reshape(-1), table, np.float32(scale), np.float32(offset), out.reshape(-1))
    kernels.blend(*arguments)
    return out


def test_blend_is_the_formula_for_each_pixel(kernels):
    values = RNG.normal(100, 90, PHOTO.shape[:2]).astype(np.float32)
    table = maps.blend_table(COLOURS, RNG.random(256))
    expected = blend_one_by_one(PHOTO, values, table, 0.9, 3.5)
    assert np.array_equal(run(kernels, PHOTO, values, table, 0.9, 3.5), expected)


@examples(60)
@given(
    hnp.arrays(np.float32, (7, 11), elements=st.floats(allow_nan=False, allow_infinity=False, width=32)),
    st.sampled_from([1e-38, 1e-3, 1.0, 127.0, 1e30]),
    st.sampled_from([0.5, 128.5]),
)
def test_both_blend_to_the_same_bytes(values, scale, offset):
    photo, table = PHOTO[:7, :11].copy(), maps.blend_table(COLOURS, np.linspace(0, 1, 256))
    args = (photo, values, table, scale, offset)
    assert np.array_equal(run(plain, *args), run(compiled, *args))


def test_both_blend_large_images_to_the_same_bytes():
    values = RNG.normal(0, 1, LARGE.shape[:2]).astype(np.float32)
    table = maps.blend_table(COLOURS, np.linspace(0, 1, 256))
    args = (LARGE, values, table, 40.0, 128.5)
    assert np.array_equal(run(plain, *args), run(compiled, *args))


def test_opacity_0_is_the_photo_and_1_the_colour(kernels):
    values = np.arange(256, dtype=np.float32).reshape(16, 16)
    photo = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert np.array_equal(run(kernels, photo, values, maps.blend_table(COLOURS, np.zeros(256))), photo)
    opaque = run(kernels, photo, values, maps.blend_table(COLOURS, np.ones(256)))
    assert np.array_equal(opaque.reshape(-1, 3), COLOURS)


def test_blended_channels_are_the_rounded_mean(kernels):
    photo = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)
    values = np.full((1, 256), 7, np.float32)
    for share in (1, 51, 128, 200, 255):
        out = run(kernels, photo, values, maps.blend_table(np.full((256, 3), 200, np.uint8), np.full(256, share / 256)))
        exact = photo * (1 - share / 256) + 200 * share / 256
        assert np.abs(out - exact).max() <= 0.5


def test_blend_may_write_over_the_photo_and_takes_a_new_array_if_none_is_given():
    values = RNG.normal(0, 1, PHOTO.shape[:2]).astype(np.float32)
    table = maps.blend_table(COLOURS, np.linspace(0, 1, 256))
    before = PHOTO.copy()
    fresh = maps.blend(PHOTO, values, table, 40.0, 128.5)
    assert np.array_equal(PHOTO, before)
    photo = PHOTO.copy()
    assert maps.blend(photo, values, table, 40.0, 128.5, out=photo) is photo
    assert np.array_equal(photo, fresh)


def test_magnitudes_are_counted_in_bins_below_one_percent(kernels):
    values = np.concatenate([RNG.normal(0, 1, 50_000), [0.0, -0.0, 3e38, 1e-45]]).astype(np.float32)
    counts = np.zeros(maps.MAGNITUDES, np.int64)
    kernels.count_magnitudes(values.view(np.uint32), counts)
    assert counts.sum() == values.size
    assert counts[0] == 3  # two zeros and one value too small to matter
    for index in np.flatnonzero(counts):
        low, high = maps.magnitude_edge(int(index)), maps.magnitude_edge(int(index) + 1)
        assert counts[index] == ((np.abs(values) >= low) & (np.abs(values) < high)).sum()
        assert index == 0 or high <= low * (1 + 1 / 128)


def test_counting_takes_any_shape():
    assert maps.count_magnitudes(np.ones((3, 4), np.float32)).max() == 12
