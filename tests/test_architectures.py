"""Some rows of the table of tests/architectures.py: equal to a literal reference, or refused; never wrong."""

import warnings

import pytest

from tests import architectures

pytest.importorskip("transformers")
ROWS = [
    "resnet-like",
    "mobilenetv3-like",
    "gmlp-like",
    "vit-like",
    "levit",
    "convnext",
    "bert",
    "bart",
    "gpt2",
    "canine",
]


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_the_table(name):
    kind, make = architectures.architectures()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case = make(name)
        outcomes = {method: architectures.outcome(case, method) for method in architectures.methods_of(kind)}
    bad = {method: each for method, each in outcomes.items() if each.cell.startswith(("WRONG", "RAW"))}
    assert not bad
    equal = [method for method, each in outcomes.items() if each.cell[0].isdigit()]
    assert set(equal) >= (
        {"occlusion"} if name == "canine" else {"integrated-gradients", "input-x-gradient", "occlusion"}
    )


def test_the_table_sees_a_wrong_map():
    case = architectures.image_case("resnet-like")
    wrong = case._replace(references={"saliency": lambda longer: case.references["saliency"](longer) * 1.1})
    assert architectures.outcome(wrong, "saliency").cell.startswith("WRONG")
