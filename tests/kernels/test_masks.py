import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xplain.kernels import masks
from xplain.kernels.compiled import masks as compiled
from xplain.kernels.plain import masks as plain


@given(st.data())
def test_windows_cover_the_axis_and_stay_inside(data):
    size = data.draw(st.integers(1, 60))
    window = data.draw(st.integers(1, size))
    stride = data.draw(st.integers(1, window))
    first = masks.starts(size, window, stride)
    covered = masks.coverage(first, window, size)
    assert first[0] == 0
    assert first[-1] + window == size
    assert (np.diff(first) > 0).all()
    assert (np.diff(first)[:-1] == stride).all()
    assert covered.sum(axis=0).min() >= 1
    assert (covered.sum(axis=1) == window).all()


@pytest.mark.parametrize("axis", [0, -1])
def test_keep_is_a_choice_by_pixel(axis):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (5, 6))
    shape = (3, 5, 6) if axis == 0 else (5, 6, 3)
    image, baseline = rng.normal(size=shape), rng.normal(size=shape)
    coalitions = rng.random((7, 4)) < 0.5
    copies = masks.keep_regions(coalitions, np.expand_dims(labels, axis), image, baseline)
    for coalition, copy in zip(coalitions, copies, strict=True):
        for row in range(5):
            for column in range(6):
                at = (slice(None), row, column) if axis == 0 else (row, column)
                assert (copy[at] == (image if coalition[labels[row, column]] else baseline)[at]).all()


def test_cells_depend_on_key_and_index_only():
    whole, offsets = masks.draw_cells(7, 0, 20, (3, 5), 0.5, (4, 9))
    batches = [masks.draw_cells(7, start, start + 4, (3, 5), 0.5, (4, 9)) for start in range(0, 20, 4)]
    assert (np.concatenate([kept for kept, _ in batches]) == whole).all()
    assert (np.concatenate([shifts for _, shifts in batches]) == offsets).all()
    assert (masks.draw_cells(8, 0, 20, (3, 5), 0.5, (4, 9))[0] != whole).any()


def test_cells_follow_their_probability_and_shifts_their_range():
    kept, offsets = masks.draw_cells(1, 0, 4000, (4, 4), 0.3, (6, 1))
    assert kept.mean() == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / kept.size))
    assert kept.mean(axis=0) == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / 4000))
    assert np.bincount(offsets[:, 0], minlength=6) / 4000 == pytest.approx(1 / 6, abs=5 * np.sqrt(5 / 36 / 4000))
    assert (offsets[:, 1] == 0).all()


def stretch(cells, length):
    """Stretch one axis bilinearly, written out: half-pixel centres, the outermost values continue."""
    count = len(cells)
    result = []
    for pixel in range(length):
        centre = min(max((pixel + 0.5) * count / length - 0.5, 0), count - 1)
        low = int(centre)
        high = min(low + 1, count - 1)
        result.append(cells[low] * (1 - (centre - low)) + cells[high] * (centre - low))
    return np.array(result)


def enlarge(kept, offsets, rows, columns):
    """Make the masks themselves: fade from a black baseline to a white image."""
    white = np.ones((1, rows.shape[2], columns.shape[2]), np.float32)
    columns = columns.astype(np.float32)
    return masks.fade(kept, offsets, masks.neighbours(rows), columns, white, 0 * white, np.float32)[:, 0]


@pytest.mark.parametrize(("grid", "size", "shifts"), [((3, 4), (11, 12), (4, 3)), ((2, 5), (8, 5), (1, 1))])
def test_masks_are_stretched_cells_cropped(grid, size, shifts):
    kept, offsets = masks.draw_cells(3, 0, 6, grid, 0.5, shifts)
    rows, columns = (
        masks.enlargement(count, side, shift) for count, side, shift in zip(grid, size, shifts, strict=True)
    )
    enlarged = enlarge(kept, offsets, rows, columns)
    lengths = [
        side if shift == 1 else (count + 1) * -(-side // count)
        for count, side, shift in zip(grid, size, shifts, strict=True)
    ]
    for cells, (down, across), mask in zip(kept.astype(float), offsets, enlarged, strict=True):
        tall = np.stack([stretch(column, lengths[0]) for column in cells.T], axis=1)
        large = np.stack([stretch(row, lengths[1]) for row in tall])
        assert mask == pytest.approx(large[down : down + size[0], across : across + size[1]], abs=1e-6)


def test_cells_as_large_as_pixels_are_the_masks():
    kept, offsets = masks.draw_cells(3, 0, 6, (5, 4), 0.5, (1, 1))
    rows, columns = masks.enlargement(5, 5, 1), masks.enlargement(4, 4, 1)
    assert (enlarge(kept, offsets, rows, columns) == kept).all()


def test_weighted_sum_equals_the_sum_of_masks():
    kept, offsets = masks.draw_cells(5, 0, 50, (3, 4), 0.5, (4, 3))
    rows, columns = masks.enlargement(3, 11, 4), masks.enlargement(4, 12, 3)
    weights = np.random.default_rng(0).normal(size=(50, 2))
    enlarged = enlarge(kept, offsets, rows, columns)
    assert masks.weighted_sum(weights, kept, offsets, rows, columns) == pytest.approx(
        np.einsum("nt,nhw->thw", weights, enlarged), abs=1e-5
    )


def test_weighted_sum_needs_less_memory_than_the_masks():
    kept, offsets = masks.draw_cells(5, 0, 400, (5, 5), 0.5, (26, 26))
    rows = np.ascontiguousarray(masks.enlargement(5, 128, 26))
    weights = np.ones((400, 1))
    tracemalloc.start()
    masks.weighted_sum(weights, kept, offsets, rows, rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * 128 * 128 * 4 / 3


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_fade_goes_from_baseline_to_image_and_both_kernels_agree(dtype):
    rng = np.random.default_rng(0)
    image, baseline = rng.integers(0, 256, (2, 3, 11, 12)).astype(np.float32)
    kept, offsets = masks.draw_cells(5, 0, 9, (3, 4), 0.5, (4, 3))
    rows, columns = masks.enlargement(3, 11, 4), masks.enlargement(4, 12, 3).astype(np.float32)
    background = baseline + np.float32(0.5 if dtype is np.uint8 else 0)
    faded = masks.fade(kept, offsets, masks.neighbours(rows), columns, image - baseline, background, dtype)
    enlarged = enlarge(kept, offsets, rows, columns)[:, np.newaxis].astype(np.float64)
    expected = enlarged * image + (1 - enlarged) * baseline
    assert faded == pytest.approx(expected, abs=0.501 if dtype is np.uint8 else 1e-4)
    first, weights = (values[offsets[:, 0]] for values in masks.neighbours(rows))
    across = kept.astype(np.float32) @ columns[offsets[:, 1]]
    for kernels in (compiled, plain):
        out = np.empty_like(faded)
        kernels.fade(across, first, weights, image - baseline, background, out)
        assert (out == faded).all()
