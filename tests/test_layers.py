"""The house holds: a module imports only from its left, no folder leans on what stands above it, no room is too full.

Imports are read from the source, those inside functions too, and names of modules in strings, by which what is slow to
import waits until it is needed.
"""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

import xplain
from tests import house
from xplain import formatters

ROOT = Path(xplain.__file__).parent
TESTS = Path(__file__).parent
ORDER = [
    {"errors"},
    {"_check", "_lazy", "_value"},
    {"kernels"},
    {"explanation"},
    {"inputs"},
    {"emails"},
    {"models", "formatters", "renderers", "quality"},
    {"attributions"},
    {"asking"},
    {"api", "vendors", "evaluation"},
    {"jobs"},
    {"service"},
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
#: Of its left neighbours in one pair of braces, `attributions` uses models alone.
FORBIDDEN = {("attributions", other) for other in ("formatters", "renderers", "quality")}
FULL = 18  # modules beside sub-folders
LONG = 500  # lines of a module


SOURCES = {house.module_name(path, ROOT.parent): path for path in sorted(ROOT.rglob("*.py"))}
PACKAGES = {name for name, path in SOURCES.items() if path.name == "__init__.py"}


def named_by(text: str, known: set[str]) -> set[tuple[str, str]]:
    return {(text, "")} if text in known and text != "xplain" else set()


def imported(name: str, source: str, known: set[str]) -> set[tuple[str, str]]:
    """Return the (module, name) pairs that a module imports of ours, those that strings name included."""
    found = house.imported(source, known)
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, ast.ImportFrom) or node.level == 0, f"{name}: relative import"
        if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            found |= named_by(str(node.values[0].value).rpartition(".")[0], known)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= named_by(node.value.partition(":")[0], known)
    return found


IMPORTS = {name: imported(name, path.read_text(encoding="utf-8"), set(SOURCES)) for name, path in SOURCES.items()}
ARROWS = {
    name: {module for module, _ in found} - {name, "xplain"}
    for name, found in IMPORTS.items()
    if name not in ("xplain", "xplain.__main__")
}


def part_of(module: str) -> str:
    return module.split(".")[1]


def violations(mine: str, others: set[str]) -> list[str]:
    return [
        other
        for other in sorted(others - {mine})
        if RANK[other] > RANK[mine] or (RANK[other] == RANK[mine] and mine != "_lazy") or (mine, other) in FORBIDDEN
    ]


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """Return the names on a circle of arrows; none if there is no circle."""
    state: dict[str, bool] = {}

    def visit(name: str, trail: list[str]) -> list[str]:
        state[name] = False
        for other in sorted(arrows.get(name, ())):
            if state.get(other) is False:
                return [*trail[trail.index(other) :], other]
            if other not in state and (found := visit(other, [*trail, other])):
                return found
        state[name] = True
        return []

    return next((found for name in sorted(arrows) if name not in state and (found := visit(name, [name]))), [])


