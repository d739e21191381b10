"""What a picture of an image explanation shows, pixel by pixel."""

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.support import refuses
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import (
    Attribution,
    Explanation,
    Grid,
    Heatmap,
    Mask,
    Prediction,
    SignalScores,
    Source,
    Word,
    WordScores,
)
from xplain.explanation.notes import ALL_ZERO, no_notes
from xplain.renderers import CMAPS, KINDS, draw
from xplain.renderers.canvas import paint, typography
from xplain.renderers.canvas.scale import meanings
from xplain.renderers.image import drawing as image_drawing
from xplain.renderers.image.style import Style

HEIGHT, WIDTH = 330, 400
HIDDEN = "\x1b[31m\u202e"
PHOTO = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
GREY = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)


def blob(y, x, sigma=30.0, height=HEIGHT, width=WIDTH):
    rows, columns = np.mgrid[:height, :width]
    return np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2)).astype(np.float32)


SIGNED = blob(100, 100) - blob(220, 300)
POSITIVE = np.where(blob(100, 100) > 0.1, blob(100, 100), 0).astype(np.float32)
DISC = blob(150, 200) > 0.5


def explain(*evidence, photo=PHOTO, score=0.93, labels=("cat", "dog", "fox", "owl"), name="cat.png"):
    predictions = tuple(Prediction(label, score - 0.1 * i) for i, label in enumerate(labels))
    attributions = tuple(
        Attribution(predictions[i % len(labels)], e if not isinstance(e, np.ndarray) else Heatmap(e), "grad-cam")
        for i, e in enumerate(evidence)
    )
    height, width = photo.shape[:2] if photo is not None else (None, None)
    source = Source("image", name=name, height=height, width=width, content=photo)
    return Explanation("image-classification", source, predictions, attributions)


def bare(explanation, *args, **options):
    return draw(explanation, *args, legend=False, **options).pixels


def strip(picture):
    return picture.pixels[HEIGHT:]


