"""Explained texts as HTML: what it holds, and what remains after notebooks have cleaned it."""

import importlib
import re
from html.parser import HTMLParser

import pytest

from tests.renderers.texts import FILM, NASTY, NEGATIVE, POSITIVE, SCORES, explain
from xplain.explanation import Explanation, Source
from xplain.explanation.characters import visible
from xplain.renderers import CMAPS, draw

VOID = {"meta"}
COLOUR = r"rgba\((\d+), (\d+), (\d+), (0|0\.\d+)\)"


class Tree(HTMLParser):
    """The elements of a page as (tag, attributes, list of texts inside); its tags must nest."""

    def __init__(self, page):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        element = (tag, dict(attrs), [])
        assert len(element[1]) == len(attrs)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        for _, _, inside in self._open:
            inside.append(data)

    def handle_comment(self, data):
        raise AssertionError(data)

    def words(self):
        """All text of the page."""
        return "".join(self.elements[0][2])

    def texts(self):
        """Elements that hold an explained text."""
        return [e for e in self.elements if "pre-wrap" in e[1].get("style", "")]

    def scored(self):
        """(word, score, RGB and opacity or None) of every word in a text, in order."""
        return [
            ("".join(inside), attrs["title"], colour_of(attrs))
            for tag, attrs, inside in self.elements
            if tag == "span"
            and set(attrs) <= {"style", "title"}
            and re.fullmatch(r"[+-]?[\d.e-]+", attrs.get("title", ""))
        ]


def colour_of(attrs):
    match = re.search(f"background-color: {COLOUR}", attrs.get("style", ""))
    return None if match is None else (tuple(map(int, match.groups()[:3])), float(match[4]))


def page(subject, **options):
    return draw(subject, **options).html().decode()


def tree(subject, **options):
    return Tree(page(subject, **options))


@pytest.mark.parametrize("text", [FILM, NASTY, "  two  spaces\n\n\tand lines ", "x"])
def test_words_in_their_order_are_the_text(text):
    scores = dict.fromkeys(range(0, 20, 2), 0.5) | dict.fromkeys(range(1, 20, 2), -0.25)
    page = tree(explain(text, scores))
    (element,) = page.texts()
    assert "".join(element[2]) == visible(text)
    assert [word for word, _, _ in page.scored()] == [visible(word) for word in text.split()]
    assert element[1]["dir"] == "auto"


def test_every_word_has_its_score_and_the_colour_of_its_sign():
    scored = tree(explain()).scored()
    assert [(word, title) for word, title, _ in scored] == [
        (word, f"{SCORES[i]:+.3g}" if i in SCORES else "0") for i, word in enumerate(FILM.split())
    ]
    colours = {word: colour for word, _, colour in scored}
    assert colours["the"] is None
    (against, strong), (favour, weak) = colours["not"], colours["good,"]
    assert against[2] > against[0] + 80
    assert favour[0] > favour[2] + 80
    # Opacity is proportional to |score| and leaves the text readable.
    assert weak / strong == pytest.approx(0.21 / 0.42, abs=0.01)
    assert strong <= 0.65
    assert colours["saved"][0] == favour


def test_all_sections_have_one_scale_that_is_printed():
    # Twice the score, in another section of another explanation: twice the opacity.
    alone = tree(explain(FILM, {3: -0.1})).scored()
    assert alone[3][2][1] == pytest.approx(0.62)
    page = tree([explain(FILM, {3: -0.1}), explain(FILM, {3: 0.2}, {3: 0.4})])
    opacities = [colour[1] for _, _, colour in page.scored() if colour]
    assert opacities == pytest.approx([0.155, 0.31, 0.62], abs=0.006)
    words = page.words()
    assert "speaks against -0.4" in words
    assert "+0.4 speaks for" in words
    assert "scale: 99.5th percentile, one for all sections" in words


def test_a_given_scale_clips_and_says_so():
    page = tree(explain(FILM, {3: -0.4, 8: 0.2}), scale=0.1)
    assert [colour[1] for _, _, colour in page.scored() if colour] == [0.62, 0.62]
    words = page.words()
    assert "speaks against <= -0.1" in words
    assert ">= +0.1 speaks for" in words
    assert "scale: given" in words


def test_without_negative_scores_the_legend_starts_at_zero():
    words = tree(explain(FILM, {3: 0.4})).words()
    assert "speaks against" not in words
    assert re.search(r"\b0\s+\+0.4 speaks for", words)


