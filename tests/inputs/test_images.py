import base64
import hashlib
import io
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image, ImageCms

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
    swapped = Image.frombytes("I;16B", (3, 1), deep.astype(">u2").tobytes())
    signed = Image.fromarray(deep.astype(np.int32))
    for image in (deep, deep.astype(">u2"), encoded(Image.fromarray(deep)), swapped, encoded(swapped, "TIFF"), signed):
        assert load(image).pixels[0, :, 0].tolist() == [0, 0x80, 255]


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "i8", "u2", "u4", "u8", ">i4", ">u2"])
def test_integers_within_0_and_255_mean_the_same_in_every_type(photo, kind):
    values = photo % 128 if kind == "i1" else photo
    loaded = load(values.astype(kind))
    assert np.array_equal(loaded.pixels, values)
    assert loaded.values.dtype == np.uint8


@pytest.mark.parametrize(
    ("values", "fragments"),
    [
        (np.array([[-1, 7]], np.int16), ["integers from 0 to 255", "got int16 from -1 to 7", "floats from 0 to 1"]),
        (np.array([[0, 256]], np.int64), ["got int64 from 0 to 256"]),
        (np.array([[0, 70000]], np.uint32), ["got uint32 from 0 to 70000"]),
        (np.array([[0, 4000]], np.uint16), ["up to 4000, as data of 12 bits has", "image / 4095, or image / 65535"]),
        (np.array([[0, 16383]], np.uint16), ["data of 14 bits"]),
    ],
)
def test_integers_that_may_mean_several_things_are_refused(values, fragments):
    with refuses(InputError, *fragments):
        load(values)
    if values.dtype == np.uint16:
        with refuses(InputError, *fragments):
            load(encoded(Image.fromarray(values)))
        assert load(values / 65535).pixels.max() == round(values.max() / 65535 * 255)  # the remedy


def test_an_array_and_a_file_of_the_same_sixteen_bits_mean_the_same(photo):
    for values in (photo[:, :, 0].astype(np.uint16), photo[:, :, 0].astype(np.uint16) * 257):
        for image in (values, Image.fromarray(values), encoded(Image.fromarray(values))):
            assert np.array_equal(load(image).pixels[:, :, 0], photo[:, :, 0])


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
    with refuses(InputError, "Pillow can decode, got 176 bytes, which is in no format of images"):
        load(surface[:80] + bytes(8) + surface[88:])
    with refuses(InputError, "photo must be a path, bytes, a PIL image", "got int"):
        load(3, name="photo")
    for wrong in (np.nan, -np.inf, 1e300):
        with refuses(InputError, "must be finite, got NaN"):
            load(np.array([[0, wrong]]))
    with refuses(InputError, "must have no masked values", "image.filled(0)"):
        load(np.ma.masked_array(np.zeros((2, 2)), mask=[[0, 1], [0, 0]]))
    with refuses(InputError, "must hold at least one pixel, got shape (0, 4, 3)"):
        load(np.zeros((0, 4, 3), np.uint8))
    with refuses(InputError, "array of numbers (height, width[, channels]), got shape (2,)"):
        load(np.zeros(2))


def test_the_layout_of_an_array_in_memory_does_not_matter(photo):
    read_only = photo.copy()
    read_only.flags.writeable = False
    unmasked = np.ma.masked_array(photo, mask=False)
    for array in (np.asfortranarray(photo), read_only, photo[::-1][::-1], unmasked, photo[np.newaxis]):
        assert np.array_equal(load(array).pixels, photo)


@pytest.mark.parametrize("shape", [(3, 300, 451), (1, 28, 28), (4, 64, 64), (2, 64, 64), (6, 64, 64), (30, 64, 70)])
def test_channels_first_are_refused(shape):
    for bands in (False, True):
        with refuses(InputError, f"got shape {shape}; channels come last: image.transpose(1, 2, 0)"):
            load(np.zeros(shape, np.uint8), bands=bands)
    assert load(np.zeros(shape, np.uint8).transpose(1, 2, 0), bands=True).pixels.shape == (*shape[1:], 3)


@pytest.mark.parametrize("shape", [(224, 224, 3), (28, 28, 1), (1, 50, 60, 4)])
def test_tensors_with_channels_last_are_refused(shape):
    import torch

    for bands in (False, True):
        with refuses(InputError, "channels come first: image.permute(2, 0, 1)"):
            load(torch.zeros(shape), bands=bands)


