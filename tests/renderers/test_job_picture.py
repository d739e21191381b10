"""Jobs as pictures: progress, accuracy, confusion, and the explanations of their inputs."""

import numpy as np
import pytest

from tests.renderers.noted import draw
from tests.support import refuses
from xplain import formatters
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Box, Explanation, Item, Prediction, Record, Results, Source, Window
from xplain.renderers import TextPicture
from xplain.renderers.canvas.colours import COLOURS, OTHERS
from xplain.renderers.job import charts as job_charts

BLUE, _, GREEN, _, RED, *_ = COLOURS


def chart(results, kind):
    return job_charts.draw(results, kind, notes_of=formatters.notes)


def judged(*outcomes):
    """A job with a single item, see `windows`."""
    return Results("t", [Item("a", "successful", explanation=windows(*outcomes))])


def windows(*outcomes):
    """A signal whose windows are (predicted, expected, score)."""
    return Explanation(
        "signal-classification",
        Source("signal", name="s"),
        [
            Prediction(
                label, score, region=Window(i * 100, i * 100 + 100), threshold=0.6, attributes={"expected": expected}
            )
            for i, (label, expected, score) in enumerate(outcomes)
        ],
    )


def image(name=None, *predictions):
    return Explanation("object-detection", Source("image", name=name), predictions)


JUDGED = Results(
    "tested",
    [
        Item("a", "successful", explanation=windows(("walk", "walk", 0.9), ("run", "walk", 0.8), ("run", "run", 0.7))),
        Item("b", "successful", explanation=windows(("run", "run", 0.5), ("walk", "walk", 1.0))),
    ],
)
MIXED = Results(
    "nightly",
    [
        Item("a.png", "successful", explanation=image(None, Prediction("cat", 0.9, region=Box(0, 0, 0.5, 0.5)))),
        Item("b.png", "failed", error="no image"),
        Item("c.png", "running"),
    ],
    total=5,
)


def share(picture, colour):
    """Pixels of a colour in the row that has the most of them."""
    return (picture.pixels == np.array(colour)).all(axis=2).sum(axis=1).max()


class TestProgress:
    def test_parts_are_as_long_as_their_counts(self):
        items = [Item(str(i), status) for i, status in enumerate(["running"] * 3 + ["waiting"] * 1)]
        items += [Item(f"ok {i}", "successful", explanation=image()) for i in range(6)]
        picture = chart(Results("nightly", items, total=12), "progress")
        widths = [share(picture, colour) for colour in (GREEN, BLUE, OTHERS)]
        assert np.allclose(np.array(widths) / sum(widths), [6 / 12, 3 / 12, 3 / 12], atol=0.01)
        assert picture.alt == "Job nightly: 6 of 12 inputs successful, 3 running, 3 waiting; not finished."

    def test_what_failed_is_hatched_and_listed_with_its_error(self):
        picture = chart(Results("nightly", [Item("b.png", "failed", error="no image")]), "progress")
        assert picture.alt == "Job nightly: 1 of 1 input failed. Failed: b.png (no image)."
        assert 0.5 * 912 < share(picture, RED) < 0.9 * 912

    def test_a_job_that_failed_as_a_whole(self):
        picture = chart(Results("", [], error="quota"), "progress")
        assert picture.alt == "A job without a name: no inputs. The job failed: quota."

    def test_of_many_failed_inputs_some_are_listed(self):
        items = [Item(str(i), "failed", error="no") for i in range(100)]
        picture = chart(Results("nightly", items), "progress")
        assert "and 60 more" in picture.alt
        assert picture.pixels.shape[0] < 1300

    def test_a_small_part_of_the_strip_can_be_seen(self):
        items = [Item("0", "successful")]
        picture = chart(Results("nightly", items, total=100_000), "progress")
        strip = picture.pixels[78:98]
        assert (strip == np.array(GREEN)).all(axis=2).any()


class TestAccuracy:
    def test_figures(self):
        alt = chart(JUDGED, "accuracy").alt
        assert "Job tested: 3 right, 2 wrong: accuracy 60.0 %." in alt
        assert "run: recall 50.0 %, precision 50.0 %" in alt  # one of two true ones, one of two predicted
        assert "walk: recall 66.7 %, precision 100.0 %" in alt

    def test_figures_of_the_model_alone(self):
        metrics = [
            {"learnBlockName": "Keras", "additionalMetrics": [{"name": "AUC", "value": "0.99"}, {"name": 3}]},
            {"learnBlockName": "empty", "additionalMetrics": []},
        ]
        scores = {"accuracyScore": 40.0, "balancedAccuracyScore": "x", "mseScore": 0.53125, "totalSummary": {"good": 1}}
        attributes = {"edge-impulse": {"additionalMetricsByLearnBlock": metrics, "accuracy": scores}}
        results = Results("tested", [], attributes=attributes)
        alt = "Job tested: The job's own figures: accuracy 40.0 %, mse 0.531. Keras: AUC 0.99."
        assert chart(results, "accuracy").alt == alt
        assert draw(results).alt.endswith(alt)

    @pytest.mark.parametrize("kind", ["accuracy", "matrix"])
    def test_without_truths_there_is_nothing_to_judge(self, kind):
        with refuses(InputError, "results must know the true label of an input to be judged, got none that does"):
            chart(MIXED, kind)

    def test_no_such_kind(self):
        with refuses(UnknownNameError, "kind must be one of progress, accuracy, matrix", "'graph'"):
            chart(MIXED, "graph")


