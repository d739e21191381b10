"""What a document of Edge Impulse's says beyond what is written of the values alone, so that it comes back as it was.

A dialect writes values as plainly as it can; what a document had in those places, and in others, is kept as a patch:
an object of the keys that differ, with null for one that the document does not have. In an array of objects, a patch
holds the elements that differ under their index, and those that are not written at all under ``+``.
"""

from __future__ import annotations

from typing import Any

__all__ = ["beyond", "merged"]

Json = dict[str, Any]

#: What is compared inside; the rest differs as a whole, so that a patch shows it as a whole.
_ARRAYS = {"classifications", "predictions", "result", "structuredResult", "anomalyResult"}
_DEEP = {"sample", *_ARRAYS}
_MORE = "+"
#: What releases after 1.71.0 require. It is written for them, so an older document that lacks it says nothing by that.
_ADDED = {"datastreams", "thresholds", "intervalMs", "frequencyHz", "resultCount", "totalCount"}


def beyond(found: Json, plain: Json) -> Json:
    """Return the patch that makes ``found`` of ``plain``.

    Examples
    --------
    >>> patch = beyond({"label": "wave", "frequency": 62.5}, {"frequency": 62.5, "sensors": []})
    >>> patch
    {'label': 'wave', 'sensors': None}
    >>> merged({"frequency": 100.0, "sensors": []}, patch)
    {'frequency': 100.0, 'label': 'wave'}
    """
    patch: Json = {}
    for key in sorted(found):
        value, own = found[key], plain.get(key)
        if value == own:
            continue
        if key in _DEEP and isinstance(value, dict) and isinstance(own, dict):
            part = beyond(value, own)
        elif key in _DEEP and isinstance(value, list) and isinstance(own, list) and len(value) >= len(own):
            both = enumerate(zip(value, own, strict=False))
            part = {str(i): inner for i, (one, other) in both if one != other and (inner := beyond(one, other))}
            part |= {_MORE: value[len(own) :]} if len(value) > len(own) else {}
        else:
            patch[key] = value
            continue
        if part:
            patch[key] = part
    return patch | {key: None for key in sorted(plain) if key not in found and key not in _ADDED}


def merged(plain: Json, patch: Any) -> Json:
    """Return what a patch makes of ``plain``; what does not fit on it is left out."""
    whole = dict(plain)
    for key, value in (patch if isinstance(patch, dict) else {}).items():
        own = plain.get(key)
        if key in _DEEP and isinstance(own, dict):
            whole[key] = merged(own, value)
        elif key in _ARRAYS and isinstance(value, dict):
            if isinstance(own, list):
                whole[key] = _elements(own, value)
        else:
            whole[key] = value
    return {key: value for key, value in whole.items() if value is not None}


def _elements(plain: list[Any], patch: Json) -> list[Any]:
    more = patch.get(_MORE)
    return [merged(one, patch.get(str(i))) for i, one in enumerate(plain)] + (more if isinstance(more, list) else [])