@pytest.mark.parametrize("channels", [2, 5, 6, 13, 200])
def test_other_numbers_of_channels_are_for_those_who_take_numbers(channels):
    import torch

    values = np.random.default_rng(0).integers(0, 256, (9, 10, channels), dtype=np.uint8)
    for image in (values, torch.from_numpy(values).permute(2, 0, 1)):
        with refuses(InputError, "must have 1, 3 or 4 channels, grey, RGB or RGBA", f"got {channels}"):
            load(image)
        assert np.array_equal(load(image, bands=True).values, values)


def test_a_fourth_band_is_transparency_only_where_a_photo_is_wanted():
    values = np.full((2, 2, 4), 10, np.uint8)
    values[..., 3] = 0
    assert (load(values).pixels == 255).all()
    assert (load(values, bands=True).pixels == 10).all()


def test_tensors_that_numpy_cannot_read_are_refused():
    import torch

    for tensor in (torch.zeros(3, 4, 4, device="meta"), torch.zeros(3, 4, 4).to_sparse()):
        with refuses(InputError, "must be a tensor that NumPy can read, got torch.float32"):
            load(tensor)
    with refuses(InputError, "must be a tensor of real numbers, got torch.complex64"):
        load(torch.zeros(3, 4, 4, dtype=torch.complex64))


def test_premultiplied_and_other_rare_modes_of_pillow(photo):
    image = Image.fromarray(photo)
    grey = np.asarray(image.convert("L"))
    for mode in ("1", "L", "LA", "La", "PA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"):
        converted = image.convert("LA").convert("La") if mode == "La" else image.convert(mode.replace("a", "A"))
        converted = converted.convert("RGBa") if mode == "RGBa" else converted
        expected = converted.convert("LA").convert("RGB") if mode == "La" else converted.convert("RGB")
        assert np.array_equal(load(converted).pixels, np.asarray(expected)), mode
    half = Image.fromarray(np.array([[[100, 128]]], np.uint8), "LA")
    assert load(half.convert("La")).pixels[0, 0, 0] == pytest.approx(load(half).pixels[0, 0, 0], abs=1)
    for mode in ("I", "F"):
        assert np.array_equal(load(image.convert("L").convert(mode)).pixels[:, :, 0], grey)


