"""Every golden document in every format: equal, lossy with the losses, or refused with the reason."""

import json

import pytest

from tests.formatters import golden
from xplain.cli import main
from xplain.errors import FidelityError, XplainError
from xplain.explanation import Explanation, Prediction, Provenance, Source
from xplain.formatters import FORMATS, conversion, from_document, to_document
from xplain.formatters.core.losses import differences


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("path", golden.GOLDEN, ids=golden.identify)
def test_each_conversion_is_as_announced(path, format):
    value = from_document(golden.read(path))
    outcome = conversion(value, format)
    if format in ("native", path.parent.name):
        assert outcome == "equal"
    if outcome == "equal":
        assert differences(value, from_document(to_document(value, format), format)) == []
    elif outcome.startswith("lossy: metadata: "):
        assert from_document(to_document(value, format), format) != value
    elif outcome.startswith("lossy: "):
        with pytest.raises(FidelityError):
            to_document(value, format)
        assert from_document(to_document(value, format, lossy=True), format) != value
    else:
        assert outcome.startswith("refused: ")
        with pytest.raises(XplainError):
            to_document(value, format, lossy=True)


def test_lost_metadata_is_named_as_such():
    explanation = Explanation(
        "image-classification", Source("image"), [Prediction("a", 1)], provenance=Provenance(method="rise")
    )
    assert conversion(explanation, "modzy") == "lossy: metadata: provenance.method is left out"


def test_the_table_is_printed(capsys):
    documents = [str(golden.DATA / "modzy" / "text.json"), str(golden.DATA / "native" / "text.json")]
    assert main(["formats", *documents]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{documents[0]} (modzy)"
    assert lines[1].split() == ["native", "equal"]
    assert len(lines) == 2 * (1 + len(FORMATS))
    assert "  modzy          lossy: predictions[1].region is a Span, which cannot be held" in lines
    assert main(["formats", "--json", documents[0]]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["format"] == "modzy"
    assert set(printed["to"]) == set(FORMATS)
