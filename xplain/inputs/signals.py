"""Recordings: whatever a caller passes as a signal becomes a matrix of readings (axes, time)."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.inputs import files, images
from xplain.inputs.recordings import arrays, clock, delimited, frames, objects, sound
from xplain.inputs.recordings.table import KINDS, Readings, Wanted

#: What files begin with, and what they are; anything else is a table as text.
_READERS: Sequence[tuple[bytes, Callable[[bytes, Wanted], Readings]]] = (
    (b"\x93NUMPY", arrays.read),
    (b"PK\x03\x04", arrays.read_archive),
    (b"PK\x05\x06", arrays.read_archive),  # without members
    (b"RIFF", sound.read),
    (b"{", objects.read),
    (b"[", objects.read),
)
#: Files that people keep recordings in and that are not read, and what makes a file of them that is.
_OTHERS: Sequence[tuple[bytes, str, str]] = (
    (b"ID3", "an MP3 file", "ffmpeg -i IN OUT.wav"),
    (b"\xff\xfb", "an MP3 file", "ffmpeg -i IN OUT.wav"),
    (b"fLaC", "a FLAC file", "ffmpeg -i IN OUT.wav"),
    (b"OggS", "an Ogg file", "ffmpeg -i IN OUT.wav"),
    (b"PAR1", "a Parquet file", "pass pandas.read_parquet(PATH)"),
    (b"\x89HDF", "an HDF5 file", "pass the array that h5py reads"),
    (b"MATLAB", "a MATLAB file", "pass the array that scipy.io.loadmat reads"),
    (b"\xd0\xcf\x11\xe0", "an Excel file", "pass pandas.read_excel(PATH), or save it as .csv"),
    (b"\x89PNG", "a photo", "an image model explains it"),
    (b"\xff\xd8\xff", "a photo", "an image model explains it"),
    (b"GIF8", "a photo", "an image model explains it"),
    (b"\x80\x04", "a pickle, which can run programs", "save it with numpy.save"),
    (b"\x80\x05", "a pickle, which can run programs", "save it with numpy.save"),
)


@dataclass(frozen=True, slots=True)
class LoadedRecording:
    """A recording.

    Parameters
    ----------
    values : numpy.ndarray
        float32 (axes, time), finite.
    sha256 : str
        Digest of the file's bytes, unpacked if they were packed, or of the matrix.
    name : str or None
        File name without its folder.
    axes : tuple of str or None
        Names of the axes, where the recording has them.
    notes : tuple of str
        What a reader has to know of how the recording was read.
    """

    values: npt.NDArray[np.float32]
    sha256: str
    name: str | None
    axes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def load(
    recording: Any,
    axes: Sequence[str] | None = None,
    name: str = "recording",
    *,
    count: int | None = None,
    rate_hz: float | None = None,
) -> LoadedRecording:
    r"""Read a recording.

    Parameters
    ----------
    recording : array_like, torch.Tensor, data frame, mapping, bytes, path or file object
        Numbers (axes, time), or (time,) for one axis; a data frame or a series of pandas or polars, or a dictionary of
        axis to readings. Bytes and files are recognised by what they hold, packed by gzip or not: a table as text with
        a column for each axis and a row for each reading (`delimited.read`), ``.npy`` and ``.npz``, WAV (`sound.read`),
        JSON (`objects.read`).
    axes : sequence of str, optional
        Names of the axes, by which the columns of a table are selected and ordered.
    name : str, optional
        The argument's name in messages.
    count : int, optional
        How many axes there are to be, where only their number is known. Of a table without titles it tells whether the
        first column is a clock.
    rate_hz : float, optional
        Readings a second that are wanted. If left out, clocks are not checked.

    Returns
    -------
    LoadedRecording
        Readings, digest, name, and the names of the axes.

    Raises
    ------
    InputError
        If the recording is of another kind, cannot be read or could be read in several ways, is empty, is not finite,
        or was taken unevenly or at another rate.

    Examples
    --------
    >>> load([[1, 2, 3], [4, 5, 6]]).values.shape
    (2, 3)
    >>> walk = load(b"time;x;y\n0,00;0,5;1,5\n0,02;0,7;1,25\n")
    >>> walk.axes, walk.values.tolist()
    (('x', 'y'), [[0.5, 0.699999988079071], [1.5, 1.25]])
    """
    wanted = Wanted(name, axes, count)
    data = _bytes(recording, name)
    if data is not None:
        found, digest = _of_bytes(data, wanted), hashlib.sha256(data).hexdigest()
    else:
        found, digest = _of_object(recording, wanted), None
    values = _matrix(found.values, name, found)
    notes = list(found.notes)
    if rate_hz is not None:
        for each in found.clocks:
            notes += clock.check(each, rate_hz, name, found.rows)
    is_file = isinstance(recording, (str, os.PathLike))
    return LoadedRecording(
        values,
        digest or images.array_digest(values),
        Path(recording).name if is_file else None,
        found.axes,
        tuple(notes),
    )


def _bytes(recording: Any, name: str) -> bytes | None:
    """Return the bytes of a file; None of anything else."""
    if isinstance(recording, (bytes, bytearray, memoryview)):
        return files.unpacked(bytes(recording), f"{len(recording)} bytes")
    if isinstance(recording, (str, os.PathLike)):
        return files.read(files.as_path(recording, name))
    return files.read(recording) if files.file_object(recording) is not None else None


def _of_bytes(data: bytes, wanted: Wanted) -> Readings:
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:16]
    for mark, reader in _READERS:
        if data.startswith(mark) or (mark in (b"{", b"[") and start.startswith(mark)):
            return reader(data, wanted)
    for mark, kind, remedy in _OTHERS:
        if data.startswith(mark):
            raise InputError(f"{wanted.name} must be {KINDS}, got {kind}; {remedy}")
    if objects.is_cbor_acquisition(data):
        raise InputError(
            f"{wanted.name} must be {KINDS}, got Edge Impulse's acquisition format in CBOR, which is binary; take the "
            "sample as JSON: json.dump(cbor2.load(file), out)"
        )
    return delimited.read(data, wanted)


def _of_object(recording: Any, wanted: Wanted) -> Readings:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(recording, torch.Tensor):
        recording = recording.detach().cpu()
        recording = (recording.float() if recording.is_floating_point() else recording).numpy()
    if isinstance(recording, np.ndarray) and recording.dtype.names:
        return frames.of_mapping({field: recording[field] for field in recording.dtype.names}, wanted)
    if isinstance(recording, (list, tuple, Mapping)):
        return objects.of_value(recording, wanted)
    if isinstance(recording, np.ndarray):
        return Readings(recording)
    if frames.is_frame(recording):
        return frames.read(recording, wanted)
    raise InputError(f"{wanted.name} must be {KINDS}, got {type(recording).__name__}")


def _matrix(numbers: Any, name: str, found: Readings) -> npt.NDArray[np.float32]:
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
        axis, time = np.argwhere(~np.isfinite(values))[0].tolist()
        where = f"reading {time}" if found.rows is None else f"row {found.rows[time]}"
        of_axis = f" of {found.axes[axis]!r}" if found.axes else f" of axis {axis}" if len(values) > 1 else ""
        raise InputError(
            f"{name} must be finite, got {infinite} readings that are missing, NaN or beyond float32, the first in "
            f"{where}{of_axis}; cut them out or interpolate"
        )
    return values
