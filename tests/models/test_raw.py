import math

import numpy as np
import pytest

from tests.support import refuses
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Box
from xplain.models.raw.steps import Anchored, Classification, Detection, Direct, Yolo, postprocess

ANCHORED = Anchored("anchors", "scores", "offsets")
DIRECT = Direct("boxes", "scores", "classes")
CAT_DOG = [(7, "cat"), (3, "dog")]


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def reference(step, labels, tensors, most=100):
    """Carry out the words of the documentation on one candidate after the other: (fate, label, score, box, by)."""
    candidates = []
    if isinstance(step.output, Anchored):
        for anchor, scores, offsets in zip(tensors["anchors"], tensors["scores"], tensors["offsets"], strict=True):
            _, x, y, w, h = anchor
            for label in range(len(labels)):
                dx, dy, dw, dh = offsets[4 * (label + 1) : 4 * (label + 2)]
                cx, cy, bw, bh = x + w / 2 + dx * w, y + h / 2 + dy * h, w * math.exp(dw), h * math.exp(dh)
                box = [cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2]
                candidates.append([label, scores[label + 1], box])
    elif isinstance(step.output, Direct):
        for boxes, scores, classes in zip(tensors["boxes"], tensors["scores"], tensors["classes"], strict=True):
            for box, score, number in zip(boxes, scores, classes, strict=True):
                candidates.append([[n for n, _ in labels].index(number), score, list(box)])
    else:
        output = tensors["output"]
        height, width, _ = output.shape
        fields = 5 + len(labels)
        for row in range(height):
            for column in range(width):
                for a in range(len(step.output.anchors) // 2):
                    tx, ty, tw, th, to, *logits = output[row, column, a * fields : (a + 1) * fields]
                    cx, cy = (column + sigmoid(tx)) / width, (row + sigmoid(ty)) / height
                    bw = step.output.anchors[2 * a] * math.exp(tw) / width
                    bh = step.output.anchors[2 * a + 1] * math.exp(th) / height
                    total = sum(math.exp(logit) for logit in logits)
                    for label, logit in enumerate(logits):
                        score = sigmoid(to) * math.exp(logit) / total
                        candidates.append([label, score, [cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2]])
    if step.normalize_wrt_tensor:
        height, width = tensors[step.normalize_wrt_tensor][:2]
        candidates = [[la, s, [b[0] / width, b[1] / height, b[2] / width, b[3] / height]] for la, s, b in candidates]
    candidates = [["", la, s, [min(max(edge, 0), 1) for edge in b], None] for la, s, b in candidates]
    unsuppressed = []
    for i in sorted(range(len(candidates)), key=lambda i: -candidates[i][2]):
        fate, label, score, box, _ = candidates[i]
        better = [
            j for j in unsuppressed if candidates[j][1] == label and overlap(candidates[j][3], box) > step.nms_threshold
        ]
        if score < step.discard_threshold:
            fate = "dropped"
        elif better:
            fate, candidates[i][4] = "suppressed", better[0]
        else:
            unsuppressed.append(i)
            fate = "predicted" if score >= step.thresholds[label] else "discarded"
            if sum(candidates[j][0] == fate for j in unsuppressed) >= most:
                fate = "beyond the maximum"
        candidates[i][0] = fate
    return candidates


def overlap(a, b):
    common = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return common / union if union else 0


def draw(kind, rng, count=60, labels=3):
    """Draw random tensors, and the settings that read them."""
    thresholds = rng.uniform(0.3, 0.6, labels)
    match kind:
        case "anchored":
            anchors = np.column_stack(
                [rng.random(count), rng.uniform(0, 200, (count, 2)), rng.uniform(10, 90, (count, 2))]
            )
            tensors = {
                "anchors": anchors,
                "scores": rng.dirichlet(np.ones(labels + 1), count),
                "offsets": rng.normal(0, 0.2, (count, 4 * (labels + 1))),
                "im_info": np.array([240.0, 320.0, 1.0]),
            }
            output, size = ANCHORED, "im_info"
        case "direct":
            corner = rng.uniform(0, 0.8, (count, labels, 2))
            boxes = np.concatenate([corner, corner + rng.uniform(0, 0.5, (count, labels, 2))], axis=2)
            classes = np.tile([11, 5, 0], (count, 1))
            tensors = {"boxes": boxes, "scores": rng.random((count, labels)), "classes": classes}
            output, size = DIRECT, ""
        case _:
            tensors = {"output": rng.normal(0, 2, (4, 5, 2 * (5 + labels)))}
            output, size = Yolo("output", (1.1, 0.9, 2.5, 3.0)), ""
    return Detection(output, thresholds, nms_threshold=0.3, discard_threshold=0.1, normalize_wrt_tensor=size), tensors


class TestDetection:
    @pytest.mark.parametrize("most", [100, 4, 0])
    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("kind", ["anchored", "direct", "yolo"])
    def test_is_the_documentation_literally(self, kind, seed, most):
        step, tensors = draw(kind, np.random.default_rng(seed))
        labels = [(11, "a"), (5, "b"), (0, "c")]
        expected = reference(step, labels, tensors, most)
        outcome = postprocess(step, labels, tensors, max_predictions=most)
        assert len(outcome.trace) == len(expected)
        for candidate, (fate, label, score, box, by) in zip(outcome.trace, expected, strict=True):
            assert (candidate.fate, candidate.by) == (fate, by)
            assert (candidate.prediction.id, candidate.prediction.label) == (labels[label][0], (labels[label][1],))
            assert candidate.prediction.score == pytest.approx(score)
            assert candidate.prediction.threshold == step.thresholds[label]
            region = candidate.prediction.region
            assert (region.x0, region.y0, region.x1, region.y1) == pytest.approx(box)
            if by is not None:
                assert candidate.overlap == pytest.approx(overlap(box, expected[by][3]))
        for fate, predictions in (("predicted", outcome.predicted), ("discarded", outcome.discarded)):
            scores = sorted((score for reached, _, score, *_ in expected if reached == fate), reverse=True)
            assert [p.score for p in predictions] == pytest.approx(scores)
            assert all((p.score >= p.threshold) == (fate == "predicted") for p in predictions)
        fates = {fate for fate, *_ in expected}
        assert {"dropped", "suppressed"} <= fates
        assert len(fates) >= (4 if most == 100 else 3)

    def test_an_anchored_box_by_hand(self):
        # A proposal at x 40..80, y 10..30 moves right by half its width and gets twice as high.
        tensors = {
            "anchors": [[0.99, 40, 10, 40, 20]],
            "scores": [[0.1, 0.9]],
            "offsets": [[[9, 9, 9, 9], [0.5, 0, 0, math.log(2)]]],
            "im_info": [[100, 200, 1.5]],
        }
        step = Detection(ANCHORED, [0.5], normalize_wrt_tensor="im_info")
        (prediction,) = postprocess(step, [(1, "cat")], tensors).predicted
        region = prediction.region
        assert (region.x0, region.y0, region.x1, region.y1) == pytest.approx((60 / 200, 0, 100 / 200, 40 / 100))
        assert (prediction.score, prediction.threshold, prediction.id) == (0.9, 0.5, 1)

    def test_a_direct_box_by_hand_in_both_orders(self):
        tensors = {"boxes": [[0.1, 0.2, 0.3, 0.9]], "scores": [0.9], "classes": [3.0]}
        (prediction,) = postprocess(Detection(DIRECT), CAT_DOG, tensors).predicted
        assert (prediction.label, prediction.region) == (("dog",), Box(0.1, 0.2, 0.3, 0.9))
        swapped = Direct("boxes", "scores", "classes", order="yxyx")
        (prediction,) = postprocess(Detection(swapped), CAT_DOG, tensors).predicted
        assert prediction.region == Box(0.2, 0.1, 0.9, 0.3)

    def test_a_yolo_box_by_hand(self):
        # Second row and third column of a 2 x 4 grid: sigmoid(0) = 1/2 of a cell; sides of 1 x 0.5 cells.
        output = np.full((2, 4, 7), -30.0)
        output[1, 2] = [0, 0, 0, 0, 30, math.log(3), 0]
        (prediction,) = postprocess(Detection(Yolo("y", [1, 0.5]), [0.7, 0.7]), CAT_DOG, {"y": output}).predicted
        region = prediction.region
        assert (region.x0, region.y0, region.x1, region.y1) == pytest.approx((2 / 4, 1.25 / 2, 3 / 4, 1.75 / 2))
        assert (prediction.name, prediction.score) == ("cat", pytest.approx(0.75))

    def test_height_comes_first_where_boxes_are_normalized(self):
        tensors = {"boxes": [[50, 50, 100, 100]], "scores": [0.9], "classes": [7], "size": [100, 400]}
        step = Detection(DIRECT, normalize_wrt_tensor="size")
        assert postprocess(step, CAT_DOG, tensors).predicted[0].region == Box(0.125, 0.5, 0.25, 1.0)

    def test_boxes_are_cut_to_the_image(self):
        tensors = {"boxes": [[-0.2, 0.5, 0.5, 1.2]], "scores": [0.9], "classes": [7]}
        assert postprocess(Detection(DIRECT), CAT_DOG, tensors).predicted[0].region == Box(0, 0.5, 0.5, 1)

    def test_huge_numbers_stay_finite(self):
        output = np.array([[[1e4, -1e4, 1e6, -1e6, 1e4, 1e4, -1e4]]])
        (prediction,) = postprocess(Detection(Yolo("y", [1, 1])), CAT_DOG, {"y": output}).predicted
        assert prediction.region == Box(0, 0, 1, 0)

    def test_a_score_equal_to_a_threshold_counts(self):
        tensors = {"boxes": np.zeros((4, 4)), "scores": [0.5, 0.49, 0.2, 0.19], "classes": [7] * 4}
        step = Detection(DIRECT, [0.5, 1], nms_threshold=1, discard_threshold=0.2)
        fates = [candidate.fate for candidate in postprocess(step, CAT_DOG, tensors).trace]
        assert fates == ["predicted", "discarded", "discarded", "dropped"]

    def test_no_candidates(self):
        tensors = {"boxes": np.zeros((0, 2, 4)), "scores": np.zeros((0, 2)), "classes": np.zeros((0, 2))}
        outcome = postprocess(Detection(DIRECT), CAT_DOG, tensors)
        assert (outcome.predicted, outcome.discarded, list(outcome.trace)) == ((), (), [])
        yolo = Detection(Yolo("y", [1, 1]))
        assert postprocess(yolo, CAT_DOG, {"y": np.zeros((0, 3, 7))}).predicted == ()

    def test_padding_of_no_label_is_dropped_not_refused(self):
        tensors = {"boxes": [[0, 0, 1, 1], [0, 0, -1, -1]], "scores": [0.9, 0], "classes": [7, 99]}
        outcome = postprocess(Detection(DIRECT), CAT_DOG, tensors)
        assert [str(candidate) for candidate in outcome.trace] == ["cat 0.900 predicted", " 0.000 dropped"]
        assert outcome.trace[-1].prediction.id is None

    def test_the_trace_is_a_sequence_that_explains(self):
        tensors = {
            "boxes": [[0, 0, 1, 0.8], [0, 0, 1, 1], [0, 0, 1, 1]],
            "scores": [0.7, 0.9, 0.8],
            "classes": [7, 7, 3],
        }
        trace = postprocess(Detection(DIRECT, [0.5, 0.85]), CAT_DOG, tensors).trace
        assert list(map(str, trace)) == [
            "cat 0.700 suppressed by 1 with overlap 0.800",
            "cat 0.900 predicted",
            "dog 0.800 discarded",
        ]
        assert (trace[-1], trace[:2], len(trace)) == (trace[2], tuple(trace)[:2], 3)
        assert trace.select("suppressed").tolist() == [0]
        with pytest.raises(IndexError):
            trace[3]
        with refuses(InputError, "fate must be one of 'dropped', 'suppressed'"):
            trace.select("kept")
        with pytest.raises(ValueError, match="read-only"):
            trace.scores[0] = 1

    def test_torch_tensors(self):
        torch = pytest.importorskip("torch")
        tensors = {"boxes": torch.tensor([[0.0, 0, 1, 1]]), "scores": torch.tensor([0.9], requires_grad=True)}
        tensors["classes"] = torch.tensor([7])
        assert postprocess(Detection(DIRECT), CAT_DOG, tensors).predicted[0].name == "cat"


class TestClassification:
    def test_thresholds(self):
        outcome = postprocess(Classification("p", [0.2, 0.9]), CAT_DOG, {"p": [0.2, 0.8]})
        assert [(p.name, p.score, p.threshold, p.id, p.region) for p in outcome.predicted] == [
            ("cat", 0.2, 0.2, 7, None)
        ]
        assert [(p.name, p.score, p.threshold, p.id) for p in outcome.discarded] == [("dog", 0.8, 0.9, 3)]
        assert [candidate.fate for candidate in outcome.trace] == ["predicted", "discarded"]

    def test_the_default_depends_on_whether_labels_exclude_each_other(self):
        tensors = {"p": [0.96, 0.04]}
        outcome = postprocess(Classification("p"), CAT_DOG, tensors)
        assert [(p.name, p.threshold) for p in outcome.predicted] == [("cat", 0.025), ("dog", 0.025)]
        outcome = postprocess(Classification("p"), CAT_DOG, tensors, exclusive=False)
        assert [(p.name, p.threshold) for p in outcome.predicted] == [("cat", 0.5)]
        assert [p.name for p in outcome.discarded] == ["dog"]

    def test_the_best_are_reported(self):
        labels = [(i, str(i)) for i in range(5)]
        tensors = {"p": [0.1, 0.5, 0.3, 0.9, 0.5]}
        outcome = postprocess(Classification("p", [0.2] * 5), labels, tensors, max_predictions=2)
        assert [p.id for p in outcome.predicted] == [3, 1]
        assert [p.id for p in outcome.discarded] == [0]
        assert outcome.trace[4].fate == "beyond the maximum"

    def test_rounding_of_a_softmax_is_cut(self):
        tensors = {"p": np.array([1 + 1e-7, -1e-8])}
        assert [c.prediction.score for c in postprocess(Classification("p"), CAT_DOG, tensors).trace] == [1, 0]


class TestRefusals:
    def test_settings(self):
        with refuses(InputError, "Classification.thresholds[1] must be a number 0..1, got 1.5"):
            Classification("p", [0.5, 1.5])
        with refuses(InputError, "Classification.thresholds must be a sequence of numbers 0..1, got 0.5"):
            Classification("p", 0.5)
        with refuses(InputError, "Classification.output_tensor must be a string, got 3"):
            Classification(3)
        with refuses(InputError, "Detection.output must be an Anchored, Direct or Yolo, got 'boxes'"):
            Detection("boxes")
        with refuses(InputError, "Detection.nms_threshold must be a number 0..1, got -0.1"):
            Detection(DIRECT, nms_threshold=-0.1)
        with refuses(InputError, "Detection.discard_threshold must be a finite number, got nan"):
            Detection(DIRECT, discard_threshold=float("nan"))
        with refuses(InputError, "Detection.normalize_wrt_tensor must be '' for Yolo, whose boxes are"):
            Detection(Yolo("y", [1, 1]), normalize_wrt_tensor="s")
        with refuses(InputError, "Direct.order must be one of 'xyxy', 'yxyx', got 'yx'"):
            Direct("b", "s", "c", order="yx")
        for anchors in ([], [1], [1, 0]):
            with refuses(InputError, "Yolo.anchors must be pairs of a positive width and height, got ["):
                Yolo("y", anchors)

    def test_arguments(self):
        tensors = {"p": [0.5, 0.5]}
        with refuses(InputError, "step must be a Classification or Detection, got 'softmax'"):
            postprocess("softmax", CAT_DOG, tensors)
        with refuses(InputError, "thresholds must be one for each of the 2 labels, got 3"):
            postprocess(Classification("p", [0.5] * 3), CAT_DOG, tensors)
        with refuses(UnknownNameError, "tensor must be one of p, got 'q'"):
            postprocess(Classification("q"), CAT_DOG, tensors)
        for labels in ([(1, "a"), (1, "b")], []):
            with refuses(InputError, "labels must be one or more pairs with different numbers, got"):
                postprocess(Classification("p"), labels, tensors)
        with refuses(InputError, "labels must be a sequence of (number, name), got ['cat']"):
            postprocess(Classification("p"), ["cat"], tensors)
        with refuses(InputError, "labels[0] must be an integer >= 0, got -1"):
            postprocess(Classification("p"), [(-1, "a")], tensors)
        with refuses(InputError, "max_predictions must be an integer >= 0, got -1"):
            postprocess(Classification("p"), CAT_DOG, tensors, max_predictions=-1)
        with refuses(InputError, "exclusive must be True or False, got 1"):
            postprocess(Classification("p"), CAT_DOG, tensors, exclusive=1)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ([0.1, 0.2, 0.3], "must be of size 2, the number of labels, got 3"),
            ([[0.1, 0.2]], "must be of size 2, the number of labels, got 1 x 2"),
            (0.5, "must be of size 2, the number of labels, got one"),
            ([0.1, math.nan], "must be finite, got NaN or infinity"),
            ([4, -1], "must hold scores 0..1, got -1 to 4; let the network end with its softmax or sigmoid"),
            (["a", "b"], "must be an array of numbers, got ['a', 'b']"),
            ([[0.1], 0.2], "must be an array of numbers, got"),
        ],
    )
    def test_scores(self, values, message):
        with refuses(InputError, f"tensor 'p' {message}"):
            postprocess(Classification("p"), CAT_DOG, {"p": values})

    @pytest.mark.parametrize(
        ("name", "values", "message"),
        [
            ("scores", np.zeros((2, 3)), "must be of size N x 2 or N, got 2 x 3"),
            ("classes", np.zeros((2, 1)), "must be of size 2 x 2, that of the scores, got 2 x 1"),
            ("boxes", np.zeros((2, 4)), "must be of size 2 x 2 x 4, got 2 x 4"),
            ("classes", np.full((2, 2), 8), "must hold numbers of labels, got one that no label has"),
            ("classes", np.full((2, 2), 3.5), "must hold numbers of labels, got one that no label has"),
            (
                "boxes",
                np.tile([0.5, 0, 0.4, 1], (2, 2, 1)),
                "hold xmin <= xmax and ymin <= ymax, got x 0.5 to 0.4",
            ),
            (
                "boxes",
                np.tile([9, 9, 40, 90], (2, 2, 1)),
                "got an edge at 90; boxes in pixels need normalize_",
            ),
        ],
    )
    def test_direct(self, name, values, message):
        tensors = {"boxes": np.zeros((2, 2, 4)), "scores": np.full((2, 2), 0.5), "classes": np.full((2, 2), 7)}
        postprocess(Detection(DIRECT), CAT_DOG, tensors)
        with refuses(InputError, f"tensor '{name}' must", message):
            postprocess(Detection(DIRECT), CAT_DOG, tensors | {name: values})

    @pytest.mark.parametrize(
        ("name", "values", "message"),
        [
            ("anchors", np.zeros((2, 4)), "must be of size N x 5, got 2 x 4"),
            ("anchors", np.full((2, 5), -1), "must hold widths and heights >= 0, got -1"),
            ("anchors", np.full((2, 5), 50), "must hold boxes in fractions of the image, got an edge at 100"),
            ("scores", np.zeros((2, 2)), "must be of size 2 x 3: the background and each label, got 2 x 2"),
            (
                "offsets",
                np.zeros((2, 8)),
                "must be of size 2 x 3 x 4 or 2 x 12: for the background and each",
            ),
        ],
    )
    def test_anchored(self, name, values, message):
        tensors = {"anchors": np.zeros((2, 5)), "scores": np.full((2, 3), 0.3), "offsets": np.zeros((2, 3, 4))}
        postprocess(Detection(ANCHORED), CAT_DOG, tensors)
        with refuses(InputError, f"tensor '{name}' {message}"):
            postprocess(Detection(ANCHORED), CAT_DOG, tensors | {name: values})

    def test_yolo(self):
        with refuses(
            InputError, "tensor 'y' must be of size H x W x 14: for each of 2 anchors 5 and 2 numbers, got 3 x 3 x 7"
        ):
            postprocess(Detection(Yolo("y", [1, 1, 2, 2])), CAT_DOG, {"y": np.zeros((3, 3, 7))})

    @pytest.mark.parametrize("size", [[0, 100], [100], [], [[100, 200], [1, 2]]])
    def test_image_sizes(self, size):
        tensors = {"boxes": [[0, 0, 1, 1]], "scores": [0.5], "classes": [7], "size": np.array(size)}
        with refuses(InputError, "tensor 'size' must"):
            postprocess(Detection(DIRECT, normalize_wrt_tensor="size"), CAT_DOG, tensors)
