"""Rivals side by side in one process: interleaved rounds, medians, ratios rival / ours (> 1: we are faster)."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

ROUND_SECONDS = 0.02
"""A contender is called for about this long in each round."""


def machine(*packages: str) -> str:
    """Return CPU, cores, operating system and versions, one line each; a package that is missing is said to be."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    lines = [f"- CPU: {cpu}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"]
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} NOT INSTALLED")
    lines.append("- Python " + ", ".join([platform.python_version(), *versions]))
    return "\n".join(lines)


def rival(module: str) -> ModuleType | None:
    """Import a rival, or return None if it is not installed; its column is then empty."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def medians(contenders: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median seconds per call of each contender.

    Each round times all of them in turn, so that whatever slows the machine for a while slows them alike.
    """
    repeats, times = {}, {}
    for name, call in contenders.items():
        call()  # compiles, warms caches
        start = time.perf_counter()
        call()
        repeats[name] = max(1, round(ROUND_SECONDS / max(time.perf_counter() - start, 1e-9)))
        times[name] = []
    for _ in range(rounds):
        for name, call in contenders.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return {name: statistics.median(values) for name, values in times.items()}


def seconds(value: float) -> str:
    """Return a duration with three digits and a unit."""
    for unit, scale in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if value * scale >= 1 or unit == "us":
            return f"{value * scale:.3g} {unit}"
    raise AssertionError


class Table:
    """A Markdown table of ratios, printed row by row.

    Parameters
    ----------
    rivals : sequence of str
        Columns, in order.
    rounds : int
        Interleaved rounds of each row.
    """

    def __init__(self, rivals: Sequence[str], rounds: int) -> None:
        self.rivals = list(rivals)
        self.rounds = rounds
        print("| case | ours | " + " | ".join(self.rivals) + " |")
        print("|---|---|" + "---|" * len(self.rivals), flush=True)

    def row(self, case: str, ours: Callable[[], Any], **rivals: Callable[[], Any] | None) -> None:
        """Time one case; a rival that is None or left out gets an empty cell."""
        present = {name.replace("_", "-"): call for name, call in rivals.items() if call is not None}
        result = medians({"": ours, **present}, self.rounds)
        cells = [f"{result[name] / result['']:.2f}" if name in result else "" for name in self.rivals]
        print(f"| {case} | {seconds(result[''])} | " + " | ".join(cells) + " |", flush=True)
