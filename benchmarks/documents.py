"""Documents of results: read, check and write them, next to the parsers alone, pydantic and msgspec.

    python benchmarks/documents.py [--quick]

A job of many image explanations: five classes and a mask each, in our own format and in Modzy's. pydantic and msgspec
get models of the same documents with the same rules (types, ranges, statuses; run lengths that add up to the size), but
make plain objects of them: neither arrays of run lengths nor values that any format can be written from. Numbers are
ratios rival / ours; below 1 we lose.
"""

from __future__ import annotations

import json

import numpy as np
from _bench import Call, Effort, Table, heading, main, rival
from _document_models import msgspec_job, pydantic_job

from xplain import formatters
from xplain.explanation import Attribution, Explanation, Item, Mask, Prediction, Results, Source

PYDANTIC, MSGSPEC = rival("pydantic"), rival("msgspec")
PACKAGES = ("pydantic", "msgspec")


def job(items: int) -> Results:
    """Return a job of so many explained images."""
    rng = np.random.default_rng(0)

    def item(index: int) -> Item:
        predictions = tuple(Prediction(f"class {k}", float(score)) for k, score in enumerate(rng.random(5)))
        mask = Mask.from_array(np.kron(rng.random((14, 14)) < 0.3, np.ones((16, 16), bool)))
        source = Source("image", height=224, width=224)
        explanation = Explanation("image-classification", source, predictions, (Attribution(predictions[0], mask),))
        return Item(f"{index}.png", "successful", explanation=explanation, started="2026-01-02T03:04:05Z")

    return Results("job", tuple(item(i) for i in range(items)))


def readers(format: str, data: bytes) -> dict[str, Call]:
    """Return what rivals do to read a document."""
    calls: dict[str, Call] = {"json": lambda: json.loads(data)}
    if MSGSPEC:
        decode = MSGSPEC.json.Decoder(msgspec_job(MSGSPEC, format)).decode
        calls["msgspec"] = lambda: decode(data)
    if PYDANTIC:
        model = pydantic_job(PYDANTIC, format)
        calls["pydantic"] = lambda: model.model_validate_json(data)
    return calls


def writers(format: str, data: bytes) -> dict[str, Call]:
    """Return what rivals do to write a document that each has read."""
    document = json.loads(data)
    calls: dict[str, Call] = {"json": lambda: json.dumps(document)}
    if MSGSPEC:
        struct = MSGSPEC.json.decode(data, type=msgspec_job(MSGSPEC, format))
        calls["msgspec"] = lambda: MSGSPEC.json.encode(struct)
    if PYDANTIC:
        model = pydantic_job(PYDANTIC, format).model_validate_json(data)
        calls["pydantic"] = lambda: model.model_dump_json(by_alias=True)
    return calls


def in_turn(first: Call, second: Call) -> Call:
    """Return a call of both."""
    return lambda: (first(), second())


def results(effort: Effort) -> None:
    """Print the times of reading and writing."""
    items = effort.choose(20, 1000)
    heading(f"A job of {items} explanations of images")
    table = Table(effort, ["json", "msgspec", "pydantic"])
    for format in ("native", "modzy"):
        data = formatters.dumps(formatters.to_document(job(items), format)).encode()
        value = formatters.from_document(formatters.loads(data), format)

        def read(data: bytes = data, format: str = format) -> object:
            return formatters.from_document(formatters.loads(data), format)

        def write(value: Results = value, format: str = format) -> str:
            return formatters.dumps(formatters.to_document(value, format))

        size = f"{format}, {len(data) / 1e6:.1f} MB"
        their_reads, their_writes = readers(format, data), writers(format, data)
        table.row(f"read and check: {size}", read, their_reads)
        table.row(f"check and write: {size}", write, their_writes)
        both = {name: in_turn(call, their_writes[name]) for name, call in their_reads.items()}
        table.row(f"both: {size}", in_turn(read, write), both)


if __name__ == "__main__":
    main(__doc__, {"results": results}, PACKAGES, rounds=15)
