"""Commands on saved documents: render, convert, validate."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xplain import api
from xplain.cli import _io
from xplain.dialects import dumps, from_document, loads, to_document, validate_text
from xplain.errors import InputError
from xplain.explanation import Explanation, Record, Results
from xplain.kernels import _jit

__all__ = ["convert", "encoded", "load", "render", "validate"]


def load(name: str, format: str | None = None) -> Explanation | Results | Record:
    """Read one document; ``-`` is standard input."""
    return from_document(loads(_io.read_bytes(name)), format)


def encoded(subject: Explanation | Results | Record, format: str, *, lossy: bool = False) -> bytes:
    """Return a document as a line of JSON."""
    return (dumps(to_document(subject, format, lossy=lossy)) + "\n").encode("utf-8")


def _with_masks(
    subject: Explanation | Results | Record, keep: float | None, threshold: float | None
) -> Explanation | Results | Record:
    """Turn heat maps into masks where the command line asks for it."""
    if isinstance(subject, Record) or (keep is None and threshold is None):
        return subject
    if isinstance(subject, Explanation):
        return subject.with_masks(keep, threshold)
    items = (
        replace(item, explanation=item.explanation and item.explanation.with_masks(keep, threshold))
        for item in subject.items
    )
    return replace(subject, items=tuple(items))


def render(arguments: argparse.Namespace) -> int:
    """Draw the explanations of one or more documents as one picture."""
    _jit.one_shot()
    output = arguments.output
    if output not in (None, "-") and Path(output).suffix.lower() not in _io.PICTURES:
        raise InputError(f"output must end in {', '.join(_io.PICTURES)}, got {output!r}")
    subjects = [subject for name in arguments.documents for subject in _subjects(name, arguments.format)]
    if not subjects:
        raise InputError("document must hold something to draw, got none")
    scale = arguments.scale
    if scale is not None and scale not in ("max", "robust"):
        scale = _number("scale", scale)
    target = arguments.target
    given = {name: getattr(arguments, name) for name in ("alpha", "text", "signal")}
    style = {name: value for name, value in given.items() if value is not None}
    picture = api.render(
        subjects[0] if len(subjects) == 1 else _explanations(subjects),
        arguments.image,
        kind=arguments.kind,
        target=None if target is None else _io.target(target),
        cmap=arguments.cmap,
        scale=scale,
        **style,
    )
    if output is None:
        _io.print_picture(picture)
        return 0
    _io.write_bytes(output, picture.encoded(Path(output).suffix.lower() or ".png"), force=arguments.force)
    return 0


def convert(arguments: argparse.Namespace) -> int:
    """Write a document in another format."""
    subject = _with_masks(load(arguments.document, arguments.format), arguments.keep, arguments.threshold)
    _io.write_bytes(arguments.output, encoded(subject, arguments.to, lossy=arguments.lossy), force=arguments.force)
    return 0


def validate(arguments: argparse.Namespace) -> int:
    """Print the problems of each document; 2 if there are any."""
    bad = False
    for name in arguments.documents:
        problems = validate_text(_io.read_bytes(name), arguments.format)
        bad = bad or bool(problems)
        if arguments.json:
            found = [{"path": problem.path, "message": problem.message} for problem in problems]
            _io.print_json({"document": name, "valid": not problems, "problems": found})
        else:
            for problem in problems:
                print(f"{name}: {problem.path}: {problem.message}")
            if not problems:
                print(f"{name}: valid")
    return 2 if bad else 0


def _subjects(name: str, format: str | None) -> Iterator[Explanation | Results | Record]:
    """Yield what a document or the lines of a .jsonl file hold."""
    data = _io.read_bytes(name)
    documents = data.splitlines() if name.lower().endswith(".jsonl") else [data]
    for document in documents:
        if document.strip():
            yield from_document(loads(document), format)


def _explanations(subjects: Sequence[Explanation | Results | Record]) -> list[Explanation]:
    """Return what several documents explain."""
    found: list[Explanation] = []
    for subject in subjects:
        if isinstance(subject, Record):
            raise InputError(f"document must hold explanations to be drawn with others, got a record: {subject.kind}")
        if isinstance(subject, Explanation):
            found.append(subject)
        else:
            found += [item.explanation for item in subject.items if item.explanation is not None]
    return found


def _number(name: str, text: Any) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{name} must be a number, 'max' or 'robust', got {text!r}") from None
