import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import examples, refuses
from xplain.errors import InputError
from xplain.kernels import boxes, jit
from xplain.kernels.compiled import boxes as compiled
from xplain.kernels.plain import boxes as plain

KERNELS = {"numpy": plain, "numba": compiled}


@pytest.fixture(params=KERNELS)
def kernels(request, monkeypatch):
    monkeypatch.setattr(jit, "choose", lambda work, compiled, twins: KERNELS[request.param])
    return KERNELS[request.param]


def overlap(a, b):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    common = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return common / union if union else 0.0


def greedy(rows, scores, threshold, labels):
    """Follow the rule word by word: which boxes are kept, and which one suppressed each."""
    kept, by = [], [-1] * len(rows)
    for i in sorted(range(len(rows)), key=lambda i: -scores[i]):
        suppressors = [j for j in kept if labels[j] == labels[i] and overlap(rows[i], rows[j]) > threshold]
        if suppressors:
            by[i] = suppressors[0]
        else:
            kept.append(i)
    return kept, by


def crowd(count, seed=0):
    """Draw boxes in clusters, so that many overlap, with scores and labels; corners are multiples of 1/8."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(0, 300, (count // 6 + 1, 2))[rng.integers(0, count // 6 + 1, count)]
    corner, size = centre + rng.normal(0, 5, (count, 2)), rng.uniform(0, 60, (count, 2))
    rows = np.round(np.concatenate([corner, corner + size], axis=1) * 8) / 8
    return rows, rng.integers(0, 40, count) / 40, rng.integers(-2, 3, count)


class TestIou:
    def test_by_hand(self, kernels):
        row = [0, 0, 2, 2]
        others = [row, [0, 1, 2, 3], [1, 1, 2, 2], [2, 0, 4, 2], [5, 5, 6, 6], [-1, -1, 3, 3], [1, 1, 1, 1]]
        expected = [1, 1 / 3, 1 / 4, 0, 0, 1 / 4, 0]
        np.testing.assert_allclose(boxes.iou([row], others), [expected])
        np.testing.assert_allclose(boxes.iou(others, [row]).T, [expected])

    def test_is_the_formula_for_each_pair(self, kernels):
        a, b = crowd(40)[0], crowd(23, seed=1)[0]
        expected = [[overlap(x, y) for y in b.tolist()] for x in a.tolist()]
        result = boxes.iou(a, b)
        assert result.dtype == np.float64
        np.testing.assert_allclose(result, expected, rtol=1e-14)

    def test_is_that_of_pycocotools(self):
        mask = pytest.importorskip("pycocotools.mask")
        a, b = crowd(40)[0], crowd(23, seed=1)[0]
        sized = [np.concatenate([rows[:, :2], rows[:, 2:] - rows[:, :2]], axis=1) for rows in (a, b)]
        np.testing.assert_allclose(boxes.iou(a, b), mask.iou(*sized, [0] * len(b)), rtol=1e-12)

    def test_empty_boxes_overlap_nothing(self, kernels):
        assert boxes.iou([[1, 1, 1, 1], [0, 2, 9, 2]], [[1, 1, 1, 1], [0, 2, 9, 2]]).tolist() == [[0, 0], [0, 0]]

    def test_none(self, kernels):
        assert boxes.iou([], [[0, 0, 1, 1]]).shape == (0, 1)
        assert boxes.iou(np.zeros((2, 4)), np.zeros((0, 4))).shape == (2, 0)


class TestNms:
    def test_by_hand(self, kernels):
        rows = [[0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9], [0, 0, 4, 6]]
        scores = [0.5, 0.9, 0.7, 0.4]
        assert boxes.nms(rows, scores, 0.5).tolist() == [1, 2]
        by, over = boxes.suppressors(rows, scores, 0.5)
        assert by.tolist() == [1, -1, -1, 1]
        np.testing.assert_allclose(over, [4 / 5, 0, 0, 5 / 6])

    def test_a_suppressed_box_suppresses_nothing(self, kernels):
        rows = [[0, 0, 10, 1], [4, 0, 14, 1], [8, 0, 18, 1]]  # each overlaps the next by 6 of 14
        assert boxes.nms(rows, [0.9, 0.8, 0.7], 0.4).tolist() == [0, 2]

    def test_the_best_of_several_suppressors_is_named(self, kernels):
        rows = [[0, 0, 10, 10], [0, 0, 10, 6], [0, 4, 10, 10]]
        by, over = boxes.suppressors(rows, [0.1, 0.3, 0.2], 0.5)
        assert by.tolist() == [1, -1, -1]
        np.testing.assert_allclose(over, [0.6, 0, 0])

    def test_an_overlap_equal_to_the_threshold_is_kept(self, kernels):
        rows = [[0, 0, 4, 1], [0, 0, 2, 1]]
        assert boxes.nms(rows, [0.9, 0.8], 0.5).tolist() == [0, 1]
        assert boxes.nms(rows, [0.9, 0.8], np.nextafter(0.5, 0)).tolist() == [0]

    def test_equal_scores_keep_their_order(self, kernels):
        rows = [[0, 0, 1, 1]] * 2 + [[5, 5, 6, 6]] * 2
        assert boxes.nms(rows, [0.5] * 4, 0.5).tolist() == [0, 2]

    def test_labels_do_not_meet(self, kernels):
        rows = [[0, 0, 4, 4]] * 4
        assert boxes.nms(rows, [0.1, 0.4, 0.3, 0.2], 0.5, labels=[7, 7, -1, 3]).tolist() == [1, 2, 3]

    def test_at_threshold_1_all_are_kept_and_at_0_none_that_touch_a_better_one_inside(self, kernels):
        rows = [[0, 0, 4, 4], [0, 0, 4, 4], [3, 3, 5, 5], [4, 0, 8, 4]]
        assert boxes.nms(rows, [0.9, 0.8, 0.7, 0.6], 1).tolist() == [0, 1, 2, 3]
        assert boxes.nms(rows, [0.9, 0.8, 0.7, 0.6], 0).tolist() == [0, 3]

    def test_none_and_one(self, kernels):
        assert boxes.nms([], [], 0.5).tolist() == []
        assert boxes.nms([], [], 0.5, labels=[]).tolist() == []
        assert [part.tolist() for part in boxes.suppressors(np.zeros((0, 4)), [], 0.5)] == [[], []]
        assert boxes.nms([[3, 3, 3, 3]], [-1.5], 0.5).tolist() == [0]

    @pytest.mark.parametrize("threshold", [0, 0.1, 0.3, 0.45, 0.5, 0.7, 0.95, 1])
    @pytest.mark.parametrize("count", [3, 60, 700])
    def test_is_the_rule(self, kernels, count, threshold):
        rows, scores, labels = crowd(count, seed=count)
        for names in (None, labels):
            kept, by = greedy(rows.tolist(), scores, threshold, [0] * count if names is None else names)
            assert boxes.nms(rows, scores, threshold, names).tolist() == kept
            suppressor, over = boxes.suppressors(rows, scores, threshold, names)
            assert suppressor.tolist() == by
            expected = [overlap(rows[i], rows[j]) if j >= 0 else 0 for i, j in enumerate(by)]
            np.testing.assert_allclose(over, expected, rtol=1e-12)

    def test_a_few_huge_boxes_among_tiny_ones(self, kernels):
        rows, scores, _ = crowd(300)
        rows = np.concatenate([rows * 1e-3, [[-1e6, -1e6, 1e6, 1e6], [-1e6, 0, 1e6, 1e-9]]])
        scores = np.append(scores, [0.5, 0.6])
        assert boxes.nms(rows, scores, 0.3).tolist() == greedy(rows.tolist(), scores, 0.3, [0] * 302)[0]

    @examples(200)
    @given(st.data())
    def test_both_give_the_same_whatever_the_numbers(self, data):
        side = st.one_of(st.integers(-3, 3), st.floats(-1e150, 1e150), st.floats(-1e-300, 1e-300), st.floats(-1, 1))
        edges = st.tuples(side, side, side, side).map(
            lambda e: (min(e[0], e[1]), min(e[2:]), max(e[0], e[1]), max(e[2:]))
        )
        rows = np.array(data.draw(st.lists(edges, min_size=1, max_size=30)), np.float64)
        count = len(rows)
        scores = np.array(data.draw(st.lists(st.integers(0, 5), min_size=count, max_size=count)), np.float64)
        threshold = data.draw(st.floats(0, 1))
        results = []
        for kernels in KERNELS.values():
            by, over = np.empty(count, np.int64), np.empty((count, count))
            order = np.argsort(-scores, kind="stable")
            kernels.suppress(rows, order, np.array([0, count // 2, count]), threshold, by)
            kernels.iou(rows, rows, over)
            results.append((by.tolist(), over.tolist()))
        assert results[0] == results[1]


class TestRefusals:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e160])
    @pytest.mark.parametrize("at", range(4))
    def test_coordinates(self, kernels, bad, at):
        rows = np.tile([0.0, 0, 1, 1], (3, 1))
        rows[1, at] = bad
        with refuses(InputError, "boxes[1] must have finite numbers up to 1e+150, got"):
            boxes.nms(rows, [1, 2, 3], 0.5)

    def test_ends_before_starts(self, kernels):
        with refuses(InputError, "b[1] must have x0 <= x1 and y0 <= y1, got [0.0, 2.0, 1.0, 1.0]"):
            boxes.iou([[0, 0, 1, 1]], [[0, 0, 1, 1], [0, 2, 1, 1]])

    def test_shapes_and_types(self):
        with refuses(InputError, "a must be boxes (N, 4), got shape (4,)"):
            boxes.iou([0, 0, 1, 1], [[0, 0, 1, 1]])
        with refuses(InputError, "b must be boxes (N, 4), got shape (1, 5)"):
            boxes.iou([[0, 0, 1, 1]], [[0, 0, 1, 1, 1]])
        with refuses(InputError, "a must be an array of numbers, got"):
            boxes.iou([["a", 0, 1, 1]], [[0, 0, 1, 1]])
        with refuses(InputError, "boxes must be an array of numbers, got"):
            boxes.nms([[0, 0, 1, 1], [0]], [1], 0.5)
        with refuses(InputError, "scores must be of shape (1,), one for each box, got (2,)"):
            boxes.nms([[0, 0, 1, 1]], [1, 2], 0.5)
        with refuses(InputError, "labels must be integers of shape (1,), got float64 (1,)"):
            boxes.nms([[0, 0, 1, 1]], [1], 0.5, labels=[0.5])
        with refuses(InputError, "labels must be integers of shape (1,), got int64 (2,)"):
            boxes.nms([[0, 0, 1, 1]], [1], 0.5, labels=[0, 1])

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("at", range(3))
    def test_scores(self, bad, at):
        scores = [0.1, 0.2, 0.3]
        scores[at] = bad
        with refuses(InputError, "scores must be finite, got NaN or infinity"):
            boxes.nms([[0, 0, 1, 1]] * 3, scores, 0.5)

    def test_thresholds(self):
        with refuses(InputError, "threshold must be a number 0..1, got 1.5"):
            boxes.nms([[0, 0, 1, 1]], [1], 1.5)
        with refuses(InputError, "threshold must be a finite number, got nan"):
            boxes.nms([[0, 0, 1, 1]], [1], float("nan"))


def test_numba_takes_over_after_the_first_small_call(monkeypatch):
    policy, modules = jit.Policy(), []

    def choose(work, compiled, twins):
        modules.append(policy.choose(work, compiled, twins))
        return modules[-1]

    monkeypatch.setattr(jit, "choose", choose)
    boxes.iou([[0, 0, 1, 1]], [[0, 0, 1, 1]])
    boxes.nms([[0, 0, 1, 1]], [1], 0.5)
    assert modules == [plain, plain if policy.disabled else compiled]
