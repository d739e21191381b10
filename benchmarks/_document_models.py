"""A job's document as types of msgspec and as models of pydantic, with the rules that our readers check.

Types, ranges, statuses, and run lengths that add up to the size. Keys are those of the document, native or Modzy's.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

Kind = Literal["image", "text", "signal"]
Status = Literal["waiting", "running", "successful", "failed"]
ModzyKind = Literal["imageClassification", "imageSegmentation", "objectDetection"]
ModzyStatus = Literal["FETCHING_DATA", "PROCESSING", "SUCCESSFUL", "FAILED"]


def check_runs(counts: list[int], height: int, width: int) -> None:
    """Raise unless run lengths fill a mask."""
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise ValueError(f"run lengths must add up to {height * width}")


def check_mask(evidence: Any) -> Any:
    """Check the run lengths of native evidence, and return it."""
    check_runs(evidence.counts, evidence.height, evidence.width)
    return evidence


def check_modzy_masks(explanation: Any) -> Any:
    """Check the run lengths of Modzy's explanation, and return it."""
    for counts in explanation.maskRLE:
        check_runs(counts, explanation.dimensions.height, explanation.dimensions.width)
    return explanation


def msgspec_job(library: Any, format: str) -> Any:
    """Return the type of a whole document, for ``msgspec.json.decode``."""
    make = {"native": msgspec_native, "modzy": msgspec_modzy}[format]
    return make(library, partial(library.defstruct, kw_only=True), Annotated[int, library.Meta(ge=0)])


def msgspec_native(library: Any, struct: Any, whole: Any) -> Any:
    """Return the type of a native job."""
    label = Annotated[list[str], library.Meta(min_length=1)]
    prediction = struct("Prediction", [("label", label), ("score", float)])
    evidence = struct(
        "Evidence",
        [("kind", Literal["mask"]), ("height", whole), ("width", whole), ("counts", list[int])],
        namespace={"__post_init__": check_mask},
    )
    attribution = struct("Attribution", [("target", whole), ("evidence", evidence)])
    source = struct("Source", [("kind", Kind), ("height", whole), ("width", whole)])
    parts = [("predictions", list[prediction]), ("attributions", list[attribution])]
    explanation = struct("Explanation", [("task", str), ("source", source), *parts])
    entry = struct("Entry", [("name", str), ("status", Status), ("started", str), ("explanation", explanation)])
    return struct("Job", [("xplain", int), ("type", Literal["results"]), ("job", str), ("items", list[entry])])


def msgspec_modzy(library: Any, struct: Any, whole: Any) -> Any:
    """Return the type of Modzy's job."""
    size = struct("Size", [("height", whole), ("width", whole)])
    prediction = struct("Prediction", [("class_", str, library.field(name="class")), ("score", float)])
    result = struct("Result", [("classPredictions", list[prediction])])
    explanation = struct(
        "Explanation",
        [("maskRLE", list[list[int]]), ("dimensions", size)],
        namespace={"__post_init__": check_modzy_masks},
    )
    data = struct("Data", [("modelType", ModzyKind), ("result", result), ("explanation", explanation)])
    output = struct("Output", [("data", data)])
    renamed = ("output", output, library.field(name="results.json"))
    entry = struct("Entry", [("status", ModzyStatus), ("startTime", str), renamed])
    counts = [(name, whole) for name in ("total", "completed", "failed")]
    fields = [("jobIdentifier", str), ("finished", bool), ("explained", bool), ("failures", dict[str, entry])]
    return struct("Job", [*fields, *counts, ("results", dict[str, entry])])


def pydantic_job(library: Any, format: str) -> Any:
    """Return the model of a whole document."""
    make = {"native": pydantic_native, "modzy": pydantic_modzy}[format]
    whole = Annotated[int, library.Field(ge=0, strict=True)]
    score = Annotated[float, library.Field(strict=True, allow_inf_nan=False)]
    return make(library, library.create_model, whole, score)


def pydantic_native(library: Any, model: Any, whole: Any, score: Any) -> Any:
    """Return the model of a native job."""
    prediction = model("Prediction", label=Annotated[list[str], library.Field(min_length=1)], score=score)
    evidence = model(
        "Evidence",
        kind=Literal["mask"],
        height=whole,
        width=whole,
        counts=list[int],
        __validators__={"sums": library.model_validator(mode="after")(check_mask)},
    )
    explanation = model(
        "Explanation",
        task=str,
        source=model("Source", kind=Kind, height=whole, width=whole),
        predictions=list[prediction],
        attributions=list[model("Attribution", target=whole, evidence=evidence)],
    )
    entry = model("Entry", name=str, status=Status, started=str, explanation=explanation)
    return model("Job", xplain=int, type=Literal["results"], job=str, items=list[entry])


def pydantic_modzy(library: Any, model: Any, whole: Any, score: Any) -> Any:
    """Return the model of Modzy's job."""
    prediction = model("Prediction", class_=Annotated[str, library.Field(alias="class")], score=score)
    explanation = model(
        "Explanation",
        maskRLE=list[list[int]],
        dimensions=model("Size", height=whole, width=whole),
        __validators__={"sums": library.model_validator(mode="after")(check_modzy_masks)},
    )
    result = model("Result", classPredictions=list[prediction])
    data = model("Data", modelType=ModzyKind, result=result, explanation=explanation)
    entry = model(
        "Entry",
        status=ModzyStatus,
        startTime=str,
        output=Annotated[model("Output", data=data), library.Field(alias="results.json")],
    )
    counts = dict.fromkeys(("total", "completed", "failed"), whole)
    flags = dict.fromkeys(("finished", "explained"), bool)
    return model("Job", jobIdentifier=str, results=dict[str, entry], failures=dict[str, entry], **counts, **flags)
