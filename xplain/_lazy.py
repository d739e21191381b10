"""Imports of optional packages, made when they are needed: xplain itself starts without torch and the like."""

from __future__ import annotations

import importlib
from types import ModuleType

from xplain.errors import MissingExtraError


def require(module: str, *, extra: str) -> ModuleType:
    """Import a module of an optional extra.

    Parameters
    ----------
    module : str
        Dotted import name, such as ``"skimage.segmentation"``.
    extra : str
        The extra of xplain-kit that installs it.

    Returns
    -------
    ModuleType
        The imported module.

    Raises
    ------
    MissingExtraError
        If the package is not installed; the message holds the pip command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is not None and error.name.partition(".")[0] != package:
            raise  # the package is there, but something that it needs is not
        raise MissingExtraError(package, extra) from error
