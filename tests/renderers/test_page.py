"""A whole job as one page: its words, its filters, and that nothing in it acts."""

import base64
import io
import re
import tracemalloc
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import xplain
from tests.renderers.noted import draw
from tests.support import refuses
from xplain import formatters
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import (
    Attribution,
    Box,
    Explanation,
    Grid,
    Heatmap,
    Item,
    Mask,
    Prediction,
    Results,
    Source,
    Span,
    Window,
    Word,
    WordScores,
)
from xplain.renderers import JobPage
from xplain.renderers.job import page as job_page

HOSTILE = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[31m\u202e\ud800"
VOID = {"meta", "img"}


def page_of(results, *arguments):
    return job_page.draw(results, *arguments, notes=formatters.notes)


class Reader(HTMLParser):
    """Checks that tags close, and collects elements and the text of each article."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.articles = [], [], {}
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for tag, attributes in self.open:
            if tag == "article":
                self.articles[attributes["id"]] = self.articles.get(attributes["id"], "") + data

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def read(results, image=None):
    return Reader(page_of(results, image).html().decode())


def image_item(name, label, score=0.9, **attributes):
    predictions = (Prediction(label, score, attributes=attributes), Prediction("rest", 0.01))
    return Item(name, "successful", explanation=Explanation("image-classification", Source("image"), predictions))


def job():
    items = [
        image_item("a.png", "cat", expected="cat"),
        image_item("b.png", "cat", expected="dog"),
        image_item("c.png", "dog", expected="dog"),
        Item("d.png", "failed", error="no image"),
        Item("e.png", "running", engine="gpu-1", started="2026-01-01T00:00:00Z"),
        Item("f.png", "waiting"),
    ]
    return Results("nightly", items, total=8, error="out of money", submitted="2026-01-01T00:00:00Z")


def hidden(reader, text, kind):
    """Ids of the articles that the rules of the page hide while a filter is the target."""
    [style] = re.findall("<style>(.*?)</style>", text, re.S)
    assert f"#show-{kind}:target ~ main .item:not(.{kind})" in style
    assert any(attributes.get("id") == f"show-{kind}" for attributes in reader.of("span"))
    return [a["id"] for a in reader.of("article") if kind not in a["class"].split()]


def test_the_head_shows_how_far_the_job_is_and_how_often_it_is_right():
    text = page_of(job()).html().decode()
    for words in (
        "<title>Job nightly</title>",
        "3 of 8 inputs successful, 1 failed, 1 running, 3 waiting; not finished",
        "The job failed: out of money",
        "submitted 2026-01-01T00:00:00Z",
        "2 right, 1 wrong, accuracy 66.7 %",
        "Of 2 more inputs nothing is known yet.",
    ):
        assert words in text
    assert '<tr><th scope="row" dir="auto">dog</th><td>2</td><td>1</td><td>1</td><td>50.0 %</td>' in text
    # Half of the dogs were taken for cats.
    assert re.search(
        r'>dog</th><td style="background-color: rgba\(33, 102, 172, 0.3\)">1 <span class="quiet">50.0 %', text
    )


def test_items_are_filtered_by_status_by_label_and_by_what_is_wrong_without_script():
    text = page_of(job()).html().decode()
    reader = Reader(text)
    links = {a["href"] for a in reader.of("a")}
    assert {"#show-s-successful", "#show-s-failed", "#show-wrong", "#show-l0", "#show-l1", "#top"} <= links
    assert hidden(reader, text, "s-failed") == ["i0", "i1", "i2", "i4", "i5"]
    assert hidden(reader, text, "wrong") == ["i0", "i2", "i3", "i4", "i5"]
    assert hidden(reader, text, "l0") == ["i2", "i3", "i4", "i5"]  # cat, the most frequent
    assert not reader.of("script")
    assert {f"#i{i}" for i in range(6)} <= links


def test_each_item_has_its_prediction_truth_status_and_error():
    articles = read(job()).articles
    assert "cat 0.9" in articles["i0"]
    assert "right" in articles["i0"]
    assert "wrong: dog is true" in articles["i1"]
    assert "failed" in articles["i3"]
    assert "no image" in articles["i3"]
    assert "running · by gpu-1 · started 2026-01-01T00:00:00Z" in articles["i4"]
    assert "rest0.01" in articles["i0"].replace("\n", "")


def test_each_item_has_the_notes_on_its_evidence_and_none_of_another():
    def explanation(*notes):
        targets = [Prediction(label, 0.5) for label in ("cat", "<dog>")]
        attributions = [
            Attribution(target, Heatmap(np.zeros((2, 2), np.float32)), quality={"notes": list(said)})
            for target, said in zip(targets, notes, strict=True)
        ]
        return Explanation("image-classification", Source("image"), targets, attributions)

    items = [
        Item("a", "successful", explanation=explanation(["all is 0"], ["all is 0", f"<b>why</b>{HOSTILE}"])),
        Item("b", "successful", explanation=explanation([], [3])),
    ]
    job = Results("notes", items, total=2, finished=True)
    articles = read(job).articles
    assert articles["i0"].count("all is 0") == 1
    assert "for '<dog>': <b>why</b>" in articles["i0"]
    assert "all is 0" not in articles["i1"]
    picture = draw(job)
    assert "; all is 0" in picture.alt


def test_labels_that_are_too_many_share_a_filter():
    items = [image_item(f"{i}", f"label {i}") for i in range(85)]
    text = page_of(Results("many", items)).html().decode()
    assert "5 other labels" in text
    assert len(hidden(Reader(text), text, "lx")) == 80


def test_a_photo_of_the_folder_is_found_by_the_base_name_and_drawn_small(tmp_path):
    Image.fromarray(np.full((300, 600, 3), (0, 0, 255), np.uint8)).save(tmp_path / "a.png")
    boxes = (Prediction("cat", 0.9, region=Box(0.5, 0.5, 1.0, 1.0)),)
    explanation = Explanation("object-detection", Source("image", height=300, width=600), boxes)
    reader = read(Results("j", [Item("some/folder/a.png", "successful", explanation=explanation)]), tmp_path)
    [image] = reader.of("img")
    assert image["alt"] == "some/folder/a.png: regions"
    assert (image["width"], image["height"]) == ("420", "210")
    kind, data = image["src"].split(",")
    assert kind == "data:image/jpeg;base64"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert pixels.shape == (210, 420, 3)
    assert pixels[20, 20, 2] > 240  # the photo
    assert pixels[20, 20, :2].max() < 30


@pytest.mark.parametrize(
    "name", ["../secret.png", "/secret.png", "..", ".", "", "..\\secret.png", "link.png", "x" * 5000, "a\0b", "\ud800"]
)
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    folder = tmp_path / "photos"
    folder.mkdir()
    secret = tmp_path / "secret.png"
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(secret)
    (folder / "link.png").symlink_to(secret)
    item = Item(
        name, "successful", explanation=Explanation("image-classification", Source("image", name=str(secret)), ())
    )
    assert not read(Results("j", [item]), folder).of("img")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["link.png", "photos", "secret.png"]


def test_an_item_that_cannot_be_drawn_says_why_and_the_page_goes_on(tmp_path):
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    boxes = (Prediction("cat", 0.9, region=Box(0, 0, 1, 1)),)
    explained = [
        Explanation("object-detection", Source("image", height=4, width=4), boxes),
        Explanation("object-detection", Source("image"), boxes),
        Explanation(
            "image-segmentation",
            Source("image"),
            (),
            (Attribution(boxes[0], Mask(np.array([1 << 26]), 1 << 13, 1 << 13)),),
        ),
    ]
    items = [Item(f"{name}.png", "successful", explanation=e) for name, e in zip("abc", explained, strict=True)]
    reader = read(Results("j", [*items, Item("d", "waiting")]), tmp_path)
    assert "No picture: image must be 4x4 (height x width) as the explained image, got 2x2" in reader.articles["i0"]
    assert "No picture: image must be an image that Pillow can decode, got 'b.png'" in reader.articles["i1"]
    assert "No picture: picture must have at most 33554432 pixels to be made small" in reader.articles["i2"]
    assert "waiting" in reader.articles["i3"]


def test_evidence_is_drawn_over_the_photo_or_alone():
    cat = Prediction("cat", 0.9)
    heat = np.zeros((40, 40), np.float32)
    heat[:20] = 1
    explanation = Explanation(
        "image-classification", Source("image"), (cat,), (Attribution(cat, Heatmap(heat), "mine"),)
    )
    grid = Explanation("image-classification", Source("image"), (cat,), (Attribution(cat, Grid(np.eye(3))),))
    items = [Item(str(i), "successful", explanation=e) for i, e in enumerate((explanation, grid))]
    alone = read(Results("j", items))
    assert [image["alt"] for image in alone.of("img")] == [
        "0: evidence for cat by mine, without the photo",
        "1: evidence for cat, without the photo",
    ]
    [over] = read(Results("j", items[:1]), np.full((40, 40, 3), 255, np.uint8)).of("img")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(over["src"].split(",")[1])))).astype(int)
    assert pixels[60, 160, 2] < 200  # the strongest colour of the map
    assert pixels[260, 160].sum() > 740  # where there is no evidence, the photo


def test_windows_are_a_strip_in_the_colours_of_the_job():
    def windows(*labels):
        predictions = [
            Prediction(label, 0.9, region=Window(1000 * i, 1000 * i + 1000), attributes={"expected": "wave"})
            for i, label in enumerate(labels)
        ]
        return Explanation("signal-classification", Source("signal"), predictions)

    explained = [windows("wave", "idle", "wave"), windows("idle")]
    items = [Item(str(i), "successful", explanation=e) for i, e in enumerate(explained)]
    text = page_of(Results("j", items)).html().decode()
    reader = Reader(text)
    first, second = reader.of("img")
    assert first["alt"] == "0: along time: 0 to 1 s: wave; 1 to 2 s: idle (wrong, wave is true); 2 to 3 s: wave"
    assert "wave 2, idle 1 of 3 windows" in reader.articles["i0"].replace(" ", " ")
    colours = []
    for image in (first, second):
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(image["src"].split(",")[1]))))
        colours.append({tuple(map(int, colour)) for colour in pixels.reshape(-1, 3)})
    swatches = re.findall(r"#show-l\d.*?rgba\((\d+), (\d+), (\d+), 1\)", text)
    assert len(swatches) == 2
    assert all(tuple(map(int, swatch)) in colours[0] for swatch in swatches)
    assert sum(tuple(map(int, swatch)) in colours[1] for swatch in swatches) == 1


def test_texts_are_snippets_with_words_or_entities_on_colour():
    good = Prediction("good", 0.9)
    text = "not <bad> at all " + "and so on " * 100
    words = WordScores([Word("bad", -0.5, start=5, stop=8), Word("not", 0.25, start=0, stop=3)])
    scored = Explanation("text-classification", Source("text", text=text), (good,), (Attribution(good, words),))
    person = Prediction("person", 1.0, region=Span(5, 8), attributes={"unscored": True})
    labels = (Prediction("hot", 0.7, threshold=0.5), Prediction("cold", 0.3, threshold=0.5), person)
    marked = Explanation("text-classification", Source("text", text="call <Al> now"), labels)
    items = [Item(str(i), "successful", explanation=e) for i, e in enumerate((scored, marked))]
    reader = read(Results("j", items))
    assert reader.articles["i0"].split("\n")[2].startswith("not <bad> at all and so on")
    assert len(reader.articles["i0"]) < 500
    titles = [span["title"] for span in reader.of("span") if "title" in span and "rgba" in span.get("style", "")]
    assert titles[-3:-1] == ["+0.25", "-0.5"]
    assert "person" in titles[-1]
    assert "call <Al" in reader.articles["i1"]
    assert "hot 0.7, person, cold 0.3" in reader.articles["i1"]
    assert [a["class"] for a in reader.of("article")] == ["item s-successful l0", "item s-successful l1"]


def test_nothing_that_others_wrote_acts():
    explanation = Explanation(
        "text-classification",
        Source("text", name=HOSTILE, text=HOSTILE),
        (Prediction(HOSTILE, 0.5, attributes={"expected": HOSTILE + "x"}), Prediction(HOSTILE + "2", 0.1)),
        (Attribution(Prediction(HOSTILE, 0.5), WordScores([Word("script", 0.5, index=0)]), HOSTILE),),
        attributes={"edge-impulse": {"sample": {"signatureKey": "TOP-SECRET"}}},
    )
    image = image_item(HOSTILE + "3", HOSTILE, expected=HOSTILE + "x")
    items = (
        Item(HOSTILE, "successful", explanation=explanation, engine=HOSTILE, started=HOSTILE),
        Item(HOSTILE + "2", "failed", error=HOSTILE),
        image,
    )
    secret = {"modzy": {"submittedByKey": "TOP-SECRET"}}
    results = Results(HOSTILE, items, error=HOSTILE, submitted=HOSTILE, attributes=secret)
    text = page_of(results).html().decode()
    reader = Reader(text)
    assert not reader.of("script")
    assert all(image["src"].startswith("data:") for image in reader.of("img"))
    assert not any(name.startswith("on") for _, attributes in reader.elements for name in attributes)
    assert all(a["href"].startswith("#") for a in reader.of("a"))
    assert not set(text) & set("\x1b\u202e\ud800")
    assert "TOP-SECRET" not in text
    assert text.count("</style>") == 1


def test_a_page_can_be_read_by_machines_and_with_keys():
    reader = read(job())
    assert reader.of("html") == [{"lang": "en"}]
    assert [a["aria-label"] for a in reader.of("nav")] == ["filter"]
    assert all(image.get("alt") for image in reader.of("img"))
    assert all("tabindex" in div and div["aria-label"] for div in reader.of("div") if div.get("class") == "wide")
    [strip] = [div for div in reader.of("div") if div.get("class") == "strip"]
    assert strip["aria-label"] == "3 of 8 inputs successful, 1 failed, 1 running, 3 waiting; not finished"
    names = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert all(a["href"].removeprefix("#") in names for a in reader.of("a"))


def test_render_makes_the_page_and_its_other_files_are_pictures(tmp_path):
    page = xplain.render(job())
    assert isinstance(page, JobPage)
    assert page.alt == "Job nightly: 3 of 8 inputs successful, 1 failed, 1 running, 3 waiting; not finished."
    page.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == page.html()
    with refuses(InputError, "path must be a new file"):
        page.save(tmp_path / "page.html", overwrite=False)
    page.save(tmp_path / "page.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "page.png")), page.pixels)
    assert page.svg().startswith(b"<svg")
    assert page.text().decode().strip() == page.mimebundle()["text/plain"]
    with refuses(InputError, "path must be a name that ends in .png, .html, .svg, .txt"):
        page.save(tmp_path / "page.pdf")


def test_what_does_not_go_with_a_page_is_refused(tmp_path):
    with refuses(InputError, "cmap must be left out for a page, got 'inferno'"):
        xplain.render(job(), kind="page", cmap="inferno")
    with refuses(InputError, "results must be Results, got Explanation"):
        page_of(job().items[0].explanation)
    with refuses(InputError, "image must be a folder with the photos of the job, or a photo, got", "none"):
        page_of(job(), tmp_path / "none")
    with refuses(UnknownNameError, "kind"):
        xplain.render(job().items[0].explanation, kind="page")


def test_a_job_without_items_is_a_page():
    reader = read(Results("", ()))
    assert not reader.of("article")
    assert [a["href"] for a in reader.of("a")] == ["#top"]


def test_memory_does_not_grow_with_the_job(tmp_path):
    def items(count):
        return lambda: (
            image_item(f"{i}.png", f"label {i % 50}", expected="label 1", note="x" * 1000) for i in range(count)
        )

    peaks = []
    for count in (50, 2000):
        outline = Results("big", [Item(f"{i}.png", "successful") for i in range(count)])
        page = page_of(outline, None, items(count))
        tracemalloc.start()
        page.save(tmp_path / "page.html")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (tmp_path / "page.html").stat().st_size > 1e6
    assert peaks[1] < peaks[0] + 500_000


def test_the_photo_of_a_job_may_be_a_data_url_or_an_open_file():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), (250, 0, 0)).save(buffer, "PNG")
    results = Results("nightly", [Item("a.png", "waiting")])
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode() + " " * 5000  # longer than any name
    for image in (url, buffer):
        assert isinstance(xplain.render(results, image), JobPage)
    with refuses(InputError, "nothing is fetched from the network"):
        xplain.render(results, "https://example.org/a.png")
