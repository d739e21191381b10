"""Arrays in the files of NumPy: read without pickles, and never larger than their file says and is."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.inputs import files
from xplain.inputs.recordings import frames
from xplain.inputs.recordings.table import Readings, Wanted

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read(data: bytes, wanted: Wanted) -> Readings:
    """Read the array of a ``.npy`` file."""
    return Readings(_array(data, wanted.name))


def read_archive(data: bytes, wanted: Wanted) -> Readings:
    """Read a ``.npz`` file: its only array, or an array of readings for each axis by its name.

    Raises
    ------
    InputError
        If it holds something else, or more than `xplain.inputs.files.MAX_UNSIZED` bytes.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            others = [member.filename for member in members if not member.filename.endswith(".npy")]
            if others or not members:
                raise InputError(
                    f"{wanted.name} must be a .npz file of arrays, got an archive with "
                    f"{others[0] if others else 'nothing'!r}; save its table as .csv"
                )
            size = sum(member.file_size for member in members)
            if size > max(files.MAX_UNSIZED, len(data)):
                raise InputError(
                    f"{wanted.name} must unpack to at most {files.MAX_UNSIZED} bytes, got {size}; save it as .npy"
                )
            for member in members:
                arrays[member.filename.removesuffix(".npy")] = _array(archive.read(member), wanted.name)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{wanted.name} must be a .npz file that can be unpacked, got {error}") from error
    if len(arrays) == 1:
        [array] = arrays.values()
        return Readings(array)
    return frames.of_mapping(arrays, wanted)


def _array(data: bytes, name: str) -> npt.NDArray[Any]:
    """Return the array of a ``.npy`` file; its size is checked before any is made."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        shape, is_fortran, dtype = _HEADERS[version](stream)
    except Exception as error:  # the header is a Python literal, whose parser raises errors of any type
        reason = str(error) or type(error).__name__
        raise InputError(f"{name} must be a .npy file of numbers, got one that NumPy cannot read: {reason}") from error
    if dtype.hasobject or dtype.kind not in "biuf":
        raise InputError(f"{name} must be a .npy file of numbers, got {dtype}")
    held = (len(data) - stream.tell()) // dtype.itemsize
    count = math.prod(shape)
    if any(length < 0 for length in shape) or count > held:
        raise InputError(f"{name} must be a .npy file of numbers, got one that claims {shape} and holds {held} of them")
    flat = np.frombuffer(data, dtype, count, stream.tell())
    return flat.reshape(shape, order="F" if is_fortran else "C")
