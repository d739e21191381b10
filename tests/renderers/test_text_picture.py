"""Explained texts as pixels, as SVG and on a terminal; their text alternative, and what is refused."""

import io
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFont

from tests.renderers.texts import FILM, NASTY, POSITIVE, SCORES, explain
from tests.support import refuses
from xplain import api
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Attribution, Explanation, Heatmap, Item, Prediction, Results, Source, Word, WordScores
from xplain.explanation.notes import ALL_ZERO
from xplain.renderers import TextPicture, draw

ALL = dict.fromkeys(range(20), 0.5)


@pytest.fixture(scope="module")
def latin_font(tmp_path_factory):
    """Pillow's own font as a file: the caller's font is the only one that is used, and this one knows Latin alone."""
    path = tmp_path_factory.mktemp("fonts") / "latin.ttf"
    path.write_bytes(ImageFont.load_default(18).path.getvalue())
    return path


def svg(subject, **options):
    """The texts of an SVG as (x, y, width, text), its boxes with a tip as (x, y, width, height, fill, tip)."""
    root = ET.fromstring(draw(subject, **options).svg())
    space = "{http://www.w3.org/2000/svg}"
    texts = [
        (float(t.get("x")), float(t.get("y")), float(t.get("textLength")), t.text) for t in root.iter(f"{space}text")
    ]
    boxes = [
        (*(float(r.get(k)) for k in ("x", "y", "width", "height")), r.get("fill"), r[0].text)
        for r in root.iter(f"{space}rect")
        if len(r)
    ]
    return texts, boxes


def on_white(colour, opacity):
    return tuple(round(255 + (c - 255) * opacity) for c in colour)


class TestPixels:
    def test_words_lie_on_the_colour_of_their_sign(self):
        """Where the SVG says that a word stands, the PNG has its colour."""
        pixels = draw(explain()).pixels.astype(int)
        _, boxes = svg(explain())
        colours = {}
        for x, y, width, height, fill, tip in boxes:
            region = pixels[round(y) + 1 : round(y + height) - 1, round(x) + 1 : round(x + width) - 1].reshape(-1, 3)
            values, counts = np.unique(region, axis=0, return_counts=True)
            colours[tip] = tuple(values[counts.argmax()])
            assert "#" + bytes(colours[tip]).hex() == fill
        assert set(colours) == {"0", "+0.02", "-0.42", "+0.21", "+0.38"}
        assert colours["0"] == (255, 255, 255)
        assert colours["-0.42"] == pytest.approx(on_white((33, 102, 172), 0.62), abs=2)  # the blue end of RdBu_r
        assert colours["+0.38"][0] > colours["+0.38"][2] + 60
        assert sum(colours["+0.21"]) > sum(colours["+0.38"])

    def test_letters_are_dark_on_their_colour(self):
        pixels = draw(explain()).pixels
        (x, y, width, height, *_), *_ = (box for box in svg(explain())[1] if box[5] == "-0.42")
        word = pixels[round(y) : round(y + height), round(x) : round(x + width)]
        assert (word.max(axis=2) < 60).sum() > 20

    def test_two_sections_are_higher_than_one(self):
        assert draw(explain(FILM, SCORES, SCORES)).pixels.shape[0] > draw(explain()).pixels.shape[0] + 150
        assert draw(explain(), kind="bars").pixels.shape[0] < draw(explain()).pixels.shape[0]

    def test_lines_are_as_wide_as_the_page(self):
        text = "wide " * 200 + "W" * 500 + " 好" * 300
        pixels = draw(explain(text)).pixels
        inside = pixels[150:-60]
        assert (inside[:, :28] == 255).all()
        assert (inside[:, -28:] == 255).all()
        texts, _ = svg(explain(text))
        assert max(x + width for x, _, width, text in texts if len(text) == 1 or text == "wide") <= 960 - 28
        assert "".join("".join(text for *_, text in texts).split()).count("W") == 500

    def test_a_text_that_is_too_long_is_cut_with_a_note(self):
        text = "word " * 20_000
        pixels = draw(explain(text, {0: 1.0})).pixels
        assert pixels.shape[0] < 120 * 32 + 500
        texts = [text for *_, text in svg(explain(text, {0: 1.0}))[0]]
        (note,) = (text for text in texts if "more characters, which are not drawn here" in text)
        omitted = int(re.search(r"[\d,]+", note)[0].replace(",", ""))
        assert omitted == len(text) - 5 * (texts.count("word") - 1)  # one is in the list of the strongest

    def test_more_explanations_than_fit_are_counted(self):
        texts = [text for *_, text in svg([explain()] * 30)[0]]
        assert "and 6 more, which are not drawn here" in texts
        assert texts.count("Strongest words") == 24

    def test_characters_without_a_letter_are_boxes_with_their_code_points(self, latin_font):
        def band(text):
            return draw(explain(text, {0: 1.0}, method=None), font=latin_font).pixels[100:200]

        assert not np.array_equal(band("好"), band("的"))
        assert not np.array_equal(band("a好"), band("a?"))
        assert not np.array_equal(band("a\x1b"), band("a\x1c"))
        # A letter without its accents is near enough; the width of joiners is nothing.
        assert np.array_equal(band("é"), band("e"))
        assert np.array_equal(band("a\u200d"), band("a"))

    def test_a_font_file_is_used(self):
        matplotlib = pytest.importorskip("matplotlib")
        font = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSerif.ttf"
        assert not np.array_equal(draw(explain(), font=font).pixels[:300], draw(explain()).pixels[:300])

    def test_the_png_has_the_pixels_and_the_text_alternative(self):
        picture = draw(explain(NASTY, ALL))
        with Image.open(io.BytesIO(picture.png())) as image:
            assert np.array_equal(np.asarray(image), picture.pixels)
            assert image.text["Description"] == picture.alt