class TestTheEvidenceAndThePhoto:
    @pytest.mark.parametrize("evidence", [SIGNED, POSITIVE, Mask.from_array(DISC), Grid(np.eye(3))])
    @pytest.mark.parametrize("kind", [None, "overlay", "mask", "contour"])
    def test_alpha_0_is_the_photo_byte_for_byte(self, evidence, kind):
        assert np.array_equal(bare(explain(evidence), kind=kind, alpha=0), PHOTO)

    @pytest.mark.parametrize("values", [SIGNED, POSITIVE])
    def test_a_zero_shows_the_photo(self, values):
        values = np.where(np.abs(values) < 0.2, 0, values)
        pixels = bare(explain(values))
        assert np.array_equal(pixels[values == 0], PHOTO[values == 0])
        assert (pixels[values != 0] != PHOTO[values != 0]).any(axis=1).mean() > 0.95

    def test_the_photo_and_the_map_stay_as_they_are(self):
        photo, explanation = PHOTO.copy(), explain(SIGNED)
        draw(explanation, photo)
        assert np.array_equal(photo, PHOTO)

    def test_what_speaks_for_is_reddish_and_what_speaks_against_bluish(self):
        pixels = bare(explain(SIGNED, photo=GREY)).astype(int)
        assert pixels[100, 100, 0] - pixels[100, 100, 2] > 80
        assert pixels[220, 300, 2] - pixels[220, 300, 0] > 80

    def test_opposite_values_have_opposite_colours_of_one_strength(self):
        map_alone = bare(explain(SIGNED, photo=None), scale=1.0).astype(int)
        assert np.ptp(map_alone[160, 200]) < 30  # between the blobs: white
        for y, x in ((100, 100), (220, 300)):
            assert np.ptp(map_alone[y, x]) > 120

    def test_without_negative_values_lightness_grows_with_the_value(self):
        ramp = np.tile(np.linspace(0, 1, WIDTH, dtype=np.float32), (HEIGHT, 1))
        row = bare(explain(ramp), kind="heatmap", scale="max")[0]
        lightness = np.asarray(Image.fromarray(row[None]).convert("L"))[0].astype(int)
        assert (np.diff(lightness) >= -1).all()
        assert lightness[-1] - lightness[0] > 150

    def test_the_map_is_where_the_evidence_is(self):
        changed = (bare(explain(POSITIVE)) != PHOTO).any(axis=2)
        rows, columns = np.nonzero(changed)
        assert abs(rows.mean() - 100) < 3
        assert abs(columns.mean() - 100) < 3

    def test_a_grid_divides_the_image_evenly(self):
        pixels = bare(explain(Grid(np.array([[0, 1, 0]])), photo=GREY))
        changed = (pixels != GREY).any(axis=2)
        assert changed.all(axis=0).tolist() == [3 * x // WIDTH == 1 for x in range(WIDTH)]

    def test_a_grid_without_a_size_is_drawn_large_enough_to_see(self):
        assert bare(explain(Grid(np.eye(4)), photo=None)).shape == (192, 192, 3)

    def test_an_image_given_goes_before_the_one_kept(self):
        assert np.array_equal(bare(explain(SIGNED), GREY, alpha=0), GREY)

    def test_without_a_photo_the_map_stands_alone(self):
        assert np.array_equal(bare(explain(SIGNED, photo=None)), bare(explain(SIGNED), kind="heatmap"))


class TestMasks:
    def test_outside_is_dimmed_and_inside_is_not(self):
        pixels = bare(explain(Mask.from_array(DISC)))
        assert np.array_equal(pixels[150, 180:220], PHOTO[150, 180:220])
        assert pixels[:40].mean() < 0.6 * PHOTO[:40].mean()

    def test_a_contour_leaves_both_sides_alone(self):
        pixels = bare(explain(Mask.from_array(DISC)), kind="contour")
        changed = (pixels != PHOTO).any(axis=2)
        assert 0 < changed.sum() < 0.3 * DISC.sum()
        near = blob(150, 200)
        assert near[changed].min() > 0.35
        assert near[changed].max() < 0.65

    def test_the_outline_is_closed(self):
        pixels = bare(explain(Mask.from_array(DISC), photo=GREY), kind="contour")
        line = (pixels == (255, 194, 10)).all(axis=2)
        # Every row and column that cuts through the disc meets the line on both sides.
        assert (line.any(axis=1) == DISC.any(axis=1)).all()
        assert (line.any(axis=0) == DISC.any(axis=0)).all()

    def test_a_mask_at_the_border_has_no_line_along_the_border(self):
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[:50, :50] = True
        line = (bare(explain(Mask.from_array(mask), photo=GREY)) == (255, 194, 10)).all(axis=2)
        assert line[49, :50].all()
        assert line[:50, 49].all()
        assert not line[:40, :40].any()

    def test_bands_leave_no_seam(self, monkeypatch):
        mask = Mask.from_array(np.random.default_rng(3).random((HEIGHT, WIDTH)) > 0.98)
        whole = bare(explain(mask))
        monkeypatch.setattr(paint, "BAND_PIXELS", 1)
        assert np.array_equal(bare(explain(mask)), whole)

    def test_a_heat_map_becomes_the_mask_that_to_mask_makes_and_the_picture_says_so(self):
        picture = draw(explain(SIGNED), kind="mask", keep=0.05)
        mask = draw(explain(Heatmap(SIGNED).to_mask(0.05)))
        assert np.array_equal(picture.pixels[:HEIGHT], mask.pixels[:HEIGHT])
        assert "strongest 5 % of the pixels" in picture.alt

    def test_an_empty_mask_says_so(self):
        picture = draw(explain(Mask.from_array(np.zeros((HEIGHT, WIDTH), bool))))
        assert "0 % of the image" in picture.alt


class TestTheScale:
    def test_equal_values_have_equal_colours_in_all_panels(self):
        half = (0.5 * SIGNED).astype(np.float32)
        pixels = bare(explain(SIGNED, half, photo=GREY), columns=2)
        left, right = pixels[:, :WIDTH], pixels[:, WIDTH:]
        value = SIGNED[100, 145]
        y, x = np.unravel_index(np.abs(half - value).argmin(), half.shape)
        assert abs(half[y, x] - value) < 1e-3
        assert np.abs(left[100, 145].astype(int) - right[y, x]).max() <= 2
        assert np.abs(left[100, 100].astype(int) - right[100, 100]).max() > 20

    def test_scales_of_their_own_make_multiples_of_a_map_the_same(self):
        pixels = bare(explain(SIGNED, 0.25 * SIGNED), shared=False, scale="max", columns=2)
        assert np.abs(pixels[:, :WIDTH].astype(int) - pixels[:, WIDTH:]).max() <= 3

    def test_the_number_in_the_picture_draws_the_same_picture(self):
        explanation = explain(SIGNED * np.float32(0.123456))
        picture = draw(explanation)
        limit = float(picture.alt.split("Full colour stands for ")[1].split(" ")[0])
        assert np.array_equal(picture.pixels[:HEIGHT], draw(explanation, scale=limit).pixels[:HEIGHT])

    def test_max_clips_nothing_and_robust_ignores_one_hot_pixel(self):
        values = SIGNED.copy()
        values[0, 0] = 1000
        assert "Full colour stands for 1e+03 or more" in draw(explain(values), scale="max").alt
        limit = float(draw(explain(values)).alt.split("Full colour stands for ")[1].split(" ")[0])
        assert 0.8 < limit <= 1

    def test_the_robust_scale_is_the_percentile_of_what_is_not_zero(self):
        values = np.zeros((HEIGHT, WIDTH), np.float32)
        values[:2] = np.linspace(0.001, 0.8, 2 * WIDTH).reshape(2, WIDTH)
        limit = float(draw(explain(values)).alt.split("Full colour stands for ")[1].split(" ")[0])
        exact = np.percentile(values[values != 0], 99.5)
        assert exact <= limit <= 1.012 * exact

    def test_a_scale_given_changes_the_strength(self):
        strong, weak = (bare(explain(POSITIVE, photo=GREY), scale=s).astype(int) - 128 for s in (1.0, 10.0))
        assert np.abs(strong).sum() > 2 * np.abs(weak).sum()

    def test_a_sequential_map_of_signed_values_shows_the_positive_ones_only(self):
        pixels = bare(explain(SIGNED, photo=GREY), cmap="viridis")
        assert (pixels[100, 100] != 128).any()
        assert (pixels[SIGNED < -0.01] == 128).all()

    @pytest.mark.parametrize("cmap", CMAPS)
    def test_every_colour_map_draws(self, cmap):
        assert (bare(explain(SIGNED), cmap=cmap)[100, 100] != PHOTO[100, 100]).any()


class TestNothingToSee:
    @pytest.mark.parametrize("scale", [None, "max"])
    def test_a_zero_map_is_the_photo_with_a_sentence(self, scale):
        picture = draw(explain(np.zeros((HEIGHT, WIDTH), np.float32)), scale=scale)
        assert np.array_equal(picture.pixels[:HEIGHT], PHOTO)
        assert "nothing counted: all values are 0" in picture.alt
        assert (strip(picture) < 100).any()

    def test_notes_stand_below_and_say_nothing_twice(self):
        def noted(evidence, *notes):
            explanation = explain(evidence)
            (attribution,) = explanation.attributions
            return replace(explanation, attributions=(replace(attribution, quality={"notes": list(notes)}),))

        zeros = np.zeros((HEIGHT, WIDTH), np.float32)
        plain, said = draw(explain(zeros)), draw(noted(zeros, ALL_ZERO, "the score did not change"))
        assert said.alt.count(ALL_ZERO) == 1
        assert said.alt.endswith(f"{ALL_ZERO}; the score did not change.")
        assert np.array_equal(draw(noted(zeros, ALL_ZERO)).pixels, plain.pixels)
        a_line = len(said.pixels) - len(plain.pixels)
        assert 0 < a_line < 40
        long = draw(noted(SIGNED, " ".join(["computed in few digits"] * 8)))
        assert len(long.pixels) - len(draw(explain(SIGNED)).pixels) > a_line  # as many lines as it needs
        assert "; computed in few digits" in long.alt
        empty = draw(noted(Mask.from_array(zeros > 0), ALL_ZERO))
        assert "0 % of the image" in empty.alt
        assert f"; {ALL_ZERO}." in empty.alt
        beside = draw(noted(zeros, ALL_ZERO, "a reason"), kind="side-by-side")
        assert "a reason" in beside.alt

    @pytest.mark.parametrize("notes", [3, {"a": 1}, ["", 3, None, ["x"]], "text", [HIDDEN * 3]])
    def test_notes_that_are_no_sentences_do_no_harm(self, notes):
        explanation = explain(SIGNED)
        (attribution,) = explanation.attributions
        odd = replace(explanation, attributions=(replace(attribution, quality={"notes": notes}),))
        assert "\x1b" not in draw(odd).alt

    def test_noise_is_not_amplified(self):
        noise = np.random.default_rng(0).normal(0, 1e-9, (HEIGHT, WIDTH))
        picture = draw(explain(noise))
        assert np.array_equal(picture.pixels[:HEIGHT], PHOTO)
        assert "no value reaches 6e-09 of the score" in picture.alt

    def test_small_values_of_a_small_score_are_evidence(self):
        noise = np.random.default_rng(0).normal(0, 1e-9, (HEIGHT, WIDTH))
        assert not np.array_equal(bare(explain(noise, score=1e-7)), PHOTO)

    def test_a_scale_that_is_given_draws_the_noise(self):
        noise = np.random.default_rng(0).normal(0, 1e-9, (HEIGHT, WIDTH))
        assert not np.array_equal(bare(explain(noise), scale=1e-9), PHOTO)

    def test_an_empty_panel_of_a_set_says_so_and_stays_a_photo(self):
        explanation = explain(SIGNED, np.zeros_like(SIGNED))
        pixels = bare(explanation, columns=2)
        assert np.array_equal(pixels[:, WIDTH:], PHOTO)
        assert "nothing counted" in draw(explanation).alt

    def test_one_value_everywhere_is_told(self):
        picture = draw(explain(np.full((HEIGHT, WIDTH), 0.25)))
        assert "every value is 0.25" in picture.alt

    def test_values_below_what_float32_can_divide_by_are_drawn_without_a_warning(self):
        tiny = np.full((HEIGHT, WIDTH), 1e-44)
        assert draw(explain(tiny, score=0.3)).pixels.shape[1] == WIDTH
        assert draw(explain(tiny, score=0.1, labels=("cat",))).alt


class TestWhatIsChosen:
    def test_a_set_has_a_panel_for_each_attribution(self):
        assert bare(explain(SIGNED, POSITIVE, SIGNED)).shape == (HEIGHT, 3 * WIDTH, 3)
        assert bare(explain(SIGNED, POSITIVE, SIGNED, POSITIVE)).shape == (2 * HEIGHT, 2 * WIDTH, 3)
        assert bare([explain(SIGNED), explain(POSITIVE)], columns=1).shape == (2 * HEIGHT, WIDTH, 3)

    def test_a_target_is_an_index_or_a_label(self):
        explanation = explain(SIGNED, POSITIVE)
        second = bare(explain(POSITIVE))
        for target in (1, -1, "dog"):
            assert np.array_equal(bare(explanation, target=target), second)

    def test_a_level_of_a_label_is_enough(self):
        explanation = explain(SIGNED, POSITIVE, labels=(("animal", "cat"), ("animal", "dog")))
        assert np.array_equal(bare(explanation, target="dog"), bare(explanation, target="animal > dog"))

    def test_side_by_side_of_one_is_one_panel(self):
        assert np.array_equal(bare(explain(SIGNED), kind="side-by-side"), bare(explain(SIGNED)))

    def test_a_set_of_photos_of_different_sizes(self):
        small = PHOTO[:200, :300]
        pixels = bare([explain(SIGNED), explain(SIGNED[:200, :300], photo=small)], alpha=0)
        assert np.array_equal(pixels[:, :WIDTH], PHOTO)
        assert np.array_equal(pixels[:200, WIDTH : WIDTH + 300], small)

    def test_bars_need_no_photo_and_grow_with_the_score(self):
        picture = draw(explain(photo=None))
        assert np.array_equal(picture.pixels, draw(explain(photo=None), kind="bars").pixels)
        assert "cat 0.93; dog 0.83" in picture.alt
        grey = (picture.pixels == (146, 154, 164)).all(axis=2).sum(axis=1)
        rows = grey[grey > 0]
        assert len(set(rows)) == 4
        assert (np.diff(rows) <= 0).all()

    def test_the_explained_class_has_another_bar(self):
        picture = draw(explain(SIGNED), kind="bars")
        assert (picture.pixels == (178, 24, 44)).all(axis=2).any()

    @pytest.mark.parametrize("scores", [(-3.0, 4.0), (-2.0, -1.0), (0.0, 0.0)])
    def test_bars_of_logits(self, scores):
        predictions = tuple(Prediction(f"class {i}", s) for i, s in enumerate(scores))
        e = Explanation("image-classification", Source("image"), predictions)
        assert draw(e).pixels.shape[1] == 640


class TestTheLegend:
    def test_it_stands_below_the_picture(self):
        picture = draw(explain(SIGNED))
        assert picture.pixels.shape[1] == WIDTH
        assert np.array_equal(picture.pixels[:HEIGHT], bare(explain(SIGNED)))
        assert 60 < strip(picture).shape[0] < HEIGHT / 2
        assert (strip(picture)[:3] == 255).all()

    @pytest.mark.parametrize(("height", "width"), [(64, 64), (224, 224), (20, 500), (500, 20), (1, 1), (1080, 1920)])
    def test_a_small_picture_is_enlarged_by_the_least_whole_factor(self, height, width):
        photo = np.zeros((height, width, 3), np.uint8)
        photo[0, 0] = 255
        picture = draw(explain(np.zeros((height, width)), photo=photo)).pixels
        factor = max(1, -(-320 // max(height, width)))
        left = (picture.shape[1] - width * factor) // 2
        assert picture.shape[1] == max(320, width * factor)
        region = picture[: height * factor, left : left + width * factor]
        assert np.array_equal(region, photo.repeat(factor, 0).repeat(factor, 1))

    def test_the_text_grows_with_the_photo(self):
        heights = []
        for factor in (1, 4, 8):
            photo = np.zeros((HEIGHT * factor, WIDTH * factor, 3), np.uint8)
            e = explain(np.zeros(photo.shape[:2], np.float32), photo=photo)
            heights.append(draw(e).pixels.shape[0] - photo.shape[0])
        assert heights[0] < heights[1] < heights[2]
        assert 1.8 < heights[2] / heights[1] < 2.2

    def test_a_long_label_is_shortened_and_the_score_is_not(self):
        long = explain(SIGNED, labels=("a very long label " * 20,))
        assert draw(long).pixels.shape == draw(explain(SIGNED)).pixels.shape
        assert "a very long label a very" in draw(long).alt
        # The score stands at the right end of the title's line.
        assert (strip(draw(long))[15:35, -60:-15] < 150).any()

    @pytest.mark.parametrize("label", ["猫", "кошка", "çat", "a\nb\tc", "\x00\x1b[31m", "", "😀", "<b>&\"'"])
    def test_any_label_can_be_written(self, label):
        picture = draw(explain(SIGNED, labels=(label,)))
        assert repr(label) in picture.alt
        assert draw(explain(SIGNED, labels=(label,)), kind="bars").pixels.size

    def test_a_label_that_no_font_can_write_is_spelled_without_accents_and_the_text_keeps_it(self, monkeypatch):
        monkeypatch.setattr(typography, "FALLBACK_FONTS", ())
        typography.choose_font.cache_clear()
        written, plain = (draw(explain(SIGNED, labels=(label,))) for label in ("Äpfel 猫", "Apfel ?"))
        typography.choose_font.cache_clear()
        assert np.array_equal(written.pixels, plain.pixels)
        assert "'Äpfel 猫'" in written.alt

    def test_a_font_file_is_used(self):
        matplotlib = pytest.importorskip("matplotlib")
        font = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"
        assert not np.array_equal(strip(draw(explain(SIGNED), font=font)), strip(draw(explain(SIGNED))))

    def test_the_bar_holds_the_colours_of_the_picture(self):
        picture = draw(explain(SIGNED, photo=np.full_like(PHOTO, 255)))
        colours = {tuple(c) for c in strip(picture).reshape(-1, 3).tolist()}
        assert tuple(picture.pixels[100, 100].tolist()) in colours
        assert tuple(picture.pixels[220, 300].tolist()) in colours

    def test_numbers_change_with_the_scale(self):
        strips = [strip(draw(explain(SIGNED), scale=s)) for s in (1.0, 2.0)]
        assert not np.array_equal(*strips)

    def test_every_kind_has_a_legend(self):
        for kind in KINDS:
            assert draw(explain(SIGNED), kind=kind).alt


def test_the_alternative_text_says_what_is_shown():
    alt = draw(explain(SIGNED)).alt
    assert alt == (
        "Explanation of cat.png: heat map for 'cat' (score 0.93) by grad-cam over the photo: values -1 to 1; "
        "strongest in the top left. Full colour stands for " + alt.rpartition("stands for ")[2]
    )


def test_the_same_arguments_give_the_same_bytes():
    explanation = explain(SIGNED, POSITIVE)
    first, second = draw(explanation), draw(explanation)
    assert first.png() == second.png()
    assert first.alt == second.alt


class TestRefusals:
    def test_an_image_of_another_size(self):
        with refuses(InputError, "image must be 330x400", "got 100x100", "not resized"):
            draw(explain(SIGNED), PHOTO[:100, :100])
        with refuses(InputError, "image must be 330x400", "got 400x330"):
            draw(explain(SIGNED, photo=None), PHOTO.transpose(1, 0, 2))

    @pytest.mark.parametrize("image", [PHOTO / 255, PHOTO[..., 0], "cat.png", PHOTO[..., [0, 1, 2, 0]]])
    def test_an_image_that_is_none(self, image):
        with refuses(InputError, "image must be a uint8 array (height, width, 3), got"):
            draw(explain(SIGNED), image)

    def test_a_list_of_images_of_another_length(self):
        with refuses(InputError, "image must be one photo, or one for each explanation (1), got 2"):
            draw(explain(SIGNED), [PHOTO, PHOTO])
        with refuses(InputError, "image[1] must be 330x400"):
            draw([explain(SIGNED)] * 2, [PHOTO, PHOTO[1:]])

    def test_unknown_names(self):
        e = explain(SIGNED)
        with refuses(UnknownNameError, "kind must be one of", "did you mean 'overlay'?"):
            draw(e, kind="overlya")
        with refuses(UnknownNameError, "cmap must be one of", "did you mean 'viridis'?"):
            draw(e, cmap="virids")
        with refuses(UnknownNameError, "scale must be one of robust, max, got 'maximum'"):
            draw(e, scale="maximum")
        with refuses(UnknownNameError, "target must be one of cat, got 'cot'; did you mean 'cat'?"):
            draw(e, target="cot")
        with refuses(UnknownNameError, "target must be one of 0, got 1"):
            draw(e, target=1)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"scale": 0}, "scale must be positive"),
            ({"scale": -1.0}, "scale must be positive"),
            ({"scale": float("nan")}, "scale must be a finite number"),
            ({"scale": True}, "scale must be a finite number"),
            ({"alpha": 1.5}, "alpha must be between 0 and 1, got 1.5"),
            ({"alpha": "half"}, "alpha must be a finite number"),
            ({"keep": -0.1}, "keep must be between 0 and 1"),
            ({"columns": 0}, "columns must be an integer >= 1"),
            ({"target": 0.5}, "target must be an integer"),
            ({"font": "no such font.ttf"}, "font must be a TrueType or OpenType file"),
        ],
    )
    def test_arguments(self, options, message):
        with refuses(InputError, message):
            draw(explain(SIGNED), **options)

    def test_what_is_no_picture(self):
        empty = Explanation("signal-classification", Source("signal"), (), ())
        with refuses(InputError, "subject must hold a prediction to be drawn as bars, got none"):
            draw(empty)
        words = Attribution(Prediction("good", 0.5), WordScores((Word("a", 1.0),)))
        with refuses(InputError, "subject must explain an image", "got an explanation of a signal"):
            of_words = Explanation("signal-classification", Source("signal"), (), (words,))
            image_drawing.draw([of_words], None, Style(), no_notes)
        signal = Attribution(Prediction("shake", 0.5), SignalScores(np.ones((3, 4))))
        with refuses(InputError, "evidence must be a Heatmap, Mask or Grid to be drawn, got SignalScores"):
            draw(Explanation("signal-classification", Source("image"), (), (signal,)))
        with refuses(InputError, "evidence must have at least one pixel"):
            draw(explain(Heatmap(np.zeros((0, 3))), photo=None))

    def test_what_is_no_explanation(self):
        with refuses(InputError, "subject must be an Explanation or a sequence of them, got 3"):
            draw(3)
        with refuses(InputError, "subject[0] must be a Explanation"):
            draw([3])
        with refuses(InputError, "subject must hold at least one Explanation, got none"):
            draw([])

    def test_a_map_of_nothing(self):
        with refuses(InputError, "subject must hold an attribution, got none; kind='bars'"):
            draw(explain(), kind="overlay")


