"""Readers of single values."""

import math

import pytest

from tests.support import refuses
from xplain.errors import DocumentError
from xplain.formatters.core.wire import (
    array,
    between,
    boolean,
    choice,
    integer,
    keep,
    nullable,
    number,
    optional,
    problems,
    read,
    record,
    string,
    table,
    time,
)


@pytest.mark.parametrize(
    ("reader", "right", "wrong", "expected"),
    [
        (string, ["", "a"], [1, None, []], "a string"),
        (boolean, [True, False], [0, 1, "true"], "true or false"),
        (number, [0, -1.5, 2**60], [True, "1", math.nan, math.inf, 10**400], "a finite number"),
        (between(0, 1), [0, 0.5, 1], [-0.1, 1.1, True, "0"], "a number from 0 to 1"),
        (integer(), [0, -5], [1.0, True, "1"], "an integer"),
        (integer(1), [1, 10**30], [0, 1.0, False], "an integer >= 1"),
        (integer(1, 3), [1, 3], [0, 4, 2.0, True], "an integer from 1 to 3"),
        (choice("a", "b"), ["a", "b"], ["c", 1, None, []], "one of 'a', 'b'"),
        (choice("a"), ["a"], ["b"], "'a'"),
        (time, ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.1+02:00"], ["2026-01-02", "now", 5, ""], "an ISO 8601"),
    ],
)
def test_right_values_are_given_and_wrong_ones_named(reader, right, wrong, expected):
    for value in right:
        assert read(reader, value) == value
    for value in wrong:
        with refuses(DocumentError, f"$: must be {expected}", ", got "):
            read(reader, value)


def test_places_are_those_of_the_wrong_values():
    reader = record(dict, one=string, many=array(integer()), named=table(number), maybe=optional(boolean))
    right = {"one": "a", "many": [1, 2], "named": {"x": 1}}
    assert read(reader, right) == {"one": "a", "many": (1, 2), "named": {"x": 1.0}, "maybe": None}
    wrong = {"many": [1, "2", 3.0], "named": {"x": 1, "a b": None}, "maybe": None}
    assert [problem.path for problem in problems(reader, wrong)] == [
        "$.one",
        "$.many[1]",
        "$.many[2]",
        "$.named['a b']",
        "$.maybe",
    ]


def test_what_is_kept_is_checked_where_it_must_be_there_or_is():
    reader = keep({"must": string, "may": nullable(integer()), "usual": optional(boolean, False)}, but=["other"])
    assert read(reader, {"must": "a", "usual": False, "other": object(), "free": [1]}) == {"free": [1], "must": "a"}
    assert [problem.path for problem in problems(reader, {"may": "1"})] == ["$.must", "$.may"]