class TestSvg:
    def test_letters_stand_on_their_boxes(self):
        texts, boxes = svg(explain())
        for (x, y, width, height, _, _), word in zip(boxes, FILM.split(), strict=True):
            there = [text for text in texts if text[3] == word and y < text[1] < y + height]
            assert any(abs(text[0] - x - 1) < 0.2 and abs(text[2] + 2 - width) < 0.2 for text in there)

    def test_letters_that_the_font_lacks_stay_letters(self, latin_font):
        texts = [text for *_, text in svg(explain("שלום 好", ALL), font=latin_font)[0]]
        assert "שלום" in texts
        assert "好" in texts

    def test_it_is_well_formed_whatever_the_text_and_the_names(self):
        data = draw(explain(NASTY, ALL, name="]]><script>\x00", method="<m>")).svg()
        root = ET.fromstring(data)
        assert {element.tag.partition("}")[2] for element in root.iter()} == {
            "svg",
            "desc",
            "rect",
            "title",
            "g",
            "text",
        }
        assert not re.search(r"href|url\(|on\w+=\"", data.decode("utf-8").replace("onerror=", ""))


class TestTerminal:
    def test_words_have_backgrounds_by_sign_and_strength(self):
        line = next(line for line in draw(explain()).ansi().splitlines() if "music" in line)
        colours = dict(re.findall(r"\x1b\[48;5;(\d+);38;5;\d+m([^\x1b]+)\x1b\[0m", line))
        assert set(colours.values()) == {"not", "good,", "saved"}
        assert re.sub(r"\x1b\[[\d;]*m", "", line) == FILM
        codes = {word: int(code) for code, word in colours.items()}
        assert len(set(codes.values())) == 3
        red, blue = (codes["saved"] - 16) // 36, (codes["not"] - 16) % 6
        assert red > (codes["saved"] - 16) % 6
        assert blue > (codes["not"] - 16) // 36

    @pytest.mark.parametrize("cmap", ["RdBu_r", "PuOr_r", "vik"])
    def test_the_legend_shows_both_signs(self, cmap):
        legend = draw(explain(), cmap=cmap).ansi().splitlines()[0]
        codes = re.findall(r"48;5;(\d+)", legend)
        assert len(codes) == 6
        assert codes[0] != codes[-1]
        plain = " ".join(re.sub(r"\x1b\[[\d;]*m", "", legend).split())
        assert plain == "speaks against -0.42 0 +0.42 speaks for (scale: 99.5th percentile)"

    @pytest.mark.parametrize("color", [True, False])
    def test_nothing_of_the_text_acts_on_the_terminal(self, color):
        e = explain(NASTY, ALL, name="\x1b]0;title\x07", labels=(Prediction("\x1b[8m", 0.5),), method="\x9b5n")
        written = draw(e).ansi(color=color)
        uncoloured = re.sub(r"\x1b\[(0|1|48;5;\d+;38;5;\d+)m", "", written) if color else written
        assert not [c for c in uncoloured if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
        assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068") & set(uncoloured)
        assert "␛[31mred" in uncoloured

    def test_no_colour_runs_over_the_end_of_a_line(self):
        e = Explanation(
            "text-classification",
            Source("text", text="a b\nc d"),
            (),
            (Attribution(POSITIVE, WordScores((Word("b\nc", 0.5, None, 2, 5),))),),
        )
        for line in draw(e).ansi().splitlines():
            assert line.count("\x1b[48") + line.count("\x1b[1m") == line.count("\x1b[0m")
        assert "b\nc[+0.5]" in draw(e).ansi(color=False)

    def test_without_colours_the_strongest_words_have_scores(self):
        written = draw(explain()).ansi(color=False)
        assert "\x1b" not in written
        assert "The film[+0.02] was not[-0.42] good,[+0.21] but the music saved[+0.38] it.\n" in written
        many = draw(explain("w " * 50, {i: i / 50 for i in range(50)})).ansi(color=False)
        assert len(re.findall(r"\[\+[\d.]+\]", many)) == 10

    def test_bars_are_as_long_as_their_numbers(self):
        lines = draw(explain(), kind="bars").ansi(color=False).splitlines()
        bars = {line.split()[0]: line.split()[2] for line in lines if len(line.split()) == 3 and line.startswith("  ")}
        assert bars["not"] == "-" * 24
        assert bars["saved"] == "+" * 22
        assert bars["good,"] == "+" * 12
        assert bars["negative"] == "#" * 15
        assert FILM not in "\n".join(lines)

    def test_columns_stand_below_each_other_in_every_script(self):
        written = draw(explain("好的好的 e\u0301 x" + "y" * 100_000, ALL)).ansi(color=False)
        columns = [
            sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) == "W") for c in line[:i])
            for line in written.splitlines()
            if (i := line.find("+0.5  +")) > 0
        ]
        assert len(columns) == 3
        assert len(set(columns)) == 1