def test_lab_is_read_through_its_profile(photo):
    smooth = Image.fromarray(photo // 4 + 96)
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(smooth, *profiles, outputMode="LAB")
    assert np.abs(load(lab).pixels.astype(int) - np.asarray(smooth)).max() <= 4  # LAB of 8 bits is coarse


def test_floats_of_pillow_are_0_to_1_or_0_to_255():
    assert load(Image.fromarray(np.array([[0, 0.5]], np.float32))).pixels[0, :, 0].tolist() == [0, 128]
    assert load(Image.fromarray(np.array([[0, 200.4]], np.float32))).pixels[0, :, 0].tolist() == [0, 200]
    for wrong in (-1, 1000):
        with refuses(InputError, "must hold 0 to 1 or 0 to 255 where its mode is 'F'", "scale it"):
            load(Image.fromarray(np.array([[0, wrong]], np.float32)))
    with refuses(InputError, "must be finite"):
        load(Image.fromarray(np.array([[0, np.nan]], np.float32)))


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_picture_is_read(format):
    first, second = (Image.new("RGB", (4, 4), (value, 0, 0)) for value in (0, 255))
    assert load(encoded(first, format, save_all=True, append_images=[second])).pixels.max() < 8


def test_images_of_pillow_that_cannot_be_read_are_refused(tmp_path, photo):
    data = encoded(Image.fromarray(np.tile(photo, (20, 20, 1))), "JPEG")
    for broken in (data[:-60], Image.open(io.BytesIO(data[:-60]))):
        with refuses(InputError, "must be an image that Pillow can decode", "truncated"):
            load(broken)
    closed = Image.fromarray(photo)
    closed.close()
    with refuses(InputError, "got one of mode 'RGB'", "closed"):
        load(closed)


def test_open_files_and_uploads_are_read_from_their_start(tmp_path, photo):
    data = encoded(Image.fromarray(photo))
    (tmp_path / "photo.png").write_bytes(data)

    class Upload:  # as of Starlette
        filename = "C:\\photos\\photo.png"

        def __init__(self):
            self.file = io.BytesIO(data)

        async def read(self, size=-1):
            return self.file.read(size)

    class Stream:  # can be read once, as a response
        filename = None

        def read(self, once=[data]):  # noqa: B006
            return once.pop()

    buffer = io.BytesIO(data)
    buffer.seek(7)
    with (tmp_path / "photo.png").open("rb") as file:
        for image, name in ((file, "photo.png"), (buffer, None), (Upload(), "photo.png"), (Stream(), None)):
            loaded = load(image)
            assert np.array_equal(loaded.pixels, photo)
            assert (loaded.name, loaded.sha256) == (name, hashlib.sha256(data).hexdigest())
    assert buffer.tell() == 7
    buffer.close()
    with refuses(InputError, "must be an open file that can be read", "closed file"):
        load(buffer)
    with refuses(InputError, "must be a file of bytes, got one whose read() gives str; open it in binary mode"):
        load(io.StringIO("a film"))


def test_encoded_files_in_arrays(photo):
    import torch

    data = encoded(Image.fromarray(photo))
    flat = np.frombuffer(data, np.uint8)
    for image in (flat, torch.from_numpy(flat.copy()), memoryview(data), bytearray(data)):
        assert np.array_equal(load(image).pixels, photo)
    with refuses(InputError, "must be an image that Pillow can decode, got 5 bytes, which is in no format of images"):
        load(np.zeros(5, np.uint8))


def test_urls_of_files_and_of_data_are_read_and_others_refused(tmp_path, photo):
    data = encoded(Image.fromarray(photo))
    (tmp_path / "a b.png").write_bytes(data)
    text = base64.b64encode(data).decode()
    for url in (
        f"data:image/png;base64,{text}",
        f"DATA:image/png;name=a;BASE64,{text[:20]}\n{text[20:]}",
        f"data:;base64,{text.rstrip('=')}",
        f"data:image/png,{quote(data)}",
        (tmp_path / "a b.png").as_uri(),
    ):
        assert np.array_equal(load(url).pixels, photo)
    for url in ("https://example.org/a.png", "s3://bucket/a.png"):
        with refuses(InputError, f"got {url!r}; nothing is fetched from the network: download it"):
            load(url)
    with refuses(InputError, "must be a data: URL such as", "without a comma"):
        load("data:image/png")
    with refuses(InputError, "must be a data: URL such as"):
        load("data:image/png;base64,@@@")
    with refuses(InputError, "must be a file that can be read, got 'AAAA", "...': File name too long"):
        load("A" * 10_000)


@pytest.mark.parametrize(
    ("data", "fragment"),
    [
        ("a fine film", "which is text and no photo; a text is for a TextClassifier, and at the shell for --text-file"),
        ("", "which is empty"),
        ("<svg xmlns='http://www.w3.org/2000/svg'></svg>", "a drawing in SVG; save it as PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC photo; save it as JPEG"),
        (b"%PDF-1.7\n\xe2\xe3", "a drawing in PostScript or PDF"),
    ],
)
def test_what_is_no_photo_is_named(tmp_path, data, fragment):
    file = tmp_path / "review.txt"
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    with refuses(InputError, f"Pillow can decode, got 'review.txt', {fragment}"):
        load(file)


def test_a_batch_of_tensors_is_refused_with_the_remedy():
    import torch

    with refuses(InputError, "got shape (2, 3, 4, 4)", "explain_batch"):
        load(torch.zeros(2, 3, 4, 4))
    assert load(torch.zeros(1, 3, 4, 5)).pixels.shape == (4, 5, 3)


def test_a_decompression_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with refuses(InputError, "decompression bomb"):
        load(encoded(Image.new("L", (64, 64))))


def test_drawings_start_no_program(monkeypatch):
    """An EPS, whatever it is called, would run Ghostscript."""
    import subprocess

    def forbidden(*arguments, **options):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", forbidden)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    for drawing in (eps, b"%PDF-1.7\n", b"\xc5\xd0\xd3\xc6" + bytes(28) + eps):
        with refuses(InputError, "a drawing in PostScript or PDF, which would start another program"):
            load(drawing)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "JPEG2000", "TGA", "PCX"])
def test_photos_of_the_usual_formats_are_read(format):
    pixels = np.full((8, 8, 3), 90, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **({"lossless": True} if format == "WEBP" else {}))
    assert np.abs(load(file.getvalue()).pixels.astype(int) - 90).max() <= 2
