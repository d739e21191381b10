"""Labels along time, and the lines of their probabilities."""

import numpy as np

from xplain.explanation import Prediction, Window
from xplain.explanation.notes import Notes, PredictionNotes
from xplain.renderers.canvas.colours import OTHERS
from xplain.renderers.canvas.typography import PAPER
from xplain.renderers.signal.curves import draw_confidences
from xplain.renderers.signal.timeline import LABEL_COLOURS, Block, draw_timeline, merge, palette, window_blocks


def predictions(*windows):
    return [Prediction(label, score, region=Window(start, stop)) for label, score, start, stop in windows]


def test_the_best_label_of_each_window_and_the_time_between_centres():
    blocks = window_blocks(
        predictions(("b", 0.9, 50, 150), ("a", 0.4, 0, 100), ("b", 0.6, 0, 100), ("a", 0.1, 50, 150)),
        notes=Notes(),
        length=150,
    )
    assert blocks == [Block(0, 75, "b"), Block(75, 150, "b")]
    assert merge(blocks) == [Block(0, 150, "b")]


def test_gaps_stay_and_the_whole_time_is_one_window():
    assert window_blocks(predictions(("a", 1, 0, 10), ("a", 1, 50, 60)), Notes(), 60) == [
        Block(0, 10, "a"),
        Block(50, 60, "a"),
    ]
    assert len(merge(window_blocks(predictions(("a", 1, 0, 10), ("a", 1, 50, 60)), Notes(), 60))) == 2
    assert window_blocks([Prediction("a", 0.2), Prediction("b", 0.8)], Notes(), 70) == [Block(0, 70, "b")]
    assert window_blocks([], Notes(), 10) == []
    nested = window_blocks(predictions(("a", 1, 0, 100), ("b", 1, 40, 50)), Notes(), 100)
    assert all(block.start <= block.stop for block in nested)


def test_labels_that_last_longest_have_colours_of_their_own():
    blocks = [Block(i, i + 1 + i % 11, f"label {i}") for i in range(11)]
    colours = palette([*blocks, Block(0, 99, "label 3", expected="truth")])
    assert set(colours) == {*(f"label {i}" for i in range(11)), "truth"}
    others = [label for label, colour in colours.items() if colour == OTHERS]
    assert others == ["label 0", "label 1", "label 2"]
    assert len(set(colours.values())) == 10


def test_blocks_are_where_they_belong_and_wrong_ones_are_hatched():
    blocks = [Block(0, 25, "a"), Block(25, 50, "b", expected="b"), Block(75, 100, "b", expected="a")]
    colours = {"a": (200, 0, 0), "b": (0, 0, 200)}
    pixels = draw_timeline(blocks, colours, 100, 400, 20, 100)  # letters that have no room
    assert pixels.shape == (20, 400, 3)

    def colours_between(left, right):
        return {tuple(colour) for colour in pixels[:, left:right].reshape(-1, 3).tolist()}

    assert colours_between(0, 100) == {colours["a"]}
    assert colours_between(100, 101) == {PAPER}
    assert colours_between(101, 200) == {colours["b"]}
    assert colours_between(200, 300) == {PAPER}
    assert colours_between(301, 400) == {colours["b"], PAPER}
    share = (pixels[:, 301:400] == PAPER).all(axis=2).mean()
    assert abs(share - 1 / 3) < 0.02


def test_labels_are_written_where_there_is_room():
    block = [Block(0, 100, "walking")]
    colours = {"walking": (51, 34, 136)}
    written = draw_timeline(block, colours, 100, 200, 24, 13)
    assert len(np.unique(written.reshape(-1, 3), axis=0)) > 2
    narrow = draw_timeline(block, colours, 1000, 200, 24, 13)
    assert len(np.unique(narrow[:, :19].reshape(-1, 3), axis=0)) == 1


def test_the_judgement_of_a_document_decides():
    window = Window(0, 10)
    low = Prediction("a", 0.5, region=window, threshold=0.6)
    anomaly = Prediction("anomaly", 7.0, region=window, threshold=1)
    (block,) = window_blocks([low, anomaly], Notes({low: PredictionNotes(expected="a", correct=False)}), 10)
    assert (block.label, block.expected, block.wrong, block.hatched) == ("uncertain", "a", True, True)
    judged = Prediction("value", 2.25, region=window)
    verdict = PredictionNotes(predicted="2.25", expected="2", correct=True)
    (block,) = window_blocks([judged], Notes({judged: verdict}), 10)
    assert (block.label, block.wrong, block.hatched) == ("2.25", False, False)
    assert palette([Block(0, 99, "uncertain"), Block(99, 100, "a")]) == {"uncertain": OTHERS, "a": LABEL_COLOURS[0]}


def test_confidence_of_each_label_is_a_line_through_the_middles_of_its_windows():
    windows = predictions(*((label, score, t, t + 20) for t, score in ((0, 1.0), (80, 0.0)) for label in ("a", "b")))
    windows[1] = Prediction("b", 5.0, region=Window(0, 20))  # no probability
    pixels, numbers = draw_confidences(windows, {"a": (200, 0, 0), "b": (0, 0, 200)}, 0, 100, 400)
    red = (pixels == (200, 0, 0)).all(axis=2)
    assert red.any(axis=0)[45:355].mean() > 0.9
    assert not red[:, :38].any()
    assert not red[:, 362:].any()
    assert red[: len(red) // 3, 40:140].any()
    assert red[2 * len(red) // 3 :, 260:360].any()
    assert not (pixels == (0, 0, 200)).all(axis=2).any()
    assert [text for text, _ in numbers] == ["1", "0"]


def test_one_threshold_of_all_lines_is_marked_and_one_window_has_no_line():
    windows = [Prediction("a", 0.5, region=Window(t, t + 9), threshold=0.6) for t in (0, 10)]
    _, numbers = draw_confidences(windows, {}, 0, 20, 400)
    assert ("0.6", 39) in numbers
    assert draw_confidences(windows[:1], {}, 0, 20, 400) is None
    assert draw_confidences([Prediction("a", 0.5)], {}, 0, 20, 400) is None
