"""Baselines as callers give them: one input that stands for "nothing there", or a set of inputs, such as real ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from numbers import Number
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.call import Request
from xplain.errors import InputError

Read = Callable[[Any], npt.NDArray[Any]]

NAMES = ("baseline", "baselines")


def members(name: str, spec: Any, ndim: int) -> list[Any]:
    """Return the baselines of a set, or the only one.

    Parameters
    ----------
    name : str
        The caller's name of the option.
    spec : object
        A list or tuple is a set, unless it is an array in numbers; an array of one axis more than an input is one.
    ndim : int
        Number of axes of an input.

    Raises
    ------
    InputError
        If the set is empty.

    Examples
    --------
    >>> specs = (0.0, "mean", ["mean", "blur"], (255, 0, 0), np.ones((9, 3, 2, 2)))
    >>> [len(members("baseline", spec, 3)) for spec in specs]
    [1, 1, 2, 1, 9]
    """
    found = _set_of(spec, ndim)
    if found == []:
        raise _check.wrong(name, "at least one baseline", spec)
    return [spec] if found is None else found


def gathered(request: Request, ndim: int) -> Request:
    """Return a request in which a set of arrays is one array (k, ...), of which provenance keeps shape and digest."""
    return _with_sets(request, ndim, lambda items: items)


def gathered_photos(request: Request, shape: tuple[int, ...], read: Read) -> Request:
    """Do as `gathered`, after photos became inputs of the model.

    Parameters
    ----------
    request : Request
        With the caller's options.
    shape : tuple of int
        Of an input of the model; arrays of bytes, or of another shape, are photos.
    read : callable
        Makes an input of a path, bytes, a Pillow image or an array.
    """
    options = dict(request.options)
    for name in NAMES:
        if isinstance(options.get(name), (bytes, os.PathLike)) or hasattr(options.get(name), "getbbox"):  # of Pillow
            options[name] = read(options[name])
    return _with_sets(
        replace(request, options=options),
        len(shape),
        lambda items: [read(item) if _is_photo(item, shape) else item for item in items],
    )


def _set_of(spec: Any, ndim: int) -> list[Any] | None:
    """Return the members of a set; None of a single baseline."""
    if isinstance(spec, (list, tuple)):
        if not spec or not _is_numbers(spec, ndim):
            return list(spec)
        spec = np.asarray(spec)
    return list(spec) if hasattr(spec, "shape") and len(spec.shape) == ndim + 1 else None


def _is_numbers(spec: Any, ndim: int) -> bool:
    """Whether a list is an array in numbers, of rows that are too small to be inputs."""
    if isinstance(spec, (list, tuple)):
        return all(_is_numbers(item, ndim - 1) for item in spec)
    return isinstance(spec, Number) or (isinstance(spec, np.ndarray) and 0 < spec.ndim <= ndim)


def _with_sets(request: Request, ndim: int, read: Callable[[list[Any]], list[Any]]) -> Request:
    options = dict(request.options)
    for name in NAMES:
        items = _set_of(options[name], ndim) if name in options else None
        if items:
            items = read(items)
            options[name] = _stacked(name, items) if all(_is_input(item, ndim) for item in items) else items
    return replace(request, options=options)


def _is_input(item: Any, ndim: int) -> bool:
    return hasattr(item, "shape") and len(item.shape) == ndim


def _is_photo(item: Any, shape: tuple[int, ...]) -> bool:
    if isinstance(item, str):
        return item not in ("mean", "blur")
    if not hasattr(item, "shape"):
        return not isinstance(item, (Number, list, tuple))
    if len(item.shape) != len(shape):
        return False
    if "uint8" in str(item.dtype):
        return True
    # As many channels, first: an input of a wrong size, which is refused as such; in a tensor that is a photo, too.
    is_input = isinstance(item, np.ndarray) and item.shape[0] == shape[0]
    return tuple(item.shape) != shape and not is_input


def _stacked(name: str, items: list[Any]) -> npt.NDArray[Any]:
    arrays = [item.detach().cpu().numpy() if hasattr(item, "detach") else np.asarray(item) for item in items]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise InputError(
            f"{name} must be inputs of one shape, got {shapes[0]} and {shapes[-1]}; resize them, or give the model a "
            "preprocess with a size"
        )
    return np.stack(arrays)
