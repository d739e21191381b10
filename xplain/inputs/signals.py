"""Recordings: whatever a caller passes as a signal becomes a matrix of readings (axes, time)."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.inputs import files, images

_KINDS = "an array or a list (axes, time) or (time,), or a path to a .npy or .csv file"
#: Columns of a CSV file that say when a reading was taken, and hold no readings.
_TIME_COLUMNS = {"time", "timestamp"}


@dataclass(frozen=True, slots=True)
class LoadedRecording:
    """A recording.

    Parameters
    ----------
    values : numpy.ndarray
        float32 (axes, time), finite.
    sha256 : str
        Digest of the file's bytes, or of the matrix.
    name : str or None
        File name without its folder.
    """

    values: npt.NDArray[np.float32]
    sha256: str
    name: str | None


def load(recording: Any, axes: Sequence[str] | None = None, name: str = "recording") -> LoadedRecording:
    """Read a recording.

    Parameters
    ----------
    recording : array_like, torch.Tensor or path
        Numbers (axes, time), or (time,) for one axis. A ``.npy`` file holds such numbers. A ``.csv`` file has a column
        for each axis and a row for each reading, separated by commas; a first row of names is recognised, and a column
        named time or timestamp is left out.
    axes : sequence of str, optional
        Names of the axes, by which the named columns of a CSV file are selected and ordered.
    name : str, optional
        The argument's name in messages.

    Returns
    -------
    LoadedRecording
        Readings, digest and name.

    Raises
    ------
    InputError
        If the recording is of another kind, cannot be read, is empty, or is not finite.

    Examples
    --------
    >>> load([[1, 2, 3], [4, 5, 6]]).values.shape
    (2, 3)
    """
    if isinstance(recording, (str, os.PathLike)):
        path = files.as_path(recording, name)
        reader = _READERS.get(path.suffix.lower())
        if reader is None:
            raise InputError(f"{name} must be {_KINDS}, got {str(path)!r}; convert it to one of these")
        data = files.read(path)
        values = _matrix(reader(data, axes, name), name)
        return LoadedRecording(values, hashlib.sha256(data).hexdigest(), Path(path).name)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(recording, torch.Tensor):
        recording = recording.detach().cpu()
        recording = (recording.float() if recording.is_floating_point() else recording).numpy()
    if not isinstance(recording, (np.ndarray, list, tuple)):
        raise InputError(f"{name} must be {_KINDS}, got {type(recording).__name__}")
    values = _matrix(recording, name)
    return LoadedRecording(values, images.array_digest(values), None)


def _matrix(numbers: Any, name: str) -> npt.NDArray[np.float32]:
    try:
        array = np.asarray(numbers)
    except ValueError:
        raise InputError(f"{name} must have as many readings on each axis, got rows of several lengths") from None
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2):
        several = "; explain_batch takes several recordings" if array.ndim == 3 else ""
        raise InputError(f"{name} must be numbers (axes, time), got shape {array.shape} of {array.dtype}{several}")
    if 0 in array.shape:
        raise InputError(f"{name} must hold at least one reading, got shape {array.shape}")
    with np.errstate(over="ignore"):
        values = np.array(np.atleast_2d(array), dtype=np.float32, order="C")
    infinite = int(values.size - np.isfinite(values).sum())
    if infinite:
        raise InputError(
            f"{name} must be finite, got {infinite} readings that are NaN or beyond float32; "
            "cut them out or interpolate"
        )
    return values


def _from_npy(data: bytes, axes: Sequence[str] | None, name: str) -> Any:
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{name} must be a .npy file of numbers, got one that NumPy cannot read: {error}") from error


def _from_csv(data: bytes, axes: Sequence[str] | None, name: str) -> Any:
    try:
        rows = [row for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name} must be a .csv file in UTF-8, got one that cannot be read: {error}") from error
    columns = list(range(len(rows[0]))) if rows else []
    header_rows = 0
    if rows and not all(_is_number(cell) for cell in rows[0]):
        columns, header_rows = _axis_columns([cell.strip() for cell in rows[0]], axes, name), 1
    if not rows[header_rows:] or not columns:
        raise InputError(f"{name} must be a .csv file with a row for each reading, got none")
    readings = np.empty((len(columns), len(rows) - header_rows), np.float64)
    for i, row in enumerate(rows[header_rows:]):
        try:
            readings[:, i] = [float(row[column]) for column in columns]
        except (ValueError, IndexError):
            line = ",".join(row)[:60]
            raise InputError(
                f"{name} must be a .csv file with {len(columns)} numbers in each row, got {line!r} in row "
                f"{i + header_rows + 1}; separate them by commas, with decimal points"
            ) from None
    return readings


def _axis_columns(header: list[str], axes: Sequence[str] | None, name: str) -> list[int]:
    """Return the columns that hold the axes, in their order: those named so, or all but the time."""
    if axes is None:
        return [i for i, title in enumerate(header) if title.casefold() not in _TIME_COLUMNS]
    missing = [axis for axis in axes if axis not in header]
    if missing:
        raise InputError(f"{name} must have a column for each axis, got {', '.join(header)} without {missing[0]!r}")
    return [header.index(axis) for axis in axes]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


_READERS = {".npy": _from_npy, ".csv": _from_csv}
