"""Parse Deepomatic documents with the vendor's protocol buffers, which refuse unknown fields and mistyped ones.

    python tests/clients/check_deepomatic.py FILE...

It runs in a virtual environment that holds ``deepomatic.txt``, without xplain. Fields that only the REST interface has
(``sequence_index`` and ``sequence_time``) are left out, and the kind of boxes is wrapped as the protocol buffer has it.
"""

import json
import sys
from pathlib import Path

from deepomatic.rpc.buffers.protobuf.nn.Postprocessing_pb2 import Outputs, PostprocessingsDeprecated
from deepomatic.rpc.buffers.protobuf.nn.v07.Results_pb2 import Recognition
from google.protobuf import json_format

BOXES = ("anchored_output", "direct_output", "yolo_output")


def parse(document):
    """Parse every part of a document that the vendor has a message for; return their number."""
    if isinstance(document, list):
        return sum(map(parse, document))
    if "results" in document:
        return sum(map(parse, document["results"]))
    if "status" in document:
        return parse(document["data"]) if document["data"] is not None else 0
    if "post_processings" in document:
        steps = [wrapped(step) for step in document["post_processings"]]
        json_format.ParseDict({"postprocessings": steps}, PostprocessingsDeprecated())
        return 1
    if "name" in document:
        if "outputs" not in document:
            return 0
        json_format.ParseDict({"outputs": document["outputs"]}, Outputs())
        return 1
    if "outputs" in document:
        inference = {"outputs": [without_frames(output) for output in document["outputs"]]}
        json_format.ParseDict(inference, Recognition())
        return 1
    return 0


def wrapped(step):
    if "detection" not in step:
        return step
    detection = dict(step["detection"])
    boxes = {key: detection.pop(key) for key in BOXES if key in detection}
    return {"detection": {**detection, "output_mix": boxes}}


def without_frames(output):
    if "labels" not in output:
        return output
    lists = {
        name: [{key: p[key] for key in p if not key.startswith("sequence_")} for p in predictions]
        for name, predictions in output["labels"].items()
    }
    return {"labels": lists}


def main():
    failed = False
    for path in sys.argv[1:]:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        try:
            print(f"{path}: {parse(document)} parts parsed")
        except (json_format.ParseError, KeyError, TypeError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
