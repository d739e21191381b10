"""Run the benchmarks, one process each, and print their tables as Markdown.

    pip install -c constraints.txt -e '.[all]' && pip install -c constraints.txt -r benchmarks/requirements.txt
    python benchmarks/run.py [--quick] [NAME ...] > figures.md

Numbers are ratios rival / ours unless a column says otherwise: above 1 xplain is faster. Quick runs only show that
everything works; their numbers mean nothing. The exit status is 1 if a benchmark fails; the others still run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from _bench import heading, print_head, print_row

TITLES = {
    "rle": "Run-length masks",
    "boxes": "Boxes",
    "overlay": "Overlays and PNG",
    "attributions": "Attribution methods on images",
    "masking": "Methods that mask the input",
    "shapley": "Estimates of Shapley values",
    "text": "Explanations of texts",
    "documents": "Documents of results",
    "shell": "The command line",
    "quality": "What maps show",
}


def main() -> int:
    """Run the scripts one after the other and return the exit status."""
    names = "\n".join(f"  {name:14}{title}" for name, title in TITLES.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"benchmarks:\n{names}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes and one round, in seconds: only to see it run")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benchmarks to run (default: all)")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(TITLES))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; choose from {', '.join(TITLES)}")
    options = ["--quick"] if arguments.quick else []
    outcomes = []
    for name in arguments.names or TITLES:
        print(f"\n## {TITLES[name]}\n\n`python benchmarks/{' '.join([f'{name}.py', *options])}`\n", flush=True)
        start = time.perf_counter()
        status = subprocess.run([sys.executable, str(Path(__file__).with_name(f"{name}.py")), *options]).returncode
        outcomes.append((name, time.perf_counter() - start, status))
    heading("Runs")
    print_head("benchmark", "seconds", "outcome")
    for name, duration, status in outcomes:
        print_row(name, f"{duration:.1f}", f"failed with exit status {status}" if status else "ran")
    return int(any(status for _, _, status in outcomes))


if __name__ == "__main__":
    sys.exit(main())
