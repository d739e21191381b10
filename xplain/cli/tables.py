"""Commands that print tables: info, methods, formats, schema."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
from importlib import metadata
from typing import Any

import xplain
from xplain import api
from xplain.cli import streams
from xplain.cli.documents import load, outline
from xplain.cli.explain import load_model, read_input
from xplain.errors import InputError
from xplain.explanation import Record, Results
from xplain.formatters import Value, conversion, from_document, lines, loads, sniff

_PACKAGES = ("numpy", "pillow", "numba", "torch", "captum", "scikit-image", "transformers", "isal")


def methods(arguments: argparse.Namespace) -> int:
    """List the attribution methods with what each needs and costs, or which of them can explain a model."""
    from xplain.attributions import METHODS

    if arguments.name is not None:
        _print_method(arguments.name, arguments.json)
    elif arguments.model is not None:
        _print_abilities(arguments.model, arguments.input, arguments.json)
    elif arguments.input is not None:
        raise InputError("input must come with a model to try it on, got none; add --model MODEL")
    elif arguments.json:
        rows = {
            name: {"summary": m.summary, "engine": m.engine, "explains": m.explains, "needs": m.needs, "cost": m.cost}
            for name, m in METHODS.items()
        }
        streams.print_json(rows)
    else:
        _print_table(
            ("method", "engine", "explains", "needs", "evaluations", "what it shows"),
            [(name, m.engine, ", ".join(m.explains), m.needs, m.cost, m.summary) for name, m in METHODS.items()],
        )
    return 0


def _print_method(name: str, as_json: bool) -> None:
    """Print what is known of a method: its engine, cost, paper, options by kind of input, and an example."""
    from xplain.attributions import MethodInfo
    from xplain.attributions.naming import method_of

    info = MethodInfo(method_of(name))
    facts = {
        "method": info.name,
        "summary": info.summary,
        "engine": info.engine,
        "needs": info.needs,
        "evaluations": info.cost,
        "paper": info.paper,
    }
    if as_json:
        streams.print_json({**facts, "options": info.options, "example": info.example})
        return
    for key, value in facts.items():
        print(f"{key:12} {value}")
    for kind, options in info.options.items():
        listed = ", ".join(f"{option}={value!r}" for option, value in options.items()) or "none"
        print(f"{'options':12} {kind}: {listed}")
    print(f"{'example':12} {info.example}")


def _print_abilities(model_name: str, file: str | None, as_json: bool) -> None:
    """Print for each method whether it can explain a model, and why not."""
    model = load_model(model_name)
    refused = api.refusals(model, None if file is None else read_input(file, model.task))
    summaries = api.methods()
    if as_json:
        streams.print_json(
            {method: {"able": method not in refused, "reason": refused.get(method)} for method in summaries}
        )
        return
    _print_table(
        ("method", "able", "what it shows, or why not"),
        [
            (method, "no" if method in refused else "yes", refused.get(method, summaries[method]))
            for method in summaries
        ],
    )


def formats(arguments: argparse.Namespace) -> int:
    """List the document formats, or what becomes of documents in each."""
    if arguments.documents:
        for name in arguments.documents:
            _print_conversions(name, arguments.json)
    elif arguments.json:
        streams.print_json(dict(api.formats()))
    else:
        _print_table(("format", "what it holds"), list(api.formats().items()))
    return 0


def _print_conversions(name: str, as_json: bool) -> None:
    """Print, for each format, whether a document can be written in it: equal, lossy with the losses, or refused."""
    data = streams.read_bytes(name)
    value: Value
    if lines.is_lines(lines.of_bytes(data), name):
        value, source_format = lines.read_results(lines.of_bytes(data), name), "JSON Lines"
    else:
        document = loads(data)
        value, source_format = from_document(document), sniff(document)
    outcomes = {format: conversion(value, format) for format in api.formats()}
    if as_json:
        streams.print_json({"document": name, "format": source_format, "to": outcomes})
        return
    print(f"{streams.visible(name)} ({source_format})")
    for format, outcome in outcomes.items():
        print(f"  {format:<14} {streams.visible(outcome)}")


def schema(arguments: argparse.Namespace) -> int:
    """Print the JSON Schema of a format."""
    print(json.dumps(api.schema(arguments.format), indent=2))
    return 0


def info(arguments: argparse.Namespace) -> int:
    """Describe a document, or the installation."""
    name = arguments.document
    facts = _installation() if name is None else _describe(outline(name) or load(name))
    if arguments.json:
        streams.print_json(facts)
        return 0
    for key, value in facts.items():
        lines = value if isinstance(value, list) else [value]
        for i, line in enumerate(lines):
            text = streams.visible(str(line)).replace("\n", " ")
            print(f"{key if i == 0 else '':<16} {text}")
    return 0


def _installation() -> dict[str, Any]:
    facts: dict[str, Any] = {"xplain": xplain.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            facts[package] = "not installed"
    facts["machine"] = f"{platform.system()} {platform.machine()}"
    return facts


def _describe(subject: Value) -> dict[str, Any]:
    if isinstance(subject, Record):
        return {"format": subject.format, "kind": subject.kind, "field": sorted(subject.fields)}
    if isinstance(subject, Results):
        items = [f"{item.name}: {item.status}" + (f" ({item.error})" if item.error else "") for item in subject.items]
        return {
            "job": subject.job,
            "items": f"{subject.total}, {subject.completed} successful, {subject.failed} failed",
            "item": items,
        }
    source, provenance = subject.source, subject.provenance
    size = f" {source.height}x{source.width}" if source.height is not None else ""
    facts: dict[str, Any] = {"task": subject.task, "source": f"{source.name or source.kind}{size}"}
    facts["prediction"] = [f"{p.name}  {p.score:.4g}" for p in subject.predictions]
    facts["attribution"] = [
        f"{a.target.name}: {a.evidence!r}" + (f" by {a.method}" if a.method else "") for a in subject.attributions
    ]
    names = ("method", "engine", "seed", "model", "model_sha256", "evaluations", "batch_size", "threads")
    for name in (*names, "created", "seconds"):
        if getattr(provenance, name) is not None:
            facts[name] = getattr(provenance, name)
    facts["versions"] = [f"{name} {version}" for name, version in provenance.versions.items()]
    return {key: value for key, value in facts.items() if value != []}


def _print_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print columns; the last one is cut at the terminal's edge, but never when piped."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header) - 1)]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in [header, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        print("  ".join([*cells, row[-1]])[:limit].rstrip())
