"""The golden documents, and every way to break one field of them."""

import copy
import json
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
GOLDEN = sorted(DATA.glob("*/*.json"))

#: Keys with free-form values, of which none is wrong.
FREE = {
    "attributes",
    "quality",
    "options",
    "preprocessing",
    "drift",
    "row",
    "elapsedTime",
    "submittedByKey",
    "smokePredictions",
    "extra",
}


def of(format):
    """Return the paths of the golden documents of one format."""
    return [path for path in GOLDEN if path.parent.name == format]


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def identify(path):
    return f"{path.parent.name}-{path.stem}"


def places(value, keys=()):
    """Yield the keys that lead to every known field and array element."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        if key in FREE:
            continue
        yield (*keys, key)
        yield from places(child, (*keys, key))


def at(document, keys):
    for key in keys:
        document = document[key]
    return document


def broken(document, keys):
    """Return a copy in which one field has a type that is wrong in every format."""
    changed = copy.deepcopy(document)
    at(changed, keys[:-1])[keys[-1]] = 0.5 if isinstance(at(document, keys), list) else []
    return changed


def deleted(document, keys):
    """Return a copy without one field."""
    changed = copy.deepcopy(document)
    del at(changed, keys[:-1])[keys[-1]]
    return changed


def path(keys):
    """Return the ``$`` path of some keys, as problems give it."""
    steps = (f"[{key}]" if isinstance(key, int) else f".{key}" if key.isidentifier() else f"[{key!r}]" for key in keys)
    return "$" + "".join(steps)