class TestMatrix:
    def test_rows_are_true_and_columns_predicted(self):
        rows, columns, cells = job_charts.confusion_matrix(job_charts.tally_of(JUDGED, formatters.notes))
        assert (rows, columns) == (["run", "walk"], ["run", "walk", "uncertain"])
        assert cells == [[1, 0, 1], [1, 2, 0]]
        alt = chart(JUDGED, "matrix").alt
        assert "run: run 1 (50.0 %), uncertain 1 (50.0 %); walk: run 1 (33.3 %), walk 2 (66.7 %)." in alt

    def test_the_larger_the_share_the_darker_the_cell(self):
        pixels = chart(JUDGED, "matrix").pixels
        full = chart(judged(("a", "a", 1.0)), "matrix").pixels
        assert (full == np.array(job_charts.FULL_CELL)).all(axis=2).any()
        assert not (pixels == np.array(job_charts.FULL_CELL)).all(axis=2).any()

    def test_labels_that_are_too_many_become_one(self):
        pairs = [(f"label {i % 30}", f"label {i % 30}", 0.9) for i in range(60)] + [("label 29", "label 0", 0.9)]
        rows, columns, cells = job_charts.confusion_matrix(job_charts.tally_of(judged(*pairs), formatters.notes))
        assert len(rows) == len(columns) == job_charts.MAX_LABELS
        assert rows[-1] == columns[-1] == "other labels"
        assert sum(map(sum, cells)) == 61
        picture = chart(judged(*pairs), "matrix")
        assert (picture.pixels[:, -20:] == 255).all()  # all of it is in the picture


class TestWhatSuitsAJob:
    def test_its_explanations_and_then_how_far_it_is(self):
        picture = draw(MIXED)
        assert picture.alt.startswith("Regions of a.png: 1 region: cat 0.9")
        assert picture.alt.endswith(
            "Job nightly: 1 of 5 inputs successful, 1 failed, 1 running, 2 waiting; not finished. "
            "Failed: b.png (no image)."
        )

    def test_its_explanations_alone_if_all_is_well(self):
        done = Results("nightly", [MIXED.items[0]])
        assert "Job" not in draw(done).alt

    def test_how_often_it_is_right_if_that_is_known(self):
        alt = draw(JUDGED).alt
        assert alt.index("Predicted: walk from") < alt.index("accuracy 60.0 %") < alt.index("confusion matrix")

    def test_nothing_is_explained_yet(self):
        assert draw(Results("nightly", [Item("a", "waiting")])).alt == (
            "Job nightly: 1 of 1 input waiting; not finished."
        )
        empty = Explanation("image-classification", Source("image"))
        done = Results("nightly", [Item("a", "successful", explanation=empty)])
        assert draw(done).alt == "Job nightly: 1 of 1 input successful."

    def test_a_kind_draws_the_explanations_with_it(self):
        assert draw(MIXED, kind="bars").alt == "Scores of a.png: cat 0.9."
        assert draw(MIXED, kind="progress").alt.startswith("Job nightly")

    def test_inputs_of_several_kinds_are_drawn_apart(self):
        both = Results("nightly", [MIXED.items[0], JUDGED.items[0]])
        alt = draw(both, np.zeros((60, 60, 3), np.uint8)).alt
        assert "Regions of a.png" in alt
        assert "Explanation of s" in alt

    def test_of_many_inputs_some_are_drawn(self):
        items = [Item(str(i), "successful", explanation=MIXED.items[0].explanation) for i in range(40)]
        alt = draw(Results("nightly", items)).alt
        assert alt.count("1 region") == 24
        assert alt.endswith("Job nightly: 40 of 40 inputs successful.")

    def test_texts_stay_texts_with_a_note(self):
        text = Explanation("text-classification", Source("text", text="so good"), [Prediction("good", 0.9)])
        items = [Item("a", "successful", explanation=text), Item("b", "failed", error="no")]
        picture = draw(Results("mails", items))
        assert isinstance(picture, TextPicture)
        note = "Job mails: 1 of 2 inputs successful, 1 failed."
        assert picture.alt.endswith(note)
        assert note in picture.html().decode()
        assert note in picture.svg().decode()
        assert picture.ansi(color=False).endswith(note + "\n")

    def test_options_that_a_whole_has_not(self):
        with refuses(UnknownNameError, "option must be one of font", "'cmap'"):
            draw(MIXED, kind="progress", cmap="viridis")
        with refuses(UnknownNameError, "option must be one of font", "'kind'"):
            draw(Record("modzy", "request", {}), kind="bars")
