"""``xplain compare``: several methods and the controls on one page, with their measures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from xplain import api, evaluation
from xplain.cli import streams
from xplain.cli.explain import load_model
from xplain.errors import InputError
from xplain.explanation import Box
from xplain.inputs import images

Options = dict[str, dict[str, Any]]  # by the name of a method or a measure


def run(arguments: argparse.Namespace) -> int:
    """Compare methods on one input; 1 if some of them cannot explain the model."""
    output = arguments.output
    if arguments.json and output == "-":
        raise InputError("output must be a file with --json, got -; add -o OUT")
    suffix = ".png" if output in (None, "-") else Path(output).suffix.lower()
    if suffix not in streams.PICTURES:
        raise InputError(f"output must end in {', '.join(streams.PICTURES)}, got {output!r}")
    methods, measures = _options("methods", arguments.methods), _options("measures", arguments.measures)
    for text in arguments.option:
        _set_option(text, {**measures, **methods})
    model = load_model(arguments.model)
    comparison = evaluation.compare(
        model,
        streams.read_bytes("-") if arguments.input == "-" else arguments.input,
        methods,
        None if arguments.target is None else streams.parse_target(arguments.target),
        measures=measures,
        region=_region(arguments),
        seed=arguments.seed,
        batch_size=arguments.batch_size,
        progress=_show_method if sys.stderr.isatty() else None,
    )
    if output is not None:
        streams.write_bytes(output, api.render(comparison, time=arguments.time).encoded(suffix), force=arguments.force)
    for method, reason in comparison.refused.items():
        streams.note(f"error: {method}: {reason}")
    if arguments.json:
        for row in comparison.rows(time=arguments.time):
            streams.print_json(row | {"status": "successful"})
        for method, reason in comparison.refused.items():
            streams.print_json({"method": method, "status": "failed", "error": reason})
    elif output is None:
        print(comparison.table(time=arguments.time))
    return 1 if comparison.refused else 0


def _show_method(method: str) -> None:
    streams.note(f"{method} ...")


def _options(argument: str, text: str) -> Options:
    """Return no options yet for each of the names that an argument lists."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise InputError(f"{argument} must be names with commas between them, got {text!r}")
    return {name: {} for name in names}


def _set_option(text: str, options: Options) -> None:
    """Set NAME.OPTION=VALUE among the options of methods and measures."""
    key, equals, value = text.partition("=")
    name, dot, option = key.partition(".")
    if not (equals and dot and option):
        raise InputError(f"option must be NAME.OPTION=VALUE, got {text!r}")
    if name not in options:
        raise InputError(f"option must be one of a method or measure that is asked for, got {text!r}")
    options[name][option.replace("-", "_")] = streams.parse_value(value)


def _region(arguments: argparse.Namespace) -> Any:
    """Where the thing to find is: a box, a mask (height, width), or None."""
    if arguments.box is not None and arguments.mask is not None:
        raise InputError("mask must be left out when box is given, got both")
    if arguments.box is not None:
        try:
            x0, y0, x1, y1 = (float(number) for number in arguments.box.split(","))
        except ValueError:
            raise InputError(f"box must be four numbers X0,Y0,X1,Y1, got {arguments.box!r}") from None
        return Box(x0, y0, x1, y1, "pixel")
    if arguments.mask is not None:
        return np.asarray(images.load(arguments.mask, digest=False).pixels.any(axis=2))
    return None
