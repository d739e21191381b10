"""The public surface: what exists, what it costs to import, and that its documentation runs."""

import doctest
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import xplain

ROOT = Path(xplain.__file__).parent
MODULES = sorted(
    module.name for module in pkgutil.walk_packages([str(ROOT)], "xplain.") if not module.name.endswith("__main__")
)
HEAVY = ("torch", "captum", "matplotlib", "numba", "skimage", "scipy", "pydantic", "transformers", "sklearn")


def in_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(code: str) -> list[str]:
    return json.loads(
        in_fresh_process(f"{code}\nimport json, sys\nprint(json.dumps([m for m in {HEAVY} if m in sys.modules]))")
    )


def test_every_public_name_resolves():
    for name in xplain.__all__:
        assert getattr(xplain, name) is not None
    assert set(xplain.__all__) <= set(dir(xplain))


def test_the_lazy_table_and_the_list_agree():
    assert set(xplain._HOME) | {"rle", "__version__"} == set(xplain.__all__)


def test_no_module_hides_a_public_name():
    # Importing a module binds its name in the package, over a verb of the same name.
    assert {name.split(".")[1] for name in MODULES} & set(xplain.__all__) == set()


def test_an_unknown_attribute_is_refused_as_python_does():
    with pytest.raises(AttributeError, match="module 'xplain' has no attribute 'explian'"):
        xplain.explian  # noqa: B018


def test_importing_xplain_imports_nothing_heavy_not_even_numpy():
    assert in_fresh_process("import xplain, sys; print('numpy' in sys.modules)").strip() == "False"


@pytest.mark.parametrize(
    "call", ["xplain.methods()", "xplain.formats()", "xplain.schema()", "xplain.ImageClassifier(len)"]
)
def test_looking_around_imports_nothing_heavy(call):
    assert loaded_by(f"import xplain; {call}") == []


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in finder.find(module, name, extraglobs={"np": np}):
        report: list[str] = []
        runner.run(test, out=report.append)
        assert runner.failures == 0, "".join(report)


def test_public_functions_and_classes_have_numpydoc_docstrings():
    bare = []
    for name in xplain.__all__:
        value = getattr(xplain, name)
        if not inspect.isfunction(value) and (not inspect.isclass(value) or issubclass(value, Exception)):
            continue
        text = inspect.getdoc(value) or ""
        parameters = [p for p in inspect.signature(value).parameters if p not in ("self", "args", "kwargs")]
        if not text or (len(parameters) > 3 and "Parameters\n----------" not in text):
            bare.append(name)
    assert bare == []


def test_every_module_says_what_it_is():
    assert [name for name in MODULES if not (importlib.import_module(name).__doc__ or "").strip()] == []


def test_the_version_is_that_of_the_project():
    project = (ROOT.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(rf'^version = "{re.escape(xplain.__version__)}"$', project, re.MULTILINE)