class TestWords:
    def test_the_alternative_names_method_class_score_and_the_strongest_words(self):
        assert draw(explain(name="review.txt")).alt == (
            "Explanation of review.txt: words for 'positive' (score 0.61) by shapley: strongest 'not' -0.42, "
            "'saved' +0.38, 'good,' +0.21, 'film' +0.02. Full colour stands for 0.42 or more."
        )
        alt = draw([explain(), explain(FILM, {3: 0.5}, {3: -1.0})]).alt
        assert alt.count("Explanation of a text:") == 2
        assert "words for 'negative' (score 0.39) by shapley: strongest 'not' -1." in alt
        assert alt.endswith("Full colour stands for 1 or more in all sections.")

    @pytest.mark.parametrize(
        ("scores", "message"),
        [
            ({}, "nothing counted: all values are 0"),
            ({3: 1e-12}, "no evidence: no value reaches 2e-12 of the score"),
        ],
    )
    def test_where_there_is_no_evidence_it_says_so_and_shows_none(self, scores, message):
        picture = draw(explain(FILM, scores))
        assert message in picture.alt
        assert message in picture.ansi(color=False)
        assert message in picture._repr_html_()
        assert "48;5" not in picture.ansi()
        assert [text for *_, text in svg(explain(FILM, scores))[0]].count(message) == 1
        both = draw(explain(FILM, scores, {3: 0.5}))
        assert message in both.ansi(color=False)
        assert "not[+0.5]" in both.ansi(color=False)

    def test_notes_stand_below_the_text_and_say_nothing_twice(self):
        def noted(scores, *notes):
            explanation = explain(FILM, scores)
            (attribution,) = explanation.attributions
            return replace(explanation, attributions=(replace(attribution, quality={"notes": [*notes, {}]}),))

        reason = "the score did not change\x1b[31m"
        for explanation in (noted({}, ALL_ZERO, reason), noted({3: 0.5}, reason)):
            picture = draw(explanation)
            html, ansi = picture._repr_html_(), picture.ansi(color=False)
            said = [text for *_, text in svg(explanation)[0]]
            assert "\x1b" not in html + ansi + picture.alt
            for written in (picture.alt, ansi, html, "\n".join(said)):
                assert "the score did not change" in written
                assert written.count(ALL_ZERO) == (0 if explanation.attributions[0].evidence.words[3].score else 1)

    def test_a_scale_that_is_given_shows_scores_as_they_are(self):
        assert FILM in draw(explain(FILM, {3: 0.01}), scale=10.0).ansi()
        assert FILM not in draw(explain(FILM, {3: 0.01})).ansi()
        assert draw(explain(FILM, {}), scale=2).alt.endswith("Full colour stands for 2 or more.")

    def test_words_without_a_place_are_named(self):
        words = (Word("not", -0.4), *(Word(f"zebra{i}", 0.3) for i in range(7)))
        e = Explanation(
            "text-classification", Source("text", text=FILM), (), (Attribution(POSITIVE, WordScores(words)),)
        )
        written = draw(e).ansi(color=False)
        assert "was not[-0.4] good" in written
        assert "Not found in the text: 'zebra0' +0.3, " in written
        assert "'zebra4' +0.3 and 2 more." in written

    def test_without_the_text_the_words_stand_alone_until_it_is_given(self):
        scores = WordScores((Word("saved", 0.3, 8), Word("not", -0.4, 3)))
        e = Explanation("text-classification", Source("text"), (), (Attribution(POSITIVE, scores),))
        written = draw(e).ansi(color=False)
        assert "… not[-0.4] … saved[+0.3]" in written
        assert "The text is not in the document: only the scored words are shown." in written
        assert "was not[-0.4] good, but the music saved[+0.3] it." in draw(e, text=FILM).ansi(color=False)
        assert api.render(e, text=FILM).alt == draw(e).alt
        both = draw([e, explain()], text=[FILM, None]).ansi(color=False)
        assert both.count("the music saved") == 2

    def test_classes_beyond_the_tenth_are_counted(self):
        labels = tuple(Prediction(f"class {i}", 0.5 - i / 100) for i in range(13))
        picture = draw(explain(FILM, SCORES, labels=labels))
        for written in (picture.ansi(color=False), picture._repr_html_(), picture.svg().decode()):
            assert "class 9" in written
            assert "class 10" not in written
            assert "and 3 more" in written

    def test_without_scored_words_there_is_no_evidence(self):
        e = Explanation("text-classification", Source("text", text=FILM), (), (Attribution(POSITIVE, WordScores(())),))
        assert "no evidence: no word has a score" in draw(e).alt
        assert FILM in draw(e).ansi(color=False)


