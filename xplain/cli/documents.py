"""Commands on saved documents: render, convert, validate.

A job in a file is read item by item where that is enough, since jobs can be larger than memory.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from xplain import api, formatters
from xplain.cli import streams
from xplain.errors import InputError, XplainError
from xplain.explanation import Explanation, Item, Record, Results
from xplain.formatters import (
    dumps,
    from_document,
    holds_items,
    lines,
    loads,
    read_outline,
    to_document,
    validate_text,
)
from xplain.inputs import files
from xplain.kernels import jit

if TYPE_CHECKING:
    from xplain.renderers import JobPage, Picture, TextPicture


_JOB_FORMATS = ("modzy", "edge-impulse", "cognite", "native")  # those whose jobs hold named items
_STYLE = ("alpha", "text", "signal")  # arguments of `render` that are passed on as they are


def load(name: str, format: str | None = None) -> Explanation | Results | Record:
    """Read one document, or the lines of a file as a job; ``-`` is standard input."""
    return _load(name, format)[0]


def _load(name: str, format: str | None) -> tuple[Explanation | Results | Record, bool]:
    """Read as `load`; also return whether the file holds lines."""
    data = streams.read_bytes(name)
    open_data = lines.of_bytes(data)
    if lines.is_lines(open_data, name):
        return lines.read_results(open_data, "stdin" if name == "-" else name, format), True
    return from_document(loads(data), format), False


def outline(name: str, format: str | None = None) -> Results | None:
    """Read a job without its explanations, item by item; None if the document is no job in a file."""
    if name == "-" or not Path(name).is_file():  # a pipe can be read only once
        return None

    def open_file() -> AbstractContextManager[BinaryIO]:
        return files.opened(name)

    if lines.is_lines(open_file, name):
        return lines.read_results(open_file, name, format, outline=True)
    return read_outline(open_file, format) if holds_items(open_file, format) else None


def encode(subject: Explanation | Results | Record, format: str, *, lossy: bool = False) -> bytes:
    """Return a document as a line of JSON."""
    return (dumps(to_document(subject, format, lossy=lossy)) + "\n").encode("utf-8")


def _with_masks(
    subject: Explanation | Results | Record, keep: float | None, threshold: float | None
) -> Explanation | Results | Record:
    """Turn heat maps into masks if the command line asks for it."""
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
    """Draw the explanations of one or more documents as one picture, or a job as a page."""
    jit.one_shot()  # importing Numba takes longer than to draw once without it
    output = arguments.output
    if output not in (None, "-") and Path(output).suffix.lower() not in streams.PICTURES:
        raise InputError(f"output must end in {', '.join(streams.PICTURES)}, got {output!r}")
    page = _page(arguments)
    picture, failed = (page, 0) if page is not None else _picture(arguments)
    if output is None:
        streams.print_picture(picture)
    else:
        suffix = Path(output).suffix.lower() or ".png"
        streams.write_bytes(output, picture.parts(suffix), force=arguments.force)
    return 1 if failed else 0


def _page(arguments: argparse.Namespace) -> JobPage | None:
    """The page of a job that is read item by item; None if something else is asked for."""
    names, format = arguments.documents, arguments.format
    is_html = str(arguments.output).lower().endswith(".html")
    is_page = arguments.kind == "page" or (arguments.kind is None and is_html)
    has_style = any(getattr(arguments, name) is not None for name in ("target", "cmap", "scale", *_STYLE))
    if len(names) > 1 or has_style or not is_page:
        return None
    results = outline(names[0], format)
    if results is None:
        return None
    from xplain.renderers.job import page as job_page

    return job_page.draw(results, arguments.image, lambda: api.read_items(names[0], format), notes=formatters.notes)


def _picture(arguments: argparse.Namespace) -> tuple[Picture | TextPicture | JobPage, int]:
    """Draw the documents; also return how many lines among them could not be read."""
    from xplain.renderers.job.charts import KINDS

    subjects: list[Explanation | Results | Record] = []
    failed = 0
    for name in arguments.documents:
        loaded, is_lines = _load(name, arguments.format)
        if not is_lines or not isinstance(loaded, Results) or arguments.kind in (*KINDS, "page"):
            subjects.append(loaded)
            continue
        subjects += [item.explanation for item in loaded.items if item.explanation is not None]
        for item in loaded.items:
            if item.error is not None:
                failed += 1
                streams.note(f"error: {name}, {item.name}: {item.error}")
    if not subjects:
        raise InputError("document must hold something to draw, got none")
    scale = arguments.scale
    if scale is not None and scale not in ("max", "robust"):
        scale = _parse_scale(scale)
    target = arguments.target
    style = {name: getattr(arguments, name) for name in _STYLE if getattr(arguments, name) is not None}
    picture = api.render(
        subjects[0] if len(subjects) == 1 else _explanations(subjects),
        arguments.image,
        kind=arguments.kind,
        target=None if target is None else streams.parse_target(target),
        cmap=arguments.cmap,
        scale=scale,
        **style,
    )
    return picture, failed


def convert(arguments: argparse.Namespace) -> int:
    """Write a document in another format, or several explanations as a job.

    A job to a .jsonl file becomes a line for each item; the status is 1 if some cannot be written.
    """
    names = arguments.documents
    if arguments.job_id is not None and not arguments.job:
        raise InputError("--job-id must go with --job, got no --job")
    if arguments.job:
        subject: Explanation | Results | Record = _job(names, arguments)
    elif len(names) == 1:
        subject = load(names[0], arguments.format)
    else:
        raise InputError(f"document must be one, got {len(names)}; --job writes several as one job")
    subject = _with_masks(subject, arguments.keep, arguments.threshold)
    if isinstance(subject, Results) and arguments.output.lower().endswith(".jsonl"):
        encoded = [_encode_item(item, arguments) for item in subject.items]
        streams.write_bytes(arguments.output, [line for line in encoded if line], force=arguments.force)
        return 0 if all(encoded) else 1
    streams.write_bytes(arguments.output, encode(subject, arguments.to, lossy=arguments.lossy), force=arguments.force)
    return 0


def _encode_item(item: Item, arguments: argparse.Namespace) -> bytes:
    """Return an item as a line; none if it has no explanation, or its format cannot hold it, which is said."""
    try:
        if item.explanation is None:
            raise InputError(item.error or f"item must hold an explanation, got one that is {item.status}")
        return encode(item.explanation, arguments.to, lossy=arguments.lossy)
    except XplainError as error:
        streams.note(f"error: {item.name}: {error}")
        return b""


def _job(names: Sequence[str], arguments: argparse.Namespace) -> Results:
    """Read explanations as the items of a job, named as their files without the ending."""
    if arguments.to in formatters.FORMATS and arguments.to not in _JOB_FORMATS:
        raise InputError(f"--to must be one of {', '.join(_JOB_FORMATS)} with --job, got {arguments.to!r}")
    items: dict[str, Item] = {}
    files_of: dict[str, str] = {}
    for name in names:
        stem = Path(name).stem
        if stem in items:
            raise InputError(f"document must have a name of its own with --job, got {files_of[stem]!r} and {name!r}")
        files_of[stem] = name
        items[stem] = _item(stem, name, load(name, arguments.format))
    return Results("1" if arguments.job_id is None else arguments.job_id, tuple(items.values()))


def _item(stem: str, name: str, subject: Explanation | Results | Record) -> Item:
    """Return an explanation, or the only item of a job, as an item of another job."""
    if isinstance(subject, Explanation):
        from xplain.formatters.modzy.jobs import as_item  # the only format whose items are documents of their own

        return as_item(stem, subject)
    if isinstance(subject, Results) and len(subject.items) == 1:
        return replace(subject.items[0], name=stem)
    kind = f"a record, {subject.kind}" if isinstance(subject, Record) else f"a job of {len(subject.items)} items"
    raise InputError(f"document must be an explanation to become an item of a job, got {kind}: {name!r}")


def validate(arguments: argparse.Namespace) -> int:
    """Print the problems of each document; 2 if there are any."""
    any_invalid = False
    for name in arguments.documents:
        data = streams.read_bytes(name)
        is_lines = lines.is_lines(lines.of_bytes(data), name)
        if is_lines:
            problems = lines.validate_lines(lines.of_bytes(data), arguments.format)
        else:
            problems = validate_text(data, arguments.format)
        any_invalid = any_invalid or bool(problems)
        if arguments.json:
            listed = [{"path": problem.path, "message": problem.message} for problem in problems]
            streams.print_json({"document": name, "valid": not problems, "problems": listed})
        else:
            for problem in problems:
                print(f"{name}: {problem.path}: {problem.message}")
            if not problems:
                print(f"{name}: valid")
    return 2 if any_invalid else 0


def _explanations(subjects: Sequence[Explanation | Results | Record]) -> list[Explanation]:
    """Return the explanations of several documents, those of jobs among them."""
    explanations: list[Explanation] = []
    for subject in subjects:
        if isinstance(subject, Record):
            raise InputError(f"document must hold explanations to be drawn with others, got a record: {subject.kind}")
        if isinstance(subject, Explanation):
            explanations.append(subject)
        else:
            explanations += [item.explanation for item in subject.items if item.explanation is not None]
    return explanations


def _parse_scale(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"scale must be a number, 'max' or 'robust', got {text!r}") from None
