"""What every benchmark shares: the command line, rivals that may be missing, timing, tables and peak memory.

A script is a few sections, functions that print one table each, and ends with `main`. All contenders of a row run in
one process and take turns, so that whatever slows the machine for a while slows them alike: ratios mean more than
times.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from xplain.kernels import jit

Call = Callable[[], Any]
Contenders = Mapping[str, Call | None]
"""Calls by name; None for a rival that is not installed."""

OURS = "ours"
ROUND_SECONDS = 0.02
"""A contender is called for about this long in each round, so that microseconds can be told apart."""

T = TypeVar("T")
Name = TypeVar("Name")


class Effort(NamedTuple):
    """How much a run may cost: a quick one shows that everything runs, a full one measures."""

    quick: bool
    rounds: int

    def choose(self, quick: T, full: T) -> T:
        """Return one of two sizes."""
        return quick if self.quick else full


Section = Callable[[Effort], None]


def main(doc: str | None, sections: Mapping[str, Section], packages: Sequence[str], rounds: int) -> None:
    """Parse the command line of a script and run its sections.

    Parameters
    ----------
    doc : str
        The script's docstring, which ``--help`` prints.
    sections : mapping of str to callable
        Functions that print a table each, by the name that ``--only`` takes.
    packages : sequence of str
        Distributions whose versions are printed; rivals among them that are not installed are named.
    rounds : int
        Interleaved rounds of a full run.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny sizes and one round, in seconds: only to see it run")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"interleaved rounds of a row (default: {rounds})")
    names = f"sections: {', '.join(sections)} (default: all)"
    parser.add_argument("--only", nargs="+", choices=sections, default=list(sections), metavar="SECTION", help=names)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # rivals warn a lot
    jit.one_shot(0)  # else the first call of a process would take the NumPy twins of our kernels
    print(machine(packages))
    effort = Effort(arguments.quick, arguments.rounds or (1 if arguments.quick else rounds))
    for name in arguments.only:
        sections[name](effort)
        print_notes()


def machine(packages: Iterable[str]) -> str:
    """Return the CPU, the versions of packages, and those that are not installed, as a Markdown list."""
    versions, missing = [platform.python_version()], []
    for package in packages:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(f"- not installed: {package}")
    cpu = f"- CPU: {cpu_name()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return "\n".join([cpu, "- Python " + ", ".join(versions), *missing])


def cpu_name() -> str:
    """Return the CPU's model where Linux tells it, else its architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


notes: list[str] = []
"""What readers of a table must know, such as rivals that fail; kept until the table has ended."""


def note(text: str) -> None:
    """Print a line below the current section's table, once."""
    if text not in notes:
        notes.append(text)


def print_notes() -> None:
    """Print the notes as a Markdown list and forget them."""
    if notes:
        print("\n" + "\n".join(f"- {text}" for text in notes))
    notes.clear()


def rival(module: str) -> Any:
    """Import a module of a rival; None if it is not installed or, with a note, if it does not import."""
    try:
        return importlib.import_module(module)
    except Exception as error:  # a broken rival must not end the run
        if not (isinstance(error, ModuleNotFoundError) and module.startswith(error.name or "?")):
            note(f"does not import: {module}: {reason(error)}")
        return None


def reason(error: Exception) -> str:
    """Return the first words of an error."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"


def running(contenders: Contenders) -> dict[str, Call]:
    """Return the contenders that are installed and work.

    Calls each once, which also compiles and fills caches. A rival that raises is left out with a note; our own calls
    (names that begin with "our") must not raise.
    """
    working = {}
    for name, call in contenders.items():
        if call is None:
            continue
        try:
            call()
        except Exception as error:  # whatever a rival raises is a result
            if name.startswith("our"):
                raise
            note(f"{name} fails: {reason(error)}")
        else:
            working[name] = call
    return working


def medians(contenders: Mapping[Name, Call], effort: Effort) -> dict[Name, float]:
    """Return the median seconds per call of each contender; each must have been called before, see `running`."""
    repeats = dict.fromkeys(contenders, 1)
    if not effort.quick:
        repeats = {name: max(1, round(ROUND_SECONDS / elapsed(call, 1))) for name, call in contenders.items()}
    times: dict[Name, list[float]] = {name: [] for name in contenders}
    for _ in range(effort.rounds):
        for name, call in contenders.items():
            times[name].append(elapsed(call, repeats[name]))
    return {name: statistics.median(values) for name, values in times.items()}


def elapsed(call: Call, repeats: int) -> float:
    """Return the mean seconds of some calls."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def seconds(value: float) -> str:
    """Format a duration with three digits and a unit."""
    unit, scale = next(((u, s) for u, s in (("s", 1), ("ms", 1e3)) if value * s >= 1), ("us", 1e6))
    return f"{value * scale:.3g} {unit}"


def mebibytes(value: float) -> str:
    """Format a number of bytes."""
    return f"{value / 2**20:.0f} MiB"


def heading(text: str) -> None:
    """Print the heading of a section."""
    print(f"\n### {text}\n", flush=True)


def print_head(*columns: str) -> None:
    """Print the head of a Markdown table."""
    print_row(*columns)
    print("|" + "---|" * len(columns), flush=True)


def print_row(*cells: object) -> None:
    """Print a row of a Markdown table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


class Table:
    """A Markdown table, printed row by row: our time, and the rivals' times as multiples of it.

    Parameters
    ----------
    effort : Effort
        How long is measured.
    rivals : sequence of str
        Columns, in order.
    """

    def __init__(self, effort: Effort, rivals: Sequence[str]) -> None:
        self.effort, self.rivals = effort, rivals
        print_head("case", OURS, *rivals)

    def row(self, case: str, ours: Call, rivals: Contenders | None = None) -> None:
        """Time one case; a rival that is missing, None or fails gets an empty cell."""
        times = medians(running({OURS: ours, **(rivals or {})}), self.effort)
        print_row(case, seconds(times[OURS]), *(self.ratio(times, name) for name in self.rivals))

    def ratio(self, times: Mapping[str, float], name: str) -> str:
        """Format a rival's time over ours."""
        return f"{times[name] / times[OURS]:.2f}" if name in times else ""


def peak_memory(effort: Effort, prepare: Callable[..., Call], *arguments: Any) -> int:
    """Return the bytes that a call adds at its peak to what its process held before; on Linux only.

    Parameters
    ----------
    effort : Effort
        A quick run measures in this process, which saves imports, but may reuse memory that earlier calls have left.
    prepare : callable
        A function at the top of a module. It runs in a new process, does there what shall not count, such as loading a
        model and scoring once, and returns the call that is measured.
    *arguments
        Of ``prepare``.
    """
    if effort.quick:
        return peak_here(prepare, *arguments)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(peak_here, prepare, *arguments).result()


def peak_here(prepare: Callable[..., Call], *arguments: Any) -> int:
    """Return what a call adds to this process, see `peak_memory`."""
    warnings.simplefilter("ignore")
    call = prepare(*arguments)
    before = process_memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM, the highest resident memory
    call()
    return process_memory("VmHWM") - before


def process_memory(name: str) -> int:
    """Return a figure of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024
