"""The map of the house: what each room holds, in the order of the floors; and its figures.

python tests/house.py             # print the map, as CONTRIBUTING.md shows it
python tests/house.py --write     # write it there
python tests/house.py --figures   # modules, lines and import arrows of each folder; --root for another checkout
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Container
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
#: The packages and modules of `xplain` from the ground up; see the layers in tests/test_layers.py.
FLOORS = (
    *("errors", "_check", "_lazy", "_value", "kernels", "explanation", "inputs", "emails"),
    *("models", "formatters", "renderers", "quality", "attributions"),
    *("asking", "api", "vendors", "evaluation", "cli"),
)
WIDTH = 132


def sentence(path: Path) -> str:
    """Return the first sentence of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = re.split(r"(?<=\.)\s|\n\n", text, maxsplit=1)[0]
    return " ".join(first.split()).rstrip(".")


def tree(folder: Path, depth: int = 0) -> list[str]:
    """Return a line for each module and folder."""
    entries = [path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]

    def order(path: Path) -> tuple[int, bool, str]:
        floor = FLOORS.index(path.stem) if depth == 0 and path.stem in FLOORS else len(FLOORS)
        return floor, path.is_dir(), path.name

    lines = []
    for path in sorted(entries, key=order):
        if path.name in ("__init__.py", "__main__.py"):
            continue
        name = "  " * (depth + 1) + path.name + ("/" if path.is_dir() else "")
        line = f"{name:<24} {sentence(path / '__init__.py' if path.is_dir() else path)}"
        lines.append(line if len(line) <= WIDTH else line[: WIDTH - 1].rstrip() + "…")
        if path.is_dir():
            lines += tree(path, depth + 1)
    return lines


def house(root: Path = ROOT) -> str:
    """Return the map as Markdown."""
    return "\n".join(["```text", "xplain/", *tree(root / "xplain"), "```"])


def with_house(text: str) -> str:
    """Return CONTRIBUTING.md with the map as it is now."""
    return re.sub(
        r"(<!-- house:[^\n]*-->\n).*?(<!-- /house -->)",
        lambda match: f"{match[1]}\n{house()}\n\n{match[2]}",
        text,
        flags=re.DOTALL,
    )


def figures(root: Path) -> str:
    """Return a table of the folders: modules, lines by kind, and arrows between modules of one folder."""
    package = root / "xplain"
    modules = {path: path.read_text(encoding="utf-8") for path in sorted(package.rglob("*.py"))}
    named = {module_name(path, root): path for path in modules}
    rows = [("folder", "modules", "lines", "code", "docstrings", "comments", "imports", "arrows inside", "arrows out")]
    totals = [0] * 8
    for folder in sorted({path.parent for path in modules}):
        here = {path: text for path, text in modules.items() if path.parent == folder}
        counts = [len(here), *(sum(column) for column in zip(*map(lines_of, here.values()), strict=True))]
        arrows = {(path, named[module]) for path, text in here.items() for module, _ in imported(text, named)}
        arrows = {(path, other) for path, other in arrows if path != other}
        inside = sum(other.parent == folder for _, other in arrows)
        row = [*counts, inside, len(arrows) - inside]
        totals = [total + value for total, value in zip(totals, row, strict=True)]
        rows.append((str(folder.relative_to(root)), *map(str, row)))
    rows.append(("all", *map(str, totals)))
    return "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], ["---"] * len(rows[0]), *rows[1:]))


def module_name(path: Path, root: Path) -> str:
    """Return the dotted name of a module."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source: str, known: Container[str]) -> set[tuple[str, str]]:
    """Return the (module, name) pairs that a source imports from known modules, also inside functions.

    The name is empty for a module as a whole. Only absolute imports count: the house has no others.
    """
    pairs = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            pairs |= {(alias.name, "") for alias in node.names if alias.name in known}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in known:
                    pairs.add((full, ""))
                elif node.module is not None and node.module in known:
                    pairs.add((node.module, alias.name))
    return pairs


def lines_of(text: str) -> tuple[int, int, int, int, int]:
    """Return how many lines there are, and how many of code, docstrings, comments and imports."""
    docstrings, imports = set(), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                docstrings |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    comments = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    lines = text.splitlines()
    filled = {number for number, line in enumerate(lines, 1) if line.strip()}
    alone = {number for number in comments if lines[number - 1].lstrip().startswith("#")}
    return len(lines), len(filled - docstrings - imports - alone), len(docstrings), len(comments), len(imports)


def main() -> None:
    """Print or write the map, or print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the map into CONTRIBUTING.md")
    parser.add_argument("--figures", action="store_true", help="print figures of each folder instead")
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout (default: this one)")
    arguments = parser.parse_args()
    if arguments.figures:
        print(figures(arguments.root.resolve()))
    elif arguments.write:
        CONTRIBUTING.write_text(with_house(CONTRIBUTING.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(house(arguments.root.resolve()))


if __name__ == "__main__":
    sys.exit(main())
