"""Patches with which Edge Impulse's documents round-trip: the difference between a document and what values give.

A document holds more than an explanation does: sensors, devices, readings, names of blocks. So a reader writes its
explanation back from the values alone, and keeps the difference to the document as a patch (`make_patch`) in
``attributes["edge-impulse"]``. On writing, the patch is applied again (`apply_patch`). A patch holds only what differs,
so values that were changed after reading are written as they are now.
"""

from __future__ import annotations

from typing import Any

from xplain.formatters.edge_impulse.fields import Json

#: Arrays whose elements a patch changes one by one, by their index. Any other value is replaced as a whole.
_PATCHED_ARRAYS = {"classifications", "predictions", "result", "structuredResult", "anomalyResult", "details"}
_PATCHED = {"sample", "learnBlock", *_PATCHED_ARRAYS}
#: Key in the patch of an array for the elements to append.
_MORE = "+"
#: Fields required by releases after 1.71.0 only. A patch does not remove them: a document without them is just older.
_NEWLY_REQUIRED = {"datastreams", "thresholds", "intervalMs", "frequencyHz", "resultCount", "totalCount"}


def make_patch(document: Json, plain: Json) -> Json:
    """Return the patch that turns ``plain`` into ``document``: changed fields, and None for those to remove.

    Examples
    --------
    >>> patch = make_patch({"label": "wave", "frequency": 62.5}, {"frequency": 62.5, "sensors": []})
    >>> patch
    {'label': 'wave', 'sensors': None}
    >>> apply_patch({"frequency": 100.0, "sensors": []}, patch)
    {'frequency': 100.0, 'label': 'wave'}
    """
    patch: Json = {}
    for key in sorted(document):
        value, base = document[key], plain.get(key)
        if value == base:
            continue
        if key in _PATCHED and isinstance(value, dict) and isinstance(base, dict):
            changes = make_patch(value, base)
        elif key in _PATCHED and isinstance(value, list) and isinstance(base, list) and len(value) >= len(base):
            changes = _make_array_patch(value, base)
        else:
            patch[key] = value
            continue
        if changes:
            patch[key] = changes
    return patch | {key: None for key in sorted(plain) if key not in document and key not in _NEWLY_REQUIRED}


def _make_array_patch(values: list[Json], bases: list[Json]) -> Json:
    patch: Json = {}
    for i, (value, base) in enumerate(zip(values, bases, strict=False)):
        if value != base and (changes := make_patch(value, base)):
            patch[str(i)] = changes
    if len(values) > len(bases):
        patch[_MORE] = values[len(bases) :]
    return patch


def apply_patch(plain: Json, patch: Any) -> Json:
    """Return what a patch makes of ``plain``; parts of the patch that do not fit it are ignored."""
    document = dict(plain)
    for key, change in (patch if isinstance(patch, dict) else {}).items():
        base = plain.get(key)
        if key in _PATCHED and isinstance(base, dict):
            document[key] = apply_patch(base, change)
        elif key in _PATCHED_ARRAYS and isinstance(change, dict):
            if isinstance(base, list):
                document[key] = _apply_array_patch(base, change)
        else:
            document[key] = change
    return {key: value for key, value in document.items() if value is not None}


def _apply_array_patch(bases: list[Any], patch: Json) -> list[Any]:
    more = patch.get(_MORE)
    patched = [apply_patch(base, patch.get(str(i))) for i, base in enumerate(bases)]
    return patched + (more if isinstance(more, list) else [])
