"""Recordings in JSON: arrays of numbers, axes by their names, and the acquisition format of Edge Impulse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from xplain.errors import InputError
from xplain.inputs.recordings import frames
from xplain.inputs.recordings.clock import Clock
from xplain.inputs.recordings.table import Column, Readings, Wanted, choose

_SCALARS = (str, bytes, int, float, dict, type(None))


def read(data: bytes, wanted: Wanted) -> Readings:
    """Read JSON: an array (axes, time) or (time,), an object of axis to readings, or of Edge Impulse's acquisition.

    Raises
    ------
    InputError
        If it is broken, or holds something else.
    """
    try:
        value = json.loads(data, object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{wanted.name} must be JSON that can be read, got {error}") from None
    return of_value(value, wanted)


def of_value(value: Any, wanted: Wanted) -> Readings:
    """Read what JSON may hold, in memory: see `read`; the readings of an axis may be an array of any kind."""
    if isinstance(value, (list, tuple)):
        return frames.of_records(value, wanted) if value and isinstance(value[0], Mapping) else Readings(value)
    if isinstance(value.get("payload"), Mapping):
        return _acquisition(value, wanted)
    wrong = next((key for key, readings in value.items() if isinstance(readings, _SCALARS)), None)
    if wrong is not None:
        raise InputError(
            f"{wanted.name} must be an object of axis to readings, or with payload.values as the acquisition format of "
            f"Edge Impulse, got {wrong!r} that is no array"
        )
    return frames.of_mapping(value, wanted)


def _members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; raise ValueError if one of its keys is given twice, since readers take either."""
    found = dict(members)
    if len(found) < len(members):
        keys = [key for key, _ in members]
        raise ValueError(f"the key {max(keys, key=keys.count)!r} twice")
    return found


def is_cbor_acquisition(data: bytes) -> bool:
    """Whether bytes begin like the acquisition format of Edge Impulse in CBOR: a map with a key of it."""
    return (
        bool(data) and data[0] >> 5 == 5 and any(key in data[:64] for key in (b"protected", b"payload", b"signature"))
    )


def _acquisition(document: Mapping[str, Any], wanted: Wanted) -> Readings:
    """Read the acquisition format: rows of a reading for each sensor, taken every ``interval_ms``.

    The same is what Edge Impulse's API gives of a raw sample, where the interval is that of the ``sample``.

    Source: https://docs.edgeimpulse.com/reference/data-ingestion/data-acquisition-format
    """
    payload = document["payload"]
    values, sensors = payload.get("values"), payload.get("sensors")
    if not isinstance(sensors, list) or not sensors or not all(isinstance(each, dict) for each in sensors):
        raise InputError(f"{wanted.name} must name its sensors in payload.sensors, got {_short(sensors)}")
    names = [each.get("name") for each in sensors]
    if not all(isinstance(each, str) for each in names):
        raise InputError(f"{wanted.name} must name each of payload.sensors, got {_short(names)}")
    if not isinstance(values, list) or not values:
        raise InputError(f"{wanted.name} must hold readings in payload.values, got {_short(values)}")
    if any(isinstance(value, str) for value in values[:1]):
        raise InputError(
            f"{wanted.name} must hold numbers in payload.values, got {_short(values[0])}: a reference to another part "
            "of the upload; take the sample as JSON with its values, or as .wav"
        )
    rows = [[row] for row in values] if len(names) == 1 and not isinstance(values[0], list) else values
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names) or not all(map(_is_reading, row)):
            raise InputError(
                f"{wanted.name} must hold {len(names)} numbers in each of payload.values, one for each sensor, got "
                f"{_short(row)} in payload.values[{i}]"
            )
    numbers = np.array([[np.nan if each is None else each for each in row] for row in rows], np.float64).T
    columns = [Column(str(title), column) for title, column in zip(names, numbers, strict=True)]
    # Sensors are axes, whatever their names: also one that is called "time" or "count".
    named = choose(columns, wanted if wanted.axes is not None else Wanted(wanted.name, [str(each) for each in names]))
    return Readings(named.values, named.axes, _interval(document, len(rows), wanted.name))


def _interval(document: Mapping[str, Any], count: int, name: str) -> list[Clock]:
    sample = document.get("sample")
    interval = document["payload"].get("interval_ms")
    if interval is None and isinstance(sample, Mapping):
        interval = sample.get("intervalMs")
    if interval is None or interval == 0:  # which is said of readings that are no series in time
        return []
    if isinstance(interval, bool) or not isinstance(interval, (int, float)) or not 0 < interval < 1e12:
        raise InputError(f"{name} must have a positive payload.interval_ms, got {_short(interval)}")
    return [Clock("payload.interval_ms", np.arange(count, dtype=np.float64), interval / 1000, is_exact=True)]


def _is_reading(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
