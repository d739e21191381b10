"""``xplain explain``: images or texts in, documents or pictures out."""

from __future__ import annotations

import argparse
import glob
import importlib
import inspect
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from xplain import api
from xplain.cli import streams
from xplain.cli.documents import encoded
from xplain.errors import DocumentError, InputError, XplainError
from xplain.explanation import Explanation
from xplain.formatters import loads
from xplain.inputs import files

Sink = Callable[[str, Explanation], str]


@dataclass(frozen=True, slots=True)
class _Job:
    """One input.

    Parameters
    ----------
    name : str
        What it is called in messages and output files.
    target : object
        As `api.explain` takes it.
    file : str or None
        Where it is read from: an image, or a text if the model is one of texts; ``-`` is standard input.
    text : str or None
        The text itself, where there is no file.
    """

    name: str
    target: Any
    file: str | None = None
    text: str | None = None


def run(arguments: argparse.Namespace) -> int:
    """Explain each input; 1 if some failed."""
    if arguments.json and arguments.output == "-":
        raise InputError("output must be a file or a folder with --json, got -; add -o OUT")
    jobs = _all_jobs(arguments)
    options = dict(_option(text) for text in arguments.option)
    failed = 0
    texts = any(job.text is not None for job in jobs) or bool(arguments.text_file)
    model = load_model(arguments.model or ("sentiment-cnn" if texts else "efficientnet-lite0"))
    with _sink(arguments, jobs) as write:
        for job in jobs:
            try:
                explanation = _explain(model, job, options, arguments)
                output = write(job.name, explanation)
                line: dict[str, Any] = {"input": job.name, "status": "successful", "output": output}
                line |= {"label": explanation.predictions[0].name, "score": explanation.predictions[0].score}
            except XplainError as error:
                failed += 1
                line = {"input": job.name, "status": "failed", "error": str(error)}
                streams.note(f"error: {job.name}: {error}")
            if arguments.json:
                streams.print_json(line)
    if failed and len(jobs) > 1:
        streams.note(f"{failed} of {len(jobs)} inputs failed")
    return 1 if failed else 0


def load_model(name: str) -> Any:
    """Return a pretrained network, or what the factory ``module:function`` returns."""
    from xplain.models import Model, pretrained

    module, colon, factory = name.partition(":")
    if colon and not (module and factory):
        raise InputError(f"model must be a network's name or MODULE:FACTORY, got {name!r}")
    if not colon:
        return pretrained(name)
    sys.path.insert(0, str(Path.cwd()))  # the user's own module lies where the command is run
    try:
        model = getattr(importlib.import_module(module), factory)()
    except (ImportError, AttributeError, TypeError) as error:
        raise InputError(f"model must be a network's name or MODULE:FACTORY, got {name!r}: {error}") from error
    finally:
        sys.path.pop(0)
    if not isinstance(model, Model):
        raise InputError(
            f"model factory {name} must return an xplain model, got {type(model).__name__}; "
            "wrap it: xplain.ImageClassifier(module, ...) or xplain.TextClassifier(module, tokenizer, ...)"
        )
    return model


@contextmanager
def progress(name: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a callback that shows progress on the terminal after a second; None where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    start = last = time.monotonic()
    shown = False

    def show(done: int, total: int) -> None:
        nonlocal last, shown
        now = time.monotonic()
        if now - start > 1 and now - last > 0.1:
            last, shown = now, True
            sys.stderr.write(f"\r{name}: {done}/{total} evaluations")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")


def _explain(model: Any, job: _Job, options: dict[str, Any], arguments: argparse.Namespace) -> Explanation:
    with progress(job.name) as show:
        explanation = api.explain(
            model,
            job.text if job.file is None else read_input(job.file, model.task),
            arguments.method,
            job.target,
            seed=arguments.seed,
            batch_size=arguments.batch_size,
            progress=show,
            **options,
        )
    if not arguments.stamp:
        explanation = replace(explanation, provenance=replace(explanation.provenance, created=None, seconds=None))
    if arguments.keep is None and arguments.threshold is None:
        return explanation
    return explanation.with_masks(arguments.keep, arguments.threshold)


def read_input(file: str, task: str) -> Any:
    """Return what `api.explain` takes of a model of a task for a file: its text, or where an image is."""
    if task == "text-classification":
        try:
            return streams.read_bytes(file).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"text must be UTF-8, got other bytes in {file!r}: {error}") from error
    return streams.read_bytes("-") if file == "-" else file


def _all_jobs(arguments: argparse.Namespace) -> list[_Job]:
    """Return the inputs that the command line names."""
    target = _targets(arguments.target)
    jobs = [job for text in arguments.inputs for job in _jobs(text, target)]
    jobs += [_Job("text", target, text=text) for text in arguments.text]
    jobs += [_Job(file, target, file=file) for file in arguments.text_file]
    if not jobs:
        raise InputError("input must be given, got none; name an image, or use --text or --text-file")
    return jobs


