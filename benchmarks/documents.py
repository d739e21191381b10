"""Documents of results: read, check and write them, next to the parsers alone, pydantic and msgspec.

    python benchmarks/documents.py [--quick] [--items 1000]

A job of many image explanations: five classes and a mask each, in our own format and in Modzy's. pydantic and msgspec
get models of the same documents with the same rules (types, ranges, statuses; run lengths that add up to the size), but
make plain objects of them: neither arrays of run lengths nor values that any format can be written from. Numbers are
ratios rival / ours; below 1 we lose.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from _bench import Table, machine, rival

from xplain import formatters
from xplain.explanation import Attribution, Explanation, Item, Mask, Prediction, Results, Source

PYDANTIC, MSGSPEC = rival("pydantic"), rival("msgspec")
Runs = dict[str, Callable[[], Any] | None]


def job(items: int) -> Results:
    rng = np.random.default_rng(0)

    def item(index: int) -> Item:
        predictions = tuple(Prediction(f"class {k}", float(score)) for k, score in enumerate(rng.random(5)))
        mask = Mask.from_array(np.kron(rng.random((14, 14)) < 0.3, np.ones((16, 16), bool)))
        source = Source("image", height=224, width=224)
        explanation = Explanation("image-classification", source, predictions, (Attribution(predictions[0], mask),))
        return Item(f"{index}.png", "successful", explanation=explanation, started="2026-01-02T03:04:05Z")

    return Results("job", tuple(item(i) for i in range(items)))


def check_runs(counts: list[int], height: int, width: int) -> None:
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise ValueError(f"run lengths must add up to {height * width}")


def msgspec_models(format: str) -> Any:
    """Types of a whole document, for `msgspec.json.decode`."""
    m: Any = MSGSPEC
    whole = Annotated[int, m.Meta(ge=0)]

    def runs_add_up(self: Any) -> None:
        for counts in self.maskRLE:
            check_runs(counts, self.dimensions.height, self.dimensions.width)

    def mask_adds_up(self: Any) -> None:
        check_runs(self.counts, self.height, self.width)

    struct = partial(m.defstruct, kw_only=True)
    if format == "modzy":
        size = struct("Size", [("height", whole), ("width", whole)])
        named = struct("Named", [("class_", str, m.field(name="class")), ("score", float)])
        result = struct("Result", [("classPredictions", list[named])])
        explained = struct(
            "Explained",
            [("maskRLE", list[list[int]]), ("dimensions", size)],
            namespace={"__post_init__": runs_add_up},
        )
        kind = Literal["imageClassification", "imageSegmentation", "objectDetection"]
        whole_object = struct("Object", [("modelType", kind), ("result", result), ("explanation", explained)])
        output = struct("Output", [("data", whole_object)])
        status = Literal["FETCHING_DATA", "PROCESSING", "SUCCESSFUL", "FAILED"]
        entry = struct(
            "Entry", [("status", status), ("startTime", str), ("output", output, m.field(name="results.json"))]
        )
        counts = [(name, whole) for name in ("total", "completed", "failed")]
        fields = [("jobIdentifier", str), ("finished", bool), ("explained", bool), ("failures", dict[str, entry])]
        return struct("Job", [*fields, *counts, ("results", dict[str, entry])])
    prediction = struct("Prediction", [("label", Annotated[list[str], m.Meta(min_length=1)]), ("score", float)])
    evidence = struct(
        "Evidence",
        [("kind", Literal["mask"]), ("height", whole), ("width", whole), ("counts", list[int])],
        namespace={"__post_init__": mask_adds_up},
    )
    attribution = struct("Attribution", [("target", whole), ("evidence", evidence)])
    source = struct("Source", [("kind", Literal["image", "text", "signal"]), ("height", whole), ("width", whole)])
    explanation = struct(
        "Explanation",
        [
            ("task", str),
            ("source", source),
            ("predictions", list[prediction]),
            ("attributions", list[attribution]),
        ],
    )
    status = Literal["waiting", "running", "successful", "failed"]
    entry = struct("Entry", [("name", str), ("status", status), ("started", str), ("explanation", explanation)])
    return struct("Job", [("xplain", int), ("type", Literal["results"]), ("job", str), ("items", list[entry])])


def pydantic_models(format: str) -> Any:
    """The same types as models of pydantic."""
    p: Any = PYDANTIC
    whole = Annotated[int, p.Field(ge=0, strict=True)]
    score = Annotated[float, p.Field(strict=True, allow_inf_nan=False)]
    make = p.create_model

    def runs_add_up(self: Any) -> Any:
        for counts in self.maskRLE:
            check_runs(counts, self.dimensions.height, self.dimensions.width)
        return self

    def mask_adds_up(self: Any) -> Any:
        check_runs(self.counts, self.height, self.width)
        return self

    after = p.model_validator(mode="after")
    if format == "modzy":
        size = make("Size", height=whole, width=whole)
        named = make("Named", class_=Annotated[str, p.Field(alias="class")], score=score)
        explained = make(
            "Explained",
            maskRLE=list[list[int]],
            dimensions=size,
            __validators__={"sums": after(runs_add_up)},
        )
        kind = Literal["imageClassification", "imageSegmentation", "objectDetection"]
        result = make("Result", classPredictions=list[named])
        whole_object = make("Object", modelType=kind, result=result, explanation=explained)
        entry = make(
            "Entry",
            status=Literal["FETCHING_DATA", "PROCESSING", "SUCCESSFUL", "FAILED"],
            startTime=str,
            output=Annotated[make("Output", data=whole_object), p.Field(alias="results.json")],
        )
        counts = dict.fromkeys(("total", "completed", "failed"), whole)
        flags = dict.fromkeys(("finished", "explained"), bool)
        return make("Job", jobIdentifier=str, results=dict[str, entry], failures=dict[str, entry], **counts, **flags)
    prediction = make("Prediction", label=Annotated[list[str], p.Field(min_length=1)], score=score)
    evidence = make(
        "Evidence",
        kind=Literal["mask"],
        height=whole,
        width=whole,
        counts=list[int],
        __validators__={"sums": after(mask_adds_up)},
    )
    source = make("Source", kind=Literal["image", "text", "signal"], height=whole, width=whole)
    explanation = make(
        "Explanation",
        task=str,
        source=source,
        predictions=list[prediction],
        attributions=list[make("Attribution", target=whole, evidence=evidence)],
    )
    status = Literal["waiting", "running", "successful", "failed"]
    entry = make("Entry", name=str, status=status, started=str, explanation=explanation)
    return make("Job", xplain=int, type=Literal["results"], job=str, items=list[entry])


def readers(format: str, data: bytes) -> Runs:
    runs: Runs = {"json": lambda: json.loads(data)}
    if MSGSPEC:
        decode = MSGSPEC.json.Decoder(msgspec_models(format)).decode
        runs["msgspec"] = lambda: decode(data)
    if PYDANTIC:
        model = pydantic_models(format)
        runs["pydantic"] = lambda: model.model_validate_json(data)
    return runs


def writers(format: str, data: bytes) -> Runs:
    document = json.loads(data)
    runs: Runs = {"json": lambda: json.dumps(document)}
    if MSGSPEC:
        typed = MSGSPEC.json.decode(data, type=msgspec_models(format))
        runs["msgspec"] = lambda: MSGSPEC.json.encode(typed)
    if PYDANTIC:
        model = pydantic_models(format).model_validate_json(data)
        runs["pydantic"] = lambda: model.model_dump_json(by_alias=True)
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 15")
    parser.add_argument("--items", type=int, default=1000)
    arguments = parser.parse_args()
    print(machine("pydantic", "msgspec"))
    results = job(arguments.items)
    print(f"\nA job of {arguments.items} explanations of images\n")
    table = Table(["json", "msgspec", "pydantic"], 3 if arguments.quick else 15)
    for format in ("native", "modzy"):
        data = formatters.dumps(formatters.to_document(results, format)).encode()
        value = formatters.from_document(formatters.loads(data), format)
        size = f"{format}, {len(data) / 1e6:.1f} MB"

        def read(data: bytes = data, format: str = format) -> Any:
            return formatters.from_document(formatters.loads(data), format)

        def write(value: Any = value, format: str = format) -> str:
            return formatters.dumps(formatters.to_document(value, format))

        reads, writes = readers(format, data), writers(format, data)
        table.row(f"read and check: {size}", read, **reads)
        table.row(f"check and write: {size}", write, **writes)
        table.row(
            f"both: {size}",
            lambda read=read, write=write: (read(), write()),
            **{name: lambda one=one, other=writes[name]: (one(), other()) for name, one in reads.items()},
        )


if __name__ == "__main__":
    main()
