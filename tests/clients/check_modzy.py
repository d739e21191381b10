"""Read Modzy jobs with the vendor's own client and, in the form of Modzy Edge, with its protocol buffer.

pip install -r tests/clients/modzy.txt
python tests/clients/check_modzy.py FILE...

A file whose name ends in ``.edge.json`` must be parsed strictly, too.
"""

import json
import sys
from pathlib import Path

from google.protobuf import json_format
from modzy._api_object import ApiObject
from modzy.edge.proto.results.v1.results_pb2 import Results
from modzy.error import ResultsError
from modzy.results import Result


def check(text, strict):
    """Return the number of inputs whose outputs or errors the client finds."""
    document = json.loads(text)
    result = Result(json.loads(text, object_hook=ApiObject))
    assert result.job_identifier == document["jobIdentifier"]
    assert result.finished == document["finished"]
    for name, item in document["results"].items():
        outputs = result.get_source_outputs(name)
        assert set(outputs) == set(item), f"{name}: {set(outputs) ^ set(item)}"
    for name, item in document.get("failures", {}).items():
        assert failure(result, name) == item["error"], name
    if strict:
        parsed = json_format.ParseDict(document, Results())
        assert len(parsed.results) == len(document["results"])
    return len(document["results"]) + len(document.get("failures", {}))


def failure(result, name):
    """Return why an input failed, as the client raises it."""
    try:
        result.get_source_outputs(name)
    except ResultsError as error:
        return str(error)
    return None


def main():
    for name in sys.argv[1:]:
        try:
            count = check(Path(name).read_text(encoding="utf-8"), name.endswith(".edge.json"))
        except Exception as error:
            sys.exit(f"{name}: {type(error).__name__}: {error}")
        print(f"{name}: {count} inputs")


if __name__ == "__main__":
    main()
