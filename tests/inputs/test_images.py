import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from tests.support import refuses
from xplain import InputError
from xplain.inputs.images import load


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_path_bytes_pil_array_and_tensor_hold_the_same_pixels(photo, tmp_path):
    import torch

    data = encoded(Image.fromarray(photo))
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    for image in (path, str(path), data, Image.fromarray(photo), photo, torch.from_numpy(photo).permute(2, 0, 1)):
        assert np.array_equal(load(image).pixels, photo)
    assert load(path).name == "photo.png"
    assert load(path).sha256 == load(data).sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(photo, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = {1: 0, 2: 0, 3: 2, 4: 0, 5: 3, 6: 3, 7: 3, 8: 1}[orientation]
    expected = np.rot90(photo, turned)
    if orientation in (2, 7):
        expected = expected[:, ::-1] if orientation == 2 else expected[::-1]
    if orientation == 4:
        expected = photo[::-1]
    if orientation == 5:
        expected = photo.transpose(1, 0, 2)
    if orientation == 7:
        expected = np.rot90(photo.transpose(1, 0, 2), 2)
    assert np.array_equal(load(encoded(Image.fromarray(photo), exif=exif)).pixels, expected)


def test_alpha_is_composited_over_white():
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = 0, 128, 255
    for image in (rgba, encoded(Image.fromarray(rgba))):
        assert load(image).pixels[0, :, 0].tolist() == [255, 127, 0]


def test_palette_with_transparency_grey_and_cmyk():
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    assert load(encoded(palette)).pixels.tolist() == [[[10, 20, 30], [200, 100, 50]]]
    assert load(encoded(palette, transparency=0)).pixels.tolist() == [[[255, 255, 255], [200, 100, 50]]]
    assert load(encoded(Image.new("L", (1, 1), 9))).pixels.tolist() == [[[9, 9, 9]]]
    assert load(encoded(Image.new("CMYK", (1, 1), (0, 0, 0, 0)), "TIFF")).pixels.tolist() == [[[255, 255, 255]]]


def test_sixteen_bits_are_scaled_not_clipped():
    deep = np.array([[0, 0x80FF, 0xFFFF]], np.uint16)
    for image in (deep, encoded(Image.fromarray(deep))):
        assert load(image).pixels[0, :, 0].tolist() == [0, 0x80, 255]


def test_floats_within_0_and_1_keep_their_meaning_and_others_are_stretched():
    assert load(np.array([[0.0, 0.5]])).pixels[0, :, 0].tolist() == [0, 128]
    assert load(np.array([[-1.0, 0.0, 1.0]])).pixels[0, :, 0].tolist() == [0, 128, 255]
    assert load(np.array([[3.0, 3.0]])).pixels[0, :, 0].tolist() == [0, 0]


def test_bad_images_are_refused(tmp_path):
    with refuses(InputError, "image must be an existing file, got 'no.jpg'"):
        load("no.jpg")
    with refuses(InputError, "image must be an image that Pillow can decode, got 5 bytes"):
        load(b"hello")
    broken = tmp_path / "broken.png"
    broken.write_bytes(encoded(Image.new("RGB", (64, 64)))[:60])
    with refuses(InputError, "Pillow can decode, got 'broken.png'"):
        load(broken)
    surface = encoded(Image.new("RGB", (4, 4)), "DDS")
    with refuses(InputError, "Pillow can decode, got 176 bytes: Unknown pixel format flags 0"):
        load(surface[:80] + bytes(8) + surface[88:])
    with refuses(InputError, "photo must be a path, bytes, a PIL image", "got int"):
        load(3, name="photo")
    with refuses(InputError, "must be finite, got NaN"):
        load(np.array([[np.nan]]))
    with refuses(InputError, "must hold at least one pixel, got shape (0, 4, 3)"):
        load(np.zeros((0, 4, 3), np.uint8))
    with refuses(InputError, "array of numbers (height, width[, channels]), got shape (2,)"):
        load(np.zeros(2))


def test_a_batch_of_tensors_is_refused_with_the_remedy():
    import torch

    with refuses(InputError, "got shape (2, 3, 4, 4)", "explain_batch"):
        load(torch.zeros(2, 3, 4, 4))
    assert load(torch.zeros(1, 3, 4, 5)).pixels.shape == (4, 5, 3)


def test_a_decompression_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with refuses(InputError, "decompression bomb"):
        load(encoded(Image.new("L", (64, 64))))