def _jobs(text: str, target: Any) -> Iterator[_Job]:
    """Yield the inputs that one argument names."""
    if text == "-":
        yield _Job("stdin", target, file="-")
    elif text.lower().endswith(".jsonl"):
        yield from _lines(text, target)
    elif glob.has_magic(text) and not Path(text).exists():
        found = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - absolute patterns too
        if not found:
            raise InputError(f"input must match at least one file, got {text!r}, which matches none")
        yield from (_Job(name, target, file=name) for name in found)
    elif Path(text).is_dir():
        raise InputError(f"input must be a file, got the folder {text!r}; name its files: '{text}/*.jpg'")
    else:
        yield _Job(text, target, file=text)


def _lines(file: str, target: Any) -> Iterator[_Job]:
    """Yield the inputs of a .jsonl file: a path, or an object with ``image`` or ``text``, and maybe ``target``."""
    for number, line in enumerate(streams.read_bytes(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = loads(line)
        except DocumentError as error:
            raise InputError(f"{file}, line {number}, {error.message}") from error
        entry = {"image": value} if isinstance(value, str) else value
        found = [entry.get(key) for key in ("image", "text")] if isinstance(entry, dict) else []
        if sum(isinstance(one, str) for one in found) != 1:
            raise InputError(
                f'{file}, line {number}, must be a path, {{"image": path}} or {{"text": text}}, got {value!r}'
            )
        image, text = found
        yield _Job(image or f"line-{number}", entry.get("target", target), file=image, text=text)


def _targets(texts: list[str] | None) -> Any:
    """Return the targets of the command line: whole numbers are classes, anything else a label."""
    if texts is None:
        return None
    targets = [streams.target(text) for text in texts]
    return targets[0] if len(targets) == 1 else targets


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"option must be NAME=VALUE, got {text!r}")
    name = name.replace("-", "_")
    if name in inspect.signature(api.explain).parameters:
        raise InputError(f"option must be one of the method, got {name!r}; see xplain explain --help for that")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


@contextmanager
def _sink(arguments: argparse.Namespace, jobs: list[_Job]) -> Iterator[Sink]:
    """Yield what writes one explanation and returns where it went: a stream, one file, or one file an input."""
    output = arguments.output
    suffix = Path(output).suffix.lower()
    if output == "-" or suffix == ".jsonl":
        if output != "-" and Path(output).exists() and not arguments.force:
            raise InputError(f"output must be a new file, got {output!r}, which exists; --force overwrites it")
        with nullcontext(sys.stdout.buffer) if output == "-" else _opened(output, arguments.force) as stream:

            def append(name: str, explanation: Explanation) -> str:
                stream.write(_encoded(explanation, ".json", arguments))
                stream.flush()
                return str(output)

            yield append
        return
    one_each = "{name}" in output or not suffix or Path(output).is_dir()
    if not one_each and len(jobs) > 1:
        raise InputError(
            f"output must be a folder, a .jsonl file, or hold {{name}} for {len(jobs)} inputs, got {output!r}; "
            "for pictures: -o 'folder/{name}.png'"
        )
    template = output if "{name}" in output or not one_each else str(Path(output) / "{name}.json")
    suffix = Path(template).suffix.lower()
    if suffix not in (*streams.PICTURES, ".json"):
        raise InputError(f"output must end in .json, .jsonl, {', '.join(streams.PICTURES)}, got {output!r}")
    taken: set[str] = set()

    def write(name: str, explanation: Explanation) -> str:
        path = template.replace("{name}", _unique(Path(name).stem, taken))
        files.make_folder(Path(path).parent)
        streams.write_bytes(path, _encoded(explanation, suffix, arguments), force=arguments.force)
        return path

    yield write


def _opened(output: str, force: bool) -> BinaryIO:
    """Open a stream's file; one that came up meanwhile is not overwritten either."""
    try:
        return Path(output).open("wb" if force else "xb")
    except OSError as error:
        raise files.refusal("output must be a file that can be written", output, error) from error


def _unique(stem: str, taken: set[str]) -> str:
    """Return the stem, numbered if another input had the same; dots alone would lead to another folder."""
    name, number = stem if stem.strip(".") else f"_{stem}", 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name


def _encoded(explanation: Explanation, suffix: str, arguments: argparse.Namespace) -> bytes:
    if suffix in streams.PICTURES:
        data: bytes = api.render(explanation).encoded(suffix)
        return data
    return encoded(explanation, arguments.format, lossy=arguments.lossy)
