"""Run-length masks against pycocotools and plain boolean arrays."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from tests.support import examples, refuses
from xplain.errors import DocumentError, InputError
from xplain.kernels import rle

EDGES = (1, 2, 63, 64, 65, 127, 128, 129, 192)
LAWS = examples(60)


def encoded_by_coco(mask):
    return coco.encode(np.asfortranarray(mask, np.uint8))


def coco_counts(mask):
    """pycocotools has no uncompressed form of its own masks, so a slow reading of the definition."""
    counts, current = [0], False
    for pixel in np.asarray(mask).ravel(order="F").tolist():
        if pixel != current:
            counts.append(0)
            current = pixel
        counts[-1] += 1
    return counts


def patterns(rng, height, width):
    """Masks that are empty, full, fine, coarse, and with runs over the ends of columns."""
    yield np.zeros((height, width), bool)
    yield np.ones((height, width), bool)
    for density in (0.01, 0.5, 0.97):
        yield rng.random((height, width)) < density
    y, x = np.mgrid[:height, :width]
    yield (y // 16 + x // 16) % 2 == 1
    yield x % 5 < 3
    yield y % 7 > 2


@st.composite
def masks(draw, count=1, least=0):
    shape = draw(st.tuples(st.integers(least, 150), st.integers(least, 150)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    cell = draw(st.sampled_from((1, 3, 40)))
    coarse = [size // cell + 1 for size in shape]
    made = []
    for _ in range(count):
        fine = rng.random(coarse) < draw(st.sampled_from((0.02, 0.5, 0.98)))
        made.append(np.kron(fine, np.ones((cell, cell), bool))[: shape[0], : shape[1]])
    return made[0] if count == 1 else made


class TestEncode:
    @pytest.mark.parametrize("height", EDGES)
    @pytest.mark.parametrize("width", EDGES)
    def test_every_edge_of_a_tile_as_pycocotools(self, height, width):
        for mask in patterns(np.random.default_rng(height * 1000 + width), height, width):
            expected = encoded_by_coco(mask)
            for laid_out in (mask, np.asfortranarray(mask)):
                counts = rle.encode(laid_out)
                assert rle.to_coco(counts, height, width)["counts"].encode() == expected["counts"]
                assert counts.dtype == np.uint32
                decoded = rle.decode(counts, height, width)
                assert decoded.dtype == bool
                assert decoded.flags.c_contiguous
                np.testing.assert_array_equal(decoded, mask)

    @LAWS
    @given(masks(), st.sampled_from(["bool", "u1", "i1", "<i2", ">i4", "u8"]), st.data())
    def test_any_dtype_order_and_stride(self, mask, dtype, data):
        fill = data.draw(st.integers(1, 127))
        values = (mask * fill).astype(dtype)
        steps = data.draw(st.tuples(st.sampled_from((1, 2, -1, -3)), st.sampled_from((1, 2, -1, -3))))
        view = (np.asfortranarray(values) if data.draw(st.booleans()) else values)[:: steps[0], :: steps[1]]
        view.flags.writeable = data.draw(st.booleans())
        counts = rle.encode(view)
        assert counts.tolist() == coco_counts(view != 0)
        np.testing.assert_array_equal(rle.decode(counts, *view.shape), view != 0)

    def test_an_image_too_large_for_the_caches(self):
        cells = np.random.default_rng(0).random((31, 33)) < 0.5
        mask = np.kron(cells, np.ones((97, 95), bool))[:2900, :2999]
        assert mask.size > 2**23
        counts = rle.encode(mask)
        assert counts.sum() == mask.size
        np.testing.assert_array_equal(rle.decode(counts, *map(np.int16, mask.shape)), mask)

    def test_threads_do_not_disturb_each_other(self):
        batch = np.random.default_rng(0).random((24, 200, 300)) < 0.3
        with ThreadPoolExecutor(4) as pool:
            counts = list(pool.map(rle.encode, batch))
            decoded = list(pool.map(lambda c: rle.decode(c, 200, 300), counts))
        np.testing.assert_array_equal(decoded, batch)

    def test_the_example_of_the_docstring(self):
        mask = [[0, 1, 1, 0], [0, 1, 0, 0], [0, 1, 0, 1]]
        assert rle.encode(mask).tolist() == [3, 4, 4, 1]

    def test_bytes_above_one_are_one(self):
        mask = np.zeros((70, 70), np.uint8)
        mask[3:40, 5:66] = np.arange(37)[:, None] + 200
        np.testing.assert_array_equal(rle.encode(mask), rle.encode(mask > 0))

    def test_rows_cut_out_of_a_wider_image(self):
        image = np.random.default_rng(0).random((200, 300)) < 0.3
        cut = image[17:150, 40:170]
        assert rle.encode(cut).tolist() == coco_counts(cut)

    @pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (0, 100)])
    def test_masks_without_pixels(self, shape):
        assert rle.encode(np.zeros(shape, bool)).tolist() == [0]
        assert rle.encode(np.zeros(shape, np.float32), threshold=0).tolist() == [0]
        assert rle.decode([0], *shape).shape == shape
        assert rle.decode([], *shape).shape == shape

    def test_a_batch_is_its_masks(self):
        batch = np.random.default_rng(0).random((3, 70, 80)) < 0.5
        for counts, mask in zip(rle.encode_batch(batch), batch, strict=True):
            np.testing.assert_array_equal(counts, rle.encode(mask))
        assert [c.tolist() for c in rle.encode_batch([np.ones((1, 2)), np.ones((3, 1))], 0.5)] == [[0, 2], [0, 3]]

    def test_refusals(self):
        with refuses(InputError, "mask must be two-dimensional (height, width), got shape (3,)"):
            rle.encode([1, 0, 1])
        with refuses(InputError, "mask must be of booleans or integers, got float64; give a threshold"):
            rle.encode([[0.5]])
        with refuses(InputError, "mask must be of booleans or integers, got complex128"):
            rle.encode([[1j]])
        with refuses(InputError, "mask must be of booleans or integers, got object"):
            rle.encode([[None]])
        with refuses(InputError, "mask must be a (height, width) array, got [[1], [1, 2]]"):
            rle.encode([[1], [1, 2]])
        with refuses(InputError, "mask must have at most 4294967295 pixels, got 65536 x 65536"):
            rle.encode(np.broadcast_to(np.False_, (65536, 65536)))


class TestThreshold:
    @LAWS
    @given(masks(least=1), st.sampled_from(["f4", "f8", "f2", ">f4", "i4", "u1", "bool"]), st.booleans())
    def test_fused_is_compare_then_encode(self, mask, dtype, columns):
        rng = np.random.default_rng(mask.size)
        values = (rng.integers(0, 5, mask.shape) * mask).astype(dtype)
        values = np.asfortranarray(values) if columns else values
        for threshold in (-1, 0.5, 2, 3):
            np.testing.assert_array_equal(rle.encode(values, threshold), rle.encode(values >= threshold))
        levels = rle.encode_levels(values, [3, -1, 2, 2])
        for counts, threshold in zip(levels, [3, -1, 2, 2], strict=True):
            np.testing.assert_array_equal(counts, rle.encode(values >= threshold))

    def test_nan_is_never_set_and_infinity_is(self):
        row = np.tile(np.array([np.nan, 1, np.inf, -np.inf], np.float32), (1, 20))
        expected = np.tile([False, True, True, False], (1, 20))
        np.testing.assert_array_equal(rle.decode(rle.encode(row, 1), 1, 80), expected)

    def test_the_threshold_takes_the_dtype_of_the_map(self):
        values = np.full((2, 70), 0.7, np.float32)
        assert float(np.float32(0.7)) < 0.7
        assert rle.area(rle.encode(values, 0.7)) == 140
        assert rle.area(rle.encode(values, 1e300)) == 0
        assert rle.area(rle.encode(values, -1e300)) == 140

    def test_levels_do_not_share_memory(self):
        first, second = rle.encode_levels(np.eye(70, dtype=np.float32), [0.5, 0.7])
        first[:] = 0
        np.testing.assert_array_equal(second, rle.encode(np.eye(70), 0.7))

    def test_no_levels(self):
        assert rle.encode_levels(np.eye(3), []) == []

    @pytest.mark.parametrize("threshold", [np.nan, np.inf, True, "0.5", [1, 2], 10**400])
    def test_refuses_what_is_no_number(self, threshold):
        with refuses(InputError, "threshold must be a finite number, got "):
            rle.encode(np.eye(3), threshold)

    def test_refuses_what_has_no_order(self):
        with refuses(InputError, "values must be of real numbers, got complex128"):
            rle.encode(np.eye(3) * 1j, 0.5)


class TestCounts:
    @pytest.mark.parametrize(
        ("counts", "message"),
        [
            ([3, -1, 2], "$.m[1]: counts must be between 0 and 4294967295, got -1"),
            ([2**32], "$.m[0]: counts must be between 0 and 4294967295, got 4294967296"),
            ([0, 2**70], "$.m[1]: counts must be between 0 and 4294967295, got 1180591620717411303424"),
            ([10**5000], "$.m[0]: counts must be between 0 and 4294967295, got an integer of 16610 bits"),
            ([2**32 - 1, 5], "$.m: counts must sum to at most 4294967295, got 4294967300"),
            ([1, 2], "$.m: counts must sum to 4, height * width, got 3"),
            ([], "$.m: counts must sum to 4, height * width, got 0"),
            ([1, True, 2], "$.m[1]: counts must be integers, got True"),
            ([1, np.True_, 2], "$.m[1]: counts must be integers, got "),
            ([1, 3.0], "$.m[1]: counts must be integers, got 3.0"),
            ([1, float("nan")], "$.m[1]: counts must be integers, got nan"),
            ([1, "3"], "$.m[1]: counts must be integers, got '3'"),
            ([[1, 3]], "$.m[0]: counts must be integers, got [1, 3]"),
            ([1, None], "$.m[1]: counts must be integers, got None"),
            ("13", "$.m: counts must be a flat list of integers, got '13'"),
            (None, "$.m: counts must be a flat list of integers, got None"),
            ({0: 4}, "$.m: counts must be a flat list of integers, got {0: 4}"),
            ({4}, "$.m: counts must be a flat list of integers, got {4}"),
            (4, "$.m: counts must be a flat list of integers, got 4"),
            (np.uint32(4), "$.m: counts must be a flat list of integers, got uint32 of shape ()"),
            (np.array([1.0, 3.0]), "$.m: counts must be a flat list of integers, got float64 of shape (2,)"),
            (np.array([True]), "$.m: counts must be a flat list of integers, got bool of shape (1,)"),
            (np.array([1, 3], object), "$.m: counts must be a flat list of integers, got object of shape (2,)"),
            (np.array([[1, 3]]), "$.m: counts must be a flat list of integers, got int64 of shape (1, 2)"),
            (np.array([1, -3]), "$.m[1]: counts must be between 0 and 4294967295, got -3"),
            (
                np.array([1, 2**63], np.uint64),
                "$.m[1]: counts must be between 0 and 4294967295, got 9223372036854775808",
            ),
        ],
    )
    def test_refuses(self, counts, message):
        with refuses(DocumentError, message):
            rle.check(counts, 2, 2, "$.m")

    @pytest.mark.parametrize("size", [-1, 1.0, True, "2", None, np.nan])
    def test_refuses_a_size(self, size):
        with refuses(DocumentError, "$: height must be an integer >= 0, got "):
            rle.check([4], size, 2)
        with refuses(DocumentError, "width must be an integer >= 0, got "):
            rle.decode([4], 2, size)

    def test_a_claim_of_a_million_squared_pixels_costs_nothing(self):
        with refuses(DocumentError, "height * width must be at most 4294967295, got 1000000 x 1000000"):
            rle.check([10**12], 10**6, 10**6)
        with refuses(DocumentError, "$.counts: height * width must be at most 4294967295"):
            rle.from_coco({"size": [10**6, 10**6], "counts": "0"})
        with refuses(DocumentError, "got an integer of 13288 bits x 2"):
            rle.decode([4], 10**4000, 2)

    def test_a_decoder_never_sees_a_wrong_sum(self):
        for counts in ([0, 2**32 - 1], [4097], [0, 4095], []):
            with refuses(DocumentError, "counts must sum to 4096"):
                rle.decode(counts, 64, 64)

    def test_keeps_an_array_that_is_right(self):
        counts = np.array([1, 3], np.uint32)
        assert np.shares_memory(rle.check(counts, 2, 2), counts)
        assert counts.flags.writeable
        for other in ([1, 3], (1, 3), [np.int8(1), np.uint64(3)], np.array([1, 3], ">i2"), np.array([1, 9, 3, 9])[::2]):
            checked = rle.check(other, 2, 2)
            assert checked.dtype == np.uint32
            assert not checked.flags.writeable
            assert checked.tolist() == [1, 3]

    @pytest.mark.parametrize(
        ("counts", "expected"),
        [
            ([3, 0, 0, 4, 5, 0], [3, 4, 5]),
            ([0, 0, 5], [5]),
            ([0, 5, 0], [0, 5]),
            ([5, 0], [5]),
            ([1, 0, 1, 0, 1], [3]),
            ([0, 2, 0, 3], [0, 5]),
            ([0, 0, 0, 0], [0]),
            ([], [0]),
            ([0], [0]),
        ],
    )
    def test_canonical(self, counts, expected):
        result = rle.canonical(counts)
        assert result.tolist() == expected
        assert result.dtype == np.uint32
        assert result.flags.writeable
        assert rle.area(counts) == rle.area(expected)

    def test_canonical_is_new(self):
        counts = np.array([1, 3], np.uint32)
        assert not np.shares_memory(rle.canonical(counts), counts)


class TestAlgebra:
    @LAWS
    @given(masks(count=2))
    def test_laws_of_sets(self, two):
        a, b = two
        x, y = rle.encode(a), rle.encode(b)
        for operation, expected in (
            (rle.union, a | b),
            (rle.intersection, a & b),
            (rle.difference, a & ~b),
        ):
            result = operation(x, y)
            assert result.dtype == np.uint32
            np.testing.assert_array_equal(result, rle.encode(expected))
        np.testing.assert_array_equal(rle.complement(x), rle.encode(~a))
        either = int((a | b).sum())
        assert rle.iou(x, y) == (int((a & b).sum()) / either if either else 0.0)
        assert rle.area(x) == a.sum()

    @LAWS
    @given(masks(least=1))
    def test_area_and_bbox_as_pycocotools(self, mask):
        counts, expected = rle.encode(mask), encoded_by_coco(mask)
        assert rle.area(counts) == int(coco.area(expected))
        assert list(rle.bbox(counts, mask.shape[0])) == coco.toBbox(expected).tolist()

    @LAWS
    @given(masks(count=4, least=1))
    def test_matrix_as_pycocotools(self, four):
        counts, expected = [rle.encode(mask) for mask in four], [encoded_by_coco(mask) for mask in four]
        matrix = rle.iou_matrix(counts[:3], counts[1:])
        assert matrix.dtype == np.float64
        nonempty = np.array([[bool((a | b).any()) for b in four[1:]] for a in four[:3]])
        theirs = coco.iou(expected[:3], expected[1:], [0, 0, 0])
        np.testing.assert_allclose(matrix, np.where(nonempty, theirs, 0.0))

    def test_empty_runs_change_nothing(self):
        a, b = [1, 0, 0, 2, 0, 0, 1], [0, 0, 2, 1, 1, 0]
        assert rle.union(a, b).tolist() == [1, 2, 1]
        assert rle.intersection(a, b).tolist() == [2, 1, 1]
        assert rle.iou(a, b) == 0.5
        assert rle.bbox(a, 2) == (0, 0, 2, 2)
        assert rle.bbox([4, 0], 2) == (0, 0, 0, 0)
        assert rle.complement([0, 0, 4]).tolist() == [0, 4]
        assert rle.decode(a, 2, 2).tolist() == [[False, True], [True, False]]

    def test_numbers_are_pythons(self):
        values = (
            rle.area([1, 3]),
            *rle.bbox([1, 3], 2),
            rle.iou([1, 3], [0, 4]),
            *rle.from_coco(rle.to_coco([1, 3], 2, 2))[1:],
        )
        assert {type(value) for value in values} == {int, float}
        json.dumps([values, rle.to_coco([1, 3], np.int64(2), np.int32(2))])

    def test_more_pixels_than_int32_counts(self):
        height, width = 2**16 - 1, 2**16 + 1
        full = [0, rle.LIMIT]
        assert height * width == rle.LIMIT
        corner = [rle.LIMIT - 1, 1]
        assert rle.area(full) == rle.LIMIT
        assert rle.bbox(full, height) == (0, 0, width, height)
        assert rle.bbox(corner, height) == (width - 1, height - 1, 1, 1)
        assert rle.complement(corner).tolist() == [0, rle.LIMIT - 1, 1]
        assert rle.union(rle.complement(corner), corner).tolist() == full
        assert rle.intersection(full, corner).tolist() == corner
        assert rle.difference(full, corner).tolist() == [0, rle.LIMIT - 1, 1]
        assert rle.iou(full, corner) == 1 / rle.LIMIT
        assert rle.iou_matrix([full], [full, corner]).tolist() == [[1.0, 1 / rle.LIMIT]]
        assert rle.from_coco(rle.to_coco(corner, height, width))[0].tolist() == corner

    def test_refusals(self):
        for operation in (rle.union, rle.intersection, rle.difference, rle.iou):
            with refuses(InputError, "a and b must have one number of pixels, got 4 and 5"):
                operation([1, 3], [5])
        with refuses(InputError, "all masks must have one number of pixels, got 4 to 6"):
            rle.iou_matrix([[1, 3]], [[4], [6]])
        with refuses(DocumentError, "height must divide the sum of the counts, 4, got 3"):
            rle.bbox([1, 3], 3)
        with refuses(DocumentError, "height must divide the sum of the counts, 4, got 0"):
            rle.bbox([1, 3], 0)
        for operation in (rle.area, rle.complement, rle.canonical):
            with refuses(DocumentError, "$[1]: counts must be between 0 and 4294967295, got -3"):
                operation([1, -3])

    def test_refuses_more_pixels_than_the_limit(self):
        two = [rle.LIMIT, 1]
        for operation in (rle.area, rle.complement, rle.canonical, lambda a: rle.union(a, a), lambda a: rle.iou(a, a)):
            with refuses(DocumentError, "counts must sum to at most 4294967295, got 4294967296"):
                operation(two)

    def test_an_empty_batch(self):
        assert rle.iou_matrix([], [[4]]).shape == (0, 1)
        assert rle.iou_matrix([[4]], []).shape == (1, 0)


class TestCoco:
    @pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools' decode
    @LAWS
    @given(masks(least=1))
    def test_text_as_pycocotools(self, mask):
        expected = encoded_by_coco(mask)
        counts = rle.encode(mask)
        ours = rle.to_coco(counts, *mask.shape)
        assert ours == {"size": list(mask.shape), "counts": expected["counts"].decode()}
        np.testing.assert_array_equal(coco.decode(ours), mask)
        for text in (expected["counts"], ours["counts"], counts.tolist(), counts):
            read, height, width = rle.from_coco({"size": mask.shape, "counts": text})
            assert (height, width) == mask.shape
            np.testing.assert_array_equal(read, counts)

    @LAWS
    @given(hnp.arrays(np.uint32, st.integers(0, 8)))
    def test_any_counts_survive_the_text(self, counts):
        total = int(counts.sum(dtype=np.uint64))
        if total > rle.LIMIT:
            return
        read, _, _ = rle.from_coco(rle.to_coco(counts, total, 1))
        np.testing.assert_array_equal(read, rle.canonical(counts))

    @LAWS
    @given(st.one_of(st.text(), st.binary(), st.text(st.characters(min_codepoint=48, max_codepoint=111))))
    def test_any_text_is_read_or_refused(self, text):
        try:
            counts, height, width = rle.from_coco({"size": [2, 3], "counts": text})
        except DocumentError:
            return
        assert counts.sum() == height * width == 6

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ([1, 2], "$.rle: an RLE must be a mapping with size and counts, got [1, 2]"),
            ({"size": [2, 2]}, "$.rle: an RLE must be a mapping with size and counts, got {'size': [2, 2]}"),
            ({"size": 4, "counts": "4"}, "$.rle.size: size must be [height, width], got 4"),
            ({"size": [4], "counts": "4"}, "$.rle.size: size must be [height, width], got [4]"),
            ({"size": [2, -2], "counts": "4"}, "$.rle.size: width must be an integer >= 0, got -2"),
            ({"size": [2.0, 2], "counts": "4"}, "$.rle.size: height must be an integer >= 0, got 2.0"),
            ({"size": [2, 2], "counts": None}, "$.rle.counts: counts must be a flat list of integers, got None"),
            ({"size": [2, 2], "counts": [5]}, "$.rle.counts: counts must sum to 4, height * width, got 5"),
            ({"size": [2, 2], "counts": "5"}, "$.rle.counts: counts must sum to 4, height * width, got 5"),
            ({"size": [2, 2], "counts": "1!3"}, "counts must be COCO's compressed text, got '!3' at character 1"),
            ({"size": [2, 2], "counts": "1é"}, "counts must be COCO's compressed text, got 'é' at character 1"),
            (
                {"size": [2, 2], "counts": b"1\xff"},
                "counts must be COCO's compressed text, got b'\\xff' at character 1",
            ),
            ({"size": [2, 2], "counts": "4P"}, "counts must be COCO's compressed text, got 'P' at character 1"),
            ({"size": [2, 2], "counts": "O"}, "counts must be COCO's compressed text, got 'O' at character 0"),
            ({"size": [2, 2], "counts": "P" * 7 + "4"}, "got '4' at character 7"),
        ],
    )
    def test_refuses(self, document, message):
        with refuses(DocumentError, message):
            rle.from_coco(document, "$.rle")
