"""Start-up of the command: whole processes, against what any Python program that loads the same inputs must pay.

    python benchmarks/shell.py [--rounds N]

A ratio of 1.5 means that the command takes half as long again as importing NumPy and decoding the photo alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _bench import machine
from PIL import Image

import xplain

LOAD = "import numpy, PIL.Image; numpy.asarray(PIL.Image.open('photo.jpg').convert('RGB'))"
PEAK = (
    "import sys\nfrom xplain.cli import main\nmain(sys.argv[1:])\n"
    "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
)


def write_inputs(folder: Path) -> None:
    """Write a 1080p photo, a mask document and a heat map document."""
    rows, columns = np.mgrid[:1080, :1920]
    texture = np.random.default_rng(0).normal(0, 12, (1080, 1920, 3))
    photo = np.stack([rows / 5, columns / 8, (rows + columns) / 12], axis=2) + texture
    Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(folder / "photo.jpg", quality=92)
    distance = np.hypot(rows - 500, columns - 900)
    heat = xplain.Heatmap(np.exp(-((distance / 250) ** 2)))
    prediction = xplain.Prediction("disc", 0.9)
    source = xplain.Source("image", height=1080, width=1920)
    attribution = xplain.Attribution(prediction, heat, "synthetic")
    e = xplain.Explanation("image-classification", source, [prediction], [attribution])
    xplain.write(e, folder / "heat.json")
    xplain.write(e.with_masks(keep=0.1), folder / "mask.json")


def main() -> None:
    """Time the processes in turn and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--quick", action="store_true", help="3 rounds")
    arguments = parser.parse_args()
    python = [sys.executable]
    command = [*python, "-m", "xplain"]
    draw = ["--image", "photo.jpg", "-o", "out.png", "-f"]
    cases = {
        "python -c pass": [*python, "-c", "pass"],
        "NumPy and Pillow, photo decoded (the floor)": [*python, "-c", LOAD],
        "xplain --version": [*command, "--version"],
        "xplain methods": [*command, "methods"],
        "xplain validate mask.json": [*command, "validate", "mask.json"],
        "xplain render mask.json, 1080p": [*command, "render", "mask.json", *draw],
        "xplain render heat.json, 1080p": [*command, "render", "heat.json", *draw],
    }
    environment = {**os.environ, "PYTHONPATH": str(Path(xplain.__file__).parents[1])}
    times: dict[str, list[float]] = {name: [] for name in cases}
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder))
        for _ in range(3 if arguments.quick else arguments.rounds):
            for name, call in cases.items():
                start = time.perf_counter()
                subprocess.run(call, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
                times[name].append(time.perf_counter() - start)
        peaks = {}
        for name, call in cases.items():
            if "render" in name:
                script = [*python, "-c", PEAK, *call[3:]]
                done = subprocess.run(script, cwd=folder, env=environment, check=True, capture_output=True, text=True)
                peaks[name] = f"{int(done.stdout) / 1024:.0f} MB"
    print(machine("numpy", "pillow", "isal"), end="\n\n")
    medians = {name: statistics.median(values) for name, values in times.items()}
    floor = medians["NumPy and Pillow, photo decoded (the floor)"]
    print("| process | median | of the floor | peak memory |\n|---|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median * 1000:.0f} ms | {median / floor:.2f} | {peaks.get(name, '')} |")


if __name__ == "__main__":
    main()
