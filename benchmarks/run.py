"""Run every benchmark and write RESULTS.md.

pip install -r benchmarks/requirements.txt
python benchmarks/run.py [--quick]
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = {
    "rle.py": "Run-length masks",
    "boxes.py": "Boxes",
    "overlay.py": "Overlays and PNG",
    "attributions.py": "Attribution methods on images",
    "detections.py": "Methods that mask the input",
    "text.py": "Explanations of texts",
    "documents.py": "Documents of results",
    "shell.py": "The command line",
}


def main() -> None:
    """Run the scripts one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    arguments = parser.parse_args()
    parts = [
        "# Results\n\nWritten by `python benchmarks/run.py`"
        + (" --quick" if arguments.quick else "")
        + f" on {datetime.date.today()}. Unless a column says otherwise, numbers are ratios rival / ours: above 1"
        " xplain is faster. The machine is shared and noisy, so ratios mean more than times.\n"
    ]
    for script, title in SCRIPTS.items():
        print(f"== {script}", file=sys.stderr)
        command = [sys.executable, str(HERE / script), *(["--quick"] if arguments.quick else [])]
        done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
        parts.append(f"## {title}\n\n`python benchmarks/{script}`\n\n{done.stdout.strip()}\n")
    (HERE / "RESULTS.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