def test_scores_are_written_as_precisely_as_the_largest_one():
    written = draw(explain(FILM, {1: 0.0006, 3: -0.33812, 4: 0.08379, 8: 0.0004})).ansi(color=False)
    assert "film[+0.001] was not[-0.338] good,[+0.084] but the music saved it." in written
    assert written.splitlines()[0].startswith("-0.339 speaks against")


def test_a_target_picks_sections():
    e = explain(FILM, {3: 0.5}, {3: -1.0})
    assert "negative" not in draw(e, target=0).alt
    assert "positive" not in draw(e, target="negative").alt
    assert draw(e, target="negative").alt.endswith("for 1 or more.")


@pytest.mark.parametrize("suffix", [".html", ".png", ".svg", ".txt"])
def test_the_same_explanation_gives_the_same_bytes(suffix, tmp_path):
    first, second = (draw(explain(NASTY, ALL, SCORES)) for _ in range(2))
    assert first.encoded(suffix) == second.encoded(suffix)
    first.save(tmp_path / f"picture{suffix}")
    assert (tmp_path / f"picture{suffix}").read_bytes() == first.encoded(suffix)


def test_a_text_file_is_what_a_terminal_without_colours_shows():
    picture = draw(explain(NASTY, ALL))
    assert picture.text().decode("utf-8") == picture.ansi(color=False)


def test_scores_beyond_float32_are_drawn():
    assert "+1e+300" in draw(explain(FILM, {3: 1e300, 4: -1e-300})).ansi(color=False)


