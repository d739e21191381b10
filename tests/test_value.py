"""Values: what `xplain._value` makes of a class whose fields declare their checks."""

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from tests.support import refuses
from xplain import _check
from xplain._value import checked, put, value
from xplain.errors import InputError


@value
class Reading:
    sensor: str = checked(_check.string)
    celsius: float | None = checked(_check.number, default=None)
    unit: str = checked(_check.choice, allowed=("C", "F"), default="C")
    room: str = "cellar"
    notes: dict[str, str] = checked(_check.mapping, default_factory=dict, kw_only=True, hash=False)


@value
class Range:
    low: int = checked(_check.integer, least=0)
    high: int

    def __post_init__(self) -> None:
        put(self, "high", _check.integer("Range.high", self.high, least=self.low))


@value(eq=False)
class Identical:
    number: float = checked(_check.number)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sensor": 5}, "Reading.sensor must be a string, got 5"),
        ({"sensor": None}, "Reading.sensor must be a string, got None"),
        ({"sensor": "roof", "celsius": "warm"}, "Reading.celsius must be a finite number, got 'warm'"),
        ({"sensor": "roof", "unit": "K"}, "Reading.unit must be one of 'C', 'F', got 'K'"),
        ({"sensor": "roof", "unit": None}, "Reading.unit must be one of 'C', 'F', got None"),
        ({"sensor": "roof", "notes": 3}, "Reading.notes must be a mapping with string keys, got 3"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(arguments, message):
    with refuses(InputError, message):
        Reading(**arguments)


def test_fields_keep_what_their_checks_return():
    reading = Reading("roof", 20)
    assert reading == Reading(sensor="roof", celsius=20.0, unit="C", room="cellar", notes={})
    assert type(reading.celsius) is float
    notes = {"by": "Ann"}
    assert Reading("roof", notes=notes).notes == notes
    assert Reading("roof", notes=notes).notes is not notes


def test_none_needs_no_check_where_it_is_the_default():
    assert Reading("roof").celsius is None
    assert Reading("roof", None).celsius is None


def test_a_field_without_check_takes_anything():
    assert Reading("roof", room=3).room == 3


def test_the_first_wrong_field_is_named_and_rules_for_several_come_last():
    with refuses(InputError, "Range.low must be an integer >= 0, got -1"):
        Range(-1, "x")
    with refuses(InputError, "Range.high must be an integer >= 3, got 2"):
        Range(3, 2)
    assert Range(3, True + 3).high == 4


def test_a_value_is_a_frozen_slotted_dataclass_with_the_signature_of_its_fields():
    reading = Reading("roof")
    with pytest.raises(FrozenInstanceError):
        reading.room = "attic"
    assert not hasattr(reading, "__dict__")
    assert [field.name for field in fields(Reading)] == ["sensor", "celsius", "unit", "room", "notes"]
    parameters = inspect.signature(Reading).parameters
    assert [str(parameters[name]) for name in ("sensor", "celsius")] == ["sensor: str", "celsius: float | None = None"]
    assert parameters["notes"].kind is inspect.Parameter.KEYWORD_ONLY
    assert repr(reading) == "Reading(sensor='roof', celsius=None, unit='C', room='cellar', notes={})"
    assert hash(reading) == hash(Reading("roof", notes={"not": "hashed"}))


def test_replaced_copied_and_pickled_values_are_equal_and_a_replaced_field_is_checked():
    reading = Reading("roof", 20.0, notes={"by": "Ann"})
    for twin in (replace(reading), copy.copy(reading), copy.deepcopy(reading), pickle.loads(pickle.dumps(reading))):
        assert twin == reading
        assert type(twin) is Reading
    assert replace(reading, celsius=3).celsius == 3.0
    with refuses(InputError, "Reading.celsius must be a finite number, got nan"):
        replace(reading, celsius=float("nan"))


def test_a_class_may_have_its_own_equality():
    assert Identical(1) != Identical(1)
    assert Range(1, 2) == Range(1, 2)
    with refuses(InputError, "Identical.number must be a finite number, got 'one'"):
        Identical("one")


def test_a_subclass_keeps_the_checks():
    class Narrow(Range):
        pass

    with refuses(InputError, "Range.low must be an integer >= 0, got -1"):
        Narrow(-1, 2)