@pytest.mark.parametrize("cmap", [name for name, cmap in CMAPS.items() if cmap.diverging])
def test_every_diverging_map_gives_two_vivid_colours(cmap):
    colours = [colour[0] for _, _, colour in tree(explain(), cmap=cmap).scored() if colour]
    assert len(set(colours)) == 2
    assert all(max(colour) - min(colour) > 90 for colour in colours)


def test_classes_and_strongest_words_are_bars_with_numbers():
    page = tree(explain())
    rows = [e for e in page.elements if e[0] == "div" and e[1].get("style", "").endswith("white-space: nowrap")]
    assert [" ".join("".join(row[2]).split()) for row in rows] == [
        "not -0.42", "saved +0.38", "good, +0.21", "film +0.02", "positive 0.61", "negative 0.39",
    ]  # fmt: skip
    bars = [e for e in page.elements if "height: 0.85em" in e[1].get("style", "")]
    style = [{k: float(v) for k, v in re.findall(r"(width|margin-left): ([\d.]+)%", e[1]["style"])} for e in bars]
    zero = style[0]["margin-left"] + style[0]["width"]  # where the bar of a negative word ends
    assert zero == pytest.approx(100 * 0.42 / 0.80, abs=0.2)
    assert style[1] == {"width": pytest.approx(100 * 0.38 / 0.80, abs=0.1), "margin-left": pytest.approx(zero, abs=0.1)}
    assert style[2]["width"] / style[1]["width"] == pytest.approx(0.21 / 0.38, abs=0.01)
    assert style[5]["width"] / style[4]["width"] == pytest.approx(0.39 / 0.61, abs=0.01)
    assert [tag for tag, _, inside in page.elements if "".join(inside) == "positive"][-1] == "strong"


def test_of_a_repeated_word_the_list_says_which_one():
    words = tree(explain("good or not good", {0: 0.5, 3: -0.25})).words()
    assert "good (word 1)" in words
    assert "good (word 4)" in words


def test_bars_alone_leave_the_text_out():
    page = tree(explain(), kind="bars")
    assert page.texts() == []
    assert "-0.42" in page.words()


def test_a_page_is_self_contained_and_nothing_in_it_comes_from_the_text():
    e = explain(NASTY, dict.fromkeys(range(20), 0.5), name="</title>\x1b<script>", labels=(POSITIVE, NEGATIVE))
    data = draw(e).html()
    page = data.decode("utf-8")
    tags = {tag for tag, _, _ in Tree(page).elements}
    assert tags == {"html", "head", "meta", "title", "style", "body", "div", "span", "strong"}
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)
    assert not re.search(r"\bon\w+\s*=\s*[\"']|https?:|url\(|@import|javascript:", page)
    assert {name for _, attrs, _ in Tree(page).elements for name in attrs} <= {
        "lang", "charset", "name", "content", "style", "title", "dir",
    }  # fmt: skip
    assert "color-scheme: light dark" in page


def test_text_takes_its_colour_from_the_page():
    for _, attrs, _ in Tree(draw(explain()).html().decode()).elements:
        assert not re.search(r"(^|; )color:", attrs.get("style", ""))


def test_a_notebook_gets_the_sections_without_a_page_around_them():
    picture = draw(explain())
    fragment = picture._repr_html_()
    assert fragment in picture.html().decode()
    assert {tag for tag, _, _ in Tree(fragment).elements} == {"div", "span", "strong"}
    assert picture.mimebundle() == {"text/html": fragment, "text/plain": picture.alt}
    importlib.import_module("xplain.api")  # which tells explanations how to show themselves
    assert explain()._repr_mimebundle_() == picture.mimebundle()


