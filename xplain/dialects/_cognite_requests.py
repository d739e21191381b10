"""What is asked of Cognite Vision, and how it refuses."""

from __future__ import annotations

from typing import Any

from xplain.dialects._cognite_predictions import FEATURES, PARAMETERS
from xplain.dialects._cognite_shapes import INT64
from xplain.dialects._wire import At, array, choice, integer, keep, optional, sized, string

__all__ = ["ERROR", "INSTANCE", "REQUEST"]

INSTANCE = keep({"space": string, "externalId": string})

_ITEM_OF_REQUEST = keep(
    {"fileId": optional(INT64), "fileExternalId": optional(string), "fileInstanceId": optional(INSTANCE)}
)


def _requested(at: At) -> dict[str, Any]:
    found: dict[str, Any] = _ITEM_OF_REQUEST(at)
    if sum(name in found for name in ("fileId", "fileExternalId", "fileInstanceId")) != 1:
        raise at.rejected("an object with exactly one of fileId, fileExternalId, fileInstanceId")
    return found


_FEATURES = [f"{name[0].upper()}{name[1:]}Detection" for name in FEATURES]
REQUEST = keep(
    {
        "items": sized(array(_requested), 100, least=1),
        "features": sized(array(choice(*_FEATURES)), 3, least=1),
        "parameters": optional(PARAMETERS),
    }
)
ERROR = keep({"error": keep({"code": integer(), "message": string})})