def test_results_of_a_job_and_explanations_of_a_model_are_drawn():
    items = (Item("a", "successful", explanation=explain()), Item("b", "failed", error="no"))
    assert isinstance(api.render(Results("job", items)).picture(), TextPicture)
    from xplain.models import TextClassifier

    model = TextClassifier(lambda texts: [[t.count("not"), t.count("saved")] for t in texts], labels=["down", "up"])
    picture = api.render(api.explain(model, FILM, target="up"))
    assert "saved[+1]" in picture.ansi(color=False)


def test_a_picture_of_an_image_and_of_a_text_need_no_large_package():
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.renderers.texts import explain; from xplain.renderers import draw\n"
        "picture = draw(explain())\n"
        "for suffix in ('.html', '.png', '.svg', '.txt'): picture.encoded(suffix)\n"
        "print([m for m in ('numba', 'torch', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


class TestRefusals:
    def test_texts_among_images(self):
        image = Explanation("image-classification", Source("image"), (), (Attribution(POSITIVE, Heatmap(np.eye(3))),))
        with refuses(InputError, "subject must explain sources of one kind, got image and text; draw each apart"):
            draw([image, explain()])

    def test_evidence_of_an_image(self):
        e = Explanation("text-classification", Source("text"), (), (Attribution(POSITIVE, Heatmap(np.eye(3))),))
        with refuses(InputError, "evidence must be WordScores to be drawn on a text, got Heatmap"):
            draw(e)

    def test_an_image_to_draw_a_text_on(self):
        with refuses(InputError, "image must be left out for a text, got ndarray"):
            draw(explain(), np.zeros((3, 3, 3), np.uint8))

    def test_an_explanation_of_nothing(self):
        with refuses(InputError, "subject must hold an attribution or a prediction to be drawn, got neither"):
            draw(Explanation("text-classification", Source("text", text="a")))

    def test_one_of_several_may_hold_nothing(self):
        picture = draw([explain(), Explanation("text-classification", Source("text", text="a", name="b.txt"))])
        assert "Explanation of b.txt: nothing is predicted." in picture.alt
        assert "b.txt\na\nnothing is predicted\n" in picture.ansi(color=False)
        assert "nothing is predicted" in picture.html().decode()

    def test_a_text_that_was_not_explained(self):
        with refuses(InputError, "text must be the one that was explained, got one with none of the 10 words", "'The'"):
            draw(explain(), text="Quite another.")
        with refuses(InputError, "text[1] must be the one that was explained"):
            draw([explain(), explain()], text=[FILM, "Quite another."])
        with refuses(InputError, "text must be one text, or one for each explanation (1), got 2"):
            draw(explain(), text=[FILM, FILM])
        with refuses(InputError, "text must be a string, got 3"):
            draw(explain(), text=3)

    def test_a_map_without_a_middle(self):
        with refuses(InputError, "cmap must be diverging for a text (RdBu_r, PuOr_r, vik), got 'viridis'"):
            draw(explain(), cmap="viridis")

    def test_unknown_names(self):
        with refuses(UnknownNameError, "kind must be one of text, bars, got 'overlay'"):
            draw(explain(), kind="overlay")
        with refuses(UnknownNameError, "option must be one of", "text, font, got 'alpha'"):
            draw(explain(), alpha=0.5)
        with refuses(UnknownNameError, "cmap must be one of", "did you mean 'vik'"):
            draw(explain(), cmap="vikk")
        with refuses(UnknownNameError, "scale must be one of robust, max, got 'least'"):
            draw(explain(), scale="least")
        with refuses(UnknownNameError, "target must be one of positive, got 'positiv'; did you mean 'positive'?"):
            draw(explain(), target="positiv")
        with refuses(InputError, "scale must be positive"):
            draw(explain(), scale=-1)

    def test_a_font_that_is_none(self):
        with refuses(InputError, "font must be a TrueType or OpenType file, got 'nowhere.ttf'"):
            draw(explain(), font="nowhere.ttf").png()

    def test_an_unknown_ending(self, tmp_path):
        with refuses(InputError, "path must be a name that ends in .png, .html, .svg, .txt, got the ending '.jpg'"):
            draw(explain()).save(tmp_path / "picture.jpg")


def test_the_picture_is_short_to_read():
    picture = draw(explain())
    assert repr(picture) == f"TextPicture(alt={picture.alt!r})"
