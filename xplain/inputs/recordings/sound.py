"""Sounds: WAV files of whole numbers or floats, of one channel or several."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.inputs.recordings.clock import Clock
from xplain.inputs.recordings.table import Readings, Wanted

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


def read(data: bytes, wanted: Wanted) -> Readings:
    """Read a WAV file: readings from -1 to 1, as torchaudio and soundfile give them, an axis a channel.

    The chunks are read here, since the standard library's `wave` refuses floats, and the extensible form, in which many
    programs write 24 bits.

    Raises
    ------
    InputError
        If it is broken, or packed in another way than as plain numbers.
    """
    form, channels, rate, bits, samples = _chunks(data, wanted.name)
    width = bits // 8
    if form not in (_PCM, _FLOAT) or (form, bits) not in {
        (_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)
    }:  # fmt: skip
        raise InputError(
            f"{wanted.name} must be a WAV file of plain numbers (8, 16, 24 or 32 bits, or floats), got form {form} of "
            f"{bits} bits; convert it: ffmpeg -i IN -c:a pcm_s16le OUT.wav"
        )
    if not channels or not rate:
        raise InputError(f"{wanted.name} must be a WAV file, got {channels} channels at {rate} readings a second")
    frames = len(samples) // (width * channels)
    values = _numbers(samples[: frames * width * channels], form, bits).reshape(frames, channels).T
    clock = Clock("of the WAV file", np.arange(frames, dtype=np.float64), 1 / rate, is_exact=True)
    return Readings(values, None, [clock] if frames > 1 else [])


def _numbers(samples: bytes, form: int, bits: int) -> npt.NDArray[np.floating]:
    if form == _FLOAT:
        return np.frombuffer(samples, f"<f{bits // 8}")
    if bits == 8:  # without a sign, unlike wider ones
        return (np.frombuffer(samples, np.uint8).astype(np.float32) - 128) / 128
    if bits == 24:
        wide = np.zeros((len(samples) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(samples, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0] / 2.0**31
    return np.frombuffer(samples, f"<i{bits // 8}") / 2.0 ** (bits - 1)


def _chunks(data: bytes, name: str) -> tuple[int, int, int, int, bytes]:
    """Return form, channels, readings a second, bits of a reading, and the readings as bytes."""
    form, position = None, 12
    while position + 8 <= len(data):
        kind, size = data[position : position + 4], struct.unpack_from("<I", data, position + 4)[0]
        body = data[position + 8 : position + 8 + size]
        if kind == b"fmt " and len(body) >= 16:
            code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
            if code == _EXTENSIBLE and len(body) >= 26:
                code = struct.unpack_from("<H", body, 24)[0]
            form = code, channels, rate, bits
        elif kind == b"data" and form is not None:
            # A recorder that was cut off leaves a size of 0 or of all there may ever be: what is there counts.
            return *form, data[position + 8 :] if size in (0, 0xFFFFFFFF) else body
        position += 8 + size + size % 2
    raise InputError(f"{name} must be a WAV file with a format and readings, got one without; it may be cut off")