# What JupyterLab's sanitizer keeps (packages/apputils/src/sanitizer.ts): tags and attributes, and styles only of these
# forms; and GitHub's (html-pipeline, SanitizationFilter): no style at all. Each cut to what is used here and near it.
LENGTH = r"(0|[+-]?([0-9]*[.])?[0-9]+(px|em|rem|%))"
LAB_COLOUR = (
    r"(\#[0-9a-f]+|rgb\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*\)|"
    r"rgba\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*(1([.]0+)?|0([.][0-9]+)?)\s*\))"
)
LAB_STYLES = {
    "background-color": LAB_COLOUR,
    "color": LAB_COLOUR,
    "border": rf"(({LENGTH}|none|dotted|dashed|solid|{LAB_COLOUR})\s*){{1,3}}",
    "border-radius": rf"({LENGTH}\s*){{1,4}}",
    "display": "inline|block|inline-block|flex|grid|table|table-cell|none",
    "font-size": rf"smaller|larger|small|medium|large|{LENGTH}",
    "height": rf"{LENGTH}|auto",
    "line-height": rf"normal|{LENGTH}|[0-9.]+",
    "margin": rf"(({LENGTH}|auto)\s*){{1,4}}",
    "margin-left": rf"{LENGTH}|auto",
    "margin-top": rf"{LENGTH}|auto",
    "max-width": rf"{LENGTH}|none|auto",
    "opacity": r"1([.]0+)?|0([.][0-9]+)?",
    "overflow": "visible|hidden|scroll|auto",
    "overflow-wrap": "normal|break-word",
    "padding": rf"({LENGTH}\s*){{1,4}}",
    "text-align": "left|right|center|justify",
    "text-overflow": "clip|ellipsis",
    "vertical-align": rf"baseline|top|middle|bottom|{LENGTH}",
    "white-space": "normal|pre|nowrap|pre-wrap|pre-line",
    "width": rf"{LENGTH}|auto",
}
LAB = ({"div", "span", "strong", "b", "em", "p", "table", "tr", "td"}, {"class", "dir", "id", "lang", "style", "title"})
GITHUB = (
    {"div", "span", "strong", "b", "em", "p", "table", "tr", "td"},
    {"align", "dir", "id", "lang", "title", "width"},
)


def cleaned(fragment, tags, attributes):
    """The fragment without any other tag, attribute or style, and what was dropped."""
    dropped = []

    def clean(match):
        slash, tag, rest = match.groups()
        if tag not in tags:
            dropped.append(tag)
            return ""
        kept = ""
        for name, value in re.findall(r'\s([a-z-]+)="([^"]*)"', rest):
            if name not in attributes:
                dropped.append(name)
                continue
            if name == "style":
                pairs = [tuple(declaration.split(": ", 1)) for declaration in value.split("; ")]
                good = [(k, v) for k, v in pairs if re.fullmatch(LAB_STYLES.get(k, "(?!)"), v, re.IGNORECASE)]
                dropped.extend(set(pairs) - set(good))
                value = "; ".join(map(": ".join, good))
            kept += f' {name}="{value}"'
        return f"<{slash}{tag}{kept}>"

    return re.sub(r"<(/?)(\w+)((?:\s[a-z-]+=\"[^\"]*\")*)\s*>", clean, fragment), dropped


@pytest.mark.parametrize("subject", [explain(), explain(NASTY, dict.fromkeys(range(20), 0.5)), explain(FILM, {})])
def test_jupyterlab_keeps_all_of_it(subject):
    fragment = draw(subject)._repr_html_()
    result, dropped = cleaned(fragment, *LAB)
    assert dropped == []
    assert result == fragment


@pytest.mark.parametrize("subject", [explain(), explain(NASTY, dict.fromkeys(range(20), 0.5)), explain(FILM, {3: 0.1})])
def test_on_github_words_and_numbers_remain(subject):
    fragment = draw(subject)._repr_html_()
    result, dropped = cleaned(fragment, *GITHUB)
    assert set(dropped) == {"style"}
    before, after = Tree(fragment), Tree(result)
    assert after.words() == before.words()
    assert [word for word, _, _ in after.scored()] == [word for word, _, _ in before.scored()]
    assert [title for _, title, _ in after.scored()] == [title for _, title, _ in before.scored()]


def test_the_cleaner_drops_what_is_not_allowed():
    style = "color: hsl(3, 2, 1); background-color: hsl(1, 2, 3); opacity: 0.5"
    dirty = f'<script>x</script><span onclick="a" style="{style}">y</span>'
    result, dropped = cleaned(dirty, *LAB)
    assert result == 'x<span style="opacity: 0.5">y</span>'
    assert {"script", "onclick", ("color", "hsl(3, 2, 1)"), ("background-color", "hsl(1, 2, 3)")} <= set(dropped)


def test_an_explanation_without_attributions_shows_the_text_and_the_classes():
    plain = Explanation("text-classification", Source("text", text=FILM), (POSITIVE, NEGATIVE))
    page = tree(plain)
    assert "".join(page.texts()[0][2]) == FILM
    assert page.scored() == []
    assert "0.61" in page.words()


def test_a_long_text_is_there_in_full():
    text = " ".join(f"word{i}" for i in range(15_000))
    page = tree(explain(text, {i: (-1) ** i * i / 15_000 for i in range(15_000)}))
    assert len(text) > 100_000
    assert "".join(page.texts()[0][2]) == text
    assert len(page.scored()) == 15_000
