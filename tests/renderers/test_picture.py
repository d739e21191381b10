"""Files of pictures."""

import base64
import io
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tests.support import refuses
from xplain.errors import InputError
from xplain.renderers import Picture
from xplain.renderers.canvas import png

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
ALT = """Explanation of <img src=x onerror="alert(1)">'&.png: 猫 speaks for "it"."""


@pytest.fixture
def picture():
    return Picture(PIXELS, ALT)


def decoded(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (30, 40), (700, 900)])
@pytest.mark.parametrize("content", ["noise", "flat", "ramp"])
def test_pillow_decodes_a_png_to_the_same_pixels(shape, content):
    pixels = {
        "noise": np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8),
        "flat": np.full((*shape, 3), 200, np.uint8),
        "ramp": np.arange(shape[0] * shape[1] * 3, dtype=np.uint32).astype(np.uint8).reshape(*shape, 3),
    }[content]
    assert np.array_equal(decoded(png.encode(pixels)), pixels)


def test_both_compressors_give_a_valid_png_with_the_same_pixels(monkeypatch):
    import zlib

    monkeypatch.setattr(png, "fastest_zlib", lambda: zlib)
    with_zlib = png.encode(PIXELS, "text")
    assert np.array_equal(decoded(with_zlib), PIXELS)
    isal_zlib = pytest.importorskip("isal.isal_zlib")
    monkeypatch.setattr(png, "fastest_zlib", lambda: isal_zlib)
    assert np.array_equal(decoded(png.encode(PIXELS, "text")), PIXELS)


def test_the_bytes_do_not_depend_on_where_the_compressor_lies_in_memory():
    """Of pixels in which ISA-L takes another match for about one address of a hundred, if it hashes its address."""
    rng = np.random.default_rng(1)
    literals = (rng.integers(0, 256, 10, dtype=np.uint8) for _ in range(339))
    blank = np.zeros(343, np.uint8)
    row = np.concatenate([np.zeros(11_976, np.uint8), *(part for each in literals for part in (each, blank))])
    pixels = row[: len(row) // 3 * 3].reshape(1, -1, 3)
    first = png.encode(pixels)
    gaps = [bytearray()] * 100  # in memory: they move each compressor to another address
    for i in range(2000):
        gaps[i % 100] = bytearray(int(rng.integers(1, 300_000)))
        assert png.encode(pixels) == first


def test_an_array_with_gaps_is_encoded_as_it_looks():
    view = np.repeat(PIXELS, 2, axis=1)[::3, ::2]
    assert np.array_equal(decoded(png.encode(view)), view)


def test_the_png_carries_the_alternative_text(picture):
    with Image.open(io.BytesIO(picture.png())) as image:
        assert image.text["Description"] == ALT


def test_a_picture_cannot_be_changed(picture):
    with pytest.raises(ValueError, match="read-only"):
        picture.pixels[0, 0] = 0
    PIXELS[0, 0] = PIXELS[0, 0]  # the array itself still can


def test_a_notebook_gets_a_png(picture):
    assert picture._repr_png_() == picture.png()
    assert not hasattr(picture, "_repr_html_")


def test_repr_is_short_enough_to_read(picture):
    assert repr(picture).startswith("Picture(30x40, ")


def test_save_writes_what_the_ending_says(picture, tmp_path):
    for suffix, reader in {".png": decoded, ".PNG": decoded, ".txt": bytes.decode}.items():
        path = tmp_path / f"picture{suffix}"
        picture.save(path)
        expected = PIXELS if suffix.lower() == ".png" else ALT + "\n"
        assert np.array_equal(reader(path.read_bytes()), expected)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["picture.PNG", "picture.png", "picture.txt"]


def test_html_is_one_escaped_image_without_script(picture):
    tags = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append((tag, dict(attrs)))

    page = picture.encoded(".html").decode()
    parser = Parser()
    parser.feed(page)
    assert [tag for tag, _ in tags] == ["html", "head", "meta", "meta", "title", "body", "img"]
    image = tags[-1][1]
    assert image["alt"] == ALT
    assert (image["width"], image["height"]) == ("40", "30")
    assert np.array_equal(decoded(base64.b64decode(image["src"].partition(",")[2])), PIXELS)
    assert not re.search(r"https?:|<script|\son\w+=\"", page.replace("onerror=", ""))


def test_svg_holds_the_pixels_and_the_text(picture):
    root = ET.fromstring(picture.encoded(".svg"))
    space = "{http://www.w3.org/2000/svg}"
    assert root.attrib["viewBox"] == "0 0 40 30"
    assert root.find(f"{space}desc").text == ALT
    href = root.find(f"{space}image").attrib["href"]
    assert np.array_equal(decoded(base64.b64decode(href.partition(",")[2])), PIXELS)


def test_a_lone_surrogate_in_the_text_can_be_written():
    for suffix in (".png", ".html", ".svg", ".txt"):
        assert Picture(PIXELS, "a\ud800b").encoded(suffix)


@pytest.mark.parametrize("name", ["picture.jpg", "picture", "picture.png.bak"])
def test_an_unknown_ending_is_refused(picture, tmp_path, name):
    with refuses(InputError, "path must be a name that ends in .png, .html, .svg, .txt, got"):
        picture.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_replaced_unless_told_otherwise(picture, tmp_path):
    path = tmp_path / "picture.txt"
    path.write_text("old")
    with refuses(InputError, "path must be a new file", "exists"):
        picture.save(path, overwrite=False)
    assert path.read_text() == "old"
    picture.save(path)
    assert path.read_text(encoding="utf-8") == ALT + "\n"


def test_a_folder_that_is_not_there_is_refused(picture, tmp_path):
    with refuses(InputError, "path must be a file that can be written"):
        picture.save(tmp_path / "nowhere" / "picture.png")