ONE_OFF = """
import resource, sys
import numpy as np
from PIL import Image
from xplain.explanation import Attribution, Explanation, Heatmap, Prediction, Source
from xplain.kernels import jit
from xplain.renderers import draw
jit.one_shot()
photo = np.tile(np.arange(1920, dtype=np.uint8)[:, None], (1080, 1, 3))
heat = np.zeros((1080, 1920), np.float32)
heat[300:700, 500:900] = 1
target = Prediction("cat", 0.9)
evidence = Heatmap(heat)
if sys.argv[1] == "mask":
    evidence = evidence.to_mask(threshold=0.5)
del heat
e = Explanation("image-classification", Source("image"), (target,), (Attribution(target, evidence),))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = draw(e, photo).png()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
large = [name for name in ("numba", "matplotlib", "torch", "cv2", "skimage", "scipy") if name in sys.modules]
print((after - before) // 1024, len(data), *large)
"""


@pytest.mark.parametrize("kind", ["mask", "heatmap"])
def test_a_picture_in_a_fresh_process_needs_little_memory_and_no_large_package(kind):
    done = subprocess.run([sys.executable, "-c", ONE_OFF, kind], capture_output=True, text=True, check=True)
    megabytes, size, *large_packages = done.stdout.split()
    assert large_packages == []
    assert int(size) > 1000
    # Canvas 6.6 MB, mask 2 MB, what decodes it 4 MB, PNG, blocks of rows: nothing else is as large as the photo.
    assert int(megabytes) < 20


def test_pillow_reads_the_picture():
    picture = draw(explain(SIGNED))
    with Image.open(io.BytesIO(picture.png())) as image:
        assert np.array_equal(np.asarray(image), picture.pixels)
        assert image.text["Description"] == picture.alt


def test_ends_of_a_scale_are_named_by_direction_where_values_have_one():
    assert meanings(["saliency"], False, False) == ("weak", "strong")
    assert meanings(["saliency"], True, False) == ("weak", "strong")  # a diverging map that the caller chose
    assert meanings(["saliency"], True, True) == ("speaks against", "speaks for")  # the signed gradient
    assert meanings(["smoothgrad"], False, False) == ("weak", "strong")  # squares
    assert meanings(["smoothgrad"], True, True) == ("speaks against", "speaks for")
    assert meanings(["saliency", "occlusion"], False, False) == ("no evidence", "speaks for")
