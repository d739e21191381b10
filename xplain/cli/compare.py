"""``xplain compare``: several methods and the controls on one page, with their measures."""

from __future__ import annotations

import argparse
import json
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

Options = dict[str, dict[str, Any]]


def run(arguments: argparse.Namespace) -> int:
    """Compare methods on one input; 1 if some of them cannot explain the model."""
    output = arguments.output
    if arguments.json and output == "-":
        raise InputError("output must be a file with --json, got -; add -o OUT")
    suffix = ".png" if output in (None, "-") else Path(output).suffix.lower()
    if suffix not in streams.PICTURES:
        raise InputError(f"output must end in {', '.join(streams.PICTURES)}, got {output!r}")
    methods, measures = _named("methods", arguments.methods), _named("measures", arguments.measures)
    for text in arguments.option:
        _set_option(text, {**measures, **methods})
    model = load_model(arguments.model)
    compared = evaluation.compare(
        model,
        streams.read_bytes("-") if arguments.input == "-" else arguments.input,
        methods,
        None if arguments.target is None else streams.target(arguments.target),
        measures=measures,
        region=_region(arguments),
        seed=arguments.seed,
        batch_size=arguments.batch_size,
        progress=_show if sys.stderr.isatty() else None,
    )
    if output is not None:
        streams.write_bytes(output, api.render(compared, time=arguments.time).encoded(suffix), force=arguments.force)
    for method, reason in compared.refused.items():
        streams.note(f"error: {method}: {reason}")
    if arguments.json:
        for row in compared.rows(time=arguments.time):
            streams.print_json(row | {"status": "successful"})
        for method, reason in compared.refused.items():
            streams.print_json({"method": method, "status": "failed", "error": reason})
    elif output is None:
        print(compared.table(time=arguments.time))
    return 1 if compared.refused else 0


def _show(method: str) -> None:
    streams.note(f"{method} ...")


def _named(what: str, text: str) -> Options:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise InputError(f"{what} must be names with commas between them, got {text!r}")
    return {name: {} for name in names}


def _set_option(text: str, options: Options) -> None:
    """Set NAME.OPTION=VALUE among the options of methods and measures."""
    place, equals, value = text.partition("=")
    name, dot, option = place.partition(".")
    if not (equals and dot and option):
        raise InputError(f"option must be NAME.OPTION=VALUE, got {text!r}")
    if name not in options:
        raise InputError(f"option must be one of a method or measure that is asked for, got {text!r}")
    try:
        options[name][option.replace("-", "_")] = json.loads(value)
    except (ValueError, RecursionError):
        options[name][option.replace("-", "_")] = value


def _region(arguments: argparse.Namespace) -> Any:
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