def rooms_of(folder: str, arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the arrows between the rooms of a folder: its modules, and each sub-folder as one room."""

    def room(module: str) -> str | None:
        if not module.startswith(folder + "."):
            return "__init__" if module == folder else None
        return module.removeprefix(folder + ".").partition(".")[0]

    found: dict[str, set[str]] = {}
    for name, others in arrows.items():
        mine = room(name)
        if mine is not None:
            found.setdefault(mine, set()).update(
                other for module in others if (other := room(module)) is not None and other not in (mine, "__init__")
            )
    return found


def test_every_module_imports_only_from_its_left():
    bad = {
        name: found
        for name, others in ARROWS.items()
        if (found := violations(part_of(name), {part_of(other) for other in others}))
    }
    assert bad == {}


def test_modules_do_not_import_each_other_in_a_circle():
    assert circle(ARROWS) == []


@pytest.mark.parametrize("folder", sorted(PACKAGES - {"xplain"}))
def test_the_rooms_of_a_folder_do_not_lean_on_each_other(folder):
    assert circle(rooms_of(folder, ARROWS)) == []


def test_no_folder_holds_too_many_modules():
    counts = Counter(path.parent for path in SOURCES.values())
    assert {str(folder.relative_to(ROOT)): count for folder, count in counts.items() if count > FULL} == {}


def test_no_module_is_too_long():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in SOURCES.items()}
    assert {name: length for name, length in lengths.items() if length > LONG} == {}


def test_no_module_takes_what_another_keeps_to_itself():
    taken = {
        f"{name} takes {part} from {module}"
        for name, found in IMPORTS.items()
        for module, part in found
        if part.startswith("_") and not part.startswith("__")
    }
    hidden = {
        f"{name} imports {module}"
        for name, found in IMPORTS.items()
        for module, _ in found
        if re.search(r"\._[a-z]", re.sub(r"^xplain\._(check|lazy|value)\b", "", module))
    }
    assert taken | hidden == set()


def test_tests_look_at_behaviour_and_not_at_what_a_module_keeps_to_itself():
    taken = {
        f"{path.relative_to(TESTS)} takes {part} from {module}"
        for path in sorted(TESTS.rglob("*.py"))
        for module, part in imported(path.stem, path.read_text(encoding="utf-8"), set(SOURCES))
        if part.startswith("_") and not part.startswith("__")
    }
    assert taken == set()


LOOKUPS = {name for module, name in IMPORTS["xplain.formatters.cognite.notes"] if module.endswith(".lookup")} | {
    name for module, name in IMPORTS["xplain.formatters.edge_impulse.notes"] if module.endswith(".lookup")
}
#: Keys of vendors that are words of captions, kinds and options too.
PLAIN_WORDS = {"accuracy", "axis", "expected", "kind", "label", "predicted", "scale", "start", "truth", "value", "x"}


def keys_read(source: str) -> set[str]:
    """Return the keys by which a module looks something up in JSON of any form."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    looked_up = [call.args[1:] for call in calls if isinstance(call.func, ast.Name) and call.func.id in LOOKUPS]
    return {arg.value for args in looked_up for arg in args if isinstance(arg, ast.Constant) and type(arg.value) is str}


def vendors_words(source: str, keys: set[str]) -> set[str]:
    """Return what a module says of vendors: their keys and their formats in strings, and accesses to `attributes`."""
    words = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and node.value in keys:
            words.add(str(node.value))
        elif isinstance(node, ast.Attribute) and node.attr == "attributes":
            words.add(".attributes")
    return words


def test_renderers_know_no_vendor():
    notes = [path for name, path in SOURCES.items() if re.match(r"xplain\.formatters\.\w+\.", name)]
    keys = {key for path in notes for key in keys_read(path.read_text(encoding="utf-8"))} - PLAIN_WORDS
    assert {"assetRef", "auto_thresholds", "region_id", "objectDetectionLastLayer", "boundingBoxes"} <= keys
    keys |= set(formatters.FORMATS) - {"native"}
    renderers = {name: path for name, path in SOURCES.items() if name.startswith("xplain.renderers")}
    words = {name: vendors_words(path.read_text(encoding="utf-8"), keys) for name, path in renderers.items()}
    assert {name: found for name, found in words.items() if found} == {}


def test_values_know_no_vendor():
    values = {path.name: path for name, path in SOURCES.items() if name.startswith("xplain.explanation")}
    texts = {name: path.read_text(encoding="utf-8").casefold() for name, path in values.items()}
    vendors = {"cognite", "deepomatic", "edge-impulse", "edge impulse", "modzy", "reinfer", "re:infer"}
    said = {f"{name}: {vendor}" for name, text in texts.items() for vendor in vendors if vendor in text}
    assert said == {"secrets.py: modzy", "secrets.py: edge impulse"}  # why a name is secret, in a comment


class TestTheRules:
    def test_keys_of_vendors_are_caught(self):
        read = "number_at(prediction.attributes, 'scale', name, 'min')\nf('other')\n"
        assert keys_read(read) == {"scale", "min"}
        assert vendors_words("x = p.attributes.get('min', 'max')\n", {"min"}) == {"min", ".attributes"}

    def test_a_sibling_and_a_right_neighbour_are_caught(self):
        assert violations("renderers", {"formatters"}) == ["formatters"]
        assert violations("attributions", {"models", "renderers"}) == ["renderers"]
        assert violations("kernels", {"api"}) == ["api"]
        assert violations("explanation", {"inputs"}) == ["inputs"]
        assert violations("api", {"errors", "kernels", "models"}) == []

    def test_circles_are_found(self):
        assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
        assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]

    def test_rooms_are_modules_and_folders(self):
        arrows = {"x.a.one": {"x.b", "y"}, "x.b": {"x.a.two"}, "x": {"x.b"}}
        assert rooms_of("x", arrows) == {"a": {"b"}, "b": {"a"}, "__init__": {"b"}}

    def test_imports_are_seen_in_functions_and_in_strings(self):
        source = "def f():\n    from x.b import name\n\nHOMES = {'image': 'x.c:draw', 'text': f'x.d.{f}'}\nimport y\n"
        assert imported("x.a", source, {"x.b", "x.c", "x.d"}) == {("x.b", "name"), ("x.c", ""), ("x.d", "")}
