"""Read documents with Edge Impulse's own API models: everything that is there must come back.

pip install -r tests/clients/edge_impulse_1_71_0.txt (or edge_impulse_latest.txt)
python tests/clients/check_edge_impulse.py FILE...

`parse_obj` checks; `from_dict`, which the models have too, does not. What a device says has no model.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgeimpulse_api.models.classify_job_response import ClassifyJobResponse
from edgeimpulse_api.models.classify_job_response_page import ClassifyJobResponsePage
from edgeimpulse_api.models.classify_sample_response import ClassifySampleResponse
from edgeimpulse_api.models.dsp_feature_importance_response import DspFeatureImportanceResponse
from edgeimpulse_api.models.generic_api_response import GenericApiResponse

DATES = ("created", "lastModified", "added", "createdAt")


def model_of(document: dict) -> type | None:
    """Return the model of a document, None for that of a device."""
    if not document["success"]:
        return GenericApiResponse
    if "hasFeatureImportance" in document:
        return DspFeatureImportanceResponse
    if "classifications" in document:
        return ClassifySampleResponse
    if isinstance(document["result"], dict):
        return None
    return ClassifyJobResponse if "accuracy" in document else ClassifyJobResponsePage


def losses(document: object, back: object, path: str = "$") -> list[str]:
    """List the paths that the model knows but changes; times are spelled anew, unknown keys are dropped."""
    if isinstance(document, dict) and isinstance(back, dict):
        shared = [key for key in document if key in back and key not in DATES]
        return [loss for key in shared for loss in losses(document[key], back[key], f"{path}.{key}")]
    if isinstance(document, list) and isinstance(back, list) and len(document) == len(back):
        pairs = enumerate(zip(document, back, strict=True))
        return [loss for i, (before, after) in pairs for loss in losses(before, after, f"{path}[{i}]")]
    return [] if document == back else [path]


def check(document: dict) -> str:
    """Read a document; the answer says what it was read as."""
    model = model_of(document)
    if model is None:
        return "no model"
    back = json.loads(model.parse_obj(document).json(by_alias=True, exclude_none=True))
    changed = losses(document, back)
    if changed:
        raise ValueError(f"changed: {', '.join(changed)}")
    return model.__name__


def main() -> None:
    for name in sys.argv[1:]:
        try:
            model = check(json.loads(Path(name).read_text(encoding="utf-8")))
        except Exception as error:
            sys.exit(f"{name}: {type(error).__name__}: {error}")
        print(f"{name}: {model}")


if __name__ == "__main__":
    main()
