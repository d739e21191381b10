"""The hourglass: a module imports only from its left, and siblings never import each other."""

import ast
from pathlib import Path

import xplain

ROOT = Path(xplain.__file__).parent
ORDER = [
    {"errors", "_lazy", "_images", "_files", "_signals"},
    {"kernels"},
    {"explanation"},
    {"models", "dialects", "pictures", "quality"},
    {"attributions"},
    {"api", "answers", "evaluation", "inference"},
    {"jobs"},
    {"cli", "service"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
FORBIDDEN = {
    ("attributions", other) for other in ("dialects", "pictures", "quality")
}  # siblings too: attributions may use models only


def parts_imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "xplain" else [node.module]
            )
        else:
            continue
        found |= {name.split(".")[1] for name in names if name and name.startswith("xplain.")}
    return found


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def violations(mine: str, others: set[str]) -> list[str]:
    return [
        other
        for other in sorted(others - {mine, "__version__"})
        if RANK[other] > RANK[mine]
        or (RANK[other] == RANK[mine] and other not in ORDER[0])
        or (mine, other) in FORBIDDEN
    ]


def test_every_module_imports_only_from_its_left():
    bad = {
        str(path.relative_to(ROOT)): found
        for path in sorted(ROOT.rglob("*.py"))
        if path != ROOT / "__init__.py"
        if (found := violations(part_of(path), parts_imported(path)))
    }
    assert bad == {}


def test_the_rule_catches_a_sibling_and_a_right_neighbour():
    assert violations("pictures", {"dialects"}) == ["dialects"]
    assert violations("attributions", {"models", "pictures"}) == ["pictures"]
    assert violations("kernels", {"api"}) == ["api"]
    assert violations("api", {"errors", "kernels", "models"}) == []
