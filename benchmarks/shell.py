"""Start-up of the command: whole processes, against what any Python program that loads the same inputs must pay.

    python benchmarks/shell.py [--quick]

A ratio of 1.5 means that the command takes half as long again as importing NumPy and decoding the photo alone.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from _bench import Effort, heading, main, mebibytes, print_head, print_row
from _photos import noisy_cat
from PIL import Image

import xplain

PACKAGES = ("numpy", "pillow", "isal")
FLOOR = "NumPy and Pillow, photo decoded (the floor)"
LOAD = "import numpy, PIL.Image; numpy.asarray(PIL.Image.open('photo.jpg').convert('RGB'))"
#: Runs the command and prints the most memory, in KiB, that its process has held.
PEAK = (
    "import sys\nfrom xplain.cli import main\nmain(sys.argv[1:])\n"
    "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
)
DRAW = ("--image", "photo.jpg", "-o", "out.png", "-f")


def write_inputs(folder: Path, height: int, width: int) -> None:
    """Write a photo, a mask document and a heat map document."""
    Image.fromarray(noisy_cat(height, width)).save(folder / "photo.jpg", quality=92)
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows / height - 0.46, (columns - 0.47 * width) / height)
    heat = xplain.Heatmap(np.exp(-((distance / 0.23) ** 2)))
    prediction = xplain.Prediction("disc", 0.9)
    source = xplain.Source("image", height=height, width=width)
    attribution = xplain.Attribution(prediction, heat, "synthetic")
    explanation = xplain.Explanation("image-classification", source, [prediction], [attribution])
    xplain.write(explanation, folder / "heat.json")
    xplain.write(explanation.with_masks(keep=0.1), folder / "mask.json")


def commands(size: str) -> dict[str, list[str]]:
    """Return the processes to time, by what the table calls them."""
    python = [sys.executable]
    xplain_command = [*python, "-m", "xplain"]
    return {
        "python -c pass": [*python, "-c", "pass"],
        FLOOR: [*python, "-c", LOAD],
        "xplain --version": [*xplain_command, "--version"],
        "xplain methods": [*xplain_command, "methods"],
        "xplain validate mask.json": [*xplain_command, "validate", "mask.json"],
        f"xplain render mask.json, {size}": [*xplain_command, "render", "mask.json", *DRAW],
        f"xplain render heat.json, {size}": [*xplain_command, "render", "heat.json", *DRAW],
    }


def run(command: Sequence[str], folder: str, environment: Mapping[str, str]) -> str:
    """Run a process to its end and return what it prints."""
    return subprocess.run(command, cwd=folder, env=environment, check=True, text=True, stdout=subprocess.PIPE).stdout


def start_up(effort: Effort) -> None:
    """Time the processes in turn; print medians, ratios and, of those that render, the peak memory."""
    height, width = effort.choose((108, 192), (1080, 1920))
    processes = commands(f"{height}x{width}")
    environment = {**os.environ, "PYTHONPATH": str(Path(xplain.__file__).parents[1])}
    times: dict[str, list[float]] = {name: [] for name in processes}
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder), height, width)
        execute = partial(run, folder=folder, environment=environment)
        for _ in range(effort.rounds):
            for name, command in processes.items():
                start = time.perf_counter()
                execute(command)
                times[name].append(time.perf_counter() - start)
        for name, command in processes.items():
            if "render" in name:
                arguments = command[command.index("xplain") + 1 :]
                peaks[name] = 1024 * int(execute([sys.executable, "-c", PEAK, *arguments]).split()[-1])
    floor = statistics.median(times[FLOOR])
    heading("Whole processes")
    print_head("process", "median", "ratio to the floor", "peak memory")
    for name, values in times.items():
        median = statistics.median(values)
        memory = mebibytes(peaks[name]) if name in peaks else ""
        print_row(name, f"{median * 1000:.0f} ms", f"{median / floor:.2f}", memory)


if __name__ == "__main__":
    main(__doc__, {"start-up": start_up}, PACKAGES, rounds=11)
